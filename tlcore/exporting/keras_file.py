"""Writes Keras's own file, `model.keras`, so that Keras from release 3.6 on opens it."""

import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from tlcore.models.backend import keras

CONFIG = "config.json"
INITIALISER = "_initializer"
OPERATIONS = "keras.src.ops."
YOUNGER = {
    "quantization_config": None,
    "ragged": False,
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}
"""Arguments that releases after 3.6 brought, and their defaults; tests/support/models/keras_3_6.json has those that 3.6
knows."""


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
