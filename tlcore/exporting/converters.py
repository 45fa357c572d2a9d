"""Writes a model in each format; as a process, `python -m tlcore.exporting.converters SOURCE FORMAT=TARGET ...`.

One process converts one format after another, since TensorFlow takes longer to load than most take to be converted. A
format that fails costs itself alone; one that crashes takes the process with it, and another does what is left.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tlcore.errors import SettingsError
from tlcore.exporting.formats import CONVERTED, FORMATS, LITERT, Signature, Tensor
from tlcore.exporting.litert_metadata import describe, fix_batch
from tlcore.exporting.subprocesses import shorten_reason
from tlcore.exporting.suppression import Rule, read_rule, suppress_graph, suppress_tensors
from tlcore.exporting.web.page import write_page
from tlcore.exporting.web.runtime import COMMAND, PACKAGE, read_runtime
from tlcore.models.backend import freeze_graph, keras

SIGNATURE = "serving_default"
ONNX_OPSET = 17
UNCAUGHT = "TF2ONNX_CATCH_ERRORS"
GRAPH_FILE = "saved_model.pb"
COMPILED = "_XlaMustCompile"
# Left in float in an int8 file: in 256 steps every probability would be a step, and the answer another's.
FLOAT_OPERATIONS = ["SOFTMAX", "TOPK_V2", "GREATER_EQUAL"]


def write_saved_models(
    model: keras.Model, labels: Sequence[str], served: Path | None, bare: Path, rule: Rule | None = None
) -> None:
    """Write a SavedModel of constants with the signature `serving_default`; `served`, if wanted, has `class_names` too.

    `class_names` is text (n, classes), the same for every image, since TensorFlow Serving's REST interface wants every
    output to begin with the number of images. With a `rule`, a detector's boxes are suppressed in `served`. The
    converters start from `bare`, which does without both.
    """
    frozen = freeze_graph(model)
    (image,) = model.inputs
    specification = tf.TensorSpec(image.shape, image.dtype, name=image.name)
    keys = sorted(model.output)

    def answer(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        return dict(zip(keys, frozen(batch), strict=True))

    def answer_by_name(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        names = tf.constant([list(labels)], tf.string)
        outputs = answer(batch)
        outputs = suppress_tensors(outputs, rule) if rule else outputs
        return outputs | {"class_names": tf.tile(names, [tf.shape(batch)[0], 1])}

    for path, function in ((bare, answer), (served, answer_by_name)):
        if path:
            module = tf.Module()
            module.serve = tf.function(function, input_signature=[specification])
            # Nobody trains what is exported, and gradients of their own (swish) hold tensors that cannot be saved.
            options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
            tf.saved_model.save(module, str(path), signatures={SIGNATURE: module.serve}, options=options)


def read_signature(path: Path) -> Signature:
    """Return the signature of a SavedModel as its file has it."""
    from tensorflow.python.tools import saved_model_utils

    graph = saved_model_utils.get_meta_graph_def(str(path), tf.saved_model.SERVING)
    found = graph.signature_def[SIGNATURE]
    return Signature(_tensors(found.inputs), _tensors(found.outputs))


def convert_litert(source: Path, target: Path, calibration: np.ndarray | None) -> None:
    """Write LiteRT in float32 from a SavedModel."""
    target.write_bytes(_litert_converter(source).convert())


def convert_litert_float16(source: Path, target: Path, calibration: np.ndarray | None) -> None:
    """Write LiteRT with its weights in float16."""
    converter = _litert_converter(source)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]
    target.write_bytes(converter.convert())


def convert_litert_int8(source: Path, target: Path, calibration: np.ndarray | None) -> None:
    """Write LiteRT in int8, its ranges taken from the pixels `calibration`, uint8 (n, side, side, 3).

    The image stays uint8 and the probabilities float32. What follows the last layer of weights is left in float.
    """
    assert calibration is not None

    def samples() -> Iterator[dict[str, np.ndarray]]:
        for pixels in calibration:
            yield {"image": pixels[None]}

    converter = _litert_converter(source)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = samples
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=FLOAT_OPERATIONS)
    # The way to leave chosen operations in float that TensorFlow documents ("selective quantization").
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=samples, debug_options=options
    )
    target.write_bytes(debugger.get_nondebug_quantized_model())


def convert_onnx(source: Path, target: Path, calibration: np.ndarray | None) -> None:
    """Write ONNX from a SavedModel, with inputs and outputs of the same names."""
    import tf2onnx

    with tempfile.TemporaryDirectory(dir=source.parent) as scratch:
        loaded = tf.saved_model.load(str(write_uncompiled(source, Path(scratch) / "model")))
    signature = loaded.signatures[SIGNATURE]
    specifications = [signature.structured_input_signature[1]["image"]]

    @tf.function(input_signature=specifications)
    def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {name: tf.identity(tensor, name=name) for name, tensor in signature(image=image).items()}

    def convert() -> None:
        tf2onnx.convert.from_function(
            answer,
            input_signature=specifications,
            opset=ONNX_OPSET,
            output_path=str(target),
            custom_op_handlers={"Erfc": (write_erfc, [])},
        )

    # tf2onnx copies the whole graph before each of its 24 passes, which takes a third of the time, to skip a pass that
    # fails; where this name is set it does neither.
    os.environ[UNCAUGHT] = "FALSE"
    try:
        convert()
    except Exception:  # noqa: BLE001 - whatever a pass may raise: MobileNetV3's does
        del os.environ[UNCAUGHT]
        convert()
    finally:
        os.environ.pop(UNCAUGHT, None)


def write_uncompiled(source: Path, target: Path) -> Path:
    """Copy a SavedModel without the marks that keep functions apart for XLA; return `target`.

    Keras has XLA compile a convolution in groups, and a function so marked is never laid into the graph around it.
    """
    saved = saved_model_pb2.SavedModel.FromString((source / GRAPH_FILE).read_bytes())
    for graph in saved.meta_graphs:
        for function in graph.graph_def.library.function:
            for owner in (function, *function.node_def):
                owner.attr.pop(COMPILED, None)
    shutil.copytree(source, target)
    (target / GRAPH_FILE).write_bytes(saved.SerializeToString())
    return target


def write_erfc(graph: Any, node: Any, name: str, _: Any) -> None:
    """Replace the complementary error function (in GELU), which ONNX does not have, by one less the error function."""
    shapes, dtypes = [graph.get_shape(node.output[0])], [graph.get_dtype(node.output[0])]
    one = graph.make_const(f"{name}/one", np.float32(1))
    graph.remove_node(name)
    erf = graph.make_node("Erf", node.input, shapes=shapes, dtypes=dtypes)
    graph.make_node("Sub", [one.output[0], erf.output[0]], name=name, outputs=node.output, shapes=shapes, dtypes=dtypes)


def convert_web(
    source: Path, target: Path, labels: Sequence[str], runtime: Path | None, card: Path | None = None
) -> None:
    """Write a web page that holds the model as LiteRT, with the runtime out of the package at `runtime`.

    The .tflite file of the same export is taken, where it lies beside `target`.
    """
    if runtime is None:
        raise SettingsError(f"Expected the package {PACKAGE}. Received: none. Run `{COMMAND}` and give its file.")
    with tempfile.TemporaryDirectory(dir=source.parent) as scratch:
        made = target.with_name(FORMATS["litert"].file)
        if not made.exists():
            made = Path(scratch) / made.name
            made.write_bytes(describe(_litert_converter(source).convert(), labels, 0))
        content, side = fix_batch(made.read_bytes())
    write_page(content, read_runtime(runtime), labels, side, target, card)


CONVERTERS: dict[str, Callable[[Path, Path, np.ndarray | None], None]] = {
    "litert": convert_litert,
    "litert-float16": convert_litert_float16,
    "litert-int8": convert_litert_int8,
    "onnx": convert_onnx,
}


def _litert_converter(source: Path) -> Any:
    return tf.lite.TFLiteConverter.from_saved_model(str(source), signature_keys=[SIGNATURE])


def _tensors(found: Any) -> list[Tensor]:
    return [
        Tensor(key, [int(size.size) for size in each.tensor_shape.dim], tf.dtypes.as_dtype(each.dtype).name, each.name)
        for key, each in sorted(found.items())
    ]


def main() -> None:
    """Convert a SavedModel to the formats that are named, in that order, and print a line for each."""
    parser = argparse.ArgumentParser(prog="tlcore.exporting.converters", description="Convert a SavedModel.")
    parser.add_argument("source", type=Path)
    parser.add_argument(
        "targets", nargs="+", metavar="FORMAT=TARGET", help=f"FORMAT is one of {', '.join(CONVERTERS)}, web"
    )
    parser.add_argument("--calibration", type=Path, help="uint8 (n, side, side, 3) as .npy")
    parser.add_argument("--labels", type=Path, help="JSON list of the class names, to be put into LiteRT")
    parser.add_argument("--web-runtime", type=Path, help="the package of the runtime that a web page holds")
    parser.add_argument("--card", type=Path, help="a model card, HTML, to lie beside a web page")
    parser.add_argument("--threshold", type=float, default=0.0, help="probability below which it does not know")
    parser.add_argument("--suppress", nargs=3, help="the rule by which ONNX has a detector's boxes suppressed")
    arguments = parser.parse_args()
    calibration = labels = None
    if arguments.calibration:
        calibration = np.load(arguments.calibration, mmap_mode="r", allow_pickle=False)
    if arguments.labels:
        labels = json.loads(arguments.labels.read_bytes())
    rule = read_rule(arguments.suppress) if arguments.suppress else None
    for name, _, target in (words.partition("=") for words in arguments.targets):
        failure = convert(
            name,
            arguments.source,
            Path(target),
            calibration,
            labels,
            arguments.threshold,
            arguments.web_runtime,
            arguments.card,
            rule,
        )
        sys.stdout.write(f"{CONVERTED} {name} {failure or ''}\n")
        sys.stdout.flush()


def convert(
    name: str,
    source: Path,
    target: Path,
    calibration: np.ndarray | None,
    labels: Sequence[str] | None,
    threshold: float,
    web_runtime: Path | None = None,
    card: Path | None = None,
    rule: Rule | None = None,
) -> str | None:
    """Write one format, LiteRT with what its tensors are where there are `labels`, ONNX with its boxes suppressed where
    there is a `rule`; return why it failed, or None."""
    try:
        if name in CONVERTERS:
            CONVERTERS[name](source, target, calibration)
        else:
            convert_web(source, target, labels or [], web_runtime, card)
        if rule and name == "onnx":
            suppress_graph(target, rule)
        if labels is not None and name in LITERT:
            target.write_bytes(describe(target.read_bytes(), labels, threshold))
    except Exception as problem:  # noqa: BLE001 - whatever a converter may raise costs its own format alone
        traceback.print_exc()
        return shorten_reason("".join(traceback.format_exception_only(problem)))
    return None


if __name__ == "__main__":
    main()
