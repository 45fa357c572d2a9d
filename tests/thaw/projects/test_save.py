"""Projects, saved and opened: all comes back, on any way in, and an opened run goes on."""

import zipfile

import pytest

from tests.support.command_line import ask
from tests.support.pictures.corpus import leftovers, write_classes
from tests.support.projects import elsewhere as elsewhere
from tests.support.projects import pack
from tests.support.projects import saved as saved
from thaw.projects.jobs import add_import_job, start_save
from thaw.projects.reader import open_project
from thaw.projects.save import choose_contents, is_project, measure_project, save_project
from thaw.runs.results import read_predictions
from thaw.storage.records import read_doubts
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from thaw.worker import work
from tlcore.errors import DatasetError, RunError, SettingsError
from tlcore.settings import HeadSettings

pytestmark = pytest.mark.usefixtures("warm_decoder")


def files_of(store, run_id):
    files = [path for path in store.workspace.run(run_id).iterdir() if path != store.workspace.record(run_id)]
    return {path.name: path.read_bytes() for path in files}


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
    assert other.grey_range == 4095
    assert elsewhere.latest_job(saved.run).status == "finished"
    assert not leftovers(elsewhere)


def test_what_is_nobodys_business_stays_behind(saved, elsewhere):
    open_project(elsewhere, saved.archive)
    assert elsewhere.dataset(saved.dataset).source == "photos"
    assert elsewhere.run(saved.run).facts.mlflow is None
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
    # What names an image names the new one.
    (doubt,) = read_doubts(elsewhere.latest_check(second.dataset_id))
    named = {elsewhere.dump_run(run_id)["run"]["facts"]["seen"], doubt.image}
    assert named <= {image.id for image in elsewhere.every_image(second.dataset_id)}
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


def test_only_a_saved_project_is_taken_for_one(saved, tmp_path):
    assert is_project(saved.archive)
    assert not is_project(pack(tmp_path / "a.zip", {"rose/a.jpg": b"", "thaw-project.json": b""}))
    assert not is_project(tmp_path / "none.zip")


def import_of(store, request):
    job_id = add_import_job(store, request)
    work(store, job_id)
    job = store.job(job_id)
    assert (job.status, job.kind) == ("finished", "open"), job.error
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


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_an_opened_run_goes_on_as_on_the_machine_that_made_it(elsewhere, tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    dataset = ask(store, "import", write_classes(tmp_path / "photos", {"rose": 10, "tulip": 10}))["dataset"]
    run_id = ask(store, "train", dataset, "--image-size", 32, "--epochs", 3, "--batch-size", 8)["run"]
    ask(store, "check", dataset)
    ask(store, "project", "save", run_id, "--to", tmp_path / "a.zip")
    ask(elsewhere, "project", "open", tmp_path / "a.zip")
    assert elsewhere.latest_check(dataset) == store.latest_check(dataset)
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
