"""The table of formats that a model is exported to, and what goes into and comes out of each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tlcore.errors import SettingsError

FLOAT_TOLERANCE = 1e-4
"""The largest difference in probability that a float32 file may show: a hundred times what rounding alone makes."""
LARGEST_SHIFT_PX = 0.5
"""How far an edge of a box may lie from the detector's own in a float32 file, in pixels of the square."""
REFUSED_TIMES = 5
"""A reduced file is refused beyond this many times its tolerance (see `tlcore.exporting.verification.judge`)."""

OLDEST_KERAS = "3.6"
# The modules of requirements/export.txt, which an installation may have left out.
PACKAGES = ("ai_edge_litert", "flatbuffers", "onnx", "onnxruntime", "tf2onnx")

LITERT = ("litert", "litert-float16", "litert-int8")
CONVERTED = "converted"
"""First word of the line that a converter prints of a format: its name follows, and why it failed, if it did."""

UNKNOWN = -1
"""The number in `answer` where the model is not sure enough to name a class."""


@dataclass(frozen=True)
class Tensor:
    """An input or output: its key, its shape with -1 for the number of images, its dtype as NumPy calls it ("string"
    for text), and what the SavedModel calls it inside ("" where no SavedModel was written)."""

    name: str
    shape: list[int]
    dtype: str
    inside: str = ""


@dataclass(frozen=True)
class Signature:
    """What goes in and comes out; `class_names` is an output of the SavedModel alone, the others of every format."""

    inputs: list[Tensor]
    outputs: list[Tensor]


@dataclass(frozen=True)
class Format:
    """One format.

    `file` is its name in an export, a folder's for "saved-model" and "web"; `runtime` the package that proves it and
    `package` what a user installs to run it; `use` the sentence that says for whom it is. `tolerance` is the share of
    images that may get another class first, in 0..1, or None for a float32 file, which is held to `FLOAT_TOLERANCE`.
    A `calibrated` one takes the ranges of its numbers from photos; one that is `fetched` holds a runtime that a
    person fetches first (see `tlcore.exporting.web.runtime`).
    """

    name: str
    title: str
    file: str
    runtime: str
    package: str
    use: str
    tolerance: float | None = None
    calibrated: bool = False
    fetched: bool = False


_ROWS = (
    Format(
        "keras",
        "Keras",
        "model.keras",
        "keras",
        "tensorflow",
        f"Python with Keras {OLDEST_KERAS} or later; can be trained further.",
    ),
    Format(
        "saved-model",
        "SavedModel",
        "saved_model",
        "tensorflow",
        "tensorflow",
        "TensorFlow Serving, TensorFlow in Java, Go, C++ or Python, and `python -m thaw serve`.",
    ),
    Format(
        "litert",
        "LiteRT",
        "model.tflite",
        "ai-edge-litert",
        "ai-edge-litert",
        "Android, iPhone, Raspberry Pi (LiteRT, once called TensorFlow Lite); exact.",
    ),
    Format(
        "litert-float16",
        "LiteRT, float16",
        "model-float16.tflite",
        "ai-edge-litert",
        "ai-edge-litert",
        "The same devices, at half the size; best where they have a GPU.",
        tolerance=0.005,
    ),
    Format(
        "litert-int8",
        "LiteRT, int8",
        "model-int8.tflite",
        "ai-edge-litert",
        "ai-edge-litert",
        "The same devices, at a quarter of the size, often twice as fast; less exact.",
        tolerance=0.02,
        calibrated=True,
    ),
    Format(
        "onnx",
        "ONNX",
        "model.onnx",
        "onnxruntime",
        "onnxruntime",
        "Any program through ONNX Runtime: C#, C++, Java, JavaScript, Rust, Python.",
    ),
    Format(
        "web",
        "Web page",
        "web",
        "@litertjs/core",
        "",
        "Anyone with a browser: a page that opens by a double click, also on a phone, with the camera and no network.",
        fetched=True,
    ),
)
FORMATS = {row.name: row for row in _ROWS}
DETECTOR_FORMATS = tuple(row.name for row in _ROWS if row.tolerance is None and not row.fetched)
"""Of a detector: in fewer bits than float32 edges would lie elsewhere, and web pages have no boxes."""


def choose_formats(names: Sequence[str] | None, offered: Sequence[str] = tuple(FORMATS)) -> list[Format]:
    """Return the formats of these names in the order of the table, all that are `offered` but for what is `fetched`
    where it is None.

    Raises SettingsError for a name that is not offered, or for none at all.
    """
    wanted = [name for name in offered if not FORMATS[name].fetched] if names is None else names
    unknown = [name for name in wanted if name not in offered]
    if unknown or not wanted:
        raise SettingsError(
            f"Expected one or more of {', '.join(offered)}. Received: {', '.join(unknown) or 'none'}. "
            "Choose among these."
        )
    return [row for row in _ROWS if row.name in wanted]


def find_format(path: Path, name: str | None = None) -> Format:
    """Return the format of that `name`, or the first whose files end as `path` does; a SavedModel has no ending.

    Raises SettingsError where there is none.
    """
    if name is not None:
        return choose_formats([name])[0]
    found = next((row for row in _ROWS if Path(row.file).suffix == path.suffix), None)
    if found is None:
        endings = ", ".join(dict.fromkeys(Path(row.file).suffix for row in _ROWS if Path(row.file).suffix))
        raise SettingsError(f"Expected a file that ends in {endings}, or a folder without. Received: '{path.name}'.")
    return found


def explain_answer(threshold: float, labels_file: str) -> str:
    """Return what the output `answer` means in a model that answers from a probability of `threshold` on."""
    likeliest = f"The number of the likeliest class: its place in {labels_file}, counted from 0."
    if threshold == 0:
        return f"{likeliest} It is never {UNKNOWN}, since no threshold was kept."
    return (
        f'{likeliest} Or {UNKNOWN}, "I don\'t know", where the probability of that class is below '
        f"{100 * threshold:.4g}%. probabilities has the numbers in either case."
    )


def require_packages() -> None:
    """Raise SettingsError, with the remedy, where a package that export needs is not installed."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise SettingsError(
            f"Expected the packages that an export needs. Received: no {', '.join(missing)}. "
            "Run `pip install --require-hashes -r requirements.lock`, or install `thaw[export]`."
        )
