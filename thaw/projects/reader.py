"""Opens a project that was saved: checks all of it first, then puts it into the workspace whole or not at all."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thaw.archives.zips import Progress
from thaw.datasets.ingest import hold_folders, make_durable
from thaw.jobs.sweeper import discard_runs
from thaw.projects import checks
from thaw.projects.checks import refuse
from thaw.projects.facts import check_facts, check_measures
from thaw.projects.files import required, unpack_project
from thaw.projects.run_checks import take_run
from thaw.projects.save import DATASET_FILE, MANIFEST_FILE, MARK_FILE, RUN_FILE, Project, image_name, thumbnail_name
from thaw.storage.database import new_id
from thaw.storage.projects import OF_DATASET, PRIVATE_FACTS
from thaw.storage.store import Store
from thaw.storage.workspace import BOXES_FILE, DATASET_PREFIX, OPENING, SPLIT_FILE
from tlcore.errors import RunError
from tlcore.files import load_arrays
from tlcore.progress import Stage

_RUN_PATH = re.compile(rf"runs/({checks.ID.pattern})/([a-z0-9-]+\.(?:json|npz))")
_IDS = re.compile(r"(?:data|img|run)-[0-9a-f]{4,32}")


def open_project(
    store: Store,
    archive: Path,
    progress: Progress = lambda stage, done, total: None,
    check_stop: Callable[[], None] = lambda: None,
    job_id: str = "",
) -> Project:
    """Put a saved project into the workspace; return what it became. `job_id` is the job that asked for it, if any.

    Ids stay as they were where all of them are free here, so that a model keeps its name from machine to machine; else
    everything gets new ones, and a project can be opened twice. Raises RunError for a project that is not whole, not
    Thaw's or newer than this Thaw, and DatasetError for a zip that is not honest. A kill leaves only what the next
    import or start removes.
    """
    place = new_id(DATASET_PREFIX)
    with hold_folders(store.workspace, place) as (folder, unpacked):
        files = unpack_project(archive, unpacked / "zip", progress, check_stop)
        dumped, runs = _read(files)
        _check_dataset(dumped, files, progress, check_stop)
        for each in runs:
            take_run(each, dumped, files, unpacked / "runs" / each["run"]["id"])
        _check_nothing_else(dumped, runs, files)
        progress(Stage.PLACING_PROJECT, 0, 0)
        ids = _choose_ids(store, dumped, runs)
        dumped, runs = _rename(dumped, runs, ids)
        for image in dumped["images"]:
            image["folder"] = place
        _place_images(dumped, ids, files, folder)
        check_stop()
        run_ids = tuple(each["run"]["id"] for each in runs)
        try:
            _place_runs(store, unpacked, ids, run_ids)
            make_durable()
            store.add_project(dumped, runs, job_id)
        except (sqlite3.IntegrityError, FileExistsError) as problem:
            discard_runs(store, place)
            raise RunError(
                "Expected this project to be opened once at a time. Received: twice. Open it again."
            ) from problem
        except BaseException:
            discard_runs(store, place)
            raise
    return Project(dumped["dataset"]["id"], run_ids)


def _read(files: Mapping[str, Path]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the rows of the data set and of its runs, of the right types."""
    dumped = checks.read_json(required(files, DATASET_FILE), DATASET_FILE)
    if not isinstance(dumped, dict) or set(dumped) != {"dataset", "changes", *OF_DATASET}:
        raise refuse(f"an incomplete {DATASET_FILE}")
    checks.check_rows("datasets", [dumped["dataset"]])
    for table in ("changes", *OF_DATASET):
        checks.check_rows(table, dumped[table])
    runs = []
    for name in sorted(name for name in files if name.endswith(f"/{RUN_FILE}")):
        found = checks.read_json(files[name], name)
        if not isinstance(found, dict) or set(found) != {"run", "epochs"}:
            raise refuse(f"an incomplete {name[:80]!r}")
        checks.check_rows("runs", [found["run"]])
        checks.check_rows("epochs", found["epochs"])
        _require_different(found["epochs"], "epoch")
        if name != f"runs/{found['run']['id']}/{RUN_FILE}":
            raise refuse(f"a run that lies in another place than its own ({name[:80]!r})")
        checks.check_settings(found["run"])
        check_facts(found["run"], found["epochs"])
        for fact in PRIVATE_FACTS:
            found["run"]["facts"].pop(fact, None)
        runs.append(found)
    return dumped, runs


def _check_dataset(
    dumped: Mapping[str, Any], files: Mapping[str, Path], progress: Progress, check_stop: Callable[[], None]
) -> None:
    images, numbers = dumped["images"], {edit["number"] for edit in dumped["edits"]}
    for table, columns in (("images", ["id"]), ("edits", ["number"]), ("marks", ["field", "subject"])):
        _require_different(dumped[table], *columns)
    for check in dumped["checks"]:
        check_measures(check)
    if any(change["edit"] not in numbers for change in dumped["changes"]):
        raise refuse("a change that belongs to no edit")
    for number, image in enumerate(images, 1):
        copy, thumbnail = _names(image)
        for name, content in ((copy, image["content"]), (thumbnail, None)):
            checks.check_image(required(files, name), name, content)
        progress(Stage.CHECKING_IMAGES, number, len(images))
        check_stop()


def _require_different(rows: Sequence[Mapping[str, Any]], *columns: str) -> None:
    if len({tuple(row[name] for name in columns) for row in rows}) < len(rows):
        raise refuse(f"two rows of one {' and '.join(columns)}")


def _check_nothing_else(dumped: Mapping[str, Any], runs: list[dict[str, Any]], files: Mapping[str, Path]) -> None:
    known = {MARK_FILE, MANIFEST_FILE, DATASET_FILE}
    known |= {name for image in dumped["images"] for name in _names(image)}
    ids = Counter(each["run"]["id"] for each in runs)
    for name in files:
        found = _RUN_PATH.fullmatch(name)
        if name not in known and not (found and ids[found[1]] == 1):
            raise refuse(f"a file that no project has ({name[:80]!r})")


def _choose_ids(store: Store, dumped: Mapping[str, Any], runs: list[dict[str, Any]]) -> dict[str, str]:
    """Return the new id of everything that has one; nothing changes its id where all are free."""
    dataset_id = dumped["dataset"]["id"]
    image_ids = [image["id"] for image in dumped["images"]]
    run_ids = [each["run"]["id"] for each in runs]
    old = [dataset_id, *image_ids, *run_ids]
    if not store.taken_ids(dataset_id, image_ids, run_ids) and not any(
        store.workspace.run(run_id).exists() for run_id in run_ids
    ):
        return dict(zip(old, old, strict=True))
    return {each: new_id(each.partition("-")[0]) for each in old}


def _rename(
    dumped: dict[str, Any], runs: list[dict[str, Any]], ids: Mapping[str, str]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the rows under their new ids: also where marks, changes and facts name an image or a run."""
    for row in (dumped["dataset"], *dumped["images"], *(each["run"] for each in runs)):
        row["id"] = ids[row["id"]]
    for row in (*dumped["marks"], *dumped["changes"]):
        row["subject"] = _replace(row["subject"], ids)
    for row in (*dumped["checks"], *(each["run"] for each in runs)):
        row["facts"] = json.loads(_replace(json.dumps(row["facts"]), ids))
    return dumped, runs


def _replace(text: str, ids: Mapping[str, str]) -> str:
    return _IDS.sub(lambda found: ids.get(found[0], found[0]), text)


def _place_images(dumped: Mapping[str, Any], ids: Mapping[str, str], files: Mapping[str, Path], folder: Path) -> None:
    old = {new: before for before, new in ids.items()}
    for image in dumped["images"]:
        before = _names(image | {"id": old[image["id"]]})
        for source, target in zip(before, _names(image), strict=True):
            files[source].rename(folder / target)


def _place_runs(store: Store, unpacked: Path, ids: Mapping[str, str], run_ids: tuple[str, ...]) -> None:
    """Move the runs' folders to their place; what was begun is written down first, for who cleans up after a kill."""
    old = {new: before for before, new in ids.items()}
    (unpacked / OPENING).mkdir()
    for run_id in run_ids:
        folder, place, begun = unpacked / "runs" / old[run_id], store.workspace.run(run_id), unpacked / OPENING / run_id
        if old[run_id] != run_id:
            _rename_images(folder, ids)
        begun.touch()
        try:
            place.mkdir(parents=True)
        except FileExistsError:
            # It is another's, who opens the same project at this moment.
            begun.unlink()
            raise
        for path in folder.iterdir():
            path.rename(place / path.name)


def _rename_images(folder: Path, ids: Mapping[str, str]) -> None:
    """Write the files of a run that name images anew, under the images' new ids."""
    split = folder / SPLIT_FILE
    split.write_text(_replace(split.read_text(encoding="utf-8"), ids), encoding="utf-8")
    boxes = folder / BOXES_FILE
    if boxes.exists():
        drawn = json.loads(boxes.read_text(encoding="utf-8"))
        boxes.write_text(json.dumps({ids[image_id]: rows for image_id, rows in drawn.items()}), encoding="utf-8")
    for path in (each for said in ("predictions", "found") for each in folder.glob(f"{said}-*.npz")):
        arrays = load_arrays(path)
        arrays["image_ids"] = np.array([ids[image_id] for image_id in arrays["image_ids"].tolist()])
        np.savez(path, allow_pickle=False, **arrays)


def _names(image: Mapping[str, Any]) -> tuple[str, str]:
    """Name an image's copy and thumbnail, in the zip as below the folder of a data set."""
    return image_name(image["id"], image["suffix"]), thumbnail_name(image["id"])
