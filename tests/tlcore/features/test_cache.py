"""The cache on disk: what was appended comes back, after a kill at any point too."""

import os
import shutil

import numpy as np
import pytest

from tlcore.errors import RunError
from tlcore.features.cache import FeatureCache, trim_caches

IDENTITY = {"backbone": "resnet50", "boundary": 12}
SHAPES, DTYPES = [(2, 2, 3), (5,)], ["float32", "float32"]


def open_cache(root, **changes):
    return FeatureCache(root, IDENTITY | changes, SHAPES, DTYPES)


def tensors_of(numbers):
    """Make the tensors of some images, each full of its own number."""
    return [np.stack([np.full(shape, number, np.float32) for number in numbers]) for shape in SHAPES]


def add(cache, *numbers):
    cache.append([f"key-{number}" for number in numbers], tensors_of(numbers))


def stored(cache, *numbers):
    rows = cache.rows([f"key-{number}" for number in numbers])
    return [tensor[rows].reshape(len(numbers), -1) for tensor in cache.tensors()]


def assert_holds(cache, *numbers):
    for tensor in stored(cache, *numbers):
        assert (tensor == np.array(numbers, np.float32)[:, None]).all()


def test_rows_come_back_in_any_order_in_this_and_a_later_process(tmp_path):
    cache = open_cache(tmp_path)
    add(cache, 1, 2, 3)
    add(cache, 4)
    for opened in (cache, open_cache(tmp_path)):
        assert_holds(opened, 4, 1, 3, 2)
        assert [tensor.shape for tensor in opened.tensors()] == [(4, 2, 2, 3), (4, 5)]
    assert cache.row_bytes == 4 * (12 + 5)


def test_missing_lists_each_absent_key_once_in_order(tmp_path):
    cache = open_cache(tmp_path)
    add(cache, 2)
    assert cache.missing(["key-3", "key-2", "key-1", "key-3"]) == ["key-3", "key-1"]
    with pytest.raises(KeyError):
        cache.rows(["key-3"])


def test_a_kill_after_the_data_and_before_the_keys_loses_only_those_rows(tmp_path):
    cache = open_cache(tmp_path)
    add(cache, 1, 2)
    keys = (cache.folder / "keys.txt").read_bytes()
    add(cache, 3, 4)
    (cache.folder / "keys.txt").write_bytes(keys)

    recovered = open_cache(tmp_path)
    assert recovered.missing(["key-1", "key-2", "key-3", "key-4"]) == ["key-3", "key-4"]
    add(recovered, 5)
    add(recovered, 3)
    assert_holds(open_cache(tmp_path), 1, 2, 5, 3)


def test_a_kill_in_the_middle_of_the_data_loses_only_that_row(tmp_path):
    cache = open_cache(tmp_path)
    add(cache, 1)
    with (cache.folder / "tensor-0.bin").open("ab") as data:
        data.write(b"\xff" * 17)
    recovered = open_cache(tmp_path)
    add(recovered, 2, 3)
    assert_holds(open_cache(tmp_path), 1, 2, 3)


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_a_kill_in_the_middle_of_a_key_loses_only_that_row(tmp_path, cut):
    cache = open_cache(tmp_path)
    add(cache, 1, 2)
    path = cache.folder / "keys.txt"
    os.truncate(path, path.stat().st_size - cut)

    recovered = open_cache(tmp_path)
    assert recovered.missing(["key-1", "key-2"]) == ["key-2"]
    add(recovered, 9, 2)
    assert_holds(open_cache(tmp_path), 1, 9, 2)
    assert path.read_text().split() == ["key-1", "key-9", "key-2"]


def test_another_identity_is_another_cache(tmp_path):
    cache = open_cache(tmp_path)
    add(cache, 1)
    other = open_cache(tmp_path, boundary=13)
    assert other.folder != cache.folder
    assert other.missing(["key-1"]) == ["key-1"]
    assert open_cache(tmp_path).folder == cache.folder


def test_a_tensor_of_another_shape_is_refused_and_adds_no_key(tmp_path):
    cache = open_cache(tmp_path)
    with pytest.raises(ValueError, match=r"Expected a tensor of shape \(1, 5\). Received: shape=\(2, 5\)"):
        cache.append(["key-1"], [np.zeros((1, 2, 2, 3), np.float32), np.zeros((2, 5), np.float32)])
    assert open_cache(tmp_path).missing(["key-1"]) == ["key-1"]


def test_rows_are_read_only(tmp_path):
    cache = open_cache(tmp_path)
    add(cache, 1)
    with pytest.raises(ValueError, match="read-only"):
        cache.tensors()[0][0] = 0


def test_a_full_disk_is_told_before_the_work(tmp_path):
    cache = open_cache(tmp_path)
    cache.require_space(1)
    rows = shutil.disk_usage(tmp_path).free // cache.row_bytes + 1
    with pytest.raises(RunError, match=r"GB free for the images' features.*unfreeze fewer layers"):
        cache.require_space(rows)


def test_notes_come_back(tmp_path):
    cache = open_cache(tmp_path)
    assert cache.noted() == {}
    cache.note({"seconds_per_image": 0.25})
    assert open_cache(tmp_path).noted() == {"seconds_per_image": 0.25}


def test_trimming_deletes_what_was_used_longest_ago_and_never_the_cache_in_use(tmp_path):
    caches = [open_cache(tmp_path, boundary=number) for number in range(4)]
    for age, cache in enumerate(caches):
        add(cache, *range(10))
        os.utime(cache.folder, (1000 - age, 1000 - age))
    size = sum(file.stat().st_size for file in caches[0].folder.iterdir())

    trim_caches(tmp_path, keep=caches[3].folder, budget_bytes=5 * size)
    assert all(cache.folder.exists() for cache in caches)
    os.utime(caches[3].folder, (1, 1))
    trim_caches(tmp_path, keep=caches[3].folder, budget_bytes=2 * size)
    assert [cache.folder.exists() for cache in caches] == [True, False, False, True]
    trim_caches(tmp_path, keep=caches[3].folder, budget_bytes=0)
    assert [cache.folder.exists() for cache in caches] == [False, False, False, True]
    assert_holds(open_cache(tmp_path, boundary=3), *range(10))


def test_two_processes_that_append_in_turn_keep_each_others_rows(tmp_path):
    first, second = open_cache(tmp_path), open_cache(tmp_path)
    add(first, 1, 2)
    add(second, 3)
    add(first, 4)
    assert_holds(first, 1, 2, 3, 4)
    assert_holds(open_cache(tmp_path), 4, 3, 2, 1)


def test_two_processes_that_compute_the_same_images_keep_one_row_of_each_and_all_in_step(tmp_path):
    one, other = open_cache(tmp_path), open_cache(tmp_path)
    add(one, 1, 2, 3)
    add(other, 2, 3, 4)
    add(other, 4)
    add(one, 5, 5)
    assert_holds(one, 1, 2, 3, 5)
    for cache in (other, open_cache(tmp_path)):
        assert_holds(cache, 1, 2, 3, 4)
    assert_holds(open_cache(tmp_path), 5, 4, 3, 2, 1)
    assert len(open_cache(tmp_path).tensors()[0]) == 5


def test_who_only_reads_leaves_a_line_that_is_being_written(tmp_path):
    cache = open_cache(tmp_path)
    add(cache, 1)
    keys = cache.folder / "keys.txt"
    with keys.open("a") as lines:
        lines.write("key-")
    assert_holds(open_cache(tmp_path), 1)
    assert keys.read_text().endswith("key-")


def test_keys_that_another_process_adds_are_read_from_where_this_one_stopped(tmp_path, monkeypatch):
    cache, other = open_cache(tmp_path), open_cache(tmp_path)
    add(cache, *range(50))
    add(other, 50)
    read = []
    opened = type(cache.folder).open

    def listen(path, *arguments, **options):
        stream = opened(path, *arguments, **options)
        if path.name == "keys.txt" and arguments[:1] == ("rb",):
            whole = stream.read
            stream = _Counting(stream, whole, read)
        return stream

    class _Counting:
        def __init__(self, stream, whole, counts):
            self._stream, self._whole, self._counts = stream, whole, counts

        def read(self, *count):
            found = self._whole(*count)
            self._counts.append(len(found))
            return found

        def __getattr__(self, name):
            return getattr(self._stream, name)

        def __enter__(self):
            return self

        def __exit__(self, *problem):
            self._stream.close()

    monkeypatch.setattr(type(cache.folder), "open", listen)
    add(cache, 51)
    assert sum(read) <= 2 * len("key-50\n")
    assert_holds(cache, 0, 49, 50, 51)


def test_a_cache_that_was_removed_and_begun_anew_is_read_from_its_beginning(tmp_path):
    cache = open_cache(tmp_path)
    add(cache, 1, 2)
    for file in cache.folder.glob("*.*"):
        file.unlink()
    other = open_cache(tmp_path)
    add(other, 7, 8, 9)
    assert cache.missing(["key-7"]) == ["key-7"]
    add(cache, 1)
    assert_holds(cache, 7, 8, 9, 1)
