"""Features kept for other machines: found by any workspace, never believed unseen, and nothing that a job fails at.

Each is tried in memory, in a folder and on an S3 server of the test's own.
"""

import errno
import hashlib
import socket
import sys
import threading
import uuid
from contextlib import closing

import numpy as np
import pytest

from tlcore.errors import RunError, SettingsError, Stopped
from tlcore.features.cache import FeatureCache
from tlcore.features.compute import BATCH, list_views
from tlcore.features.shard_store import SHARDS_AT_ONCE, ShardStore, require_store, tell_url
from tlcore.features.shards import SHARD_IMAGES
from tlcore.photos import Photo
from tlcore.progress import Keeping, ignore_progress, never_stop

HOST, BUCKET = "127.0.0.1", "features"
CHANNELS, TAIL = 5, 37
PHOTOS = 2 * SHARD_IMAGES + TAIL
SHARDS = 3
WHY = "pip install '.[cluster]', to keep features for other machines"


@pytest.fixture(scope="module")
def s3_address():
    """Start an S3 server with one bucket; yield its address."""
    server = pytest.importorskip("moto.server", reason="pip install 'moto[server]', to try a real S3 server")
    pytest.importorskip("s3fs", reason=WHY)
    import boto3

    running = server.ThreadedMotoServer(HOST, 0, verbose=False)
    running.start()
    address = f"http://{HOST}:{running.get_host_and_port()[1]}"
    secrets = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=address, **secrets).create_bucket(Bucket=BUCKET)
    yield address
    running.stop()


@pytest.fixture
def s3(monkeypatch, s3_address):
    """Have S3 mean that server, by the variables that AWS's own programs read."""
    use_s3(monkeypatch, s3_address)


def use_s3(monkeypatch, address):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    # Else another test's server would be asked.
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def memory():
    pytest.importorskip("fsspec", reason=WHY)
    return f"memory://{uuid.uuid4().hex}"


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("fsspec", reason=WHY)
    (tmp_path / "lab").mkdir()
    return f"file://{tmp_path}/lab"


@pytest.fixture(params=["memory", "file", "s3"])
def url(request):
    if request.param == "s3":
        request.getfixturevalue("s3")
        return f"s3://{BUCKET}/{uuid.uuid4().hex}"
    return request.getfixturevalue("memory" if request.param == "memory" else "folder")


def views_of(numbers):
    photos = [Photo(f"{number}", "rose", f"{number}.png", f"{number:064x}", 8, 8) for number in numbers]
    return list_views(photos, 1, "none", 0)


def rows_of(keys):
    """Return what stands for the features of photos, which their keys decide."""
    return np.stack([np.random.default_rng(int(key, 16)).normal(size=CHANNELS).astype(np.float32) for key in keys])


class Workspace:
    """One with the cache alone, which computes batch by batch what it has not and nobody has kept."""

    def __init__(self, folder, url, made_with="1"):
        self.cache = FeatureCache(folder, {"of": "the test"}, [(CHANNELS,)], ["float32"])
        self.computed, self.told = [], []
        self.store = ShardStore(Keeping(url, self.told.append), self.cache, {"onnxruntime": made_with})

    def work(self, numbers, check_stop=never_stop):
        views = views_of(numbers)
        self.store.fetch(views, ignore_progress, check_stop)
        with self.store.keep(views, check_stop):
            self.compute(views)
        return self

    def compute(self, views, check_stop=never_stop):
        missing = self.cache.missing([view.key for view in views])
        for start in range(0, len(missing), BATCH):
            keys = missing[start : start + BATCH]
            self.cache.append(keys, [rows_of(keys)])
            self.computed += keys
        check_stop()

    def files(self):
        return {file.name: file.read_bytes() for file in self.cache.folder.iterdir()}

    def holds(self, numbers):
        keys = [view.key for view in views_of(numbers)]
        return np.array_equal(self.cache.tensors()[0][self.cache.rows(keys)], rows_of(keys))


def kept(url):
    """Return the objects of a store: the file system, and their names by how these end."""
    import fsspec

    files, root = fsspec.url_to_fs(url)
    files.invalidate_cache()
    names = sorted(files.find(root))
    return files, {end: [name for name in names if name.endswith(end)] for end in (".bin", ".keys", ".part")}


def test_another_workspace_with_the_photos_computes_nothing_and_has_the_same_files(tmp_path, url):
    first = Workspace(tmp_path / "one", url).work(range(PHOTOS))
    second = Workspace(tmp_path / "two", url).work(range(PHOTOS))
    alone = Workspace(tmp_path / "three", "memory://unused")
    alone.compute(views_of(range(PHOTOS)))
    assert (len(first.computed), second.computed) == (PHOTOS, [])
    assert first.files() == second.files() == alone.files()
    assert first.told[-1] == f"Features kept at {url}: 0 of {PHOTOS} photos found there, {PHOTOS} put there."
    assert second.told[-1] == f"Features kept at {url}: {PHOTOS} of {PHOTOS} photos found there."
    _, names = kept(url)
    assert [len(names[end]) for end in (".bin", ".keys", ".part")] == [SHARDS, SHARDS, 0]


def test_of_photos_that_differ_in_part_the_common_ones_are_found(tmp_path, url):
    Workspace(tmp_path / "one", url).work(range(200))
    second = Workspace(tmp_path / "two", url).work(range(299, 99, -1))
    assert sorted(second.computed) == [view.key for view in views_of(range(200, 300))]
    assert second.holds(range(100, 300))
    assert second.told[-1] == f"Features kept at {url}: 100 of 200 photos found there, 100 put there."
    third = Workspace(tmp_path / "three", url).work(range(300))
    assert third.computed == []
    assert third.holds(range(300))


def test_what_this_workspace_had_computed_before_is_put_there_too(tmp_path, memory):
    first = Workspace(tmp_path / "one", memory)
    first.compute(views_of(range(100)))
    first.work(range(PHOTOS))
    assert Workspace(tmp_path / "two", memory).work(range(PHOTOS)).computed == []


def test_versions_that_may_make_other_bits_share_nothing(tmp_path, memory):
    Workspace(tmp_path / "one", memory).work(range(PHOTOS))
    assert len(Workspace(tmp_path / "two", memory, made_with="2").work(range(PHOTOS)).computed) == PHOTOS


def cut(files, name):
    files.pipe_file(name, files.cat_file(name)[:-3])


def turn_a_bit(files, name):
    content = bytearray(files.cat_file(name))
    content[-1] ^= 1
    files.pipe_file(name, bytes(content))


def empty(files, name):
    files.pipe_file(name, b"")


def remove(files, name):
    files.rm_file(name)


@pytest.mark.parametrize("end", [".bin", ".keys"])
@pytest.mark.parametrize("spoil", [cut, turn_a_bit, empty])
def test_what_is_torn_or_spoilt_is_told_and_computed_anew_and_whole_again(tmp_path, url, end, spoil):
    Workspace(tmp_path / "one", url).work(range(PHOTOS))
    files, names = kept(url)
    spoil(files, names[end][0])
    second = Workspace(tmp_path / "two", url).work(range(PHOTOS))
    assert len(second.computed) in (SHARD_IMAGES, TAIL)
    assert second.holds(range(PHOTOS))
    assert "Expected in 1 shard there the content that the name tells. Received: another" in second.told[-1]
    third = Workspace(tmp_path / "three", url).work(range(PHOTOS))
    assert third.computed == []
    assert third.told == [f"Features kept at {url}: {PHOTOS} of {PHOTOS} photos found there."] * 2


def test_tensors_that_are_gone_are_computed_anew(tmp_path, url):
    Workspace(tmp_path / "one", url).work(range(PHOTOS))
    files, names = kept(url)
    remove(files, names[".bin"][0])
    second = Workspace(tmp_path / "two", url).work(range(PHOTOS))
    assert len(second.computed) in (SHARD_IMAGES, TAIL)
    assert second.holds(range(PHOTOS))


def test_rows_of_a_spoilt_shard_are_looked_for_in_another(tmp_path, memory):
    Workspace(tmp_path / "one", memory).work(range(SHARD_IMAGES))
    files, names = kept(memory)
    (whole,) = names[".bin"]
    content = files.cat_file(whole)
    files.rm_file(whole)
    # In another order it is another shard.
    Workspace(tmp_path / "two", memory).work(range(SHARD_IMAGES - 1, -1, -1))
    files.pipe_file(whole, bytes(len(content)))
    third = Workspace(tmp_path / "three", memory).work(range(SHARD_IMAGES))
    assert third.computed == []
    assert third.holds(range(SHARD_IMAGES))
    assert "Expected in 1 shard" in third.told[0]


def plant(files, place, tensors, keys):
    """Put a shard there as another program might: its names are right."""
    index = "\n".join([hashlib.sha256(tensors).hexdigest(), *keys]).encode()
    files.pipe_file(f"{place}/{hashlib.sha256(tensors).hexdigest()}.bin", tensors)
    files.pipe_file(f"{place}/{hashlib.sha256(index).hexdigest()}.keys", index)


@pytest.mark.parametrize("values", [np.ones((40, CHANNELS + 1)), np.full((40, CHANNELS), np.nan)], ids=["wide", "nan"])
def test_tensors_of_another_shape_or_without_numbers_are_not_taken(tmp_path, url, values):
    Workspace(tmp_path / "one", url).work(range(SHARD_IMAGES))
    files, names = kept(url)
    place = names[".bin"][0].rpartition("/")[0]
    numbers = range(1000, 1040)
    plant(files, place, values.astype(np.float32).tobytes(), [view.key for view in views_of(numbers)])
    files.pipe_file(f"{place}/notes.txt", b"somebody's own")
    second = Workspace(tmp_path / "two", url).work(numbers)
    assert len(second.computed) == 40
    assert second.holds(numbers)
    assert "Expected in 1 shard" in second.told[0]


def test_two_that_put_the_same_at_once_do_no_harm(tmp_path, url):
    both = [Workspace(tmp_path / name, url) for name in ("one", "two")]
    ready = threading.Barrier(2)

    def work(workspace):
        views = views_of(range(PHOTOS))
        workspace.store.fetch(views, ignore_progress, never_stop)
        ready.wait()
        with workspace.store.keep(views, never_stop):
            workspace.compute(views)

    threads = [threading.Thread(target=work, args=(each,)) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.told[-1].endswith(f" {PHOTOS} put there.") for each in both] == [True, True]
    _, names = kept(url)
    assert [len(names[end]) for end in (".bin", ".keys", ".part")] == [SHARDS, SHARDS, 0]
    assert Workspace(tmp_path / "three", url).work(range(PHOTOS)).computed == []


def test_what_was_put_before_a_stop_is_found(tmp_path, memory):
    count = SHARDS_AT_ONCE * SHARD_IMAGES + BATCH
    first, views = Workspace(tmp_path / "one", memory), views_of(range(count))
    first.store.fetch(views, ignore_progress, never_stop)

    def stop():
        raise Stopped

    with pytest.raises(Stopped), first.store.keep(views, never_stop):
        first.compute(views, stop)
    assert first.cache.on_append is None
    assert len(Workspace(tmp_path / "two", memory).work(range(count)).computed) == BATCH


def test_a_stop_is_heard_between_shards_and_what_came_stays(tmp_path, memory):
    count = 2 * SHARDS_AT_ONCE * SHARD_IMAGES
    Workspace(tmp_path / "one", memory).work(range(count))
    second, asked = Workspace(tmp_path / "two", memory), []

    def check_stop():
        asked.append(1)
        if len(asked) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        second.work(range(count), check_stop)
    assert second.holds(range(count // 2))
    assert len(second.cache.missing([view.key for view in views_of(range(count))])) == count // 2


def test_a_full_disk_of_this_machine_is_told_as_ever(tmp_path, memory, monkeypatch):
    Workspace(tmp_path / "one", memory).work(range(PHOTOS))
    monkeypatch.setattr("tlcore.features.cache.RESERVE_BYTES", 10**18)
    with pytest.raises(RunError, match="GB free for the images' features"):
        Workspace(tmp_path / "two", memory).work(range(PHOTOS))


def test_a_full_store_is_told_with_its_remedy_and_not_tried_again(tmp_path, memory, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    tried = []

    def be_full(*_given, **_more):
        tried.append(1)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", be_full)
    count = 3 * SHARDS_AT_ONCE * SHARD_IMAGES
    first = Workspace(tmp_path, memory).work(range(count))
    assert first.holds(range(count))
    assert len(tried) == 1
    assert first.told[-1] == (
        f"Expected a store for features at {memory}. Received: [Errno 28] No space left on device. Free some space "
        "there. The job goes on without it."
    )


@pytest.mark.parametrize("where", ["file", "s3"])
def test_a_folder_or_bucket_that_is_not_there_is_told_and_not_made(tmp_path, request, where):
    if where == "s3":
        request.getfixturevalue("s3")
    pytest.importorskip("fsspec", reason=WHY)
    url = "s3://no-such-bucket/features" if where == "s3" else f"file://{tmp_path}/unmounted"
    first = Workspace(tmp_path / "one", url).work(range(PHOTOS))
    assert first.holds(range(PHOTOS))
    assert first.told[-1].startswith(f"Expected a store for features at {url}. Received: ")
    assert "Make that folder or bucket first, or correct the URL. The job goes on without it." in first.told[-1]
    assert not (tmp_path / "unmounted").exists()


def test_a_store_that_does_not_answer_is_asked_once_and_told(tmp_path, monkeypatch):
    pytest.importorskip("s3fs", reason=WHY)
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]
    use_s3(monkeypatch, f"http://{HOST}:{port}")
    first = Workspace(tmp_path, "s3://lab/features").work(range(PHOTOS))
    assert first.holds(range(PHOTOS))
    assert first.told[-1].startswith("Expected a store for features at s3://lab/features. Received: ")
    assert str(port) in first.told[-1]
    assert first.told[-1].endswith("Look at the URL, the network and the credentials. The job goes on without it.")


def test_credentials_that_are_refused_are_told(tmp_path, memory, monkeypatch):
    from fsspec.implementations.memory import MemoryFileSystem

    def refuse(*_given, **_more):
        raise PermissionError("Access Denied")

    monkeypatch.setattr(MemoryFileSystem, "ls", refuse)
    first = Workspace(tmp_path, memory).work(range(PHOTOS))
    assert first.holds(range(PHOTOS))
    assert "Received: Access Denied. Look at the credentials and what they allow." in first.told[-1]


@pytest.mark.parametrize(
    "url", ["lab", "/mnt/lab/features", "s3://", "file://lab/features", "lab://features", "memory:///"]
)
def test_what_names_no_store_is_refused_in_words(url):
    pytest.importorskip("fsspec", reason=WHY)
    with pytest.raises(SettingsError, match="Expected the URL of a folder for features, such as s3://bucket/features"):
        require_store(url)


@pytest.mark.parametrize(("url", "package"), [("memory://lab", "fsspec"), ("s3://bucket/features", "s3fs")])
def test_a_package_that_is_not_here_is_told_with_how_to_install_it(monkeypatch, url, package):
    if package != "fsspec":
        registry = pytest.importorskip("fsspec.registry", reason=WHY)
        monkeypatch.delitem(registry._registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SettingsError, match=rf"packages that reach {url}.*{package}.*pip install 'thaw\[cluster\]'"):
        require_store(url)


def test_names_and_passwords_in_a_url_are_not_shown():
    assert tell_url("sftp://ann:secret@lab/features") == tell_url("sftp://ann:se@cret@lab/features")
    assert tell_url("sftp://ann:secret@lab/features") == "sftp://lab/features"
    # Every other key of S3 has a slash.
    assert tell_url("s3://key:sec/ret@lab/features") == "s3://lab/features"
    assert tell_url("sftp://lab:2222/a@b") == "sftp://lab:2222/a@b"
    assert tell_url("https://lab/features?token=secret") == "https://lab/features"
    with pytest.raises(SettingsError) as refused:
        require_store("lab//ann:secret@lab/features")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["secretword", "sec/retword", "?token=secretword"])
def test_what_a_library_says_of_a_store_shows_no_password_either(tmp_path, memory, monkeypatch, key):
    from fsspec.implementations.memory import MemoryFileSystem

    def refuse(_self, path, **_more):
        raise ValueError(f"Invalid bucket name {path.strip('/').partition('/')[0]}, in {path}, of {key}")

    monkeypatch.setattr(MemoryFileSystem, "ls", refuse)
    first = Workspace(tmp_path, f"memory://lab{key}" if "?" in key else f"memory://ann:{key}@lab").work(range(PHOTOS))
    assert "Received: Invalid bucket name " in first.told[-1]
    assert "..." in first.told[-1]
    assert not any(part in first.told[-1] for part in ("sec", "ret", "word"))
