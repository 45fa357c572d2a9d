"""Says what is on photos, or before the camera of a Raspberry Pi, with one .tflite file and without a network.

    pip install ai-edge-litert pillow
    python classify.py model.tflite photo.jpg [more.png ...]
    python classify.py model.tflite --camera

The file has all that is needed inside: the names of the classes, the scaling of pixels, and from when on it knows.
The camera is read by picamera2, which Raspberry Pi OS brings. It ends with 1 where a photo could not be read.
"""

import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

LONGER_SIDE = 640
THREADS = 4
CAMERA_SIZE = (640, 480)


class Model:
    """A classifier out of a .tflite file that Thaw exported."""

    def __init__(self, path: Path) -> None:
        interpreter = Interpreter(str(path), num_threads=THREADS)
        self.side = int(interpreter.get_input_details()[0]["shape"][1])
        self._answer = interpreter.get_signature_runner("serving_default")
        # The names lie in a zip behind the network.
        with zipfile.ZipFile(path) as beside:
            self.labels = beside.read("labels.txt").decode().splitlines()

    def classify(self, photo: Image.Image) -> tuple[str | None, float]:
        """Return the name of what is seen, or None where the model does not know, and how likely it is, 0..1."""
        said = self._answer(image=see(photo, self.side))
        number = int(said["answer"][0])
        return (self.labels[number] if number >= 0 else None), float(said["probabilities"][0].max())


def see(photo: Image.Image, side: int) -> np.ndarray:
    """Return a photo as the model sees it, as it saw those that it learnt from: uint8 (1, side, side, 3)."""
    photo = ImageOps.exif_transpose(photo)
    if photo.has_transparency_data:
        ground = Image.new("RGBA", photo.size, "white")
        photo = Image.alpha_composite(ground, photo.convert("RGBA"))
    photo = photo.convert("RGB")
    scale = min(1, LONGER_SIDE / max(photo.size))
    small = [max(1, round(length * scale)) for length in photo.size]
    photo = photo.resize(small, Image.Resampling.BICUBIC, reducing_gap=3.0)
    return np.asarray(photo.resize((side, side), Image.Resampling.BILINEAR))[None]


def watch() -> Iterator[Image.Image]:
    """Yield what the camera sees, its middle square, for as long as somebody asks."""
    from picamera2 import Picamera2

    camera = Picamera2()
    camera.configure(camera.create_video_configuration({"format": "BGR888", "size": CAMERA_SIZE}))
    camera.start()
    try:
        while True:
            yield ImageOps.fit(Image.fromarray(camera.capture_array()), (min(CAMERA_SIZE),) * 2)
    finally:
        camera.stop()


def main() -> int:
    """Classify what the command line names; return the exit status."""
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    sys.stdout.reconfigure(errors="backslashreplace")  # for any class name
    model, failed = Model(Path(sys.argv[1])), False
    if sys.argv[2] == "--camera":
        for frame in watch():
            started = time.perf_counter()
            label, share = model.classify(frame)
            took_ms = 1000 * (time.perf_counter() - started)
            print(f"{label or 'I do not know'} ({share:.0%}, {took_ms:.0f} ms)", flush=True)
    for path in sys.argv[2:]:
        try:
            with Image.open(path) as photo:
                label, share = model.classify(photo)
        except OSError as problem:
            print(f"{path}: {problem}", file=sys.stderr)
            failed = True
            continue
        print(f"{path}: {label or 'I do not know'} ({share:.0%})", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
