"""Weights and snapshots on disk: what was saved is what comes back, to the last bit."""

import keras
import numpy as np
import pytest

from tlcore.errors import RunError
from tlcore.files import load_arrays, save_arrays
from tlcore.training.history import Standing
from tlcore.training.snapshots import (
    load_snapshot,
    name_variables,
    read_start,
    read_variables,
    save_snapshot,
    trainable,
    write_start,
    write_variables,
)

DATA = np.random.default_rng(0).normal(size=(12, 4)).astype(np.float32)
TARGETS = np.arange(12) % 3


def build(seed=1):
    keras.utils.set_random_seed(seed)
    inputs = keras.Input((4,))
    x = keras.layers.Dense(6, activation="relu")(inputs)
    x = keras.layers.Dropout(0.5, seed=seed)(x)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    return model


def fit(model, epochs):
    return model.fit(DATA, TARGETS, batch_size=4, epochs=epochs, shuffle=False, verbose=0).history["loss"]


def weights_of(model):
    return [array.tobytes() for array in model.get_weights()]


def test_arrays_come_back_and_a_missing_file_says_so(tmp_path):
    arrays = {"backbone/3/0": np.arange(6.0).reshape(2, 3), "head/1": np.array([1.5], np.float32)}
    save_arrays(tmp_path / "head.npz", arrays)
    found = load_arrays(tmp_path / "head.npz")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype
    assert [path.name for path in tmp_path.iterdir()] == ["head.npz"]
    with pytest.raises(RunError, match=r"no file .*tuned\.npz. Train it first"):
        load_arrays(tmp_path / "tuned.npz")


def test_names_are_positions_and_the_same_for_every_build():
    names = []
    for _ in range(2):
        backbone, head = build(), build()
        names.append(list(name_variables(backbone, head)))
    assert names[0] == names[1]
    assert names[0][:3] == ["backbone/1/0", "backbone/1/1", "backbone/3/0"]
    assert "head/0" in names[0]


def test_only_what_trains_is_kept():
    backbone, head = build(), build()
    backbone.trainable = False
    kept = trainable(name_variables(backbone, head))
    assert kept
    assert all(name.startswith("head/") for name in kept)


def test_values_read_are_copies_and_can_be_put_back():
    backbone, head = build(), build()
    named = name_variables(backbone, head)
    before, weights = read_variables(named), weights_of(head)
    fit(head, 1)
    assert weights_of(head) != weights
    write_variables(named, before)
    assert weights_of(head) == weights


@pytest.mark.parametrize("arrays", [{"head/99": np.zeros(3)}, {"head/1": np.zeros(7, np.float32)}])
def test_weights_of_another_model_are_refused(arrays):
    named = name_variables(build(), build())
    with pytest.raises(RunError, match="Expected weights that fit this model"):
        write_variables(named, arrays)


def test_a_model_goes_on_from_its_snapshot_as_if_undisturbed(tmp_path):
    undisturbed = build()
    whole = fit(undisturbed, 5)

    first = build()
    fit(first, 2)
    standing = Standing(epoch=2, best_epoch=2, best_val_loss=0.5, waited=0)
    save_snapshot(tmp_path / "snapshot.npz", first, standing, {})
    resumed = build()
    fit(resumed, 1)
    assert load_snapshot(tmp_path / "snapshot.npz", resumed) == (standing, {})
    assert fit(resumed, 3) == whole[2:]
    assert weights_of(resumed) == weights_of(undisturbed)


def test_a_snapshot_of_another_network_is_refused_and_changes_nothing(tmp_path):
    model = build()
    fit(model, 1)
    save_snapshot(tmp_path / "snapshot.npz", model, Standing(epoch=1, best_epoch=1), {})
    inputs = keras.Input((4,))
    other = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(keras.layers.Dense(5)(inputs)))
    other.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    before = weights_of(other)
    with pytest.raises(RunError, match="Train it again"):
        load_snapshot(tmp_path / "snapshot.npz", other)
    assert weights_of(other) == before


def test_the_best_weights_come_back_where_they_are_not_the_present_ones(tmp_path):
    model, standing = build(), Standing(epoch=4, best_epoch=2, best_val_loss=0.25, waited=2)
    best = {"head/0": np.arange(4.0, dtype=np.float32)}
    save_snapshot(tmp_path / "snapshot.npz", model, standing, best)
    found, arrays = load_snapshot(tmp_path / "snapshot.npz", build())
    assert found == standing
    assert list(arrays) == ["head/0"]
    np.testing.assert_array_equal(arrays["head/0"], best["head/0"])


def test_without_a_file_there_is_nothing_to_go_on_from(tmp_path):
    model = build()
    weights = weights_of(model)
    assert load_snapshot(tmp_path / "snapshot.npz", model) is None
    assert weights_of(model) == weights


def test_a_start_that_is_put_back_trains_to_the_same_end():
    model = build()
    start = read_start(model)
    first = fit(model, 3), weights_of(model)
    assert fit(model, 3) != first[0]
    write_start(model, start)
    model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    assert (fit(model, 3), weights_of(model)) == first
