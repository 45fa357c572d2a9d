"""Whether the files of a run in a project are whole and fit together: labels, split, layers, weights, predictions."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from thaw.datasets.run_split import SIDES
from thaw.projects import checks
from thaw.projects.checks import refuse
from thaw.projects.files import required
from thaw.projects.save import RUN_FILE, RUN_FILES, list_needed
from thaw.storage.boxes import read_boxes
from thaw.storage.workspace import BOXES_FILE, LABELS_FILE, LAYERS_FILE, SPLIT_FILE


class Layer(BaseModel):
    """What pages read of a layer; there is more."""

    model_config = ConfigDict(strict=True)
    name: str
    block: str
    kind: str
    parameters: int
    trainable_parameters: int
    flops: int
    activation_bytes: int
    inner_bytes: int = 0


_SIDES: Any = Literal[SIDES]
LABELS: TypeAdapter[Any] = TypeAdapter(Annotated[list[str], Field(min_length=2)])
KINDS: TypeAdapter[Any] = TypeAdapter(Annotated[list[str], Field(min_length=1)])
BOXES: TypeAdapter[Any] = TypeAdapter(dict[str, list[tuple[str, float, float, float, float]]])
SPLIT: TypeAdapter[Any] = TypeAdapter(dict[_SIDES, list[tuple[str, str]]])
LAYERS: TypeAdapter[Any] = TypeAdapter(Annotated[list[Layer], Field(min_length=1)])


def take_run(each: Mapping[str, Any], dumped: Mapping[str, Any], files: Mapping[str, Path], folder: Path) -> None:
    """Check the files of a run against its row and its data set's, and move them into `folder`; raise RunError."""
    run, prefix = each["run"], f"runs/{each['run']['id']}/"
    own = {name.removeprefix(prefix): path for name, path in files.items() if name.startswith(prefix)}
    own.pop(RUN_FILE, None)
    task = run["head"].get("task", "classify")
    for name in list_needed(task, run["result_phase"]):
        required(own, name)
    if any(RUN_FILES.fullmatch(name) is None for name in own):
        raise refuse(f"a file that no run has among those of {run['id']}")
    labels, sides = _read_split(own, dumped, task)
    _read(own, LAYERS_FILE, LAYERS)
    if BOXES_FILE in own:
        _check_boxes(own, labels, {image_id for pairs in sides.values() for image_id, _ in pairs})
    for name, path in own.items():
        if name in ("head.npz", "tuned.npz"):
            checks.check_weights(path, name)
        elif name.endswith(".npz"):
            side = name.removesuffix(".npz").partition("-")[2].partition("-")[2] or "validation"
            check = checks.check_found if name.startswith("found-") else checks.check_predictions
            check(path, name, labels, [image_id for image_id, _ in sides[side]])
    folder.mkdir(parents=True)
    for name, path in own.items():
        path.rename(folder / name)
    checks.check_trials(folder, sorted(own))


def _read_split(
    own: Mapping[str, Path], dumped: Mapping[str, Any], task: str
) -> tuple[list[str], dict[str, list[tuple[str, str]]]]:
    """Return the labels and the split of a run: pairs of an image of the data set and a label of the run, "" where it
    is objects that have labels."""
    detects = task == "detect"
    labels, sides = _read(own, LABELS_FILE, KINDS if detects else LABELS), _read(own, SPLIT_FILE, SPLIT)
    known, named = {image["id"] for image in dumped["images"]}, {*labels, *([""] if detects else [])}
    if any(image not in known or label not in named for pairs in sides.values() for image, label in pairs):
        raise refuse(f"an image in {SPLIT_FILE} that is not in the data set")
    return labels, {side: sides.get(side, []) for side in SIDES}


def _check_boxes(own: Mapping[str, Path], labels: Sequence[str], images: Collection[str]) -> None:
    """Refuse boxes that are not of the kinds of a run, or not on all of the images of its split."""
    boxes = _read(own, BOXES_FILE, BOXES)
    try:
        drawn = {box.label for rows in boxes.values() for box in read_boxes(json.dumps(rows))}
    except ValueError as problem:
        raise refuse(f"boxes in {BOXES_FILE} that no photo can have") from problem
    if not set(images) <= set(boxes) or not drawn <= set(labels):
        raise refuse(f"boxes of other photos or kinds in {BOXES_FILE}")


def _read(own: Mapping[str, Path], name: str, kind: TypeAdapter[Any]) -> Any:
    try:
        return kind.validate_python(checks.read_json(own[name], name))
    except ValidationError as problem:
        raise refuse(f"a damaged {name}") from problem
