import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from tests.support.pictures import heic
from tests.support.pictures.corpus import encoded, jpeg, photo
from thaw.pictures import decode, picture_formats
from thaw.pictures.decode import normalise
from tlcore.errors import ImageRejected
from tlcore.images.pixels import can_read_heic

needs_heic = pytest.mark.skipif(not can_read_heic(), reason="pi-heif is not installed")


def written(folder, content):
    path = folder / "photo.jpg"
    path.write_bytes(content)
    return path


def is_red_then_blue(image):
    first, last = image.getpixel((5, 5)), image.getpixel((image.width - 5, image.height - 5))
    return first[0] > 200 > 60 > first[2] and last[2] > 200 > 60 > last[0]


@needs_heic
@pytest.mark.parametrize("content", [heic.PLAIN, heic.DEEP, heic.BURST], ids=["8 bits", "10 bits", "several"])
def test_a_heic_photo_is_read(content, tmp_path):
    read = normalise(written(tmp_path, content))
    assert (read.width, read.height) == read.image.size == (64, 48)
    assert is_red_then_blue(read.image)
    assert read.notes == (["main picture of 3"] if content is heic.BURST else [])


@needs_heic
def test_a_heic_photo_is_turned_once(tmp_path):
    read = normalise(written(tmp_path, heic.TURNED))
    assert (read.width, read.height) == read.image.size == (48, 64)
    assert is_red_then_blue(read.image)
    assert read.taken_at == datetime(2021, 5, 4, 12, 30, 15, tzinfo=UTC).timestamp()


@needs_heic
def test_a_transparent_heic_is_laid_on_white(tmp_path):
    read = normalise(written(tmp_path, heic.CLEAR))
    assert read.notes == ["transparency laid on white"]
    assert read.image.getpixel((60, 40)) == (255, 255, 255)


@needs_heic
@pytest.mark.parametrize("content", [heic.PLAIN, heic.TURNED, heic.DEEP, heic.CLEAR])
@pytest.mark.parametrize("part", [0.05, 0.5, 0.8, 0.99])
def test_a_cut_heic_is_refused(content, part, tmp_path):
    with pytest.raises(ImageRejected, match="cut off"):
        normalise(written(tmp_path, content[: int(len(content) * part)]))


@needs_heic
def test_the_caps_hold_before_a_heic_is_decoded(tmp_path, monkeypatch):
    monkeypatch.setattr(decode, "MAX_PIXELS", 3000)
    told = []
    with pytest.raises(ImageRejected, match="64 x 48 pixels; the limit"):
        normalise(written(tmp_path, heic.PLAIN), tell_size=lambda *size: told.append(size))
    assert told == [(len(heic.PLAIN), 0, "")]


def test_without_its_package_heic_is_set_aside_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(picture_formats, "can_read_heic", lambda: False)
    with pytest.raises(
        ImageRejected, match="HEIC photo, which is not read; set the phone's camera to 'Most compatible'"
    ):
        normalise(written(tmp_path, heic.PLAIN))


def test_what_reads_heic_is_loaded_for_heic_alone(tmp_path):
    written(tmp_path, jpeg(1))
    code = (
        "import sys; from pathlib import Path; from thaw.pictures.decode import normalise;"
        f"normalise(Path({str(tmp_path / 'photo.jpg')!r})); print('pi_heif' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_avif_under_the_brand_of_all_such_containers_is_no_heic(tmp_path):
    content = encoded(photo(1), "AVIF")
    assert b"ftypavif" in content[:12]
    general = content[:8] + b"mif1" + content[12:16] + b"avif" + content[20:]
    assert normalise(written(tmp_path, general)).image.size == (96, 72)


def netpbm(mark, width, height, values, most=None, plain=False):
    head = f"{mark}\n# a comment\n{width} {height}\n" + (f"{most}\n" if most else "")
    return head.encode() + (" ".join(map(str, values)).encode() if plain else bytes(values))


def test_netpbm_is_read_binary_and_plain(tmp_path):
    colours = np.asarray(photo(2, 16, 12))
    grey = colours[..., 0]
    bits = (grey > 128).astype(int)
    packed = np.packbits(1 - bits, axis=1).ravel().tolist()
    for content, expected in (
        (netpbm("P6", 16, 12, colours.ravel().tolist(), 255), colours),
        (netpbm("P3", 16, 12, colours.ravel().tolist(), 255, plain=True), colours),
        (netpbm("P5", 16, 12, grey.ravel().tolist(), 255), np.dstack([grey] * 3)),
        (netpbm("P2", 16, 12, grey.ravel().tolist(), 255, plain=True), np.dstack([grey] * 3)),
        (netpbm("P4", 16, 12, packed), np.dstack([bits * 255] * 3)),
        (netpbm("P1", 16, 12, (1 - bits).ravel().tolist(), plain=True), np.dstack([bits * 255] * 3)),
    ):
        read = normalise(written(tmp_path, content))
        assert np.array_equal(np.asarray(read.image), expected), content[:2]


def test_a_cut_or_damaged_netpbm_is_refused(tmp_path):
    whole = netpbm("P6", 16, 12, range(192), 255)
    for content in (whole, whole[:30], b"P6\n", b"P5 16 12 0\n" + bytes(192), b"P3 16 12 255\n1 2 x" + b" 3" * 600):
        with pytest.raises(ImageRejected):
            normalise(written(tmp_path, content))
