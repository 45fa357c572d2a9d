import io

import numpy as np
import pytest
from PIL import Image

from tests.corpus import encoded, photo
from tlcore.errors import ImageRejected
from tlcore.images import normalise
from tlcore.jpeg_end import END_MARK, supply_end

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
