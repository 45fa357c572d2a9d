"""Files of an export that other machines ask: proven by the same answers as here, and here where those fail."""

import pickle

import pytest

from tests.support.cluster.nodes import cluster
from tests.support.runs import train_head
from thaw.cluster import spreading
from thaw.cluster.runner import Outcome
from thaw.cluster.spreading import VARIABLE
from thaw.exporting import exports
from thaw.worker import work
from tlcore.errors import RunError
from tlcore.exporting import bench
from tlcore.exporting.bench import Scoring, score
from tlcore.settings import HeadSettings

HEAD = HeadSettings(image_size=48, epochs=2, validation_split=0.25)
FORMATS = ["litert", "onnx"]


@pytest.fixture(scope="module")
def run_id(store, tiny_dataset):
    return train_head(store, tiny_dataset, HEAD)


def export(store, run_id, formats):
    """Export a run; return what was found of each file, and what the job said."""
    job_id = exports.add_export_job(store, run_id, formats)
    work(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error
    found = [(each.name, each.verdict, each.proof.judged) for each in exports.latest_export(store, run_id).formats]
    return found, store.job(job_id).note


class Somewhere:
    """Stands for the cluster: a task goes there and back pickled, the first one fails there."""

    nodes = 2

    def __init__(self, address, tell, packages):
        assert "ai-edge-litert" in packages
        self.address = address

    def run(self, call, tasks, check_stop):
        assert call.whole
        assert call.witness.name == "judged.npy"
        for number, task in pickle.loads(pickle.dumps(list(tasks))):  # noqa: S301 - what was pickled in this line
            check_stop()
            if number == 0:
                yield Outcome(number, "lab-1", reason="it ran out of memory")
            else:
                yield Outcome(number, "lab-2", call.function(call.common, task))

    def close(self):
        pass


def test_what_other_machines_cannot_prove_is_proven_here(store, run_id, monkeypatch):
    here, _ = export(store, run_id, FORMATS)
    asked_here = []
    inner = bench._score
    monkeypatch.setattr(bench, "_score", lambda p, b, trial: (asked_here.append(trial.row.name), inner(p, b, trial)))
    monkeypatch.setattr(spreading, "RayRunner", Somewhere)
    monkeypatch.setenv(VARIABLE, "lab:6379")
    there, note = export(store, run_id, FORMATS)
    assert there == here
    assert asked_here == ["litert"]
    assert "One task failed on lab-1 (it ran out of memory): it is done on this machine." in note
    assert "On 2 machines of the cluster at lab:6379, 2 of 2 tasks." in note


def test_a_file_that_does_not_answer_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "torn.onnx").write_bytes(b"no network")
    (tmp_path / "pixels.npy").write_bytes(b"")
    scoring = Scoring("onnx", *(str(tmp_path / name) for name in ("torn.onnx", "pixels.npy", "answers.npz")))
    with pytest.raises(RunError):
        score(None, scoring)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pixels.npy", "torn.onnx"]


@pytest.mark.slow
def test_an_export_on_a_real_cluster_has_the_same_proofs(store, run_id, monkeypatch):
    pytest.importorskip("ray", reason="pip install '.[cluster]', to prove files on a real Ray cluster")
    monkeypatch.setenv(VARIABLE, "")
    here, _ = export(store, run_id, None)
    with cluster() as lab:
        monkeypatch.setenv(VARIABLE, lab.address)
        there, note = export(store, run_id, None)
    assert [each[:2] for each in there] == [each[:2] for each in here]
    for ours, theirs in zip(here, there, strict=True):
        for one, other in zip(ours[2], theirs[2], strict=True):
            assert (one.images, one.disagreements, one.accuracy) == (other.images, other.disagreements, other.accuracy)
            assert other.largest_difference == pytest.approx(one.largest_difference, abs=1e-6)
    assert f"On 1 machine of the cluster at {lab.address}, {len(here)} of {len(here)} tasks." in note
