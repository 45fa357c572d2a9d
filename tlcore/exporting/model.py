"""The model as it leaves Thaw: pixels in, tempered probabilities and an answer out, all of it Keras's own layers; and
its own file, `model.keras`, so that Keras from release 3.6 on opens it."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.exporting.formats import UNKNOWN
from tlcore.models.backend import keras
from tlcore.models.classifier import Classifier
from tlcore.settings import Decision

CONFIG = "config.json"
INITIALISER = "_initializer"
OPERATIONS = "keras.src.ops."
YOUNGER = {
    "quantization_config": None,
    "ragged": False,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
    "sliding_window": None,
    "use_gate": False,
}
"""Arguments that releases after 3.6 brought, and their defaults; tests/support/models/keras_3_6.json has those that 3.6
knows."""


def build_exported(classifier: Classifier, decision: Decision) -> keras.Model:
    """Build the model that is exported; it shares its layers with the classifier.

    Takes `image`, uint8 (n, side, side, 3). Gives `probabilities`, float32 (n, classes), their logits divided by the
    temperature, and `answer`, int32 (n,): the number of the likeliest class, or -1 where its probability is below the
    threshold. There is neither a Lambda layer nor anything of Thaw's in it, so that `keras.models.load_model` opens it
    in safe mode without Thaw.
    """
    logits = _logits(classifier, decision.temperature)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    # Not argmax: Keras writes it with bitwise operations that LiteRT and ONNX do not have.
    confidence, number = keras.ops.top_k(probabilities, k=1)
    answer = keras.ops.where(keras.ops.greater_equal(confidence, decision.threshold), number, UNKNOWN)
    outputs = {"probabilities": probabilities, "answer": keras.ops.squeeze(answer, axis=-1)}
    return keras.Model(classifier.model.input, outputs, name="classifier")


def build_logits(classifier: Classifier) -> keras.Model:
    """Build the model that gives the logits, float32 (n, classes), where probabilities would have lost digits."""
    return keras.Model(classifier.model.input, _logits(classifier, 1.0), name="logits")


def write_keras(model: keras.Model, path: Path) -> None:
    """Write a model to `path`, which ends in .keras, with no more in its configuration than inference needs.

    Keras writes every argument of every layer, and refuses to read one that it does not know: a file from one release
    opens in none before it.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        whole = Path(scratch) / path.name
        model.save(whole)
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
            for entry in source.infolist():
                content = source.read(entry)
                if entry.filename == CONFIG:
                    content = json.dumps(simplify(json.loads(content))).encode()
                target.writestr(entry, content)


def simplify(config: Any) -> Any:
    """Return a configuration without what inference does not need and an older Keras does not know.

    That are the arguments of `YOUNGER` with their defaults, initialisers, since the weights come from the file, and the
    names of operations, which the graph tells beside them.
    """
    if isinstance(config, list):
        return [simplify(each) for each in config]
    if not isinstance(config, dict):
        return config
    simple = {key: simplify(value) for key, value in config.items()}
    if config.get("module") and isinstance(config.get("config"), dict):
        named = not config["module"].startswith(OPERATIONS)
        simple["config"] = {
            key: value
            for key, value in simple["config"].items()
            if not key.endswith(INITIALISER) and (key, value) not in YOUNGER.items() and (named or key != "name")
        }
    return simple


def _logits(classifier: Classifier, temperature: float) -> keras.KerasTensor:
    """Give the head's logits divided by the temperature, which is put into the weights: a layer less to quantise.

    A sigmoid's logit z becomes (0, z), whose softmax is (1 - p, p).
    """
    features = classifier.model.get_layer("pooling").output
    head = classifier.model.get_layer("head")
    # Dropout does nothing once training is over, and some runtimes would have to be told so.
    for layer in head.layers:
        if isinstance(layer, keras.layers.Dense) and layer.name != "head_output":
            features = layer(features)
    kernel, bias = head.get_layer("head_output").get_weights()
    if classifier.output == "sigmoid":
        kernel, bias = (np.concatenate([np.zeros_like(part), part], axis=-1) for part in (kernel, bias))
    layer = keras.layers.Dense(len(classifier.labels), dtype="float32", name="logits")
    logits = layer(features)
    layer.set_weights([kernel / temperature, bias / temperature])
    return logits
