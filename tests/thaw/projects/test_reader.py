"""Hostile, damaged and newer projects are refused in words and leave nothing; so does a kill while one is opened."""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from tests.support.pictures.corpus import overlapping_zip
from tests.support.projects import elsewhere as elsewhere
from tests.support.projects import pack, rewritten
from tests.support.projects import saved as saved
from thaw.jobs.sweeper import sweep
from thaw.projects.reader import open_project
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import DatasetError, RunError


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


EPOCH = {"epoch": 1, "phase": 1, "seconds": 1} | dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), 0.5)
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
    "another grey range": (
        "dataset.json",
        as_json(lambda value: value["dataset"].update(grey_range=12)),
        "as grey_range in datasets",
    ),
    "another grey range of a run": ("run.json", run_row(facts={"grey_range": [12]}), "grey_range of another kind"),
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
    "number as setting": (
        "run.json",
        as_json(lambda value: value["run"]["head"].update(augmentation=10**400)),
        "settings are not known",
    ),
    "path as run": ("run.json", run_row(id="run-/../../x"), "as id in runs"),
    "odd facts": ("run.json", run_row(facts={"class_counts": "x"}), "class_counts of another kind"),
    "odd accuracies": ("run.json", run_row(facts={"fine_tune": {"accuracies": [1]}}), "accuracies of another kind"),
    "odd phase": ("run.json", run_row(facts={"head": 7}), "head of another kind"),
    "odd decision": ("run.json", run_row(facts={"decision": {"evil": 1}}), "decision.phase of another kind"),
    "huge threshold": (
        "run.json",
        run_row(facts={"decision": {"phase": 1, "threshold": 10**400}}),
        "among the facts of a run",
    ),
    "huge count": ("run.json", run_row(facts={"class_counts": {"a": {"b": 10**400}}}), "among the facts of a run"),
    "odd threshold": ("run.json", run_row(facts={"decision": {"phase": 1, "threshold": 7}}), "are not known here"),
    "odd check": (
        "dataset.json",
        as_json(lambda value: value["checks"][0]["facts"].update(naive="x")),
        "naive of another kind",
    ),
    "odd doubt": (
        "dataset.json",
        as_json(lambda value: value["checks"][0]["facts"].update(label_errors=[{"evil": 1}])),
        "label_errors.0.image of another kind",
    ),
    "a row twice": (
        "dataset.json",
        as_json(lambda value: value["images"].append(value["images"][0])),
        "two rows of one id",
    ),
    "an epoch twice": ("run.json", as_json(lambda value: value.update(epochs=[EPOCH, EPOCH])), "two rows of one epoch"),
    "another's place": ("run.json", run_row(id="run-0123456789ab"), "another place than its own"),
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
    archive = rewritten(saved.archive, tmp_path / "a.zip", ending, change)
    with pytest.raises(RunError, match=words):
        open_project(guarded, archive)
    assert state(guarded) == ([], [], [])


def test_a_file_that_was_changed_on_the_way_is_found_by_its_hash(saved, guarded, tmp_path):
    flip = lambda content: content[:-1] + bytes([content[-1] ^ 1])  # noqa: E731
    archive = rewritten(saved.archive, tmp_path / "a.zip", "head.npz", flip, resign=False)
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


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("moment", ["unpacking", "images", "runs", "rows"])
def test_a_kill_in_the_middle_leaves_nothing(saved, elsewhere, moment):
    """Open in a process that kills itself at a moment; what the next start sweeps away is all that it left."""
    program = f"""
import os, signal, sys
from pathlib import Path
from thaw.projects import reader
from thaw.storage.store import Store
from thaw.jobs.sweeper import sweep
from thaw.storage.workspace import open_workspace

def die(*arguments, **more):
    os.kill(os.getpid(), signal.SIGKILL)

store = Store(open_workspace(sys.argv[1]))
moment = {moment!r}
if moment == "images":
    reader._choose_ids = die
elif moment == "runs":
    reader.make_durable = die
elif moment == "rows":
    Store.add_project = die
def progress(stage, done, total):
    if moment == "unpacking" and done > 5:
        die()
reader.open_project(store, Path(sys.argv[2]), progress)
"""
    command = [sys.executable, "-c", program, str(elsewhere.workspace.root), str(saved.archive)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert state(elsewhere)[2]
    sweep(elsewhere)
    assert state(elsewhere) == ([], [], [])
    assert open_project(elsewhere, saved.archive) == saved.contents
