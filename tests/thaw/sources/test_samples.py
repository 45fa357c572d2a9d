import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from thaw.sources.samples import FLOWERS, write_digits


def test_the_digits_are_real_and_in_class_folders(tmp_path):
    folder = write_digits(tmp_path / "digits")
    files = list(folder.rglob("*.png"))
    assert len(files) == 1797
    assert sorted(path.name for path in folder.iterdir()) == [str(digit) for digit in range(10)]
    digits = load_digits()
    for number in (0, 500, 1796):
        with Image.open(folder / str(digits.target[number]) / f"{number:04d}.png") as image:
            assert image.size == (64, 64)
            assert image.mode == "L"
            small = np.asarray(image.resize((8, 8), Image.Resampling.BOX), dtype=float) * 16 / 255
        assert np.corrcoef(small.ravel(), digits.images[number].ravel())[0, 1] > 0.98


def test_the_flowers_are_named_with_size_checksum_and_licence():
    wanted = FLOWERS.download
    assert (wanted.bytes, wanted.megabytes, FLOWERS.photos, FLOWERS.classes) == (228_813_984, 229, 3670, 5)
    assert wanted.url.startswith("https://")
    assert len(bytes.fromhex(wanted.hash)) == 32
    assert "CC BY 2.0" in FLOWERS.licence
