"""The program in an export reads odd pictures as the dashboard does, and says how in the same words as the guide."""

import asyncio
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.odd_pictures import SMALL, write_odd_pictures
from thaw.exporting.guide import PHOTO_RULE
from thaw.exporting.read_photo import LONGER_SIDE, fit, read_photo
from thaw.pictures.copies import save_normalised
from thaw.pictures.decode import normalise
from thaw.serving.engine import ClassifierEngine
from thaw.serving.requests import Sent, open_reader
from tlcore.images.pixels import LONGER_SIDE_PX, WIDEST, load_pixels

SIDE = 64
ROOT = Path(__file__).parents[3]
# The dashboard looks at copies. Those of small pictures are lossless; those of others are JPEGs of high quality, and of
# several times the pixels that the model sees, so that averaging leaves little of what they lose.
LARGEST_BY_COPY, MEAN_BY_COPY = 4, 0.5


def as_the_dashboard(path: Path, folder: Path, grey_range: int) -> np.ndarray:
    suffix, _ = save_normalised(normalise(path, grey_range), folder / "copy")
    return load_pixels(folder / f"copy{suffix}", SIDE)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return write_odd_pictures(tmp_path_factory.mktemp("odd"))


@pytest.mark.parametrize("grey_range", [4095, WIDEST])
def test_every_odd_picture_is_read_as_the_dashboard_reads_it(pictures, tmp_path, grey_range):
    for path in pictures:
        expected = as_the_dashboard(path, tmp_path, grey_range).astype(int)
        read = read_photo(path, SIDE, grey_range)[0]
        assert (read.shape, read.dtype) == ((SIDE, SIDE, 3), np.uint8), path.name
        difference = np.abs(read - expected)
        if "small" in path.name:
            assert difference.max() == 0, path.name
        assert difference.max() <= LARGEST_BY_COPY, path.name
        assert difference.mean() <= MEAN_BY_COPY, path.name


def test_the_service_reads_them_as_the_dashboard_does(pictures, tmp_path):
    model = ClassifierEngine("run-1", ["a", "b"], SIDE, 0.0, lambda pixels: pixels, WIDEST)
    with open_reader(model) as reader:
        read = asyncio.run(reader.read([Sent(path.name, path.read_bytes()) for path in pictures]))
    for path, look in zip(pictures, read, strict=True):
        np.testing.assert_array_equal(look.pixels, as_the_dashboard(path, tmp_path, WIDEST), path.name)


def test_what_is_seen_is_what_a_person_sees(pictures):
    """The rule itself, not only that two programs share it."""
    seen = {path.name[3:].removesuffix(path.suffix): read_photo(path, SIDE)[0].astype(int) for path in pictures}
    plain = seen["rgb-small"]
    for name in ("alpha-0-small", "rgb-small", "animated-small"):
        assert np.abs(seen[name] - plain).max() <= 40, name
    assert np.abs(seen["cmyk-small"] - plain).mean() < 8
    upright = seen["turned-1-small"]
    for orientation in range(2, 9):
        turned = read_photo(next(p for p in pictures if f"turned-{orientation}-small" in p.name), SIDE)[0].astype(int)
        assert np.abs(turned - upright).mean() > 5, "the file shows it turned"
    assert seen["alpha-small"][0].min() > 240, "transparent at the top, so white"
    ranges = [np.ptp(seen[f"{name}-small"]) for name in ("white-on-transparent", "black-on-transparent")]
    assert min(ranges) > 60, "a drawing on nothing stays visible"


def test_greys_are_scaled_by_the_range_that_is_given(tmp_path):
    deep = np.linspace(0, 4095, SMALL[0] * SMALL[1]).reshape(SMALL[::-1])
    Image.fromarray(deep.astype(np.uint16)).save(tmp_path / "deep.png")
    assert read_photo(tmp_path / "deep.png", SIDE).max() < 20
    seen = read_photo(tmp_path / "deep.png", SIDE, grey_range=4095)
    assert seen.min() < 8
    assert seen.max() > 247
    assert read_photo(tmp_path / "deep.png", SIDE, grey_range=1023).max() == 255, "brighter than the range is white"


@pytest.mark.parametrize(("told", "expected"), [(4095, 255), (65535, 16)])
def test_a_pgm_that_tells_its_range_is_scaled_by_that(tmp_path, told, expected):
    deep = np.full((32, 32), 4095, ">u2")
    (tmp_path / "deep.pgm").write_bytes(b"P5 32 32 %d\n" % told + deep.tobytes())
    assert read_photo(tmp_path / "deep.pgm", SIDE).tolist() == np.full((1, SIDE, SIDE, 3), expected).tolist()
    assert read_photo(tmp_path / "deep.pgm", SIDE, grey_range=4095).min() == 255


def test_what_it_would_read_wrongly_is_refused_in_words(tmp_path):
    """Pillow keeps the upper byte of a 16-bit colour, which is right only of the whole range."""
    colours = np.full((32, 32, 3), 4095, ">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in colours)
    (tmp_path / "deep.png").write_bytes(png(32, 32, rows))
    assert read_photo(tmp_path / "deep.png", SIDE).max() == 15
    with pytest.raises(ValueError, match="Expected 8 bits a colour"):
        read_photo(tmp_path / "deep.png", SIDE, grey_range=4095)


def png(width: int, height: int, rows: bytes) -> bytes:
    """Return a PNG of 16-bit colours."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_it_needs_nothing_but_pillow_and_numpy(pictures):
    program = (
        "import sys; before = set(sys.modules); from read_photo import read_photo\n"
        f"print(read_photo({str(pictures[0])!r}, 8).shape, *{{name.partition('.')[0] for name in set(sys.modules)}})"
    )
    line = [sys.executable, "-c", program]
    said = subprocess.run(line, cwd=ROOT / "thaw" / "exporting", capture_output=True, text=True, check=True).stdout
    assert said.startswith("(1, 8, 8, 3)")
    assert not {"tlcore", "tensorflow", "keras", "streamlit"} & set(said.split())


def test_its_size_is_the_dashboards():
    assert LONGER_SIDE == LONGER_SIDE_PX
    assert fit((1280, 3)) == (640, 2)


def test_the_guide_has_the_rule_word_for_word():
    guide = " ".join((ROOT / "docs" / "export.md").read_text(encoding="utf-8").split())
    for number, step in enumerate(PHOTO_RULE, 1):
        said = re.sub(r"\{grey_range\}", "65535", step).replace("{cap}", str(LONGER_SIDE_PX))
        assert f"{number}. {said}" in guide
