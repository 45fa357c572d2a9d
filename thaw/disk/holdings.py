"""What Thaw keeps on the disk and can delete: each thing with its title, its paths, and what goes with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from thaw.storage.export_record import EXPORT_FOLDER, RECORD_FILE
from thaw.storage.records import Dataset, Run
from thaw.storage.store import Store
from thaw.storage.trash import ThingKind
from tlcore.errors import RunError
from tlcore.models.backbones import title_of

FEATURES, DOWNLOADS, SPEED = "features", "downloads", "speed"
SPEED_FILES = ("speed.json", "measuring.json")
PROJECT = re.compile(r"projects/((?:data|run)-[0-9a-f]{4,32})\.zip")
EXPORT = re.compile(rf"(run-[0-9a-f]{{4,32}})/{EXPORT_FOLDER}")
TITLES = {
    FEATURES: "What a backbone saw in the photos",
    DOWNLOADS: "The sample of flowers",
    SPEED: "How fast the backbones are",
}


@dataclass(frozen=True)
class Holding:
    """Something that can be deleted on its own. `paths` lie below the workspace's folder and go when it goes; `copies`
    are single files of it in folders that it shares. `goes_with` counts what is deleted along with it ("runs",
    "exports", "projects", "checks"), `stays` what was made from it and is kept ("runs")."""

    id: str
    kind: ThingKind
    title: str
    made_at: float
    paths: list[str]
    copies: list[str] = field(default_factory=list)
    goes_with: Mapping[str, int] = field(default_factory=dict)
    stays: Mapping[str, int] = field(default_factory=dict)
    dataset_id: str | None = None


def list_holdings(store: Store) -> list[Holding]:
    """Return everything that can be deleted: data sets, runs, exports and projects, newest first, then caches."""
    runs = store.runs()
    datasets = {each.id: each for each in store.datasets()}
    found = [_dataset(store, each, [run for run in runs if run.dataset_id == each.id]) for each in datasets.values()]
    found += [_run(store, run, runs, datasets) for run in runs]
    found += [_export(store, run, datasets) for run in runs if _has_export(store, run.id)]
    titles = {each.id: each.title for each in found}
    projects = (_project(path, titles) for path in sorted((store.workspace.root / "projects").glob("*.zip")))
    return [*found, *(each for each in projects if each is not None), *_caches(store)]


def find_holding(store: Store, thing_id: str) -> Holding:
    """Return what has this id in `list_holdings`; raise DatasetError or RunError where there is no such thing."""
    export, project = EXPORT.fullmatch(thing_id), PROJECT.fullmatch(thing_id)
    if export or thing_id.startswith("run-"):
        run = store.run(export.group(1) if export else thing_id)
        datasets = {run.dataset_id: store.dataset(run.dataset_id)}
        if not export:
            return _run(store, run, store.runs(), datasets)
        if _has_export(store, run.id):
            return _export(store, run, datasets)
    elif project:
        projects = [each for each in list_holdings(store) if each.id == thing_id]
        if projects:
            return projects[0]
    elif thing_id in TITLES:
        caches = [each for each in _caches(store) if each.id == thing_id]
        if caches:
            return caches[0]
    elif thing_id.startswith("data-"):
        dataset = store.dataset(thing_id)
        return _dataset(store, dataset, [run for run in store.runs() if run.dataset_id == dataset.id])
    raise RunError(
        f"Expected the id of something that Thaw keeps. Received: {thing_id!r}. List them with `python -m thaw disk`."
    )


def _dataset(store: Store, dataset: Dataset, runs: list[Run]) -> Holding:
    root = store.workspace.root
    folders = store.own_folders(dataset.id)
    if dataset.id not in folders and not store.has_copies(dataset.id):
        # Of an opened project the copies lie elsewhere; its journal lies here.
        folders.append(dataset.id)
    # That of a run in the trash holds the photos as well.
    projects = [f"projects/{each}.zip" for each in (dataset.id, *store.runs_of(dataset.id))]
    projects = [each for each in projects if (root / each).is_file()]
    shared = [
        path.relative_to(root).as_posix()
        for folder, image_id, suffix in store.copies_left(dataset.id, folders)
        for path in (store.workspace.image(folder, image_id, suffix), store.workspace.thumbnail(folder, image_id))
    ]
    counts = {
        "runs": len(runs),
        "exports": sum(_has_export(store, run.id) for run in runs),
        "projects": len(projects),
        "checks": store.count_checks(dataset.id),
    }
    paths = [f"datasets/{folder}" for folder in folders] + [f"runs/{run.id}" for run in runs] + projects
    return Holding(
        dataset.id,
        "dataset",
        dataset.name,
        dataset.created_at,
        _present(root, paths),
        shared,
        {name: count for name, count in counts.items() if count},
        dataset_id=dataset.id,
    )


def _run(store: Store, run: Run, runs: list[Run], datasets: Mapping[str, Dataset]) -> Holding:
    made_from = sum(run.id in (each.facts.branched_from, each.facts.retrained_from) for each in runs)
    return Holding(
        run.id,
        "run",
        _title(run, datasets),
        run.created_at,
        _present(store.workspace.root, [f"runs/{run.id}"]),
        goes_with={"exports": 1} if _has_export(store, run.id) else {},
        stays={"runs": made_from} if made_from else {},
        dataset_id=run.dataset_id,
    )


def _export(store: Store, run: Run, datasets: Mapping[str, Dataset]) -> Holding:
    path = f"runs/{run.id}/{EXPORT_FOLDER}"
    made_at = (store.workspace.root / path / RECORD_FILE).stat().st_mtime
    return Holding(
        f"{run.id}/{EXPORT_FOLDER}", "export", _title(run, datasets), made_at, [path], dataset_id=run.dataset_id
    )


def _project(path: Path, titles: Mapping[str, str]) -> Holding | None:
    name = f"projects/{path.name}"
    if not PROJECT.fullmatch(name) or not path.is_file():
        return None
    # What it was saved of may be deleted by now.
    return Holding(name, "project", titles.get(path.stem, path.stem), path.stat().st_mtime, [name])


def _caches(store: Store) -> list[Holding]:
    root = store.workspace.root
    found = []
    if any((root / FEATURES).iterdir()):
        found.append(Holding(FEATURES, "features", TITLES[FEATURES], _changed(root / FEATURES), [FEATURES]))
    if (root / DOWNLOADS).is_dir() and any((root / DOWNLOADS).iterdir()):
        found.append(Holding(DOWNLOADS, "downloads", TITLES[DOWNLOADS], _changed(root / DOWNLOADS), [DOWNLOADS]))
    measured = _present(root, list(SPEED_FILES))
    if measured:
        found.append(Holding(SPEED, "speed", TITLES[SPEED], _changed(root / measured[0]), measured))
    return found


def _title(run: Run, datasets: Mapping[str, Dataset]) -> str:
    backbone = title_of(run.backbone)
    phase = "fine-tuned" if run.result_phase == 2 else "head" if run.result_phase == 1 else "unfinished"
    dataset = datasets.get(run.dataset_id)
    return f"{backbone}, {phase}" + (f", of {dataset.name}" if dataset else "")


def _has_export(store: Store, run_id: str) -> bool:
    return (store.workspace.run(run_id) / EXPORT_FOLDER / RECORD_FILE).is_file()


def _present(root: Path, paths: list[str]) -> list[str]:
    return [each for each in paths if (root / each).exists()]


def _changed(path: Path) -> float:
    return path.stat().st_mtime
