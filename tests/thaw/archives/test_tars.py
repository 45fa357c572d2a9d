import gzip
import io
import os
import tarfile
import tracemalloc

import numpy as np
import pytest

from tests.support.pictures.corpus import UNSAFE_NAMES, jpeg
from thaw.archives import tars
from thaw.archives.tars import MAX_NOTE_BYTES, unpack
from thaw.names import check_name
from tlcore.errors import DatasetError, ImageRejected
from tlcore.progress import Stage

FILES = {"rose/a.jpg": jpeg(1), "tulip/ü.jpg": jpeg(2), f"tulip/{'n' * 150}/{'m' * 150}.jpg": jpeg(3), "rose/0": b""}
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def member(name, size=0, kind=tarfile.REGTYPE, **more):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    for key, value in more.items():
        setattr(info, key, value)
    return info


def tar_of(files, mode="w", form=tarfile.PAX_FORMAT, extra=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode, format=form) as packed:
        for name, content in files.items():
            packed.addfile(member(name, len(content)), io.BytesIO(content))
        for info, content in extra:
            packed.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def unpack_all(tmp_path, content, progress=lambda *_: None):
    archive = tmp_path / "photos.tgz"
    archive.write_bytes(content)
    return list(unpack(archive, tmp_path / "unpacked", progress, lambda: None))


def refusal(tmp_path, content):
    with pytest.raises(DatasetError) as error:
        unpack_all(tmp_path, content)
    assert {path.name for path in tmp_path.iterdir()} == {"photos.tgz", "unpacked"}
    return str(error.value)


@pytest.mark.parametrize("mode", ["w", "w:gz"])
@pytest.mark.parametrize("form", FORMATS)
def test_files_come_out_whole_under_numbers(tmp_path, mode, form):
    files = {name: content for name, content in FILES.items() if form != "ustar" or len(name) < 200}
    unpacked = unpack_all(tmp_path, tar_of(files, mode, FORMATS[form]))
    assert {file.name: file.path.read_bytes() for file in unpacked} == files
    assert [file.size for file in unpacked] == list(map(len, files.values()))
    assert sorted(path.name for path in (tmp_path / "unpacked").iterdir()) == sorted(map(str, range(len(files))))


def test_folders_are_no_files_and_progress_is_of_the_bytes(tmp_path):
    content = tar_of({}, extra=[(member("rose", kind=tarfile.DIRTYPE), b""), (member("rose/a.jpg", 9), b"123456789")])
    seen = []
    (file,) = unpack_all(tmp_path, content, lambda *told: seen.append(told))
    assert file.name == "rose/a.jpg"
    ((stage, done, total),) = seen
    assert stage == Stage.UNPACKING_TAR
    assert 0 < done <= total == len(content)


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_names_arrive_as_they_stand_and_touch_nothing(name, tmp_path):
    (file,) = unpack_all(tmp_path, tar_of({}, extra=[(member("x", 1, pax_headers={"path": name}), b"1")]))
    assert file.name == name
    assert {path.name for path in tmp_path.iterdir()} == {"photos.tgz", "unpacked"}
    with pytest.raises(ImageRejected, match="unsafe"):
        check_name(file.name)


def test_a_name_that_is_not_utf8_is_read(tmp_path):
    content = tar_of({"rose/caf\udce9.jpg": b"1"}, form=tarfile.GNU_FORMAT)
    assert unpack_all(tmp_path, content)[0].name == "rose/café.jpg"


def test_links_and_devices_are_set_aside(tmp_path):
    kinds = {"hard": tarfile.LNKTYPE, "soft": tarfile.SYMTYPE, "pipe": tarfile.FIFOTYPE, "disk": tarfile.BLKTYPE}
    odd = [(member(name, kind=kind, linkname="/etc/passwd"), b"") for name, kind in kinds.items()]
    found = unpack_all(tmp_path, tar_of({"rose/a.jpg": jpeg(1)}, extra=[*odd, (member("new", 3, b"Z"), b"abc")]))
    assert [file.path is None for file in found] == [False, True, True, True, True, True]
    said = {file.name: file.reason for file in found}
    assert all("links are never followed" in said[name] for name in ("hard", "soft"))
    assert (said["pipe"], said["disk"]) == ("it is not a plain file but a pipe", "it is not a plain file but a device")
    assert "kind (b'Z')" in said["new"]


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_cut_tar_is_refused_wherever_it_is_cut(tmp_path, mode):
    whole = tar_of({f"rose/{n}.jpg": jpeg(n) for n in range(5)}, mode)
    end = len(whole) if mode == "w:gz" else len(whole.rstrip(b"\0"))
    cuts = [0, 10, len(whole) // 2, end - 5, *range(512, end, 512)]
    for kept in cuts:
        assert "cut off or damaged" in refusal(tmp_path, whole[:kept])


def test_damage_is_refused(tmp_path):
    packed = bytearray(tar_of(FILES, "w:gz"))
    packed[len(packed) // 2] ^= 0xFF
    assert "damaged" in refusal(tmp_path, bytes(packed))
    plain = bytearray(tar_of({"rose/a.jpg": jpeg(1), "rose/b.jpg": b""}, form=tarfile.GNU_FORMAT))
    plain[plain.index(b"rose/b.jpg")] ^= 1
    assert "bad checksum" in refusal(tmp_path, bytes(plain)), "a damaged last header must not pass for the end"
    assert "damaged" in refusal(tmp_path, b"no tar at all, but long enough to be taken for one" * 20)


def test_a_wrong_sum_of_gzip_is_refused(tmp_path):
    content = bytearray(tar_of({"rose/a.jpg": jpeg(1)}, "w:gz"))
    content[-6] ^= 0xFF
    assert "CRC" in refusal(tmp_path, bytes(content))


def test_a_second_tar_behind_the_first_is_not_lost_in_silence(tmp_path):
    one = tar_of({"rose/a.jpg": jpeg(1)})
    assert "behind its end" in refusal(tmp_path, one + one)


@pytest.mark.parametrize("mode", ["w:bz2", "w:xz"])
def test_other_compression_is_refused(tmp_path, mode):
    assert "compression" in refusal(tmp_path, tar_of({"rose/a.jpg": jpeg(1)}, mode))


def test_sparse_files_are_refused(tmp_path):
    old = tar_of({}, form=tarfile.GNU_FORMAT, extra=[(member("rose/a", 512, tarfile.GNUTYPE_SPARSE), bytes(512))])
    new = tar_of({}, extra=[(member("rose/a", pax_headers={"GNU.sparse.major": "1"}), b"")])
    for content in (old, new):
        assert "sparse" in refusal(tmp_path, content)


def test_a_bomb_is_refused_by_its_real_bytes(tmp_path):
    assert "tar bomb" in refusal(tmp_path, tar_of({"rose/a.bmp": bytes(40_000_000)}, "w:gz"))
    assert sum(path.stat().st_size for path in (tmp_path / "unpacked").iterdir()) < 11_000_000
    assert "tar bomb" in refusal(tmp_path, gzip.compress(bytes(40_000_000)))
    assert "tar bomb" in refusal(tmp_path, tar_of({f"rose/{n}": bytes(4_000_000) for n in range(8)}, "w:gz"))


def test_a_huge_note_on_a_file_is_refused_before_it_is_in_memory(tmp_path):
    content = tar_of({}, extra=[(member("a", pax_headers={"comment": "x" * 30_000_000}), b"")])
    tracemalloc.start()
    try:
        assert "too long" in refusal(tmp_path, content)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000 + MAX_NOTE_BYTES
    finally:
        tracemalloc.stop()


def test_a_flood_of_entries_is_refused_in_little_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "MAX_HEADERS", 20_000)
    block = member("rose", kind=tarfile.DIRTYPE).tobuf(tarfile.GNU_FORMAT)
    path = tmp_path / "photos.tgz"
    path.write_bytes(block * 20_001)
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="20,000 entries"):
            list(unpack(path, tmp_path / "unpacked", lambda *_: None, lambda: None))
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


def test_a_file_over_the_cap_is_set_aside_and_the_rest_kept(tmp_path):
    big, small = unpack_all(tmp_path, tar_of({"rose/big.jpg": os.urandom(50_000_001), "rose/a.jpg": jpeg(1)}))
    assert (big.path, big.size) == (None, 50_000_001)
    assert "50 MB" in big.reason
    assert small.path.read_bytes() == jpeg(1)


def test_a_stop_ends_it(tmp_path):
    class Stopped(Exception):
        pass

    def stop():
        raise Stopped

    (tmp_path / "photos.tar").write_bytes(tar_of(FILES))
    with pytest.raises(Stopped):
        list(unpack(tmp_path / "photos.tar", tmp_path / "unpacked", lambda *_: None, stop))


@pytest.mark.parametrize("form", FORMATS)
def test_mutants_are_unpacked_or_refused_and_nothing_else(tmp_path, form):
    random = np.random.default_rng(0)
    whole = tar_of({"rose/a.jpg": jpeg(1), "tulip/ü.jpg": jpeg(2)}, form=FORMATS[form])
    headers = [at for at in range(0, len(whole), 512) if b"ustar" in whole[at : at + 512]]
    refused = 0
    for _ in range(200):
        mutant = bytearray(whole)
        at = int(random.choice(headers))
        # Half of the mutants have a checksum that is right again, as a forger's would be.
        mutant[at + int(random.integers(0, 345))] ^= int(random.integers(1, 256))
        if random.random() < 0.5:
            mutant[at + 148 : at + 156] = b" " * 8
            mutant[at + 148 : at + 156] = b"%06o\0 " % sum(mutant[at : at + 512])
        try:
            unpack_all(tmp_path, bytes(mutant))
        except DatasetError:
            refused += 1
    assert 50 < refused < 200
    assert {path.name for path in tmp_path.iterdir()} == {"photos.tgz", "unpacked"}


def test_what_notes_say_beside_names_and_sizes_is_not_kept(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as packed:
        for number in range(40):
            record = b" k%02d=" % number + b"x" * 900_000 + b"\n"
            note = str(len(record) + 6).encode() + record
            packed.addfile(member("note", len(note), tarfile.XGLTYPE), io.BytesIO(note))
        packed.addfile(member("rose/a.jpg"))
    (tmp_path / "photos.tar").write_bytes(buffer.getvalue())
    tracemalloc.start()
    unpacked = list(unpack(tmp_path / "photos.tar", tmp_path / "unpacked", lambda *_: None, lambda: None))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [file.name for file in unpacked] == ["rose/a.jpg"]
    assert peak < 12_000_000


def test_very_many_long_names_are_refused_before_they_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(tars, "MAX_NAMES_BYTES", 5000)
    files = {f"rose/{'n' * 1000}{number}.jpg": b"" for number in range(10)}
    assert "very many long names" in refusal(tmp_path, tar_of(files))
