import io
import time

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.corpus import encoded, photo
from thaw.pictures.decode import normalise
from thaw.pictures.jpeg_end import END_MARK, has_end, supply_end
from tlcore.errors import ImageRejected

WAYS = {
    "baseline": {},
    "progressive": {"progressive": True},
    "own tables": {"optimize": True},
    "restart marks": {"restart_marker_rows": 1},
    "close restart marks": {"restart_marker_blocks": 5},
    "progressive with restart marks": {"progressive": True, "restart_marker_rows": 1},
    "full colour": {"subsampling": 0, "quality": 98},
}
NOTE = "its end mark was missing"


def whole(way: str, mode: str = "RGB") -> bytes:
    return encoded(photo(1, 160, 120).convert(mode), "JPEG", **({"quality": 85} | WAYS[way]))


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content))).astype(int)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("way", WAYS)
def test_a_jpeg_that_lacks_its_end_mark_alone_is_whole(way, mode):
    content = whole(way, mode)
    assert content.endswith(END_MARK)
    for lacking in (content[:-2], content[:-1], content[:-2] + b"\0" * 700, content[:-2] + b"\xff" * 700):
        ended = supply_end(lacking)
        assert ended is not None
        assert np.array_equal(pixels(ended), pixels(content))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("filling", [b"", b"\0" * 3000, b"\xff" * 3000], ids=["", "zeros", "ones"])
def test_a_jpeg_that_lacks_a_part_of_its_picture_is_not(way, mode, filling):
    content = whole(way, mode)
    data = content.index(b"\xff\xda")
    for kept in [*range(data + 20, len(content) - 40, 211), len(content) - 20, len(content) - 8]:
        assert supply_end(content[:kept] + filling) is None, kept


@pytest.mark.parametrize("way", ["restart marks", "close restart marks", "progressive with restart marks"])
def test_a_cut_just_before_a_restart_mark_is_found(way):
    content = whole(way)
    marks = [at for at in range(len(content) - 1) if content[at] == 0xFF and 0xD0 <= content[at + 1] <= 0xD7]
    assert marks
    for at in marks[-3:]:
        for kept in (at, at + 1, at + 2):
            assert supply_end(content[:kept]) is None


def test_a_cut_between_two_scans_is_found():
    content = whole("progressive")
    scans = [at for at in range(len(content) - 1) if content[at : at + 2] == b"\xff\xda"]
    assert len(scans) > 5
    for at in scans[1:]:
        before = content.rindex(b"\xff\xc4", 0, at) if b"\xff\xc4" in content[scans[0] : at] else at
        assert supply_end(content[:at]) is None
        assert supply_end(content[:before]) is None


def test_no_jpeg_and_a_header_alone_are_not_whole():
    content = whole("baseline")
    for part in (b"", b"\xff\xd8", content[:100], content[: content.index(b"\xff\xda") + 14]):
        assert supply_end(part) is None


def test_one_colour_in_the_fewest_bits_is_told_from_what_is_cut():
    content = encoded(Image.new("RGB", (320, 240), "teal"), "JPEG", optimize=True)
    assert supply_end(content[:-2]) is not None
    for cut in range(4, 60, 5):
        assert supply_end(content[:-cut]) is None, cut


@pytest.mark.parametrize(("way", "size"), [("baseline", (160, 120)), ("progressive", (1500, 1000))])
def test_such_a_jpeg_is_accepted_with_a_note(way, size, tmp_path):
    content = encoded(photo(1, *size), "JPEG", **WAYS[way])
    path = tmp_path / "photo.jpg"
    path.write_bytes(content[:-2])
    read = normalise(path)
    assert read.notes == [NOTE]
    path.write_bytes(content)
    assert np.array_equal(np.asarray(read.image), np.asarray(normalise(path).image))


@pytest.mark.parametrize("part", [0.05, 0.5, 0.99])
@pytest.mark.parametrize("way", WAYS)
def test_a_cut_jpeg_is_still_refused(way, part, tmp_path):
    content = whole(way)
    path = tmp_path / "photo.jpg"
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(ImageRejected, match="cut off"):
        normalise(path)


@pytest.mark.parametrize("way", WAYS)
def test_an_end_mark_is_found_before_other_data_and_not_within_what_comes_first(way):
    content = whole(way)
    assert has_end(content)
    assert has_end(content + b"PK\x03\x04\xff\xda\xff\xff" * 9)
    thumbnail = b"\xff\xe1" + (len(content) + 2).to_bytes(2) + content
    within = content[:2] + thumbnail + content[2:-2]
    assert within.count(END_MARK) >= 1
    assert not has_end(within)
    assert not has_end(within + b"\0" * 99)


def test_a_cut_jpeg_that_is_filled_up_is_refused_and_a_whole_one_accepted(tmp_path):
    content, path = whole("baseline"), tmp_path / "photo.jpg"
    path.write_bytes(content[: len(content) // 2] + b"\0" * 20_000)
    with pytest.raises(ImageRejected, match="JPEG is cut off before its end"):
        normalise(path)
    path.write_bytes(content[:-2] + b"\0" * 20_000)
    assert normalise(path).notes == [NOTE]
    path.write_bytes(content + b"\0" * 20_000)
    assert normalise(path).notes == []


def test_the_caps_hold_before_a_jpeg_without_its_end_is_looked_at(tmp_path):
    content = encoded(Image.new("L", (13_000, 13_000)), "JPEG")
    path = tmp_path / "photo.jpg"
    path.write_bytes(content[:-2])
    with pytest.raises(ImageRejected, match="13,000 x 13,000 pixels"):
        normalise(path)


def test_a_long_filling_takes_no_time():
    content = whole("baseline")
    started = time.process_time()
    assert not has_end(content[:-2] + b"\xff" * 5_000_000)
    assert supply_end(content[:-2] + b"\xff" * 5_000_000) is not None
    assert has_end(content[:-2] + b"\xff" * 5_000_000 + b"\xd9" + b"more")
    assert time.process_time() - started < 2
