"""Projects, saved and opened: all comes back, an opened run goes on, hostile zips and kills leave nothing."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest

from tests.corpus import leftovers, overlapping_zip, write_classes
from tlcore import edits, importer
from tlcore.commands import COMMANDS
from tlcore.datasets import sweep
from tlcore.errors import DatasetError, RunError, SettingsError
from tlcore.evaluation import read_predictions
from tlcore.mlflow_mirror import FACT
from tlcore.parser import build_parser
from tlcore.project import choose_contents, is_project, measure_project, save_project
from tlcore.project_reader import open_project
from tlcore.saver import start_save
from tlcore.settings import FineTuneSettings, HeadSettings
from tlcore.store import Store
from tlcore.workspace import open_workspace

CLASSES = {"rose": 10, "<b>tulip": 10}


def ask(store, *words):
    arguments = build_parser().parse_args([str(word) for word in words])
    return COMMANDS[arguments.command](store, arguments)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A data set that was edited, with one run that was fine-tuned, saved as a project."""
    folder = tmp_path_factory.mktemp("project")
    store = Store(open_workspace(folder / "workspace"))
    ask(store, "import", write_classes(folder / "photos", CLASSES), "--name", "Flowers")
    (dataset,) = store.datasets()
    edits.exclude_images(store, dataset.id, [store.images(dataset.id, "rose")[-1].id])
    run_id = make_run(store, dataset.id)
    archive = folder / "project.zip"
    contents = save_project(store, run_id, archive)
    return types.SimpleNamespace(store=store, dataset=dataset.id, run=run_id, archive=archive, contents=contents)


def make_run(store, dataset_id):
    """Make a run without training: both phases' files, of the right shapes."""
    images = store.images(dataset_id)
    half = [*images[:5], *images[10:15]], [*images[5:10], *images[15:]]
    run_id = store.add_run(dataset_id, "efficientnet-lite0", HeadSettings(image_size=32).to_json())
    store.update_job(store.add_job("head", {}, dataset_id, run_id), status="finished")
    store.set_fine_tune(run_id, FineTuneSettings(layers=9, learning_rate=1e-5).to_json())
    folder = store.workspace.run(run_id)
    folder.mkdir(parents=True)
    labels = sorted(CLASSES)
    sides = {"training": half[0], "validation": half[1]}
    (folder / "labels.json").write_text(json.dumps(labels))
    (folder / "split.json").write_text(
        json.dumps({side: [(image.id, image.label) for image in own] for side, own in sides.items()})
    )
    figures = {"parameters": 1, "trainable_parameters": 1, "flops": 1, "activation_bytes": 4, "batch_norm": False}
    (folder / "layers.json").write_text(json.dumps([figures | {"name": "a", "block": "stem", "kind": "Conv2D"}] * 12))
    chance = np.random.default_rng(0)
    for phase in (1, 2):
        probabilities = chance.dirichlet([1, 1], len(half[1])).astype(np.float32)
        ids = np.array([image.id for image in half[1]])
        np.savez(folder / f"predictions-{phase}.npz", image_ids=ids, probabilities=probabilities)
    np.savez(folder / "head.npz", **{"head/0": np.zeros((4, 2), np.float32), "head/1": np.zeros(2, np.float32)})
    np.savez(folder / "tuned.npz", **{"backbone/3/0": np.ones(3, np.float32)})
    (folder / "snapshot-2.npz").write_bytes(b"left by a stop")
    store.set_result(run_id, 2)
    store.add_facts(run_id, {"image_size": 32, FACT: {"server": "http://private", "words": ""}, "seen": images[0].id})
    return run_id


@pytest.fixture
def elsewhere(tmp_path):
    return Store(open_workspace(tmp_path / "elsewhere"))


def files_of(store, run_id):
    return {path.name: path.read_bytes() for path in store.workspace.run(run_id).iterdir()}


def pixels_of(store, dataset_id):
    return {
        image.id: store.workspace.image(image.folder, image.id, image.suffix).read_bytes()
        for image in store.every_image(dataset_id)
    }


def test_all_comes_back_on_another_machine_under_the_same_ids(saved, elsewhere):
    opened = open_project(elsewhere, saved.archive)
    assert opened == saved.contents
    before, after = saved.store.run(saved.run), elsewhere.run(saved.run)
    assert (after.head, after.fine_tune, after.created_at, after.result_phase) == (
        before.head,
        before.fine_tune,
        before.created_at,
        2,
    )
    here, there = files_of(saved.store, saved.run), files_of(elsewhere, saved.run)
    assert set(here) - set(there) == {"snapshot-2.npz"}
    assert all(there[name] == here[name] for name in there)
    assert pixels_of(elsewhere, saved.dataset) == pixels_of(saved.store, saved.dataset)
    one, other = saved.store.dataset(saved.dataset), elsewhere.dataset(saved.dataset)
    assert (other.classes, other.version, other.excluded) == (one.classes, one.version, 1)
    assert elsewhere.latest_job(saved.run).status == "finished"
    assert not leftovers(elsewhere)


def test_what_is_nobodys_business_stays_behind(saved, elsewhere):
    open_project(elsewhere, saved.archive)
    assert elsewhere.dataset(saved.dataset).source == "photos"
    assert FACT not in elsewhere.run(saved.run).facts
    with zipfile.ZipFile(saved.archive) as archive:
        told = b"".join(archive.read(name) for name in archive.namelist() if name.endswith(".json"))
    assert b"http://private" not in told
    assert str(saved.archive.parent).encode() not in told


def test_edits_come_along_and_can_be_undone(saved, elsewhere):
    open_project(elsewhere, saved.archive)
    (edit,) = [edit for edit in elsewhere.edits(saved.dataset) if edit.kind == "exclude"]
    elsewhere.undo_edit(saved.dataset, edit.number)
    assert elsewhere.dataset(saved.dataset).excluded == 0


def test_opened_twice_it_is_there_twice_with_the_same_answers(saved, elsewhere):
    open_project(elsewhere, saved.archive)
    second = open_project(elsewhere, saved.archive)
    assert second.dataset_id != saved.dataset
    (run_id,) = second.run_ids
    one, other = (read_predictions(elsewhere, elsewhere.run(each)) for each in (saved.run, run_id))
    assert (one.probabilities == other.probabilities).all()
    assert [image.name for image in one.images] == [image.name for image in other.images]
    assert not {image.id for image in one.images} & {image.id for image in other.images}
    # A fact that names an image names the new one.
    first = elsewhere.run(run_id).facts["seen"]
    assert first in {image.id for image in elsewhere.every_image(second.dataset_id)}
    (edit,) = [edit for edit in elsewhere.edits(second.dataset_id) if edit.kind == "exclude"]
    elsewhere.undo_edit(second.dataset_id, edit.number)
    assert (elsewhere.dataset(second.dataset_id).excluded, elsewhere.dataset(saved.dataset).excluded) == (0, 1)


def test_a_data_set_is_saved_with_all_its_finished_runs(saved, elsewhere, tmp_path):
    unfinished = saved.store.add_run(saved.dataset, "resnet50", HeadSettings(backbone="resnet50").to_json())
    contents = save_project(saved.store, saved.dataset, tmp_path / "all.zip")
    assert contents.run_ids == (saved.run,)
    assert unfinished not in [run.id for run in saved.store.runs() if run.result_phase]
    assert open_project(elsewhere, tmp_path / "all.zip").run_ids == (saved.run,)


def test_the_size_is_told_before(saved):
    told = measure_project(saved.store, choose_contents(saved.store, saved.run))
    assert told == pytest.approx(saved.archive.stat().st_size, rel=0.2)


def test_what_cannot_be_saved_is_refused(saved, tmp_path):
    waiting = saved.store.add_run(saved.dataset, "resnet50", "{}")
    with pytest.raises(RunError, match="a run at rest that has a model"):
        save_project(saved.store, waiting, tmp_path / "a.zip")
    with pytest.raises(DatasetError, match="Expected the id of a data set"):
        save_project(saved.store, "data-none", tmp_path / "a.zip")
    (tmp_path / "mine.zip").write_bytes(b"PK precious")
    for name in ("mine.zip", "project.tar"):
        with pytest.raises(RunError, match=r"a new \.zip"):
            save_project(saved.store, saved.run, tmp_path / name)
    assert (tmp_path / "mine.zip").read_bytes() == b"PK precious"
    assert [path.name for path in tmp_path.iterdir()] == ["mine.zip"]


def test_a_missing_picture_stops_the_saving_and_leaves_no_zip(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    dataset = ask(store, "import", write_classes(tmp_path / "photos", {"a": 2, "b": 2}))["dataset"]
    image = store.images(dataset)[0]
    store.workspace.thumbnail(image.folder, image.id).unlink()
    with pytest.raises(DatasetError, match="is missing"):
        save_project(store, dataset, tmp_path / "a.zip")
    assert not list(tmp_path.glob("*.zip*"))


# Changes to the files of a project, each with words of its refusal; `resign` makes the manifest agree with them.
def as_json(change):
    def changed(content):
        value = json.loads(content)
        return json.dumps(change(value) or value).encode()

    return changed


def without(name):
    return lambda value: value.pop(name) and None


def arrays(**content):
    packed = io.BytesIO()
    np.savez(packed, **content)
    return packed.getvalue()


def pickled(_):
    return arrays(**{"head/0": np.array([print], dtype=object)})


def squeezed(_):
    packed = io.BytesIO()
    np.savez_compressed(packed, **{"head/0": np.zeros(10_000_000, np.float32)})
    return packed.getvalue()


def boastful(_):
    """Return an array whose header claims a terabyte."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2**38,)})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("head/0.npy", header.getvalue())
    return packed.getvalue()


def first_image(**columns):
    return as_json(lambda value: value["images"][0].update(columns))


def run_row(**columns):
    return as_json(lambda value: value["run"].update(columns))


HOSTILE = {
    "newer": ("thaw-project.json", as_json(lambda value: value.update(schema=99)), "format 99"),
    "other mark": ("thaw-project.json", as_json(lambda value: value.update(format="x")), "no word that Thaw"),
    "torn JSON": ("dataset.json", lambda content: content[:-9], "a damaged dataset.json"),
    "deep JSON": ("dataset.json", lambda content: b"[" * 200_000, "a damaged dataset.json"),
    "no number": (
        "dataset.json",
        lambda content: content.replace(b'"brightness": ', b'"brightness": NaN, "x": '),
        "NaN",
    ),
    "lacks a table": ("dataset.json", as_json(without("marks")), "incomplete"),
    "lacks a column": (
        "dataset.json",
        as_json(lambda value: value["images"][0].pop("label") and None),
        "lacks a column",
    ),
    "path as id": ("dataset.json", first_image(id="../../evil"), "as id in images"),
    "path as suffix": ("dataset.json", first_image(suffix="/../x"), "as suffix in images"),
    "half a character": ("dataset.json", first_image(label="\ud800"), "as label in images"),
    "huge number": ("dataset.json", first_image(width=10**30), "as width in images"),
    "text as number": ("dataset.json", first_image(taken_at="now"), "as taken_at in images"),
    "other pixels": ("dataset.json", first_image(content="0" * 64), "another than its row says"),
    "unknown backbone": ("run.json", run_row(backbone="evil"), "settings are not known here"),
    "unknown setting": (
        "run.json",
        as_json(lambda value: value["run"]["head"].update(evil=1)),
        "settings are not known",
    ),
    "path as run": ("run.json", run_row(id="run-/../../x"), "as id in runs"),
    "pickle": ("head.npz", pickled, "hold objects"),
    "packed arrays": ("head.npz", squeezed, "packed arrays"),
    "boastful array": ("head.npz", boastful, "not as large as it says"),
    "no arrays": ("tuned.npz", lambda content: b"text", "damaged arrays"),
    "other arrays": ("tuned.npz", lambda content: arrays(evil=np.zeros(2)), "something else than weights"),
    "fewer answers": (
        "predictions-2.npz",
        lambda content: arrays(image_ids=np.array(["a"]), probabilities=np.ones((1, 2), np.float32)),
        "for other images",
    ),
    "other shape": (
        "predictions-1.npz",
        lambda content: arrays(image_ids=np.array(["a"]), probabilities=np.ones((1, 7), np.float32)),
        "another shape",
    ),
    "stray image": (
        "split.json",
        as_json(lambda value: value.update(training=[["img-1", "rose"]])),
        "not in the data set",
    ),
    "odd labels": ("labels.json", lambda content: b'["one"]', "a damaged labels.json"),
    "odd layers": ("layers.json", lambda content: b'[{"name": 1}]', "a damaged layers.json"),
    "torn picture": (".png", lambda content: content[:40], "a damaged picture"),
    "not a picture": (".png", lambda content: b"<svg/>", "a damaged picture"),
}


def rewritten(saved, target, ending, change, resign=True):
    """Write the project anew with the first file of that ending changed."""
    with zipfile.ZipFile(saved.archive) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in files if name.endswith(ending))
    files[name] = change(files[name])
    if resign:
        hashes = {
            each: hashlib.sha256(content).hexdigest() for each, content in files.items() if each != "manifest.json"
        }
        files["manifest.json"] = json.dumps({"files": hashes}).encode()
    return pack(target, files)


def pack(target, files):
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


def state(store):
    return (
        [dataset.id for dataset in store.datasets()],
        [run.id for run in store.runs()],
        sorted(
            str(path.relative_to(store.workspace.root))
            for name in ("datasets", "runs", "staging")
            for path in (store.workspace.root / name).rglob("*")
        ),
    )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A workspace into which nothing is ever let."""
    return Store(open_workspace(tmp_path_factory.mktemp("guarded") / "workspace"))


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_project_is_refused_in_words_and_leaves_nothing(saved, guarded, tmp_path, case):
    ending, change, words = HOSTILE[case]
    archive = rewritten(saved, tmp_path / "a.zip", ending, change)
    with pytest.raises(RunError, match=words):
        open_project(guarded, archive)
    assert state(guarded) == ([], [], [])


def test_a_file_that_was_changed_on_the_way_is_found_by_its_hash(saved, guarded, tmp_path):
    flip = lambda content: content[:-1] + bytes([content[-1] ^ 1])  # noqa: E731
    archive = rewritten(saved, tmp_path / "a.zip", "head.npz", flip, resign=False)
    with pytest.raises(RunError, match="another SHA-256"):
        open_project(guarded, archive)
    assert state(guarded) == ([], [], [])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files.pop("manifest.json"), "no manifest.json"),
        (lambda files: files.update({"../../evil": b""}), "an unknown file"),
        (lambda files: files.pop(next(name for name in files if name.endswith("tuned.npz"))), "a missing file"),
        (lambda files: files.pop("thaw-project.json"), "no thaw-project.json"),
    ],
)
def test_missing_and_unknown_files_are_refused(saved, guarded, tmp_path, change, words):
    with zipfile.ZipFile(saved.archive) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with pytest.raises(RunError, match=words):
        open_project(guarded, pack(tmp_path / "a.zip", files))
    assert state(guarded) == ([], [], [])


def test_a_file_that_the_manifest_lists_and_no_project_has_is_refused(saved, guarded, tmp_path):
    for name in ("images/../../evil.png", f"runs/{saved.run}/evil.py", "evil.json"):
        with zipfile.ZipFile(saved.archive) as archive:
            files = {each: archive.read(each) for each in archive.namelist()}
        files[name] = b"{}"
        hashes = {
            each: hashlib.sha256(content).hexdigest() for each, content in files.items() if each != "manifest.json"
        }
        files["manifest.json"] = json.dumps({"files": hashes}).encode()
        with pytest.raises(RunError, match="a file that no"):
            open_project(guarded, pack(tmp_path / "a.zip", files))
    assert state(guarded) == ([], [], [])


def test_dishonest_zips_are_refused(saved, guarded, tmp_path):
    archive = tmp_path / "a.zip"
    content = saved.archive.read_bytes()
    link = zipfile.ZipInfo("images/link.png")
    link.external_attr = 0o120777 << 16
    archive.write_bytes(content)
    with zipfile.ZipFile(archive, "a") as opened:
        opened.writestr(link, "/etc/passwd")
    with pytest.raises(RunError, match="symbolic link"):
        open_project(guarded, archive)
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match="cut off or damaged"):
        open_project(guarded, archive)
    archive.write_bytes(overlapping_zip())
    with pytest.raises(DatasetError, match="overlap"):
        open_project(guarded, archive)
    bomb = {"thaw-project.json": b"{}", "dataset.json": b" " * 40_000_000}
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, each in bomb.items():
            opened.writestr(name, each)
    with pytest.raises(DatasetError, match="bomb"):
        open_project(guarded, archive)
    assert state(guarded) == ([], [], [])


def test_two_files_of_one_name_are_refused(saved, guarded, tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(saved.archive.read_bytes())
    with zipfile.ZipFile(archive, "a") as opened, pytest.warns(UserWarning, match="Duplicate name"):
        opened.writestr("dataset.json", "{}")
    with pytest.raises(RunError, match="two files of one name"):
        open_project(guarded, archive)


def test_only_a_saved_project_is_taken_for_one(saved, tmp_path):
    assert is_project(saved.archive)
    assert not is_project(pack(tmp_path / "a.zip", {"rose/a.jpg": b"", "thaw-project.json": b""}))
    assert not is_project(tmp_path / "none.zip")


def import_of(store, request):
    job_id = store.add_job("import", request)
    importer.run_import(store, job_id)
    job = store.job(job_id)
    assert job.status == "finished", job.error
    return job.dataset_id


def test_the_ways_in_tell_a_project_from_photos(saved, elsewhere):
    assert import_of(elsewhere, {"kind": "zip", "path": str(saved.archive), "name": ""}) == saved.dataset
    upload = elsewhere.workspace.staging("upload-1")
    (upload / "files").mkdir(parents=True)
    (upload / "files" / "0").write_bytes(saved.archive.read_bytes())
    second = import_of(elsewhere, {"kind": "staged", "path": str(upload), "name": ""})
    assert second != saved.dataset
    assert elsewhere.dataset(second).name == "Flowers"
    assert not upload.exists()


def test_the_commands_save_and_open(saved, elsewhere, tmp_path):
    answer = ask(saved.store, "project", "save", saved.run, "--to", tmp_path / "a.zip")
    assert answer["bytes"] == (tmp_path / "a.zip").stat().st_size
    assert ask(elsewhere, "project", "open", tmp_path / "a.zip") == {"dataset": saved.dataset, "runs": [saved.run]}
    with pytest.raises(RunError, match="a project that Thaw has saved"):
        ask(elsewhere, "project", "open", tmp_path)
    for words in (["save", saved.run], ["open", "a.zip", "--to", "b.zip"]):
        with pytest.raises(SettingsError, match=r"Expected --to FILE\.zip"):
            ask(elsewhere, "project", *words)
    with pytest.raises(RunError, match="Expected the id of a run"):
        ask(elsewhere, "project", "save", "run-none", "--to", tmp_path / "b.zip")


def test_a_project_is_saved_in_a_process_of_its_own(saved, wait_for):
    job_id = start_save(saved.store, saved.run)
    wait_for(lambda: not saved.store.job(job_id).active, 60, "the end of the saving")
    assert saved.store.job(job_id).status == "finished", saved.store.job(job_id).error
    assert is_project(saved.store.workspace.project(saved.run))
    assert job_id not in [job.id for job in saved.store.queue()]


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("moment", ["unpacking", "images", "runs", "rows"])
def test_a_kill_in_the_middle_leaves_nothing(saved, elsewhere, moment):
    """Open in a process that kills itself at a moment; what the next start sweeps away is all that it left."""
    program = f"""
import os, signal, sys
from pathlib import Path
from tlcore import project_reader
from tlcore.store import Store
from tlcore.workspace import open_workspace

def die(*arguments, **more):
    os.kill(os.getpid(), signal.SIGKILL)

store = Store(open_workspace(sys.argv[1]))
moment = {moment!r}
if moment == "images":
    project_reader._choose_ids = die
elif moment == "runs":
    project_reader.make_durable = die
elif moment == "rows":
    Store.add_project = die
def progress(stage, done, total):
    if moment == "unpacking" and done > 5:
        die()
project_reader.open_project(store, Path(sys.argv[2]), progress)
"""
    command = [sys.executable, "-c", program, str(elsewhere.workspace.root), str(saved.archive)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert state(elsewhere)[2]
    sweep(elsewhere)
    assert state(elsewhere) == ([], [], [])
    assert open_project(elsewhere, saved.archive) == saved.contents


@pytest.mark.slow
def test_an_opened_run_goes_on_as_on_the_machine_that_made_it(elsewhere, tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    dataset = ask(store, "import", write_classes(tmp_path / "photos", {"rose": 10, "tulip": 10}))["dataset"]
    run_id = ask(store, "train", dataset, "--image-size", 32, "--epochs", 3, "--batch-size", 8)["run"]
    ask(store, "project", "save", run_id, "--to", tmp_path / "a.zip")
    ask(elsewhere, "project", "open", tmp_path / "a.zip")
    pictures = sorted((tmp_path / "photos").rglob("*.jpg")) or sorted((tmp_path / "photos").rglob("*.png"))
    asked = ["predict", run_id, *pictures[:4]]
    assert ask(store, *asked) == ask(elsewhere, *asked)
    options = ["--layers", 9, "--epochs", 2, "--batch-size", 8, "--insist"]
    here, there = (ask(each, "finetune", run_id, *options) for each in (store, elsewhere))
    assert there["run"] == run_id
    assert [epoch["val_loss"] for epoch in there["epochs"]] == pytest.approx(
        [epoch["val_loss"] for epoch in here["epochs"]], rel=1e-3
    )
    # And once more in a workspace where its ids are taken.
    second = ask(elsewhere, "project", "open", tmp_path / "a.zip")["runs"][0]
    assert ask(elsewhere, "finetune", second, *options)["frozen_layers"] == here["frozen_layers"]
    assert ask(elsewhere, "mistakes", second) is not None
