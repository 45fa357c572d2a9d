"""The engine made of an export: it must say what the export's own model says, and refuse what does not fit it."""

import numpy as np
import pytest

from tests.support.models.tiny_export import LABELS, SIDE, pack, record, write_tiny_export
from thaw.serving.exported import open_export
from thaw.serving.loading import load_export
from thaw.serving.tf_serving import describe_signature
from thaw.storage.export_record import read_export
from tlcore.errors import RunError
from tlcore.exporting.formats import Tensor

COLOURS = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [200, 190, 0]], np.uint8)
PIXELS = np.broadcast_to(COLOURS[:, None, None], (4, SIDE, SIDE, 3)).copy()


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return write_tiny_export(tmp_path_factory.mktemp("tiny") / "export", threshold=0.8)


@pytest.mark.parametrize("packed", [False, True])
def test_it_answers_as_the_saved_model_and_outlives_the_unpacked_zip(export, tmp_path, packed):
    with open_export(pack(export, tmp_path / "export.zip") if packed else export) as opened:
        engine = load_export(opened)
    shares = engine.network(PIXELS)
    powers = np.exp(COLOURS * (8 / 255))
    np.testing.assert_allclose(shares, powers / powers.sum(axis=1, keepdims=True), atol=1e-4, rtol=0)
    assert shares.dtype == np.float32
    assert [engine.choose(row) for row in shares] == [0, 1, 2, -1]
    assert (engine.run, engine.labels, engine.image_size, engine.threshold) == ("run-1", LABELS, SIDE, 0.8)


def test_the_signature_that_is_told_is_the_exports_own(export):
    with open_export(export) as opened:
        told = describe_signature("tiny", load_export(opened))
    signature = told["metadata"]["signature_def"]["signature_def"]["serving_default"]
    kinds = {"uint8": "DT_UINT8", "float32": "DT_FLOAT", "int32": "DT_INT32", "string": "DT_STRING"}

    def shown(tensors: list[Tensor]):
        return {tensor.name: (kinds[tensor.dtype], [str(size) for size in tensor.shape]) for tensor in tensors}

    for side, tensors in (
        ("inputs", read_export(export).signature.inputs),
        ("outputs", opened.record.signature.outputs),
    ):
        assert {
            name: (tensor["dtype"], [size["size"] for size in tensor["tensor_shape"]["dim"]])
            for name, tensor in signature[side].items()
        } == shown(tensors)


def test_classes_that_are_not_the_models_own_are_refused(export, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.support.models.tiny_export.LABELS", ["one", "two", "three"])
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / "saved_model").symlink_to(export / "saved_model")
    record(tmp_path / "export", read_export(export).signature, 0.0)
    with open_export(tmp_path / "export") as opened, pytest.raises(RunError, match="Received: one of"):
        load_export(opened)
