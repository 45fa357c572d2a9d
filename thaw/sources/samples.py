"""The samples: scikit-learn's handwritten digits, written out as class folders, and flower photos to download."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from thaw.storage.downloads import Download

SIDE_PX = 64
GREY_LEVELS = 16


@dataclass(frozen=True)
class PhotoSet:
    """A published set of photos, packed as a tar of class folders; `licence` is what to say of its use."""

    title: str
    photos: int
    classes: int
    licence: str
    download: Download


FLOWERS = PhotoSet(
    title="Flower photos",
    photos=3670,
    classes=5,
    licence="CC BY 2.0; the photographers are named in its LICENSE.txt",
    # Size and sha256 are those that TensorFlow Datasets publishes for tf_flowers.
    download=Download(
        title="the flower photos",
        url="https://storage.googleapis.com/download.tensorflow.org/example_images/flower_photos.tgz",
        bytes=228_813_984,
        hash="4c54ace7911aaffe13a365c34f650e71dd5bf1be0a58b464e5a7183e3e595d9c",
        otherwise="use the sample digits, which come with Thaw, or photos of your own.",
        elsewhere="choose another workspace with --workspace.",
    ),
)


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
