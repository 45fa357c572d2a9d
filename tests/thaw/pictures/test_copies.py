import io

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_image

import tlcore
from tests.support.pictures import heic
from tests.support.pictures.corpus import encoded, jpeg, photo
from thaw.pictures.copies import read_picture, save_normalised, save_thumbnail
from thaw.pictures.decode import normalise
from tlcore.images.pixels import content_of


def written(folder, content):
    path = folder / "file"
    path.write_bytes(content)
    return path


def scene(width=500, height=375):
    """Make a real photo with camera-like noise."""
    smooth = Image.fromarray(load_sample_image("china.jpg")).resize((width, height), Image.Resampling.BICUBIC)
    noise = np.random.default_rng(0).normal(0, 4, (height, width, 3))
    return Image.fromarray((np.asarray(smooth) + noise).clip(0, 255).astype(np.uint8))


def jpeg_with(comment):
    buffer = io.BytesIO()
    scene().save(buffer, "JPEG", quality=80, comment=comment)
    return buffer.getvalue()


def difference(one, other):
    return float(abs(np.asarray(one).astype(int) - np.asarray(other)).mean())


def test_small_copies_are_lossless_and_large_ones_are_jpeg(tmp_path):
    small = normalise(written(tmp_path, encoded(photo(1, 256, 100), "PNG")))
    suffix, content = save_normalised(small, tmp_path / "small")
    assert suffix == ".png"
    with Image.open(tmp_path / "small.png") as copy:
        assert content_of(copy.convert("RGB")) == content
    large = normalise(written(tmp_path, encoded(photo(1, 257, 100), "PNG")))
    suffix, _ = save_normalised(large, tmp_path / "large")
    assert suffix == ".jpg"
    with Image.open(tmp_path / "large.jpg") as copy:
        assert copy.layer[0][1:3] == copy.layer[1][1:3], "chroma must not be subsampled"


def test_a_thumbnail_is_small(tmp_path):
    save_thumbnail(normalise(written(tmp_path, jpeg(1, 600, 300))), tmp_path / "t.jpg")
    with Image.open(tmp_path / "t.jpg") as thumbnail:
        assert thumbnail.size == (256, 128)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [60, 75, 90, 98])
def test_a_jpegs_copy_is_encoded_alike_and_keeps_its_pixels(quality, subsampling, tmp_path):
    content = encoded(scene(), "JPEG", quality=quality, subsampling=subsampling, progressive=True)
    normalised = normalise(written(tmp_path, content))
    save_normalised(normalised, tmp_path / "copy")
    with Image.open(tmp_path / "file") as original, Image.open(tmp_path / "copy.jpg") as copy:
        assert copy.quantization == original.quantization
        assert copy.layer[0][1:3] == original.layer[0][1:3]
        assert difference(copy, normalised.image) < 1
    assert (tmp_path / "copy.jpg").read_bytes() != content, "the copy is encoded anew"


def test_the_copy_of_a_plain_jpeg_has_exactly_its_pixels(tmp_path):
    normalised = normalise(written(tmp_path, encoded(scene(), "JPEG", quality=80)))
    suffix, _ = save_normalised(normalised, tmp_path / "copy")
    assert (suffix, normalised.width, normalised.height) == (".jpg", 500, 375)
    with Image.open(tmp_path / "file") as original, Image.open(tmp_path / "copy.jpg") as copy:
        assert content_of(copy) == content_of(original)


@pytest.mark.parametrize("beside", [b"", b"taken by somebody " * 99])
def test_a_spent_jpeg_becomes_its_own_copy_without_what_stands_beside_its_pixels(beside, tmp_path):
    original = written(tmp_path, jpeg_with(beside))
    decoded, number = normalise(original), original.stat().st_ino
    kept = save_normalised(decoded, tmp_path / "kept")
    assert original.read_bytes() == jpeg_with(beside), "a file that is not spent was touched"
    assert save_normalised(decoded, tmp_path / "moved", original) == kept
    assert (tmp_path / "moved.jpg").read_bytes() == (tmp_path / "kept.jpg").read_bytes()
    assert (tmp_path / "moved.jpg").stat().st_ino == number, "a new file was written"
    assert not original.exists()


def test_a_spent_picture_that_must_be_encoded_anew_is_left_as_it_was(tmp_path):
    original = written(tmp_path, encoded(photo(1, 400, 300), "PNG"))
    before = original.read_bytes()
    save_normalised(normalise(original), tmp_path / "copy", original)
    assert original.read_bytes() == before
    assert (tmp_path / "copy.jpg").exists()


def test_the_content_of_a_plain_jpeg_is_of_its_pixels_and_not_of_what_stands_beside_them(tmp_path):
    exif = Image.Exif()
    exif[270] = "A description"
    alike = [{}, {"comment": b"taken on a Sunday"}, {"exif": exif}, {"icc_profile": b"profile" * 9}]
    others = [{"quality": 81}, {"subsampling": 0}]

    def content(picture, options):
        normalised = normalise(written(tmp_path, encoded(picture, "JPEG", **({"quality": 80} | options))))
        assert normalised.bare is not None
        return save_normalised(normalised, tmp_path / "copy")[1]

    (same,) = {content(scene(), options) for options in alike}
    assert len({same, content(scene().rotate(180), {}), *(content(scene(), options) for options in others)}) == 4


@pytest.mark.parametrize("encoding", ["PNG", "JPEG"])
def test_the_copy_of_a_typical_photo_keeps_its_colours(encoding, tmp_path):
    normalised = normalise(written(tmp_path, encoded(scene(1600, 1200), encoding)))
    save_normalised(normalised, tmp_path / "copy")
    with Image.open(tmp_path / "copy.jpg") as copy:
        assert difference(copy, normalised.image) < 2


@pytest.mark.parametrize("tail", [b"", b"the secret tail"])
def test_copies_carry_nothing_but_pixels(tail, tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "the secret description"
    content = encoded(scene(), "JPEG", exif=exif, comment=b"the secret comment") + tail
    normalised = normalise(written(tmp_path, content))
    save_normalised(normalised, tmp_path / "copy")
    save_thumbnail(normalised, tmp_path / "thumbnail.jpg")
    assert content.count(b"secret") == (3 if tail else 2)
    assert not [path for path in tmp_path.iterdir() if path.name != "file" and b"secret" in path.read_bytes()]


def test_a_thumbnail_looks_like_its_picture(tmp_path):
    normalised = normalise(written(tmp_path, encoded(scene(640, 480), "PNG")))
    save_thumbnail(normalised, tmp_path / "t.jpg")
    with Image.open(tmp_path / "t.jpg") as thumbnail:
        best = normalised.image.resize(thumbnail.size, Image.Resampling.LANCZOS)
        assert difference(thumbnail, best) < 6


def test_a_folder_is_read_from_a_script_as_the_application_reads_it(tmp_path):
    folder = tmp_path / "photos"
    (folder / "rose").mkdir(parents=True)
    (folder / "rose" / "phone.heic").write_bytes(heic.PLAIN)
    (folder / "rose" / "cut.jpg").write_bytes(jpeg(5)[:-400])
    (folder / "notes.txt").write_text("remember the milk")
    photos = tlcore.read_photos(folder, tmp_path / "copies", read=read_picture)
    assert [photo.name for photo in photos] == ["rose/phone.heic"]
    reasons = {each.name: each.reason for each in photos.set_aside}
    assert "cut off" in reasons["rose/cut.jpg"]
    assert "text file" in reasons["notes.txt"]
    pixels = tlcore.read_pixels([folder / "rose/phone.heic"], 32, read=read_picture)
    assert pixels.shape == (1, 32, 32, 3)
