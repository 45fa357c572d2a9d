"""Finds objects on photos with a detector that Thaw has exported; needs Pillow, NumPy and the runtime of one format.

    python find_objects.py model.onnx photo.jpg [more.png ...]

It prints a line of JSON for each photo: `boxes`, each with `label`, `confidence` (0 to 1) and `box`, which is x, y,
width and height in pixels of the upright photo, and the `width` and `height` of that. A copy of this file lies in every
export of a detector, beside `read_photo.py`, which reads photos just as Thaw does, and `export.json`.
"""

import json
import sys
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from read_photo import read_upright

HERE = Path(__file__).parent
GREY = (114, 114, 114)
SIDEWAYS = (5, 6, 7, 8)
"""What the EXIF mark Orientation says of a photo that lies on its side."""
LEAST_SCORE, MOST_OVERLAP, MOST = 0.01, 0.5, 300

Answers = dict[str, np.ndarray]


def load(path: str | PathLike[str]) -> Callable[[np.ndarray], Answers]:
    """Return a function from uint8 (n, side, side, 3) to the outputs by name, of whichever format the file is."""
    ending = Path(path).suffix
    if ending == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return lambda image: dict(zip(names, session.run(names, {"image": image}), strict=True))
    if ending == ".tflite":
        from ai_edge_litert.interpreter import Interpreter

        runner = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
        return lambda image: runner(image=image)
    if ending == ".keras":
        import keras

        model = keras.models.load_model(path)
        return lambda image: model.predict(image, verbose=0)
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))

    def serve(image: np.ndarray, kept: object = loaded) -> Answers:
        outputs = loaded.signatures["serving_default"](image=tf.constant(image))
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    return serve


def find(model: Callable[[np.ndarray], Answers], path: str | PathLike[str]) -> dict[str, Any]:
    """Return the objects on a photo, surest first, as the line that is printed has them."""
    export = json.loads((HERE / "export.json").read_text(encoding="utf-8"))
    photo, (width, height) = read_upright(path, export["grey_range"]), measure(path)
    square, (left, top, wide, high) = fit_into_square(photo, export["image_size"])
    edges, scores, kinds = choose({name: array[0] for name, array in model(square[None]).items()})
    # From pixels of the square to shares of the photo, and to pixels of the photo in its full size.
    shares = ((edges - [left, top, left, top]) / [wide, high, wide, high]).clip(0, 1)
    boxes = [
        {"label": export["labels"][kind], "confidence": float(score), "box": to_box(edge * [width, height])}
        for edge, score, kind in zip(shares.reshape(-1, 2, 2), scores, kinds, strict=True)
        if score >= export["threshold"]
    ]
    return {"image": str(path), "width": width, "height": height, "boxes": boxes}


def measure(path: str | PathLike[str]) -> tuple[int, int]:
    """Return the width and height of an upright photo in pixels."""
    with Image.open(path) as file:
        width, height = file.size
        return (height, width) if file.getexif().get(0x0112) in SIDEWAYS else (width, height)


def fit_into_square(photo: Image.Image, side: int) -> tuple[np.ndarray, tuple[int, int, int, int]]:
    """Return a photo in a square of `side` pixels, uint8 (side, side, 3), as wide for its height as it was and grey
    beside it; and where it lies there: left, top, width and height in pixels."""
    scale = side / max(photo.size)
    width, height = (max(1, round(length * scale)) for length in photo.size)
    left, top = (side - width) // 2, (side - height) // 2
    square = Image.new("RGB", (side, side), GREY)
    small = photo.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)
    square.paste(small, (left, top))
    return np.asarray(square), (left, top, width, height)


def choose(answers: Answers) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the boxes of one photo, surest first: edges (k, 4) in pixels of the square, scores (k,), kinds (k,).

    A SavedModel and an ONNX file have chosen already, and say by `count` how many; Keras and LiteRT give a box and a
    score for each kind at every place, of which `suppress` leaves the best.
    """
    if "count" not in answers:
        return suppress(answers["boxes"], answers["scores"])
    count = int(answers["count"])
    return answers["boxes"][:count], answers["scores"][:count], answers["classes"][:count]


def suppress(boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose among boxes (places, 4) and scores (places, kinds) by non-maximum suppression.

    1. Of each kind by itself, boxes whose score is below `LEAST_SCORE` are left out.
    2. From the surest to the least sure, a box is kept unless it lies over one of its kind that is kept: unless the
       area that both share is more than `MOST_OVERLAP` of the area that they cover together.
    3. Of all kinds together the `MOST` surest are kept.
    """
    kept = []
    for kind in range(scores.shape[1]):
        own: list[int] = []
        for place in np.argsort(-scores[:, kind], kind="stable"):
            if scores[place, kind] < LEAST_SCORE or len(own) == MOST:
                break
            if not own or overlap(boxes[place], boxes[own]).max() <= MOST_OVERLAP:
                own.append(int(place))
        kept += [(float(scores[place, kind]), place, kind) for place in own]
    kept = sorted(kept, key=lambda each: -each[0])[:MOST]
    numbers = np.array([(place, kind) for _, place, kind in kept], np.int64).reshape(-1, 2)
    return boxes[numbers[:, 0]], np.array([score for score, _, _ in kept], np.float32), numbers[:, 1]


def overlap(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return what share of the area that a box (4,) covers with each of others (n, 4) both have in common."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    shared = width.clip(0) * height.clip(0)
    areas = (others[:, 2] - others[:, 0]).clip(0) * (others[:, 3] - others[:, 1]).clip(0)
    together = max(0, box[2] - box[0]) * max(0, box[3] - box[1]) + areas - shared
    return shared / np.maximum(together, 1e-12)


def to_box(corners: np.ndarray) -> list[float]:
    """Return x, y, width and height for the upper left and the lower right corner (2, 2)."""
    return [*corners[0].tolist(), *(corners[1] - corners[0]).tolist()]


def main(words: Sequence[str]) -> int:
    """Find objects on the photos that are named; return the exit status."""
    if len(words) < 2:
        print("Usage: python find_objects.py model.onnx photo.jpg [more.png ...]", file=sys.stderr)
        return 2
    model = load(words[0])
    for name in words[1:]:
        print(json.dumps(find(model, name)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
