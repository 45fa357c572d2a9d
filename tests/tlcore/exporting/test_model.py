"""Every kind of layer in every format: the files answer as the model that training leaves behind."""

import json
import re
import zipfile

import numpy as np
import pytest
import tf2onnx

from tests.support.models.backbones import built
from tests.support.models.keras_table import find_unknown
from tests.support.models.networks import CHAOTIC, classifier, patchwork, pixels
from tests.support.pictures.families import each_backbone
from tlcore.evaluation.calibration import temper
from tlcore.exporting import converters
from tlcore.exporting.converters import CONVERTERS, read_signature, write_saved_models
from tlcore.exporting.formats import FLOAT_TOLERANCE, FORMATS, choose_formats
from tlcore.exporting.model import build_exported, build_logits, write_keras
from tlcore.exporting.verification import Answers, Reference, compare, find_fault, judge
from tlcore.exporting.verify_file import LOADERS
from tlcore.models.backbones import BACKBONES
from tlcore.models.classifier import Classifier
from tlcore.settings import Decision

LEAST_AGREEMENT = 0.5
# Another test exports it with its pretrained weights.
PRETRAINED = "efficientnet-lite0"
# Each takes one to two minutes whole, most of it for repeating the same blocks, and half a minute its beginning. Every
# run exports a patchwork instead, which has a layer of every kind that any family has (`test_backbones.py` holds that).
VARIED = ("convnext-tiny", "efficientnetv2-b0", "mobilenet-v3-small", "nasnet-mobile", "vgg16", "xception")


def write_all(made: Classifier, decision: Decision, folder) -> None:
    model = build_exported(made, decision)
    write_keras(model, folder / FORMATS["keras"].file)
    write_saved_models(model, made.labels, folder / FORMATS["saved-model"].file, folder / "bare")
    for name, convert in CONVERTERS.items():
        convert(folder / "bare", folder / FORMATS[name].file, pixels(made.image_size))


def read(outputs) -> Answers:
    names = [[name.decode() for name in outputs["class_names"][0]]] if "class_names" in outputs else None
    return Answers(outputs["probabilities"], outputs["answer"], names)


@pytest.mark.parametrize("name", each_backbone(CHAOTIC, later=tuple(BACKBONES)))
def test_every_format_answers_as_the_model(name, tmp_path, record_property):
    check_every_format(classifier(name), tmp_path, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIED)
def test_every_format_answers_as_the_beginning_of_a_long_model(name, tmp_path, record_property):
    made = classifier(name, whole=False)
    assert len(made.backbone.layers) < len(built(name).layers) / 2
    check_every_format(made, tmp_path, record_property)


def test_every_format_answers_as_a_model_of_every_kind_of_layer(tmp_path, record_property, monkeypatch):
    converted, replaced = [], []
    convert, replace = tf2onnx.convert.from_function, converters.write_erfc
    monkeypatch.setattr(tf2onnx.convert, "from_function", lambda *a, **k: (converted.append(a), convert(*a, **k))[1])
    monkeypatch.setattr(converters, "write_erfc", lambda *words: (replaced.append(words), replace(*words)))
    check_every_format(patchwork(), tmp_path, record_property)
    # As of MobileNetV3 and ConvNeXt, a pass of the conversion to ONNX fails, and what ONNX does not have is replaced.
    assert len(converted) == 2
    assert len(replaced) == 4


def check_every_format(made, tmp_path, record_property):
    decision = Decision(1, temperature=1.6, threshold=0.6)
    write_all(made, decision, tmp_path)
    batch = pixels(made.image_size)
    tempered = temper(made.predict(batch), decision.temperature)
    reference = Reference("validation", tempered, tempered.argmax(axis=1))
    unknown = tempered.max(axis=1) < decision.threshold
    assert unknown.any()
    assert not unknown.all()
    assert set(CONVERTERS) | {"keras", "saved-model", "web"} == set(FORMATS)
    for row in choose_formats(None):
        predict = LOADERS[row.runtime](tmp_path / row.file, 1)
        answers = read(predict(batch))
        assert answers.probabilities.dtype == np.float32
        assert answers.answer.dtype == np.int32
        assert find_fault(answers, made.labels, decision.threshold) is None, row.name
        found = compare(reference, answers.probabilities)
        verdict, reason = judge(row, [found])
        record_property(row.name, f"{verdict} {found.disagreements} {found.largest_difference:.1e}")
        # A head made for the features of random weights exaggerates what int8 loses; docs/export.md has real ones.
        assert verdict == "passed" if row.tolerance is None else found.agreement > LEAST_AGREEMENT, reason
        # A single image and a larger batch are as good as this one.
        one = read(predict(batch[:1])).probabilities
        np.testing.assert_allclose(one, answers.probabilities[:1], atol=0.02 if row.tolerance else 1e-5)
    with zipfile.ZipFile(tmp_path / FORMATS["keras"].file) as archive:
        assert find_unknown(json.loads(archive.read("config.json"))) == set(), "the oldest Keras could not open it"
    signature = read_signature(tmp_path / "saved_model")
    assert [(each.name, each.shape, each.dtype) for each in signature.outputs] == [
        ("answer", [-1], "int32"),
        ("class_names", [-1, 3], "string"),
        ("probabilities", [-1, 3], "float32"),
    ]


@pytest.mark.parametrize(("settings", "temperature"), [({"output": "sigmoid"}, 2.5), ({"hidden_units": 8}, 0.5)])
def test_every_head_is_tempered_as_the_dashboard_does_in_keras_own_layers(settings, temperature, tmp_path):
    made = patchwork(**settings)
    batch = pixels(made.image_size)
    model = build_exported(made, Decision(1, temperature, 0.9))
    outputs = {name: np.asarray(each) for name, each in model.predict_on_batch(batch).items()}
    expected = temper(made.predict(batch), temperature)
    np.testing.assert_allclose(outputs["probabilities"], expected, atol=FLOAT_TOLERANCE)
    assert find_fault(Answers(outputs["probabilities"], outputs["answer"]), made.labels, 0.9) is None
    logits = np.asarray(build_logits(made).predict_on_batch(batch)).astype(np.float64)
    powers = np.exp(logits / temperature)
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), expected, atol=FLOAT_TOLERANCE)
    write_keras(model, tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        config = archive.read("config.json").decode()
    modules = set(re.findall(r'"module": "([^"]+)"', config))
    assert modules
    assert all(module.partition(".")[0] == "keras" for module in modules)
    assert "Lambda" not in config
