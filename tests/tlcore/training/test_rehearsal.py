"""A rehearsed step leaves no trace but a traced graph: the same training after it, begun at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.models.backbones import PRETRAINED, built, row_of, size_of
from tlcore.features.batches import CachedBatches
from tlcore.features.inputs import Materials
from tlcore.models import classifier as models
from tlcore.photos import Photo
from tlcore.settings import HeadSettings
from tlcore.splits.groups import GroupRules
from tlcore.splits.splits import Split
from tlcore.training.phases import compile_model
from tlcore.training.rehearsal import rehearsing
from tlcore.training.snapshots import read_start

IMAGES = 10


@pytest.fixture(params=["softmax", "sigmoid"])
def materials(request, tmp_path):
    photos = [Photo(str(n), "ab"[n % 2], str(n), f"{n:064x}", 48, 48, file="unread") for n in range(IMAGES)]
    settings = HeadSettings(image_size=48, output=request.param, class_weights="on")
    return Materials(
        row=row_of(PRETRAINED),
        build=lambda: built(PRETRAINED),
        weights=tmp_path,
        image_size=size_of(PRETRAINED),
        weights_sha256="of the weights",
        settings=settings,
        split=Split(labels=["a", "b"], training=photos, validation=photos[:4]),
        rules=GroupRules(),
        caches=tmp_path,
    )


def prepare(materials):
    """Return a compiled model whose head trains alone, its cut, and what it is to learn from."""
    keras.utils.set_random_seed(5)
    head = models.build_head(materials.row.features, 2, materials.settings)
    models.freeze_below_top(materials.backbone, 3)
    cut = models.find_cut(materials.row, materials.backbone, materials.image_size)
    model = models.upper_model(materials.row, materials.backbone, cut, head)
    compile_model(model, materials.settings.output, 1e-3)
    chance = np.random.default_rng(0)
    tensors = [chance.normal(size=(IMAGES, *shape)).astype(np.float32) for shape in cut.shapes]
    classes = np.arange(IMAGES) % 2
    targets = (
        classes.astype(np.float32)[:, None] if materials.settings.output == "sigmoid" else classes.astype(np.int32)
    )
    return model, cut, CachedBatches(tensors, np.arange(IMAGES)[:, None], targets, 4, 0, 1, shuffle=True)


def state_of(model):
    optimizer = [np.array(keras.ops.convert_to_numpy(each)) for each in model.optimizer.variables]
    return [each.tobytes() for each in [*read_start(model), *optimizer]]


def learn(model, batches):
    options = {"class_weight": {0: 1.0, 1: 1.0}, "shuffle": False, "verbose": 0}
    return model.fit(batches, validation_data=batches, epochs=2, **options).history


def test_a_rehearsal_changes_nothing_and_nothing_is_traced_after_it(materials):
    untrained = materials.backbone.get_weights()
    expected = learn(*prepare(materials)[::2])
    materials.backbone.set_weights(untrained)
    model, cut, batches = prepare(materials)
    step, traced, before = model.train_step, [], state_of(model)

    def count(data):
        traced.append(data)
        return step(data)

    model.train_step = count
    with rehearsing(model, materials, cut):
        pass
    assert len(traced) == 1
    assert state_of(model) == before
    assert learn(model, batches) == expected
    assert len(traced) == 1
    # Other tests go on with the same network.
    materials.backbone.set_weights(untrained)


def test_memory_that_runs_out_is_left_to_the_training(materials, monkeypatch):
    model, cut, _ = prepare(materials)

    def fail(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "OOM")

    monkeypatch.setattr(model, "fit", fail)
    before = state_of(model)
    with rehearsing(model, materials, cut):
        pass
    assert state_of(model) == before


def test_what_goes_wrong_meanwhile_is_raised(materials, monkeypatch):
    model, cut, _ = prepare(materials)
    monkeypatch.setattr(model, "fit", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), rehearsing(model, materials, cut):
        pass
    with pytest.raises(KeyError, match="the body's own"), rehearsing(model, materials, cut):
        raise KeyError("the body's own")
