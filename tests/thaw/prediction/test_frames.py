"""Frames over a real pipe: whole, in pieces, and cut off."""

import os
import threading

import pytest

from thaw.prediction.frames import Frame, read_frame, write_frame


@pytest.fixture(params=[-1, 0], ids=["buffered", "unbuffered"])
def pipe(request):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=request.param) as source, os.fdopen(writing, "wb") as target:
        yield source, target


def test_frames_come_out_as_they_went_in_however_large(pipe):
    source, target = pipe
    sent = [Frame({"run": "röse", "paths": ["caf\udce9.jpg"]}), Frame({}, [b"", os.urandom(300_000), b"end"])]
    writer = threading.Thread(target=lambda: [write_frame(target, frame) for frame in sent])
    writer.start()
    received = [read_frame(source) for _ in sent]
    writer.join()
    assert received == sent


def test_the_end_of_the_other_side_is_none_be_it_within_a_frame(pipe):
    source, target = pipe
    write_frame(target, Frame({"whole": 1}, [b"abc"]))
    target.write((50).to_bytes(4, "big") + b'[{"cut')
    target.close()
    assert read_frame(source) == Frame({"whole": 1}, [b"abc"])
    assert read_frame(source) is None
    assert read_frame(source) is None
