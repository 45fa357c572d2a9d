"""Downloads from a real server that is whole, cut, wrong, endless or gone; and a person who stops."""

import hashlib

import pytest
from filelock import FileLock

from tests.support.server import CONTENT
from thaw.storage.downloads import Download, download
from tlcore.errors import DatasetError, WeightsError


def wanted_from(file_server, **changes):
    facts = {
        "title": "the photos",
        "url": file_server.url,
        "bytes": len(CONTENT),
        "hash": hashlib.sha256(CONTENT).hexdigest(),
        "otherwise": "use the digits.",
        "elsewhere": "choose another disk.",
    }
    return Download(**(facts | changes))


def fetch(wanted, path, progress=lambda done, total: None):
    download(wanted, path, progress, DatasetError)
    return path.read_bytes()


def names_in(folder):
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_a_whole_download_is_in_place_and_asked_for_once(file_server, tmp_path):
    seen = []
    path = tmp_path / "new" / "photos.tgz"
    assert fetch(wanted_from(file_server), path, lambda done, total: seen.append((done, total))) == CONTENT
    assert (seen[0], seen[-1]) == ((0, len(CONTENT)), (len(CONTENT), len(CONTENT)))
    assert seen == sorted(seen)
    assert len(seen) > 3
    assert fetch(wanted_from(file_server), path) == CONTENT
    assert file_server.requests == [None]
    assert names_in(path.parent) == {"photos.tgz"}


def test_a_cut_download_goes_on_where_it_stopped(file_server, tmp_path):
    path = tmp_path / "photos.tgz"
    file_server.cut_after = 600_000
    with pytest.raises(DatasetError, match=r"^The photos \(2 MB\).*600000 of 1500000.*is kept.*use the digits\.$"):
        fetch(wanted_from(file_server), path)
    assert names_in(tmp_path) == {"photos.tgz.part"}
    file_server.cut_after = None
    assert fetch(wanted_from(file_server), path) == CONTENT
    assert file_server.requests == [None, "bytes=600000-"]
    assert names_in(tmp_path) == {"photos.tgz"}


def test_who_stops_keeps_what_has_arrived(file_server, tmp_path):
    class Enough(Exception):
        pass

    def stop(done, _total):
        if done >= 500_000:
            raise Enough

    path = tmp_path / "photos.tgz"
    with pytest.raises(Enough):
        fetch(wanted_from(file_server), path, stop)
    kept = (tmp_path / "photos.tgz.part").stat().st_size
    assert 500_000 <= kept < len(CONTENT)
    assert fetch(wanted_from(file_server), path) == CONTENT
    assert file_server.requests == [None, f"bytes={kept}-"]


@pytest.mark.parametrize("content", [bytes(len(CONTENT)), b"<html>404</html>", CONTENT + bytes(1_000_000)])
def test_anything_else_is_discarded(file_server, tmp_path, content):
    file_server.content = content
    with pytest.raises(DatasetError, match=r"Expected 1500000 bytes with hash .* they were discarded"):
        fetch(wanted_from(file_server), tmp_path / "photos.tgz")
    assert names_in(tmp_path) == set()


def test_a_server_that_never_stops_is_cut_off(file_server, tmp_path):
    file_server.content = CONTENT + bytes(20_000_000)
    seen = []
    with pytest.raises(DatasetError):
        fetch(wanted_from(file_server), tmp_path / "photos.tgz", lambda done, _total: seen.append(done))
    assert max(seen) < 2_000_000


def test_a_damaged_file_is_replaced(file_server, tmp_path):
    path = tmp_path / "photos.tgz"
    path.write_bytes(bytes(len(CONTENT)))
    assert fetch(wanted_from(file_server), path) == CONTENT


def test_the_caller_names_the_error(file_server, tmp_path):
    with pytest.raises(WeightsError, match="404"):
        download(wanted_from(file_server, url=f"{file_server.url}s"), tmp_path / "x", lambda *_: None, WeightsError)


def test_a_disk_without_room_is_told_before_anything_is_asked(file_server, tmp_path):
    enormous = wanted_from(file_server, bytes=10**15)
    with pytest.raises(DatasetError, match=r"Cannot write the photos .* MB free.*choose another disk\.$"):
        fetch(enormous, tmp_path / "photos.tgz")
    assert file_server.requests == []


def test_who_waits_for_another_process_can_stop(file_server, tmp_path):
    class Enough(Exception):
        pass

    def stop(_done, _total):
        raise Enough

    path = tmp_path / "photos.tgz"
    with FileLock(f"{path}.lock"), pytest.raises(Enough):
        fetch(wanted_from(file_server), path, stop)
    assert file_server.requests == []
