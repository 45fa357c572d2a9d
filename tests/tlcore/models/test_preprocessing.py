"""Normalisation layers: equal to each backbone's own preprocessing, plain, frozen and portable."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from tlcore.models.backbones import BACKBONES
from tlcore.models.preprocessing import normalise

ROWS = list(BACKBONES.values())
EVERY_KIND = [BACKBONES[name] for name in ("efficientnet-lite0", "mobilenet-v2", "resnet50", "densenet121")]


def model_of(row, dtype="uint8") -> keras.Model:
    inputs = keras.Input((5, 7, 3), dtype=dtype)
    return keras.Model(inputs, normalise(row, inputs))


def pixels() -> np.ndarray:
    images = np.random.default_rng(3).integers(0, 256, (4, 5, 7, 3)).astype("uint8")
    images[0, 0, 0], images[0, 0, 1] = 0, 255
    return images


def own_preprocessing(row, images: np.ndarray) -> np.ndarray:
    """Apply the backbone's published preprocessing, written by others where it is Keras's."""
    if row.normalisation == "torch" and row.application is None:
        return keras.applications.imagenet_utils.preprocess_input(images.astype("float32"), mode="torch")
    if row.application is None:
        return (images.astype("float32") - 127) / 128
    module = sys.modules[getattr(keras.applications, row.application).__module__]
    return module.preprocess_input(images.astype("float32"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_equals_preprocess_input(row):
    images = pixels()
    result = model_of(row)(images).numpy()
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, own_preprocessing(row, images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_accepts_fractional_pixels(row):
    images = pixels().astype("float32") * 0.73
    result = model_of(row, "float32")(images).numpy()
    np.testing.assert_allclose(result, own_preprocessing(row, images), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("row", EVERY_KIND, ids=lambda row: row.normalisation)
def test_nothing_trains_and_names_tell(row):
    model = model_of(row)
    layers = model.layers[1:]
    assert all(layer.name.startswith("normalise_") for layer in layers)
    assert all(type(layer) in (keras.layers.Rescaling, keras.layers.Conv2D) for layer in layers)
    assert model.trainable_weights == []


@pytest.mark.parametrize("row", EVERY_KIND, ids=lambda row: row.normalisation)
def test_stays_in_float32_under_mixed_precision(row):
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        result = model_of(row)(pixels()).numpy()
    finally:
        keras.config.set_dtype_policy(policy)
    np.testing.assert_allclose(result, own_preprocessing(row, pixels()), rtol=1e-5, atol=1e-5)


def test_loads_in_safe_mode_where_this_package_is_unknown(tmp_path):
    np.save(tmp_path / "pixels.npy", pixels())
    for row in EVERY_KIND:
        model_of(row).save(tmp_path / f"{row.normalisation}.keras")
    code = (
        "import sys, pathlib, numpy, keras\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "for path in folder.glob('*.keras'):\n"
        "    model = keras.models.load_model(path)\n"
        "    numpy.save(path.with_suffix('.out.npy'), model(numpy.load(folder / 'pixels.npy')).numpy())\n"
        "sys.exit('tlcore' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-I", "-c", code, str(tmp_path)], check=True)
    for row in EVERY_KIND:
        loaded = np.load(tmp_path / f"{row.normalisation}.out.npy")
        np.testing.assert_array_equal(loaded, model_of(row)(pixels()).numpy())
