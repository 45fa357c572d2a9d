"""The commands about data sets: import, list, rebuild, save, check."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from thaw.cli.commands import BackboneName, cluster_option, command, shards_option
from thaw.cli.jobs import do
from thaw.cli.output import Output, warn_of_unknown
from thaw.cluster.keeping import choose_store
from thaw.cluster.spreading import choose_cluster
from thaw.datasets import edits, importer
from thaw.datasets.box_health import examine_boxes
from thaw.datasets.boxes import WHEN
from thaw.datasets.boxes_zip import BoxFormat, save_boxes
from thaw.datasets.division import read_division
from thaw.datasets.health import Finding, examine
from thaw.datasets.zip_file import save_dataset
from thaw.jobs import starts
from thaw.projects.jobs import add_import_job
from thaw.sources import tree_sample
from thaw.sources.sources import kind_of
from thaw.storage.journal.rebuild import rebuild
from thaw.storage.journal.rebuild import tell as tell_rebuilt
from thaw.storage.questions import read_answers
from thaw.storage.records import LABEL_ERRORS, Dataset, read_doubts
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from tlcore.errors import SettingsError
from tlcore.models.backbones import BACKBONES
from tlcore.settings import HeadSettings
from tlcore.splits.splits import recommend_image_size

DEFAULTS = HeadSettings()
SAMPLES = (*importer.WRITTEN, importer.FLOWER_PHOTOS)


@command(
    "import",
    "PATH is a folder, a .zip, .tar or .tar.gz, a table (.csv, .tsv, .jsonl) of files and classes, or the word "
    "digits, flowers, objects or trees for a sample.",
)
@click.argument("path")
@click.option("--name", help="what to call the data set (default: the folder's name)")
@click.option("--into", metavar="DATASET", help="add to this data set what is new")
@click.option("--holdout", is_flag=True, help="with --into: keep for evaluation, never train on it")
@click.option(
    "--boxes-drawn",
    type=click.Choice(["before", "after"]),
    help="whether boxes were drawn before or after photos that lie on their side in the file were turned upright",
)
@click.option(
    "--answer",
    "answers",
    multiple=True,
    metavar="KEY=OPTION",
    help="answer beforehand to a question that the import may have, such as levels=outer; several can be given",
)
@click.option("--from", "wheel", metavar="WHEEL", help=f"with trees: the file {tree_sample.WHEEL}, from PyPI")
@cluster_option
def run_import(
    store: Store,
    path: str,
    name: str | None,
    into: str | None,
    holdout: bool,
    boxes_drawn: str | None,
    answers: Sequence[str],
    wheel: str | None,
    cluster: str | None,
) -> Output:
    """Import a folder, an archive or a CSV of path and label; or a sample, for one of the words for those."""
    choose_cluster(cluster)
    place = Path(path).expanduser()
    request: dict[str, Any] = {"kind": path, "path": "", "name": name or ""}
    given = read_answers(answers) | ({WHEN: boxes_drawn} if boxes_drawn else {})
    if given:
        request["answers"] = given
    if path not in SAMPLES or place.exists():
        request |= {"kind": kind_of(place), "path": str(place.absolute())}
    if wheel and request["kind"] != importer.TREES:
        raise SettingsError("Expected --from beside the sample trees alone. Received: it beside another source.")
    if wheel:
        request["path"] = str(Path(wheel).expanduser().absolute())
    if holdout and not into:
        raise SettingsError("Expected --into DATASET beside --holdout. Received: none. Say whose holdout it is.")
    if into:
        request |= {"dataset": into, "role": "holdout" if holdout else "main"}
    job = do(store, add_import_job(store, request), "The import was stopped.")
    return describe_dataset(store, store.dataset(str(job.dataset_id)))


@command("datasets")
def run_datasets(store: Store) -> Output:
    """List the data sets."""
    warn_of_unknown(store)
    return [describe_dataset(store, dataset) for dataset in store.datasets()]


# The one command that needs no database, for there may be none.
@command("rebuild", opens=lambda workspace: workspace)
def run_rebuild(workspace: Workspace) -> Output:
    """Bring back what the folders hold and the database does not; a damaged database is set aside."""
    rebuilt = rebuild(workspace)
    return {
        "datasets": [each.id for each in rebuilt.datasets],
        "runs": rebuilt.runs,
        "set_aside": str(rebuilt.set_aside) if rebuilt.set_aside else None,
        "told": tell_rebuilt(rebuilt),
    }


@command("check")
@click.argument("dataset")
@click.option("--backbone", type=BackboneName(), default=DEFAULTS.backbone, help=f"default: {DEFAULTS.backbone}")
@click.option("--seed", type=int, default=DEFAULTS.seed, help=f"default: {DEFAULTS.seed}")
@cluster_option
@shards_option
def run_check(store: Store, dataset: str, backbone: str, seed: int, cluster: str | None, shards: str | None) -> Output:
    """Cross-validate in this process, with random folds and with folds that keep groups; list likely label errors."""
    choose_cluster(cluster)
    choose_store(shards)
    do(store, starts.add_check_job(store, dataset, backbone, seed), "The check was stopped.")
    done = store.latest_check(dataset)
    assert done is not None
    names = {image.id: image.name for image in store.every_image(dataset)}
    facts = asdict(done.facts) | {
        LABEL_ERRORS: [asdict(doubt) | {"image": names[doubt.image]} for doubt in read_doubts(done)]
    }
    return {"dataset": dataset, "backbone": done.backbone, "version": done.version, **facts}


@command("dataset")
@click.argument("action", type=click.Choice(["save"]))
@click.argument("dataset")
@click.option("--to", metavar="FILE", required=True, help="a new .zip, or a new .csv for the labels alone")
@click.option(
    "--split", metavar="RUN_OR_SHARE", help="divide it as that run did, or anew with this share for validation"
)
@click.option("--seed", type=int, help=f"of a new split (default: {DEFAULTS.seed})")
@click.option("--with-excluded", is_flag=True, help="take excluded pictures along, in their own folder")
@click.option(
    "--boxes",
    type=click.Choice(["coco", "yolo"]),
    help="save the photos that were looked at with their boxes in this format; to a new .json: COCO's file alone",
)
def run_dataset(
    store: Store,
    action: str,
    dataset: str,
    to: str,
    split: str | None,
    seed: int | None,
    with_excluded: bool,
    boxes: BoxFormat | None,
) -> Output:
    """Save a data set as it stands now as a zip of class folders, or its labels as a CSV; or as COCO or YOLO."""
    target = Path(to).expanduser().absolute()
    if boxes:
        chosen = read_division(split, seed)
        if chosen.run_id is not None or with_excluded:
            raise SettingsError(
                "Expected a share for --split beside --boxes, and no --with-excluded. Received: others."
            )
        written = save_boxes(store, dataset, target, boxes, chosen.share, chosen.seed)
        return {"dataset": dataset, "file": str(target), **written}
    saved = save_dataset(store, dataset, target, read_division(split, seed), with_excluded)
    return {"dataset": dataset, "file": str(target), **saved}


def describe_dataset(store: Store, dataset: Dataset) -> dict[str, Any]:
    """Return what `import` prints of a data set."""
    boxed = _describe_boxes(store, dataset) if store.has_boxes(dataset.id) else {}
    return {
        "dataset": dataset.id,
        "name": dataset.name,
        "accepted": dataset.accepted,
        "rejected": [asdict(file) for file in store.set_aside(dataset.id)],
        "ignored": dataset.ignored,
        "classes": dataset.classes,
        "excluded": dataset.excluded,
        "holdout": dataset.holdout,
        "pile": dataset.pile,
        "known": dataset.known,
        "version": dataset.version,
        "notes": dataset.notes,
        "findings": [{"title": finding.title, "advice": finding.advice} for finding in _findings(store, dataset)],
    } | boxed


def _describe_boxes(store: Store, dataset: Dataset) -> dict[str, Any]:
    """Return what else is printed of a data set with boxes, whose classes are those of its objects."""
    counts = store.count_boxes(dataset.id)
    return {
        "boxes": sum(counts.values()),
        "classes": counts,
        "looked_at": store.count_looked_at(dataset.id),
        "rejected_boxes": [asdict(box) for box in store.rejected_boxes(dataset.id)],
    }


def _findings(store: Store, dataset: Dataset) -> list[Finding]:
    images = store.images(dataset.id)
    size = recommend_image_size(images, BACKBONES[HeadSettings().backbone])
    ignored = edits.ignored(store, dataset.id)
    found = examine(images, size, ignored, store.latest_check(dataset.id))
    if store.has_boxes(dataset.id):
        pile = store.images(dataset.id, role="pile")
        found += examine_boxes([*images, *pile], store.boxes(dataset.id), ignored)
    return found
