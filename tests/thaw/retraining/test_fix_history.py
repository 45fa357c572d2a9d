"""The rounds of fixes: what was fixed, what it brought on the same images, which head is the newest, and the undo."""

import numpy as np
import pytest

from tests.support.judged_runs import DATASET, LABELS, add, run_of
from tests.support.judged_runs import store as store
from thaw.datasets import edits
from thaw.datasets.run_split import read_split, write_split
from thaw.retraining.fix_history import can_undo, find_retraining, list_chain, read_history, undo_round
from thaw.runs.results import predictions_file, read_predictions
from thaw.storage.store import Store
from tlcore.errors import DatasetError
from tlcore.settings import HeadSettings
from tlcore.splits.splits import Split

SETTINGS = HeadSettings(dropout=0.35, seed=4, epochs=7)


@pytest.fixture
def run_id(store: Store) -> str:
    add(store, each=40)
    return run_of(store, SETTINGS, {"validation": 4})


def judged(store: Store, run_id: str) -> list[str]:
    return [image.id for image in read_predictions(store, store.run(run_id)).images]


def history(store: Store, run_id: str):
    return read_history(store, list_chain(store, store.run(run_id)))


def retrained_from(store: Store, earlier: str, wrong: int = 0, labels: tuple[str, ...] = LABELS) -> str:
    """A run on the sides of an earlier one with the labels of now, whose head takes the first `wrong` photos that
    judge it for the next class."""
    run_id = store.add_run(DATASET, SETTINGS.backbone, SETTINGS.to_json())
    store.add_facts(run_id, {"retrained_from": earlier, "head": {"best_epoch": 1}})
    store.workspace.run(run_id).mkdir(parents=True, exist_ok=True)
    before = {image.id for image in read_split(store, store.run(earlier)).validation}
    images = store.images(DATASET)
    parts = {
        name: [i for i in images if (i.id in before) == (name == "validation")] for name in ("training", "validation")
    }
    write_split(store, run_id, Split(labels=list(labels), **parts))
    store.set_result(run_id, 1)
    answer(store, run_id, [image.id for image in parts["validation"]][:wrong])
    return run_id


def answer(store: Store, run_id: str, wrong: list[str]) -> None:
    """Let the head of a run take the `wrong` photos, by id, for the next class, and get the rest right."""
    parts = read_split(store, store.run(run_id))
    shares = np.full((len(parts.validation), len(parts.labels)), 0.1, dtype=np.float32)
    for row, image in enumerate(parts.validation):
        true = parts.labels.index(image.label)
        shares[row, (true + 1) % len(parts.labels) if image.id in wrong else true] = 0.8
    ids = np.array([image.id for image in parts.validation])
    np.savez(store.workspace.run(run_id) / predictions_file(1, "validation"), image_ids=ids, probabilities=shares)


def test_a_chain_follows_the_newest_head_and_skips_what_has_no_model(store, run_id):
    first = retrained_from(store, run_id)
    retrained_from(store, first)
    newest = retrained_from(store, first)
    waiting = store.add_run(DATASET, SETTINGS.backbone, SETTINGS.to_json())
    store.add_facts(waiting, {"retrained_from": newest})
    store.branch_run(newest, "run-branched")
    for each in (run_id, first, newest):
        assert [run.id for run in list_chain(store, store.run(each))] == [run_id, first, newest]


def test_the_newest_retraining_of_a_data_set_tells_how_it_stands(store, run_id):
    assert find_retraining(store, store.run(run_id)) is None
    later = retrained_from(store, run_id)
    job_id = store.add_job("head", {}, DATASET, later)
    assert find_retraining(store, store.run(run_id)).id == job_id


def test_a_round_counts_what_was_fixed_and_its_effect_on_the_images_of_both(store, run_id):
    ids, learnt = judged(store, run_id), read_split(store, store.run(run_id)).training
    answer(store, run_id, ids[:4])
    edits.exclude_images(store, DATASET, [ids[0]])
    edits.move_images(store, DATASET, [image.id for image in learnt if image.label == "rose"][:2], "tulip")
    later = retrained_from(store, run_id)
    shared = judged(store, later)
    answer(store, later, [shared[-1]])
    (done,) = history(store, run_id).rounds
    assert (done.moved, done.excluded, done.restored) == ({("rose", "tulip"): 2}, 1, 0)
    assert (done.verdict.first_alone, done.verdict.second_alone) == (3, 1)
    assert done.verdict.images == (len(ids) - 1, len(ids) - 1)
    assert done.before == pytest.approx(1 - 3 / len(shared))
    assert done.before_as_told == pytest.approx(1 - 4 / len(ids))
    assert done.after == pytest.approx(1 - 1 / len(shared))
    assert [edit.kind for edit in done.edits] == ["move", "exclude"]


def test_every_class_tells_its_change_the_largest_first(store, run_id):
    before = read_predictions(store, store.run(run_id)).images
    roses = [image.id for image in before if image.label == "rose"]
    tulips = [image.id for image in before if image.label == "tulip"]
    answer(store, run_id, roses[:3])
    answer(store, retrained_from(store, run_id), tulips[:1])
    (done,) = history(store, run_id).rounds
    assert [change.label for change in done.classes] == ["rose", "tulip"]
    assert done.classes[0].points == pytest.approx(100 * 3 / len(roses))
    assert done.classes[1].points == pytest.approx(-100 / len(tulips))
    assert done.classes[0].after.of == len(roses)


def test_the_labels_that_count_are_those_of_now_even_of_a_class_that_is_new(store, run_id):
    ids = judged(store, run_id)
    answer(store, run_id, [])
    edits.move_images(store, DATASET, ids[:6], "lily")
    retrained_from(store, run_id, labels=(*LABELS, "lily"))
    found = history(store, run_id)
    # The earlier head knew no lily, so that it is wrong about each of the six.
    assert (found.rounds[0].verdict.first_alone, found.rounds[0].verdict.second_alone) == (6, 0)
    assert [level.accuracy.value for level in found.levels] == [pytest.approx(1 - 6 / len(ids)), 1.0]


def test_all_heads_stand_on_the_images_that_judge_every_one(store, run_id):
    ids = judged(store, run_id)
    answer(store, run_id, ids[:4])
    first = retrained_from(store, run_id, wrong=2)
    edits.exclude_images(store, DATASET, [ids[0]])
    retrained_from(store, first, wrong=0)
    levels = history(store, first).levels
    assert {level.accuracy.of for level in levels} == {len(ids) - 1}
    wrong = [round((1 - level.accuracy.value) * (len(ids) - 1)) for level in levels]
    assert wrong == [3, 1, 0]
    assert all(level.accuracy.low <= level.accuracy.value <= level.accuracy.high for level in levels)


def test_a_round_is_undone_whole_while_its_changes_are_the_latest(store, run_id):
    ids = judged(store, run_id)
    edits.exclude_images(store, DATASET, [ids[0]])
    edits.exclude_images(store, DATASET, [ids[1]])
    first = retrained_from(store, run_id)
    (done,) = history(store, run_id).rounds
    assert can_undo(store, DATASET, done.edits)
    edits.exclude_images(store, DATASET, [ids[2]])
    assert not can_undo(store, DATASET, done.edits)
    with pytest.raises(DatasetError, match="has others after it"):
        undo_round(store, DATASET, done.edits)
    edits.undo(store, DATASET)
    undo_round(store, DATASET, done.edits)
    assert store.dataset(DATASET).excluded == 0
    again = retrained_from(store, first)
    assert history(store, again).rounds[0].edits == []
    assert history(store, again).rounds[1].restored == 2


def test_a_run_that_was_never_retrained_has_no_history(store, run_id):
    found = history(store, run_id)
    assert (found.rounds, found.levels) == ([], [])
