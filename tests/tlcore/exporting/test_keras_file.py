"""Keras's own file: what is left out of its configuration, and that Keras 3.6, the oldest, answers with it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from tests.support.models.keras_table import TABLE, find_unknown
from tests.support.models.networks import CHAOTIC, classifier, pixels
from tests.support.pictures.families import each_backbone
from tlcore.exporting.formats import FLOAT_TOLERANCE, OLDEST_KERAS
from tlcore.exporting.model import CONFIG, build_exported, simplify, write_keras
from tlcore.settings import Decision

OLDEST = ("keras==3.6.0", "tensorflow-cpu==2.18.0")
ANSWER = """
import sys, keras, numpy as np
for path in sys.argv[1:]:
    model = keras.models.load_model(path)
    outputs = model.predict(np.load(path + ".npy"), verbose=0)
    np.savez(path + ".npz", **{name: np.asarray(output) for name, output in outputs.items()})
print(keras.__version__)
"""


def read_config(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(CONFIG))


def small_model() -> keras.Model:
    image = keras.Input((8, 8, 3), dtype="uint8", name="image")
    scaled = keras.layers.Rescaling(1 / 255)(image)
    features = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, activation="relu")(scaled))
    logits = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(features))
    return keras.Model(image, keras.layers.Softmax()(logits))


def test_the_configuration_is_one_that_the_oldest_release_knows(tmp_path):
    model = small_model()
    model.save(tmp_path / "plain.keras")
    write_keras(model, tmp_path / "model.keras")
    assert find_unknown(read_config(tmp_path / "plain.keras")), "else nothing need be left out any more"
    written = read_config(tmp_path / "model.keras")
    assert find_unknown(written) == set()
    assert "_initializer" not in json.dumps(written)
    batch = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    loaded = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)
    np.testing.assert_array_equal(loaded.predict_on_batch(batch), model.predict_on_batch(batch))
    assert {path.name for path in tmp_path.iterdir()} == {"plain.keras", "model.keras"}


def test_what_differs_from_its_default_stays(tmp_path):
    layer = {"name": "bn", "renorm": True, "renorm_momentum": 0.9, "gamma_initializer": {"class_name": "Ones"}}
    config = {"module": "keras.layers", "class_name": "BatchNormalization", "config": layer}
    assert simplify(config)["config"] == {"name": "bn", "renorm": True, "renorm_momentum": 0.9}


def test_a_file_that_cannot_be_written_leaves_the_earlier_one(tmp_path):
    target = tmp_path / "model.keras"
    target.write_bytes(b"earlier")
    model = small_model()
    model.save = lambda path: (path.write_bytes(b"half a file"), 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_keras(model, target)
    assert target.read_bytes() == b"earlier"
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


@pytest.fixture(scope="module")
def oldest(tmp_path_factory):
    """Return the Python of an environment of its own that has the oldest Keras; needs a package index."""
    folder = tmp_path_factory.mktemp("oldest") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "--quiet", *OLDEST], check=True)
    return folder / "bin" / "python"


def run_old(python: Path, *words: object) -> str:
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    line = list(map(str, (python, *words)))
    return subprocess.run(line, capture_output=True, text=True, check=True, env=environment).stdout


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_the_table_is_what_the_oldest_release_says(oldest):
    assert json.loads(run_old(oldest, TABLE.with_name("keras_table.py"))) == json.loads(TABLE.read_text())


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", [each.values[0] for each in each_backbone(CHAOTIC)])
def test_the_oldest_release_answers_alike(oldest, tmp_path, name):
    made = classifier(name)
    model, batch = build_exported(made, Decision(1, temperature=1.6, threshold=0.6)), pixels(made.image_size)
    path = tmp_path / "model.keras"
    write_keras(model, path)
    np.save(f"{path}.npy", batch)
    assert run_old(oldest, "-c", ANSWER, path).split()[-1].startswith(OLDEST_KERAS)
    with np.load(f"{path}.npz") as answers:
        expected = {key: np.asarray(output) for key, output in model.predict_on_batch(batch).items()}
        np.testing.assert_allclose(answers["probabilities"], expected["probabilities"], atol=FLOAT_TOLERANCE, rtol=0)
        np.testing.assert_array_equal(answers["answer"], expected["answer"])
