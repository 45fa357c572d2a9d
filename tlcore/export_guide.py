"""How to use what was exported: the signature in TensorFlow's own words, a program for each format, the README."""

from pathlib import Path

from tlcore.export_record import (
    CARD_FILES,
    README_FILE,
    RECORD_FILE,
    SUMS_FILE,
    UNKNOWN,
    Export,
    ModelFile,
    Signature,
    Tensor,
)
from tlcore.files import write_atomically
from tlcore.formats import FORMATS
from tlcore.images import LONGER_SIDE_PX
from tlcore.workspace import LABELS_FILE

_TYPES = {"uint8": "DT_UINT8", "int32": "DT_INT32", "float32": "DT_FLOAT", "string": "DT_STRING"}
_READ = """\
import json

import numpy as np
from PIL import Image, ImageOps
{imports}

labels = json.load(open("{labels}", encoding="utf-8"))
photo = ImageOps.exif_transpose(Image.open("photo.jpg")).convert("RGB")
photo.thumbnail(({cap}, {cap}), reducing_gap=3.0)
photo = photo.resize(({side}, {side}), Image.Resampling.BILINEAR)
image = np.asarray(photo, dtype=np.uint8)[None]

{predict}
answer = int(result["answer"][0])
print(labels[answer] if answer >= 0 else "I don't know")
print(dict(zip(labels, result["probabilities"][0])))
"""
_LITERT = (
    "from ai_edge_litert.interpreter import Interpreter",
    'interpreter = Interpreter("{file}")\nresult = interpreter.get_signature_runner("serving_default")(image=image)',
)
_CALLS = {
    "keras": ("import keras", 'result = keras.models.load_model("{file}").predict(image)'),
    "saved-model": (
        "import tensorflow as tf",
        'model = tf.saved_model.load("{file}")\n'
        'result = model.signatures["serving_default"](image=tf.constant(image))\n'
        "result = {{name: tensor.numpy() for name, tensor in result.items()}}",
    ),
    "litert": _LITERT,
    "litert-float16": _LITERT,
    "litert-int8": _LITERT,
    "onnx": (
        "import onnxruntime",
        'session = onnxruntime.InferenceSession("{file}")\n'
        'names = ["probabilities", "answer"]\n'
        'result = dict(zip(names, session.run(names, {{"image": image}})))',
    ),
}
_README = """\
An image classifier, exported by Thaw
=====================================

Run {run}, {classes} classes, images of {side} x {side} pixels.

What goes in and comes out, whatever the format:

  image          uint8 (n, {side}, {side}, 3), RGB, 0..255, stretched to the square. Nothing else: scaling is inside.
  probabilities  float32 (n, {classes}), in the order of {labels}, divided by the temperature {temperature:.3g}.
  answer         int32 (n), the number of the likeliest class, counted from 0, or {unknown} for "I don't know": its
                 probability is below {threshold:.0%}.

The SavedModel also gives class_names, text (n, {classes}).

To have the dashboard's own answers, turn the photo upright, shrink its longer side to {cap} pixels, then resize
it to the square with antialiased bilinear resampling (Pillow's BILINEAR), as below.

The files
---------

{files}
  {labels}  the class names, in the order of the probabilities
  {record}  all of this for programs, and what was measured of each file
  {card}  what the model was taught, how good it is, and its limits
  {sums}  check them all with: sha256sum -c {sums}

{programs}"""


def write_guide(folder: Path, export: Export) -> None:
    """Write the README of an export."""
    width = max(len(each.file) for each in export.offered) if export.offered else 0
    lines = [f"  {each.file:{width}}  {FORMATS[each.name].use}{_warning(each)}" for each in export.offered]
    programs = [
        f"{FORMATS[each.name].title}\n{'-' * len(FORMATS[each.name].title)}\n\n"
        f"pip install {FORMATS[each.name].package} pillow\n\n{show_program(export, each)}"
        for each in export.offered
    ]
    text = _README.format(
        run=export.run,
        classes=len(export.labels),
        side=export.image_size,
        labels=LABELS_FILE,
        temperature=export.temperature,
        threshold=export.threshold,
        unknown=UNKNOWN,
        cap=LONGER_SIDE_PX,
        files="\n".join(lines) + "\n",
        record=RECORD_FILE,
        card=CARD_FILES[0],
        sums=SUMS_FILE,
        programs="\n\n".join(programs),
    )
    write_atomically(folder / README_FILE, text.encode())


def show_program(export: Export, made: ModelFile) -> str:
    """Return a Python program that classifies one photo with a file of an export."""
    imports, predict = _CALLS[made.name]
    return _READ.format(
        imports=imports,
        predict=predict.format(file=made.file),
        labels=LABELS_FILE,
        side=export.image_size,
        cap=LONGER_SIDE_PX,
    )


def show_signature(signature: Signature) -> str:
    """Return a signature as `saved_model_cli show --tag_set serve --signature_def serving_default` prints it."""
    parts = [
        "The given SavedModel SignatureDef contains the following input(s):",
        *(line for tensor in signature.inputs for line in _describe("inputs", tensor)),
        "The given SavedModel SignatureDef contains the following output(s):",
        *(line for tensor in signature.outputs for line in _describe("outputs", tensor)),
        "Method name is: tensorflow/serving/predict",
    ]
    return "\n".join(parts)


def _describe(side: str, tensor: Tensor) -> list[str]:
    return [
        f"  {side}['{tensor.name}'] tensor_info:",
        f"      dtype: {_TYPES[tensor.dtype]}",
        f"      shape: ({', '.join(map(str, tensor.shape))})",
        f"      name: {tensor.inside}",
    ]


def _warning(made: ModelFile) -> str:
    return f"\n      Beware: {made.reason}." if made.verdict == "warned" else ""
