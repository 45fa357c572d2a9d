import os
import signal
import subprocess
import sys
import time

import pytest

from tlcore.files import replacing, write_atomically


def test_the_content_is_put_in_place(tmp_path):
    write_atomically(tmp_path / "new" / "a.json", b"one")
    write_atomically(tmp_path / "new" / "a.json", b"two")
    assert (tmp_path / "new" / "a.json").read_bytes() == b"two"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.json"]


def fail_half_way(path):
    with replacing(path) as temporary:
        temporary.write_bytes(b"ne")
        raise ZeroDivisionError


def test_an_error_leaves_the_old_content_and_no_part(tmp_path):
    path = tmp_path / "a.json"
    write_atomically(path, b"old")
    with pytest.raises(ZeroDivisionError):
        fail_half_way(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_temporary_file_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == tmp_path
        temporary.write_bytes(b"x")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_kill_leaves_whole_content(tmp_path):
    path = tmp_path / "big"
    code = f"""
from pathlib import Path
from tlcore.files import write_atomically
while True:
    for letter in (b"a", b"b"):
        write_atomically(Path({str(path)!r}), letter * 3_000_000)
"""
    for pause in (0.0, 0.01, 0.02, 0.03):
        writer = subprocess.Popen([sys.executable, "-c", code])
        deadline = time.monotonic() + 60
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(pause)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        content = path.read_bytes()
        assert content in (b"a" * 3_000_000, b"b" * 3_000_000)
        path.unlink()
