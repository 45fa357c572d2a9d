"""Which arguments each layer of a Keras release takes, written by that release itself:

    python -m venv old && old/bin/pip install keras==3.6.0 tensorflow-cpu==2.18.0
    old/bin/python tests/support/models/keras_table.py > tests/support/models/keras_3_6.json

and how a configuration is held against that.
"""

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("keras_3_6.json")
# Their `from_config` reads more than their constructors take.
MODELS = ("Functional", "Sequential")
OTHERS = {
    "keras.src.applications.convnext": ("LayerScale",),
    "keras.src.ops.math": ("TopK",),
    "keras.src.ops.numpy": ("GreaterEqual", "Where", "Squeeze"),
}


def list_arguments() -> dict[str, list[str]]:
    """Return the arguments of every layer, and of what else an exported model has, by the installed Keras."""
    import keras

    classes = {"keras.DTypePolicy": keras.DTypePolicy}
    layers = [name for name, made in vars(keras.layers).items() if _is_layer(keras, made)]
    for module, names in ({"keras.layers": layers} | OTHERS).items():
        classes |= {f"{module}.{name}": _find(module, name) for name in names}
    return {name: sorted(_arguments(made)) for name, made in sorted(classes.items())}


def find_unknown(config: object) -> set[str]:
    """Return which arguments and classes of a configuration the table does not have."""
    table = json.loads(TABLE.read_text())
    unknown: set[str] = set()

    def look(part: object) -> None:
        if isinstance(part, dict):
            if part.get("module") and part["class_name"] not in MODELS:
                name = f"{part['module']}.{part['class_name']}"
                unknown.update(f"{name}: {key}" for key in part["config"] if key not in table.get(name, []))
                if name not in table:
                    unknown.add(name)
            part = list(part.values())
        if isinstance(part, list):
            for each in part:
                look(each)

    look(config)
    return unknown


def _is_layer(keras: Any, made: object) -> bool:
    return inspect.isclass(made) and issubclass(made, keras.layers.Layer)


def _find(module: str, name: str) -> type:
    return getattr(importlib.import_module(module), name)


def _arguments(made: type) -> set[str]:
    """Return what a constructor takes, those of its bases too while it hands the rest on to them."""
    found: set[str] = set()
    for base in made.__mro__:
        parameters = inspect.signature(base.__init__).parameters if "__init__" in vars(base) else {}
        named = inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY
        found |= {name for name, each in parameters.items() if each.kind in named} - {"self"}
        if parameters and not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            break
    return found


if __name__ == "__main__":
    lines = [f" {json.dumps(name)}: {json.dumps(arguments)}" for name, arguments in list_arguments().items()]
    print("{\n" + ",\n".join(lines) + "\n}")  # noqa: T201
