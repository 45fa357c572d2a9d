"""The built-in sample: scikit-learn's real handwritten digits, written out as class folders."""

from pathlib import Path

from PIL import Image

SIDE_PX = 64
GREY_LEVELS = 16


def write_digits(folder: Path) -> Path:
    """Write the 1,797 digits of scikit-learn as 64 px grey PNGs in class folders "0" to "9"; return `folder`.

    The originals are 8 x 8 pixels of 17 greys (Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits",
    UCI); they are enlarged smoothly.
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        class_folder = folder / str(label)
        class_folder.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray((pixels * (255 / GREY_LEVELS)).astype("uint8"))
        small.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC).save(class_folder / f"{number:04d}.png")
    return folder
