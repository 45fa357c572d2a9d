"""What Pillow's reader makes of files, beside the application's reader, and the pixels that a model sees."""

import io

import numpy as np
import pytest
from PIL import Image
from PIL.ExifTags import IFD, Base

from tests.support.pictures import heic
from tests.support.pictures.corpus import ACCEPTED, cases, encoded, exif_rotated, in_words, jpeg, photo
from thaw.pictures import copies
from tlcore.errors import ImageRejected
from tlcore.images import pixels as reading
from tlcore.images.pixels import RangeUnknown, choose_range, content_of, fingerprint_of, load_pixels, read_picture

# What only the application's reader opens, or brings to 8 bits in its own way.
BEYOND_PILLOW = ("preview", "end mark", "laid on grey", "more than 8 bits")
CASES = {case.name: case for case in cases() if case.content}
PLAIN = [
    name
    for name, case in CASES.items()
    if case.verdict == ACCEPTED and not any(words in case.says for words in BEYOND_PILLOW)
]


def written(folder, content):
    path = folder / "file"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", CASES)
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(name, tmp_path):
    reason = ""
    try:
        read = read_picture(written(tmp_path, CASES[name].content), tmp_path / "copy")
    except ImageRejected as problem:
        reason = str(problem)
    assert in_words(reason) if reason else load_pixels(read.file, 32).shape == (32, 32, 3)


@pytest.mark.parametrize("name", PLAIN)
def test_plain_files_are_read_as_the_application_reads_them(name, tmp_path):
    path = written(tmp_path, CASES[name].content)
    read, other = read_picture(path, tmp_path / "one"), copies.read_picture(path, tmp_path / "other")
    assert (read.width, read.height, read.taken_at) == (other.width, other.height, other.taken_at)
    one, another = (load_pixels(each.file, 64).astype(int) for each in (read, other))
    assert abs(one - another).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_upright_and_its_size_the_originals(orientation, tmp_path):
    read = read_picture(written(tmp_path, exif_rotated(orientation)), tmp_path / "copy")
    other = copies.read_picture(tmp_path / "file", tmp_path / "other")
    assert (read.width, read.height) == (other.width, other.height)
    with Image.open(read.file) as copy:
        assert copy.size == (read.width, read.height)


@pytest.mark.skipif(not reading.can_read_heic(), reason="pi-heif is not installed")
@pytest.mark.parametrize("content", [heic.PLAIN, heic.DEEP, heic.BURST, heic.TURNED])
def test_the_heic_of_phones_is_read_as_the_application_reads_it(content, tmp_path):
    path = written(tmp_path, content)
    read, other = read_picture(path, tmp_path / "one"), copies.read_picture(path, tmp_path / "other")
    assert (read.width, read.height, read.taken_at) == (other.width, other.height, other.taken_at)
    one, another = (load_pixels(each.file, 64).astype(int) for each in (read, other))
    assert abs(one - another).mean() < 1


def test_without_what_reads_heic_it_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "can_read_heic", lambda: False)
    with pytest.raises(ImageRejected, match="no picture in a format that is read"):
        read_picture(written(tmp_path, heic.PLAIN), tmp_path / "copy")


def test_a_large_photo_is_shrunk_and_small_ones_are_lossless(tmp_path):
    large = read_picture(written(tmp_path, encoded(photo(1, 1600, 900), "JPEG")), tmp_path / "large")
    assert (large.width, large.height, large.file.name) == (1600, 900, "large.jpg")
    with Image.open(large.file) as copy:
        assert copy.size == (640, 360)
    small = read_picture(written(tmp_path, encoded(photo(2), "PNG")), tmp_path / "small")
    assert small.file.name == "small.png"
    np.testing.assert_array_equal(np.asarray(Image.open(small.file)), np.asarray(photo(2)))
    assert small.fingerprint == fingerprint_of(photo(2).convert("L"))
    again = read_picture(written(tmp_path, encoded(photo(2), "BMP")), tmp_path / "again")
    assert again.content == small.content != large.content


def test_the_cameras_date_is_read_and_a_wrong_one_ignored(tmp_path):
    for date, seconds in (("1970:01:02 00:00:10", 86410.0), ("yesterday", None)):
        exif = Image.Exif()
        exif.get_ifd(IFD.Exif)[Base.DateTimeOriginal] = date
        read = read_picture(written(tmp_path, encoded(photo(3), "JPEG", exif=exif)), tmp_path / "copy")
        assert read.taken_at == seconds


def test_what_is_transparent_is_laid_on_white_and_alpha_that_says_nothing_is_dropped(tmp_path):
    picture = photo(4).convert("RGBA")
    for shape, corner in ((Image.linear_gradient("L").resize(picture.size), (255, 255, 255)), (0, None)):
        picture.putalpha(shape)
        read = read_picture(written(tmp_path, encoded(picture, "PNG")), tmp_path / "copy")
        difference = np.subtract(Image.open(read.file).getpixel((0, 0)), corner or photo(4).getpixel((0, 0)))
        assert abs(difference).max() <= 1


def test_deep_greys_wait_for_a_range_and_are_scaled_by_it(tmp_path):
    deep = np.linspace(0, 4000, 64 * 64).reshape(64, 64).astype(np.uint16)
    path = written(tmp_path, encoded(Image.fromarray(deep), "PNG"))
    with pytest.raises(RangeUnknown) as held:
        read_picture(path, tmp_path / "copy", None)
    assert choose_range(held.value.largest) == 4095
    read = read_picture(path, tmp_path / "copy", 4095)
    assert read.grey_range == 4095
    expected = np.floor(deep * (255 / 4095) + 0.5)
    np.testing.assert_array_equal(np.asarray(Image.open(read.file))[:, :, 0], expected)


def test_floating_point_greys_are_scaled_by_their_own_values(tmp_path):
    ramp = np.linspace(-3, 5, 64 * 64, dtype=np.float32).reshape(64, 64)
    read = read_picture(written(tmp_path, encoded(Image.fromarray(ramp), "TIFF")), tmp_path / "copy", None)
    assert read.grey_range is None
    assert Image.open(read.file).getextrema() == ((0, 255),) * 3


def test_the_caps_are_told_with_what_came(tmp_path, monkeypatch):
    path = written(tmp_path, jpeg(5))
    monkeypatch.setattr(reading, "MAX_PIXELS", 3000)
    with pytest.raises(ImageRejected, match=r"96 x 72 pixels; the limit is 3,000"):
        read_picture(path, tmp_path / "copy")
    monkeypatch.setattr(reading, "MAX_FILE_BYTES", 100)
    with pytest.raises(ImageRejected, match="the limit is 0 MB"):
        read_picture(path, tmp_path / "copy")


def test_pixels_are_stretched_to_the_square_and_antialiased(tmp_path):
    stripes = np.zeros((64, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    Image.fromarray(stripes).save(tmp_path / "stripes.png")
    pixels = load_pixels(tmp_path / "stripes.png", 32)
    assert pixels.shape == (32, 32, 3)
    assert pixels.dtype == np.uint8
    assert abs(pixels.astype(int) - 128).max() < 8, "stripes finer than a pixel must average out"


def test_content_is_of_the_pixels_and_not_of_the_file():
    same = [Image.open(io.BytesIO(encoded(photo(3), kind))).convert("RGB") for kind in ("PNG", "BMP", "TIFF")]
    assert len({content_of(image) for image in same}) == 1
    assert content_of(photo(4)) != content_of(photo(3))
    flat = [Image.new("RGB", size, "red") for size in ((8, 16), (16, 8))]
    assert content_of(flat[0]) != content_of(flat[1]), "the shape counts too"


def test_the_range_is_the_smallest_that_holds_a_value():
    assert [choose_range(each) for each in (0, 255, 256, 1023, 1024, 4095, 4096, 16383, 16384, 65535)] == [
        255, 255, 1023, 1023, 4095, 4095, 16383, 16383, 65535, 65535,
    ]  # fmt: skip


def test_the_fingerprint_says_where_it_gets_brighter_to_the_right():
    ramp = np.tile(np.arange(0, 170, 10), (16, 1))
    assert fingerprint_of(grey_of(ramp)) == "f" * 64
    assert fingerprint_of(grey_of(ramp[:, ::-1])) == "0" * 64
    ramp[1:] = ramp[1:, ::-1]
    assert fingerprint_of(grey_of(ramp)) == "ffff" + "0" * 60


def grey_of(values: np.ndarray) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8))
