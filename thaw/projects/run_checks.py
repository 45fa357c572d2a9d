"""Whether the files of a run in a project are whole and fit together: labels, split, layers, weights, predictions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thaw.datasets.run_split import SIDES
from thaw.projects import checks
from thaw.projects.checks import refuse
from thaw.projects.files import required
from thaw.projects.save import AFTER_PHASE_2, ALWAYS, RUN_FILE, RUN_FILES
from thaw.storage.workspace import LABELS_FILE, LAYERS_FILE, SPLIT_FILE

LAYER_FIGURES = ("parameters", "trainable_parameters", "flops", "activation_bytes")


def take_run(each: Mapping[str, Any], dumped: Mapping[str, Any], files: Mapping[str, Path], folder: Path) -> None:
    """Check the files of a run against its row and its data set's, and move them into `folder`; raise RunError."""
    run, prefix = each["run"], f"runs/{each['run']['id']}/"
    own = {name.removeprefix(prefix): path for name, path in files.items() if name.startswith(prefix)}
    own.pop(RUN_FILE, None)
    for name in (*ALWAYS, *(AFTER_PHASE_2 if run["result_phase"] == 2 else ())):
        required(own, name)
    if any(RUN_FILES.fullmatch(name) is None for name in own):
        raise refuse(f"a file that no run has among those of {run['id']}")
    labels, sides = _read_split(own, dumped)
    _check_layers(checks.read_json(own[LAYERS_FILE], LAYERS_FILE))
    for name, path in own.items():
        if name in ("head.npz", "tuned.npz"):
            checks.check_weights(path, name)
        elif name.startswith("predictions-"):
            side = name.removesuffix(".npz").partition("-")[2].partition("-")[2] or "validation"
            checks.check_predictions(path, name, labels, [image_id for image_id, _ in sides[side]])
    folder.mkdir(parents=True)
    for name, path in own.items():
        path.rename(folder / name)
    checks.check_trials(folder, sorted(own))


def _read_split(own: Mapping[str, Path], dumped: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Return the labels and the split of a run: pairs of an image of the data set and a label of the run."""
    labels = checks.read_json(own[LABELS_FILE], LABELS_FILE)
    sides = checks.read_json(own[SPLIT_FILE], SPLIT_FILE)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels) or len(labels) < 2:
        raise refuse(f"a damaged {LABELS_FILE}")
    if not isinstance(sides, dict) or not set(sides) <= set(SIDES):
        raise refuse(f"a damaged {SPLIT_FILE}")
    known, named = {image["id"] for image in dumped["images"]}, set(labels)
    for entries in sides.values():
        if not isinstance(entries, list):
            raise refuse(f"a damaged {SPLIT_FILE}")
        for entry in entries:
            pair = isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
            if not pair or entry[0] not in known or entry[1] not in named:
                raise refuse(f"an image in {SPLIT_FILE} that is not in the data set")
    return labels, {side: sides.get(side, []) for side in SIDES}


def _check_layers(layers: Any) -> None:
    texts, fits = ("name", "block", "kind"), isinstance(layers, list) and layers
    if not fits or not all(
        isinstance(layer, dict)
        and all(isinstance(layer.get(name), str) for name in texts)
        and all(isinstance(layer.get(name), int) for name in LAYER_FIGURES)
        for layer in layers
    ):
        raise refuse(f"a damaged {LAYERS_FILE}")
