import signal
import subprocess
import sys
import time

import pytest

from tests.support.pictures.corpus import ACCEPTED, Case, encoded, jpeg, photo, write_folder
from tests.support.pictures.slow_pictures import slow_jpeg
from thaw.datasets import ingest as datasets
from thaw.datasets.ingest import ingest
from thaw.decoding.decoder import Decoded, DecodeJob, Decoder
from thaw.decoding.time_limit import Allowance, end_after, limit_wait, ordinary_s, was_ended
from thaw.sources.sources import Source
from tlcore.errors import ImageRejected

limits = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a limit on processor time")


def test_what_a_size_warrants_grows_with_bytes_and_pixels():
    assert ordinary_s(0, 0) < ordinary_s(10_000_000, 0) < ordinary_s(10_000_000, 100_000_000)
    assert ordinary_s(80_000, 100_000_000) < 4
    assert ordinary_s(50_000_000, 100_000_000) < 10
    assert ordinary_s(12_000_000, 48_000_000, "HEIF") > 2 * ordinary_s(12_000_000, 48_000_000)


def test_an_allowance_lends_half_of_what_is_left_and_no_more_than_is_asked():
    allowance = Allowance(60)
    assert [allowance.lend(20) for _ in range(4)] == [20, 20, 10, 5]
    allowance.give_back(20)
    assert allowance.lend(20) == 12.5
    assert Allowance().lend(20) == 20


def test_all_that_an_allowance_lends_is_never_more_than_it_had():
    allowance = Allowance(60)
    assert sum(allowance.lend(20) for _ in range(1000)) <= 60


@limits
def test_a_process_is_ended_in_the_midst_of_what_no_python_interrupts():
    code = "from thaw.decoding.time_limit import end_after; end_after(0.2); sum(range(10**10))"
    started = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", code], check=False)
    assert was_ended(ended.returncode)
    assert time.monotonic() - started < 30
    assert not was_ended(-9)
    assert limit_wait(20, 0) == 20


def test_a_limit_is_taken_back():
    end_after(0.05)
    end_after(0)
    deadline = time.process_time() + 0.2
    while time.process_time() < deadline:
        pass
    assert time.process_time() >= deadline


def decode(decoder, folder, name, content):
    path = folder / f"{name}.bin"
    path.write_bytes(content)
    return decoder.decode(DecodeJob(path, folder / name, folder / f"{name}-thumbnail.jpg"))


@limits
def test_a_slow_picture_costs_itself_what_it_was_lent_and_no_more(tmp_path):
    allowance = Allowance(0.5)
    # Its parent's clock has patience: on a busy machine a second of processor time may take many of its own.
    with Decoder(children=1, limit_s=100, allowance=allowance) as decoder:
        refused = decode(decoder, tmp_path, "slow", slow_jpeg(3000, 3000, 20_000))
        assert isinstance(refused, ImageRejected)
        assert "takes much longer than a picture of its size warrants, and the 0.5 s" in str(refused)
        assert "import it by itself" in str(refused)
        assert allowance.lend(20) == 0.125
        assert isinstance(decode(decoder, tmp_path, "ordinary", jpeg(1)), Decoded)


@limits
def test_a_slow_picture_by_itself_has_all_the_time_of_one(tmp_path):
    with Decoder(children=1, limit_s=1, allowance=Allowance(60)) as decoder:
        refused = decode(decoder, tmp_path, "slow", slow_jpeg(3000, 3000, 20_000))
    assert str(refused).startswith(("decoding it took longer than 1 s", "decoding it took over 1 s more"))


def test_ordinary_pictures_leave_the_allowance_as_it_was(tmp_path):
    allowance = Allowance(10)
    contents = [encoded(photo(1, 3000, 2000), "JPEG", progressive=True), encoded(photo(2, 3000, 2000), "PNG"), jpeg(3)]
    with Decoder(children=1, allowance=allowance) as decoder:
        for number, content in enumerate(contents):
            assert isinstance(decode(decoder, tmp_path, str(number), content), Decoded)
    assert allowance.lend(100) == pytest.approx(5)


@limits
def test_an_import_lends_its_slow_pictures_one_allowance(store, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "IMPORT_EXTRA_S", 0.5)
    monkeypatch.setattr(Decoder.__init__, "__defaults__", (2, 100.0))
    slow = [Case(f"rose/slow{n}.jpg", slow_jpeg(3000, 3000, 20_000 + n), ACCEPTED) for n in range(3)]
    good = [Case(f"rose/{n}.jpg", jpeg(n), ACCEPTED) for n in range(5)]
    folder = write_folder(tmp_path / "photos", [*slow, *good])
    dataset = store.dataset(ingest(store, Source("folder", folder, "here"), "Photos"))
    assert (dataset.accepted, dataset.set_aside) == (5, 3)
    reasons = [row.reason for row in store.set_aside(dataset.id)]
    assert all("and the 0.5 s that an import has for such pictures are used up" in reason for reason in reasons)
