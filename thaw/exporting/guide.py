"""How to use what was exported: the signature in TensorFlow's own words, a program for each format, the README."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from thaw.storage.export_record import (
    CARD_FILES,
    FINDER_FILE,
    READER_FILE,
    README_FILE,
    RECORD_FILE,
    SUMS_FILE,
    Export,
)
from thaw.storage.workspace import LABELS_FILE
from tlcore.detection.suppression import LEAST_SCORE, MOST, MOST_OVERLAP
from tlcore.exporting.formats import FORMATS, Signature, Tensor, explain_answer
from tlcore.exporting.model_files import ModelFile
from tlcore.files import write_atomically
from tlcore.images.pixels import LONGER_SIDE_PX

README_WIDTH = 110
_TYPES = {"uint8": "DT_UINT8", "int32": "DT_INT32", "float32": "DT_FLOAT", "string": "DT_STRING"}
_PROGRAM = """\
import json
import sys

{imports}

from read_photo import read_photo

sys.stdout.reconfigure(errors="backslashreplace")  # for any class name
labels = json.load(open("{labels}", encoding="utf-8"))
{load}

for path in sys.argv[1:] or ["photo.jpg"]:
    image = read_photo(path, side={side}, grey_range={grey_range})
    {predict}
    answer = int(result["answer"][0])
    print(path, labels[answer] if answer >= 0 else "I don't know", sep=": ")
    print(dict(zip(labels, result["probabilities"][0].tolist())))
"""
_LITERT = (
    "from ai_edge_litert.interpreter import Interpreter",
    'model = Interpreter("{file}").get_signature_runner("serving_default")',
    "result = model(image=image)",
)
_CALLS = {
    "keras": ("import keras", 'model = keras.models.load_model("{file}")', "result = model.predict(image, verbose=0)"),
    "saved-model": (
        "import tensorflow as tf",
        'model = tf.saved_model.load("{file}")',
        'result = model.signatures["serving_default"](image=tf.constant(image))\n'
        "    result = {{name: tensor.numpy() for name, tensor in result.items()}}",
    ),
    "litert": _LITERT,
    "litert-float16": _LITERT,
    "litert-int8": _LITERT,
    "onnx": (
        "import onnxruntime",
        'model = onnxruntime.InferenceSession("{file}")',
        'names = ["probabilities", "answer"]\n    result = dict(zip(names, model.run(names, {{"image": image}})))',
    ),
}
WEB_USE = """\
Open {folder}/index.html by a double click. {folder}/README.md tells how to put it on a website or into a page.
"""
PHOTO_RULE = (
    "Where there are several frames or pages, the first is taken.",
    "It is turned upright as the camera's EXIF mark says.",
    "Greys of more than 8 bits are brought to 0..255 from 0..{grey_range}, the range of the photos that the model "
    "learnt from; floating-point greys, and those that do not fit 16 bits, from their own least and greatest value.",
    "Palettes, CMYK and whatever else there is become RGB.",
    "What is transparent is laid on white, or on a middle grey (128) where nine tenths of what is visible is white "
    "itself (245 or more in every colour). Alpha that is the same everywhere means nothing and is dropped.",
    "The longer side is shrunk to {cap} pixels, where it is longer (bicubic, antialiased).",
    "The photo is stretched to the square that the model sees (bilinear, antialiased: Pillow's BILINEAR).",
)
"""How a photo becomes what a classifier sees, in order: what `thaw.pictures.decode` does, and `read_photo.py` in an
export."""
FITTED = (
    "The photo is fitted into the square that the model sees, in the middle and in its own proportions (bilinear, "
    "antialiased: Pillow's BILINEAR); beside it the square is grey (114 in every colour)."
)
"""The last step for a detector: what `tlcore.detection.views` does, and `find_objects.py` in an export."""
_CARD = "what the model was taught, how good it is, and its limits"
_README = """\
An image classifier, exported by Thaw
=====================================

Run {run}, {classes} classes, images of {side} x {side} pixels.

What goes in and comes out, whatever the format:

  image          uint8 (n, {side}, {side}, 3), RGB, 0..255, stretched to the square. Nothing else: scaling is inside.
  probabilities  float32 (n, {classes}), in the order of {labels}, divided by the temperature {temperature:.3g}.
{answer}
The SavedModel also gives class_names, text (n, {classes}).

How a photo is read
-------------------

To have the dashboard's own answers, read a photo as the dashboard does. {reader} does it, in this order:

{rule}
Other programs: decode the photo by the same rule, or ask `python -m thaw serve`, which does it for you.

The files
---------

{files}
  {labels}  the class names, in the order of the probabilities
  {reader}  reads a photo as the dashboard does, for the programs below
  {record}  all of this for programs, and what was measured of each file
{card}  {sums}  check them all with: sha256sum -c {sums}

{programs}"""


_FINDER_PROGRAM = """\
import find_objects

model = find_objects.load("{file}")
for box in find_objects.find(model, "photo.jpg")["boxes"]:
    print(box["label"], box["confidence"], box["box"])
"""
_FINDER_README = """\
A detector of objects, exported by Thaw
=======================================

Run {run}, {classes} kinds of objects, images of {side} x {side} pixels.

On the command line, with any of the files:

  python {finder} {first} photo.jpg

It prints for each photo the boxes from a confidence of {threshold:.0%} on, in pixels of the upright photo.

What goes in and comes out
--------------------------

  image    uint8 (n, {side}, {side}, 3), RGB, 0..255, fitted into the square. Nothing else: scaling is inside.

SavedModel and ONNX have non-maximum suppression inside and give what is left, the surest first:

  boxes    float32 (n, {most}, 4): left, upper, right and lower edge in pixels of the square.
  scores   float32 (n, {most}), 0..1.
  classes  int32 (n, {most}): the kind's place in {labels}, counted from 0, or -1 where there is nothing more.
  count    int32 (n): how many of the {most} there are.

The SavedModel also gives class_names, text (n, {classes}). Keras and LiteRT give every place where they look, decoded:

  boxes    float32 (n, places, 4): edges as above.
  scores   float32 (n, places, {classes}), 0..1, in the order of {labels}.

That is yet to be suppressed, as the function suppress in {finder} does it:

{suppression}
From the square back to the photo: take off what lies left of and above the photo in the square, and divide by the scale
at which it was drawn. The function find in {finder} shows it.

How a photo is read
-------------------

To have the dashboard's own answers, read a photo as the dashboard does. {reader} and {finder} do it, in
this order:

{rule}
Other programs: decode the photo by the same rule, or ask `python -m thaw serve`, which does it for you.

The files
---------

{files}
  {labels}  the kinds of objects, in the order of the classes
  {finder}  finds objects with any of the files above, by {reader} and {record}
  {reader}  reads a photo as the dashboard does
  {record}  all of this for programs, and what was measured of each file
{card}  {sums}  check them all with: sha256sum -c {sums}

{programs}"""
SUPPRESSION = (
    f"Of each kind by itself, boxes whose score is below {LEAST_SCORE} are left out.",
    "From the surest to the least sure, a box is kept unless it lies over one of its kind that is kept: unless the "
    f"area that both share is more than {MOST_OVERLAP} of the area that they cover together (IoU).",
    f"Of all kinds together the {MOST} surest are kept.",
)
"""How boxes are suppressed: what `tlcore.detection.suppression` does, and `find_objects.py` in an export."""


def write_guide(folder: Path, export: Export) -> None:
    """Write the README of an export, and the programs beside it that read photos and find objects."""
    width = max(len(each.file) for each in export.offered) if export.offered else 0
    lines = [f"  {each.file:{width}}  {FORMATS[each.name].use}{_warning(each)}" for each in export.offered]
    programs = [
        f"{FORMATS[each.name].title}\n{'-' * len(FORMATS[each.name].title)}\n\n{_show_use(export, each)}"
        for each in export.offered
    ]
    finds = export.task == "detect"
    text = (_FINDER_README if finds else _README).format(
        run=export.run,
        classes=len(export.labels),
        side=export.image_size,
        labels=LABELS_FILE,
        temperature=export.temperature,
        threshold=export.threshold,
        answer=_list_item("  answer         ", f"int32 (n). {explain_answer(export.threshold, LABELS_FILE)}"),
        # Of those that load fastest.
        first=export.offered[-1].file if export.offered else "",
        finder=FINDER_FILE,
        most=MOST,
        suppression=_number(SUPPRESSION),
        reader=READER_FILE,
        rule=write_rule(export.grey_range, finds),
        files="\n".join(lines) + "\n",
        record=RECORD_FILE,
        card=f"  {CARD_FILES[0]}  {_CARD}\n" if (folder / CARD_FILES[0]).exists() else "",
        sums=SUMS_FILE,
        programs="\n\n".join(programs),
    )
    write_atomically(folder / README_FILE, text.encode())
    for name in (READER_FILE, FINDER_FILE) if finds else (READER_FILE,):
        write_atomically(folder / name, Path(__file__).with_name(name).read_bytes())


def write_rule(grey_range: int, finds: bool = False) -> str:
    """Return how a photo is read, as a numbered list; it `finds` objects, or tells classes apart."""
    steps = (*PHOTO_RULE[:-1], FITTED) if finds else PHOTO_RULE
    return _number([step.format(grey_range=grey_range, cap=LONGER_SIDE_PX) for step in steps])


def show_program(export: Export, made: ModelFile) -> str:
    """Return a Python program that classifies photos with a file of an export, or finds objects on one, lying beside
    it."""
    if export.task == "detect":
        return _FINDER_PROGRAM.format(file=made.file)
    imports, load, predict = (part.format(file=made.file) for part in _CALLS[made.name])
    return _PROGRAM.format(
        imports=imports,
        load=load,
        predict=predict,
        labels=LABELS_FILE,
        side=export.image_size,
        grey_range=export.grey_range,
    )


def _show_use(export: Export, made: ModelFile) -> str:
    if made.name not in _CALLS:
        return WEB_USE.format(folder=made.file)
    return f"pip install {FORMATS[made.name].package} pillow\n\n{show_program(export, made)}"


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


def _number(steps: Sequence[str]) -> str:
    return "".join(_list_item(f"  {number}. ", step) for number, step in enumerate(steps, 1))


def _list_item(start: str, words: str) -> str:
    indent = " " * len(start)
    return textwrap.fill(words, README_WIDTH, initial_indent=start, subsequent_indent=indent) + "\n"


def _warning(made: ModelFile) -> str:
    return f"\n      Beware: {made.reason}." if made.verdict == "warned" else ""
