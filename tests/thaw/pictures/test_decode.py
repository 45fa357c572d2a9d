import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.support.pictures import corpus
from tests.support.pictures.corpus import ACCEPTED, SET_ASIDE, Case, encoded, exif_rotated, jpeg, photo
from thaw.pictures.decode import digest, normalise
from tlcore.errors import ImageRejected

CASES = [case for case in corpus.cases() if case.name.startswith("rose/")]


def written(folder, content):
    path = folder / "file"
    path.write_bytes(content)
    return path


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("case", [case for case in CASES if case.verdict == SET_ASIDE], ids=lambda case: case.name)
def test_bad_files_are_refused_with_their_reason(case: Case, tmp_path):
    with pytest.raises(ImageRejected) as refusal:
        normalise(written(tmp_path, case.content))
    assert case.says in str(refusal.value)


@pytest.mark.parametrize("case", [case for case in CASES if case.verdict == ACCEPTED], ids=lambda case: case.name)
def test_odd_files_are_normalised_and_noted(case: Case, tmp_path):
    normalised = normalise(written(tmp_path, case.content))
    assert normalised.image.mode == "RGB"
    assert case.says in " ".join(normalised.notes)
    assert bool(normalised.notes) == bool(case.says)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(orientation, tmp_path):
    upright = photo(5, 96, 72)
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = upright if undo is None else upright.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[0x0112] = orientation
    for encoding, options in (("JPEG", {"quality": 95}), ("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        normalised = normalise(written(tmp_path, encoded(stored, encoding, exif=exif, **options)))
        assert (normalised.width, normalised.height) == normalised.image.size == (96, 72)
        difference = np.asarray(normalised.image).astype(int) - np.asarray(upright)
        assert abs(difference).mean() < 3, encoding


def test_deep_grey_is_scaled_and_not_clipped(tmp_path):
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (32, 1))
    for encoding in ("PNG", "TIFF"):
        image = normalise(written(tmp_path, encoded(Image.fromarray(ramp), encoding))).image
        assert np.array_equal(np.asarray(image)[0, :, 0], np.arange(256))


def test_float_grey_is_scaled_by_its_own_range(tmp_path):
    ramp = np.tile(np.linspace(-2, 3, 256).astype(np.float32), (32, 1))
    values = np.asarray(normalise(written(tmp_path, encoded(Image.fromarray(ramp), "TIFF"))).image)[0, :, 0]
    assert values[0] == 0
    assert values[-1] == 255
    assert (np.diff(values.astype(int)) >= 0).all()


def test_transparency_becomes_white(tmp_path):
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 8, 16))
    pixels = np.asarray(normalise(written(tmp_path, encoded(image, "PNG"))).image)
    assert tuple(pixels[0, 0]) == (0, 0, 255)
    assert tuple(pixels[0, 15]) == (255, 255, 255)


def test_the_first_frame_is_kept(tmp_path):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime")]
    content = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert normalise(written(tmp_path, content)).image.getpixel((8, 8)) == (255, 0, 0)


@pytest.mark.parametrize(("encoding", "size"), [("JPEG", (4000, 3000)), ("PNG", (1400, 900)), ("JPEG", (900, 1400))])
def test_the_longer_side_is_capped_and_the_original_size_is_kept(encoding, size, tmp_path):
    normalised = normalise(written(tmp_path, encoded(photo(1, *size), encoding)))
    assert max(normalised.image.size) == 640
    assert (normalised.width, normalised.height) == size
    assert abs(normalised.image.width / normalised.image.height - size[0] / size[1]) < 0.01
    expected = np.asarray(photo(1, *size).resize(normalised.image.size, Image.Resampling.BICUBIC)).astype(int)
    assert abs(np.asarray(normalised.image) - expected).mean() < 3


def test_spoilt_camera_data_does_not_refuse_a_photo(tmp_path):
    content = exif_rotated(6).replace(b"Exif\0\0", b"Exif\0\0\xff\xff\xff", 1)
    assert normalise(written(tmp_path, content)).image.mode == "RGB"


def test_what_is_no_plain_file_is_refused(tmp_path):
    assert "cannot be read" in reason_against(tmp_path / "missing")
    assert "not a plain file" in reason_against(tmp_path)
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe.jpg")
        assert "not a plain file" in reason_against(tmp_path / "pipe.jpg")


def test_a_digest_is_of_the_files_bytes_and_normalising_tells_the_same(tmp_path):
    path = written(tmp_path, jpeg(1))
    assert digest(path) == hashlib.sha256(jpeg(1)).hexdigest() == normalise(path).original


def test_no_digest_is_made_of_what_normalising_refuses_unread(tmp_path):
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(50_000_001)
    for path, reason in ((tmp_path / "missing", "cannot be read"), (tmp_path, "plain file"), (large, "50 MB")):
        with pytest.raises(ImageRejected, match=reason):
            digest(path)


def test_the_tables_of_a_jpeg_are_kept_only_with_its_own_pixels(tmp_path):
    assert normalise(written(tmp_path, jpeg(1, 600, 400))).encoding is not None
    for other in (jpeg(1, 700, 400), encoded(photo(1), "PNG"), exif_rotated(6), exif_rotated(3)):
        assert normalise(written(tmp_path, other)).encoding is None


def reason_against(path):
    try:
        normalise(path)
    except ImageRejected as refusal:
        return str(refusal)
    return None


@pytest.mark.filterwarnings("ignore")
def test_bit_flips_and_cuts_never_escape_as_anything_but_a_refusal(tmp_path):
    random = np.random.default_rng(0)
    reasons = []
    for encoding in ("JPEG", "PNG", "WEBP", "GIF", "TIFF"):
        whole = encoded(photo(8), encoding)
        for _ in range(40):
            mutant = bytearray(whole)
            for at in random.integers(0, len(whole), 8):
                mutant[at] ^= int(random.integers(1, 256))
            kept = random.integers(1, 2 * len(whole))
            reasons.append(reason_against(written(tmp_path, bytes(mutant[:kept]))))
    assert "" not in reasons
    assert sum(reason is not None for reason in reasons) > 100


def test_importing_images_stays_light():
    code = "import sys, thaw.pictures.decode; print('numpy' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
