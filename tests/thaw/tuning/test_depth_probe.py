"""A depth probe for real on the tiny photos: what it keeps, that nothing leaks or stays changed, and how it resumes."""

import keras
import numpy as np
import pytest

from tests.support.runs import train_head
from thaw.jobs import starts
from thaw.jobs.reporter import Reporter
from thaw.training.materials import gather
from thaw.tuning import depth_probe
from thaw.tuning.depth_probe import fit_heads, prepare_trial, try_depth
from thaw.tuning.probe_record import ProbeSettings, read_probe
from thaw.worker import work
from tlcore.errors import RunError
from tlcore.models import classifier as models
from tlcore.progress import Stage
from tlcore.settings import HeadSettings

HEAD = HeadSettings(image_size=48, epochs=3, validation_split=0.25, dropout=0.3)
SETTINGS = ProbeSettings(depths=2, folds=2, epochs=1, batch_size=8, learning_rate=1e-3)


# A gradient through the whole network takes longest to be traced, and is tried in the slow tests.
@pytest.fixture(scope="module", autouse=True, params=[9, pytest.param(141, marks=pytest.mark.slow)])
def deepest(request):
    """The deeper of the two depths that are tried."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(depth_probe, "list_depths", lambda layers, depths: [0, request.param])
        yield request.param


@pytest.fixture(scope="module")
def head_run(store, tiny_dataset):
    return train_head(store, tiny_dataset, HEAD)


def contents(store, run_id):
    return {path.name: path.read_bytes() for path in store.workspace.run(run_id).iterdir() if path.name != "probe.json"}


def results(store, run_id):
    probe = read_probe(store.workspace.run(run_id))
    return [(depth.top, depth.accuracies, depth.right) for depth in probe.depths]


@pytest.fixture(scope="module")
def probed(store, head_run, deepest):
    before = (store.run(head_run), store.epochs(head_run), contents(store, head_run))
    told = []
    job_id = starts.add_probe_job(store, head_run, SETTINGS)
    work(store, job_id, lambda *report: told.append(report))
    assert store.job(job_id).status == "finished", store.job(job_id).error
    return before, told


def test_every_depth_is_judged_on_every_chosen_photo(store, head_run, probed, deepest):
    probe = read_probe(store.workspace.run(head_run))
    assert [depth.top for depth in probe.depths] == probe.plan.tops
    assert probe.plan.tops == [0, deepest]
    for depth in probe.depths:
        assert (depth.images, len(depth.accuracies)) == (18, 2)
        assert 0 <= depth.right <= 18
        assert depth.seconds > 0
    assert probe.missing == []


def test_a_probe_changes_nothing_of_the_run(store, head_run, probed):
    before, _ = probed
    assert (store.run(head_run), store.epochs(head_run), contents(store, head_run)) == before
    assert store.latest_job(head_run).kind == "head"


def test_progress_grows_to_the_end(probed):
    _, told = probed
    shares = [(done, total) for stage, done, total in told if stage == Stage.TRYING_DEPTHS]
    assert shares == sorted(shares)
    assert shares[0][0] == 0
    assert shares[-1] == (100, 100)


def test_a_probe_that_was_broken_off_goes_on_to_the_same_end(store, head_run, probed):
    whole = results(store, head_run)
    branched = starts.branch(store, store.run(head_run))
    assert results(store, branched) == whole, "a branch has the probe of the head it shares"
    (store.workspace.run(branched) / "probe.json").unlink()

    def break_off(stage, done, total):
        probe = read_probe(store.workspace.run(branched))
        if probe and len(probe.depths) == 1:
            store.ask_to_stop(job_id)

    job_id = starts.add_probe_job(store, branched, SETTINGS)
    work(store, job_id, break_off)
    assert store.job(job_id).status == "stopped", store.job(job_id).error
    kept = results(store, branched)
    assert kept == whole[: len(kept)]
    assert 1 <= len(kept) < len(whole)
    seconds = read_probe(store.workspace.run(branched)).depths[0].seconds

    again = starts.add_probe_job(store, branched, SETTINGS)
    work(store, again)
    assert store.job(again).status == "finished", store.job(again).error
    assert results(store, branched) == whole
    assert read_probe(store.workspace.run(branched)).depths[0].seconds == seconds, "it was not tried twice"


def test_short_runs_leave_the_backbone_as_it_was_and_each_fold_has_a_head_of_its_own(store, head_run, probed):
    reporter = Reporter(store, store.add_job("probe", {"run": head_run}))
    materials = gather(reporter, head_run)
    keras.utils.set_random_seed(0)
    trial = prepare_trial(materials, SETTINGS)
    materials.backbone.trainable = False
    head = models.build_head(models.row_channels(materials.backbone), 3, materials.settings)
    before = [np.array(weight) for weight in materials.backbone.get_weights()]
    fresh = head.get_weights()

    heads = fit_heads(trial, head)
    assert len(heads) == 2
    assert not np.array_equal(heads[0][0], heads[1][0])
    assert all(np.array_equal(one, other) for one, other in zip(fresh, head.get_weights(), strict=True))
    first = try_depth(trial, head, heads, 9, lambda _: None)
    assert all(np.array_equal(one, other) for one, other in zip(before, materials.backbone.get_weights(), strict=True))
    assert np.array_equal(first, try_depth(trial, head, heads, 9, lambda _: None))
    store.fail_job(reporter.job_id, "ended by the test")


def test_a_support_vector_machine_is_fitted_again_for_each_fold(store, tiny_dataset):
    run_id = starts.add_head_job(store, tiny_dataset, HeadSettings(image_size=48, validation_split=0.25, method="svm"))
    reporter = Reporter(store, store.latest_job(run_id).id)
    materials = gather(reporter, run_id)
    trial = prepare_trial(materials, SETTINGS)
    materials.backbone.trainable = False
    head = models.build_head(models.row_channels(materials.backbone), 3, materials.settings)
    first, second = fit_heads(trial, head)
    assert [array.shape for array in first] == [array.shape for array in head.get_weights()]
    assert not np.array_equal(first[0], second[0])
    store.fail_job(reporter.job_id, "ended by the test")


def test_a_run_without_a_head_is_not_probed(store, tiny_dataset):
    run_id = store.add_run(tiny_dataset, "efficientnet-lite0", HEAD.to_json())
    with pytest.raises(RunError, match="Train its head first"):
        starts.add_probe_job(store, run_id, SETTINGS)


def test_a_second_probe_of_a_run_waits_for_the_first(store, head_run):
    job_id = starts.add_probe_job(store, head_run, SETTINGS)
    with pytest.raises(RunError, match="no other job of this kind works"):
        starts.add_probe_job(store, head_run, SETTINGS)
    store.fail_job(job_id, "given up by the test")
    assert starts.latest_trial(store, "probe", head_run).id == job_id
    assert starts.latest_trial(store, "rate_search", head_run) is None
