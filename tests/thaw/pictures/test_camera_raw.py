import contextlib
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures import raws
from tests.support.pictures.corpus import encoded, jpeg, photo
from tests.support.pictures.raws import cr2, cr3, dng, like_tiff, nef, pef, preview, raf
from thaw.pictures.camera_raw import extract_preview, is_camera_raw
from thaw.pictures.decode import normalise
from tlcore.errors import ImageRejected

NOTE = "camera raw: its embedded preview"
KINDS = {
    "NEF": lambda seed, jpeg: nef(seed, jpeg),
    "NEF, big-endian": lambda seed, jpeg: nef(seed, jpeg, magic=b"MM\0*"),
    "DNG": dng,
    "CR2": cr2,
    "CR3": cr3,
    "PEF": pef,
    "RAF": raf,
    "ORF": lambda seed, jpeg: like_tiff(b"IIRO", seed, jpeg),
    "RW2": lambda seed, jpeg: like_tiff(b"IIU\0", seed, jpeg),
}


def written(folder: Path, content: bytes) -> Path:
    path = folder / "photo.jpg"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_a_raw_is_read_as_its_largest_preview(kind, tmp_path):
    content = KINDS[kind](5, preview(5, 800, 600))
    assert is_camera_raw(content)
    read = normalise(written(tmp_path, content))
    assert NOTE in read.notes
    assert {read.width, read.height} == {800, 600}
    upright = read.image if read.width > read.height else read.image.transpose(Image.Transpose.ROTATE_90)
    expected = np.asarray(photo(5, 800, 600).resize(upright.size)).astype(int)
    assert abs(np.asarray(upright) - expected).mean() < 4


@pytest.mark.parametrize("kind", KINDS)
def test_a_raw_with_a_thumbnail_alone_is_set_aside_with_its_size(kind, tmp_path):
    with pytest.raises(ImageRejected, match="camera raw whose only readable picture is a 160 x 120 thumbnail"):
        normalise(written(tmp_path, KINDS[kind](6, preview(6, 160, 120))))


def test_a_raw_without_any_preview_tells_of_its_uncompressed_thumbnail(tmp_path):
    with pytest.raises(ImageRejected, match="only readable picture is a 160 x 120 thumbnail; export it as JPEG"):
        normalise(written(tmp_path, nef(7, None)))


def test_a_raw_without_any_picture_is_set_aside(tmp_path):
    with pytest.raises(ImageRejected, match="camera raw without a picture that can be read"):
        normalise(written(tmp_path, raf(7, b"")))


@pytest.mark.parametrize(("orientation", "size"), [(1, (800, 600)), (3, (800, 600)), (6, (600, 800)), (8, (600, 800))])
def test_a_preview_is_turned_as_the_raw_says(orientation, size, tmp_path):
    read = normalise(written(tmp_path, nef(8, preview(8), orientation)))
    assert (read.width, read.height) == size
    assert ("turned upright" in read.notes) == (orientation != 1)
    assert read.taken_at == datetime(2021, 5, 4, 12, 30, 15, tzinfo=UTC).timestamp()


def test_a_preview_that_says_itself_which_way_is_up_is_believed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 1
    read = normalise(written(tmp_path, nef(9, preview(9, exif=exif), orientation=6)))
    assert (read.width, read.height) == (800, 600)


def test_a_preview_that_stands_upright_already_is_not_turned_once_more(tmp_path):
    read = normalise(written(tmp_path, nef(9, preview(9, 600, 800), orientation=6)))
    assert (read.width, read.height) == (600, 800)
    assert "turned upright" not in read.notes


def test_tiles_of_sensor_data_are_no_preview(tmp_path):
    read = normalise(written(tmp_path, dng(10, preview(10, 800, 600), tiles=12)))
    assert (read.width, read.height) == (800, 600)


@pytest.mark.parametrize("make", [raws.developed_tiff, raws.pyramid_tiff, lambda seed: encoded(photo(seed), "TIFF")])
def test_an_ordinary_tiff_is_no_raw(make, tmp_path):
    content = make(11)
    assert not is_camera_raw(content)
    assert normalise(written(tmp_path, content)).notes == []


def test_other_files_are_no_raws():
    for content in (
        b"",
        b"II",
        b"II*\0",
        b"MM\0*\xff\xff\xff\xff",
        jpeg(1),
        encoded(photo(1), "PNG"),
        b"II*\0" + b"\1" * 90,
    ):
        assert not is_camera_raw(content)


@pytest.mark.filterwarnings("ignore")
def test_damaged_raws_are_refused_in_words_and_at_once(tmp_path):
    random = np.random.default_rng(0)
    whole = nef(12, preview(12))
    for cut in (20, 200, len(whole) // 2, len(whole) - 5000):
        with pytest.raises(ImageRejected):
            normalise(written(tmp_path, whole[:cut]))
    for _ in range(60):
        mutant = bytearray(whole)
        for at in random.integers(0, 2000, 6):
            mutant[at] = int(random.integers(256))
        path = written(tmp_path, bytes(mutant))
        with contextlib.suppress(ImageRejected):
            assert max(normalise(path).image.size) in (160, 640)


def test_a_raw_of_nothing_but_beginnings_takes_no_time():
    with pytest.raises(ImageRejected):
        extract_preview(b"FUJIFILMCCD-RAW" + b"\xff\xd8\xff\xe0\0\2" * 5_000_000)
