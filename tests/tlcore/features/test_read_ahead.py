"""What is read ahead is what the epoch wants next, and says nothing about what the batches hold."""

import mmap

import numpy as np
import pytest

from tlcore.features import batches, read_ahead
from tlcore.features.batches import CachedBatches
from tlcore.features.read_ahead import list_pages, read_ahead_of

ROWS = 200


@pytest.fixture
def tensors(tmp_path):
    written = np.memmap(tmp_path / "tensor-0.bin", np.float32, "w+", shape=(ROWS, 16))
    written[:] = np.arange(ROWS)[:, None]
    written.flush()
    return [np.memmap(tmp_path / "tensor-0.bin", np.float32, "r", shape=(ROWS, 16))]


@pytest.fixture
def asked(monkeypatch):
    """Have every cache read ahead, 40 rows at a time; return the rows that are asked for, a list a call."""
    calls = []

    class Listening(read_ahead.ReadAhead):
        def ask(self, rows):
            calls.append(rows.tolist())
            return super().ask(rows)

    monkeypatch.setattr(read_ahead, "LARGE_BYTES", 0)
    monkeypatch.setattr(read_ahead, "AHEAD_BYTES", 40 * 64)
    monkeypatch.setattr(read_ahead, "ReadAhead", Listening)
    return calls


def feed(tensors, shuffle=True):
    return CachedBatches(tensors, np.arange(ROWS)[:, None], np.arange(ROWS), 8, seed=3, epoch=1, shuffle=shuffle)


def test_batches_are_the_same_in_the_same_order(tensors, asked, monkeypatch):
    ahead = [feed(tensors)[number] for number in range(25)]
    monkeypatch.setattr(batches, "read_ahead_of", lambda *_: None)
    alone = [feed(tensors)[number] for number in range(25)]
    assert asked
    for (one, labels), (other, expected) in zip(ahead, alone, strict=True):
        assert (one[0] == other[0]).all()
        assert (labels == expected).all()


def test_rows_are_asked_for_in_the_order_of_the_epoch_and_before_they_are_wanted(tensors, asked):
    batched = feed(tensors)
    wanted = [int(label) for number in range(25) for label in batched[number][1]]
    fed = CachedBatches(tensors, np.arange(ROWS)[:, None], np.arange(ROWS), 8, seed=3, epoch=1, shuffle=True)
    asked.clear()
    fed.start_at(1)
    for number in range(25):
        told = [row for rows in asked for row in rows]
        assert set(wanted[8 * number : 8 * number + 8]) <= set(told)
        # Never further than the window beyond what is being worked on.
        assert set(told) <= set(wanted[: 8 * number + 40])
        fed[number]
    assert [row for rows in asked[:1] for row in rows] == wanted[:40]


def test_a_second_pass_over_what_is_not_shuffled_is_read_ahead_too(tensors, asked):
    batched = feed(tensors, shuffle=False)
    for _ in range(2):
        asked.clear()
        assert sum(len(labels) for _, labels in batched.runs(2)) == ROWS
        assert set(range(16, ROWS)) <= {row for rows in asked for row in rows}


def test_few_rows_and_rows_in_memory_are_not_read_ahead(tensors):
    assert read_ahead_of(tensors, ROWS) is None
    assert read_ahead_of([np.zeros((ROWS, 16), np.float32)], 10**12) is None


@pytest.mark.parametrize("row_bytes", [100, 4096, 5120, 90_000])
def test_every_page_of_a_row_is_touched_and_nothing_beyond_it(row_bytes):
    places = list_pages(np.array([3, 40]), row_bytes)
    wanted = {byte // mmap.PAGESIZE for row in (3, 40) for byte in range(row * row_bytes, (row + 1) * row_bytes)}
    assert {place // mmap.PAGESIZE for place in places.tolist()} == wanted


def test_what_is_asked_for_is_in_memory_then(tensors):
    ahead = read_ahead.ReadAhead(tensors)
    for asked in ahead.ask(np.arange(ROWS)):
        assert asked.result(timeout=30) is None


def test_a_file_that_is_gone_is_read_as_far_as_it_is_mapped(tensors, asked, tmp_path):
    (tmp_path / "tensor-0.bin").unlink()
    assert read_ahead_of(tensors, ROWS) is None
    assert sorted(label for number in range(25) for label in feed(tensors)[number][1]) == [*range(ROWS)]
