import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures.corpus import encoded
from tests.support.pictures.deep_pictures import deep_tiff, ramp
from thaw.pictures.decode import normalise
from tlcore.images.pixels import GREY_RANGES, RangeUnknown, choose_range


def written(folder, content):
    path = folder / "file"
    path.write_bytes(content)
    return path


def deep_png(values: np.ndarray) -> bytes:
    """Write uint16 (height, width, 1 to 4 channels) as a PNG of 16 bits; Pillow writes grey ones alone."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    # Each row by the filter "sub", so that to read it the bytes of a pixel must be counted right.
    raw = values.astype(">u2").reshape(height, -1).view(np.uint8).astype(int)
    before = np.zeros_like(raw)
    before[:, 2 * channels :] = raw[:, : -2 * channels]
    rows = b"".join(b"\1" + row.tobytes() for row in ((raw - before) % 256).astype(np.uint8))
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def scaled(values: np.ndarray, grey_range: int) -> np.ndarray:
    return np.floor(np.minimum(values, grey_range) * 255.0 / grey_range + 0.5).astype(int)


@pytest.mark.parametrize("grey_range", GREY_RANGES)
@pytest.mark.parametrize("encoding", ["PNG", "TIFF"])
def test_deep_greys_are_scaled_by_the_range_that_is_given(grey_range, encoding, tmp_path):
    values = ramp(grey_range)
    read = normalise(written(tmp_path, encoded(Image.fromarray(values[..., 0]), encoding)), grey_range)
    assert np.array_equal(np.asarray(read.image)[..., 0], scaled(values[..., 0], grey_range))
    assert read.notes == [f"scaled from more than 8 bits (0 to {grey_range:,})"]
    assert read.grey_range == grey_range


def test_what_exceeds_the_range_is_clipped_and_noted(tmp_path):
    values = ramp(9000)
    read = normalise(written(tmp_path, encoded(Image.fromarray(values[..., 0]), "PNG")), 4095)
    assert np.array_equal(np.asarray(read.image)[..., 0], scaled(values[..., 0], 4095))
    assert read.notes == ["scaled from more than 8 bits (0 to 4,095)", "values above 4,095 were clipped"]


def test_without_a_range_a_picture_is_held_back_unless_its_values_decide_it(tmp_path):
    for largest in (200, 4000, 16383):
        with pytest.raises(RangeUnknown) as held:
            normalise(written(tmp_path, deep_png(ramp(largest))), None)
        assert choose_range(held.value.largest) == choose_range(largest)
    assert normalise(written(tmp_path, deep_png(ramp(16384))), None).grey_range == 65535


COLOURED = {
    "PNG, grey and alpha": lambda values: deep_png(values[..., [0, 3]]),
    "PNG, colour": lambda values: deep_png(values[..., :3]),
    "PNG, colour and alpha": deep_png,
    "TIFF, little-endian": lambda values: deep_tiff(values[..., :3], "<"),
    "TIFF, big-endian": lambda values: deep_tiff(values[..., :3], ">"),
    "TIFF, packed": lambda values: deep_tiff(values[..., :3], "<", compression=8),
    "TIFF, big-endian and packed": lambda values: deep_tiff(values[..., :3], ">", compression=8),
    "TIFF with alpha": lambda values: deep_tiff(values, "<", extra=2),
}


@pytest.mark.parametrize("kind", COLOURED)
@pytest.mark.parametrize("grey_range", [255, 4095, 16383])
def test_deep_colours_are_scaled_as_deep_greys_are(kind, grey_range, tmp_path):
    values = ramp(grey_range, 4)
    values[..., 3] = 65535
    path = written(tmp_path, COLOURED[kind](values))
    with pytest.raises(RangeUnknown) as held:
        normalise(path, None)
    assert choose_range(held.value.largest) == grey_range
    read = normalise(path, grey_range)
    expected = values[..., [0, 0, 0]] if "grey" in kind else values[..., :3]
    assert np.array_equal(np.asarray(read.image), scaled(expected, grey_range))
    assert read.grey_range == grey_range


def test_full_colours_of_16_bits_keep_their_upper_byte(tmp_path):
    values = ramp(65535, 3)
    read = normalise(written(tmp_path, deep_png(values)))
    assert np.array_equal(np.asarray(read.image), values >> 8)
    assert read.notes == ["scaled from more than 8 bits (0 to 65,535)"]


@pytest.mark.parametrize("grey_range", [255, 65535, None])
def test_greys_of_their_own_range_do_not_ask_for_one(grey_range, tmp_path):
    signed = np.linspace(-500, 1500, 256).astype(np.int32).reshape(8, 32)
    for values in (signed, signed * 1000, np.linspace(-2, 3, 256, dtype=np.float32).reshape(8, 32)):
        read = normalise(written(tmp_path, encoded(Image.fromarray(values), "TIFF")), grey_range)
        shown = np.asarray(read.image)[..., 0].ravel()
        assert (shown[0], shown[-1]) == (0, 255)
        assert read.grey_range is None
        assert read.notes == ["scaled from more than 8 bits by its own range"]


@pytest.mark.parametrize("plain", [False, True])
def test_a_pgm_is_scaled_by_the_largest_value_that_it_declares(plain, tmp_path):
    values = ramp(4095)[..., 0]
    body = " ".join(map(str, values.ravel())).encode() if plain else values.astype(">u2").tobytes()
    head = b"%s 32 24 4095\n" % (b"P2" if plain else b"P5")
    for grey_range in (255, None):
        read = normalise(written(tmp_path, head + body), grey_range)
        assert abs(np.asarray(read.image)[..., 0].astype(int) - scaled(values, 4095)).max() <= 1
        assert read.grey_range is None


def test_a_pgm_that_declares_nothing_takes_part_in_the_range(tmp_path):
    values = ramp(4095)[..., 0]
    path = written(tmp_path, b"P5 32 24 65535\n" + values.astype(">u2").tobytes())
    with pytest.raises(RangeUnknown):
        normalise(path, None)
    assert np.array_equal(np.asarray(normalise(path, 4095).image)[..., 0], scaled(values, 4095))
