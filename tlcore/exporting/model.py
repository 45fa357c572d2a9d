"""The model as it leaves Thaw: pixels in, tempered probabilities and an answer out, all of it Keras's own layers."""

import numpy as np

from tlcore.evaluation.threshold import Decision
from tlcore.exporting.formats import UNKNOWN
from tlcore.models.backend import keras
from tlcore.models.classifier import Classifier


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
