"""The predictor asked as pages ask it: a real process, killed, idle, with junk, by two threads at once."""

import io
import os
import signal
import subprocess
import sys
import threading

import numpy as np
import psutil
import pytest
from PIL import Image as Picture

from tests.support.pictures.corpus import encoded, jpeg, photo, png_bomb
from tests.support.trained_run import DATASET, LABELS, add_trained_run
from thaw.errors import PredictorError
from thaw.prediction.client import Predictor, predictor
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import ImageRejected, RunError, SettingsError, WeightsError
from tlcore.settings import HeadSettings

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = Store(open_workspace(tmp_path_factory.mktemp("predicting")))
    image = Image("img-0", LABELS[0], "berry/0.png", "0" * 64, 48, 48, suffix=".png", folder=DATASET)
    made.add_dataset(DATASET, "photos", "folder", Arrival([image]))
    return made


@pytest.fixture(scope="module")
def run_id(store):
    return add_trained_run(store, seed=1)


@pytest.fixture(scope="module")
def other_id(store):
    return add_trained_run(store, seed=2)


@pytest.fixture(scope="module")
def shared(store):
    """One predictor for the tests that leave it as it was, so that TensorFlow starts once."""
    asked = predictor(store.workspace)
    yield asked
    asked.close()


def test_a_model_that_was_made_ready_answers_in_the_same_process_and_as_ever(shared, run_id, wait_for):
    shared.warm(run_id)
    wait_for(lambda: shared.running, 30, "the process")
    pid = shared.pid
    (answer,) = shared.classify(run_id, [jpeg(3)])
    maps = shared.heat_maps(run_id, jpeg(3))
    assert shared.pid == pid
    assert answer.probabilities.argmax() == maps.class_number
    shared.warm("run-that-is-not-there")
    (again,) = shared.classify(run_id, [jpeg(3)])
    assert np.array_equal(answer.probabilities, again.probabilities)


def test_no_process_is_made_ready_where_memory_is_short(store, run_id, monkeypatch):
    monkeypatch.setattr("thaw.prediction.client.FREE_BYTES", 2**60)
    asked = Predictor(store.workspace)
    asked.warm(run_id)
    assert not asked.running


def test_junk_among_good_pictures_costs_its_own_answer_alone(shared, run_id, tmp_path):
    good = [jpeg(seed) for seed in range(9)]
    answers = shared.classify(run_id, [good[0], b"<html>404</html>", *good[1:], b"", png_bomb()])
    rejected = [answer.rejected for answer in answers]
    assert [reason is None for reason in rejected] == [True, False, *[True] * 8, False, False]
    assert "web page" in rejected[1]
    assert "13,000" in rejected[-1]
    shares = np.stack([answer.probabilities for answer in answers if answer.rejected is None])
    assert shares.shape == (9, 3)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(shares, axis=0).max() > 0.01, "every picture has an answer of its own"
    assert shared.classify(run_id, []) == []

    (tmp_path / "a.jpg").write_bytes(good[0])
    from_files = shared.classify_files(run_id, [tmp_path / "absent.jpg", tmp_path / "a.jpg"])
    assert from_files[0].rejected
    np.testing.assert_allclose(from_files[1].probabilities, shares[0], atol=1e-5)
    assert not list((shared._workspace.root / "staging").iterdir()), "nothing of what was sent is left"


def test_deep_pictures_are_read_by_the_range_of_the_runs_photos(shared, store, run_id, tmp_path):
    dark = add_trained_run(store, seed=1)
    store.add_facts(dark, {"grey_range": 4095})
    plain = Picture.fromarray(np.asarray(photo(3, 48, 48).convert("L")))
    deep = Picture.fromarray((np.asarray(plain).astype(np.float64) * 4095 / 255).round().astype(np.uint16))
    sent = [encoded(plain, "PNG"), encoded(deep, "PNG")]
    plainly, deeply = shared.classify(dark, sent)
    np.testing.assert_allclose(plainly.probabilities, deeply.probabilities, atol=1e-6)
    assert (list(plainly.notes), list(deeply.notes)) == ([], ["scaled from more than 8 bits (0 to 4,095)"])
    black = shared.classify(run_id, sent)[1]
    assert abs(black.probabilities - deeply.probabilities).max() > 1e-3
    (tmp_path / "deep.png").write_bytes(sent[1])
    from_file = shared.classify_files(dark, [tmp_path / "deep.png"])[0]
    np.testing.assert_allclose(from_file.probabilities, deeply.probabilities, atol=1e-6)
    maps = shared.heat_maps(dark, sent[1], 0)
    assert abs(maps.picture[..., 0].astype(int) - np.asarray(plain)).max() <= 1


def test_thumbnails_come_where_they_are_asked_for(shared, run_id):
    with_them = shared.classify(run_id, [jpeg(1, 900, 600), b"no picture", jpeg(2)], thumbnails=True)
    assert [answer.thumbnail is None for answer in with_them] == [False, True, False]
    with Picture.open(io.BytesIO(with_them[0].thumbnail)) as small:
        assert small.size == (256, 171)
    assert [answer.thumbnail for answer in shared.classify(run_id, [jpeg(1)])] == [None]


def test_two_threads_get_each_their_own_answers(shared, run_id, other_id):
    pictures = {run_id: [jpeg(n) for n in range(20, 40)], other_id: [jpeg(n) for n in range(40, 60)]}
    expected = {run: [shared.classify(run, [each])[0].probabilities for each in pictures[run]] for run in pictures}
    found = {}
    threads = [
        threading.Thread(target=lambda run=run: found.update({run: shared.classify(run, pictures[run])}))
        for run in pictures
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for run in pictures:
        got = np.stack([answer.probabilities for answer in found[run]])
        np.testing.assert_allclose(got, np.stack(expected[run]), atol=1e-5)
    assert np.abs(np.stack(expected[run_id]) - np.stack(expected[other_id])).max() > 0.01


def test_errors_come_over_the_pipe_as_they_are(shared, store, run_id):
    untrained = store.add_run(DATASET, "efficientnet-lite0", HeadSettings().to_json())
    with pytest.raises(RunError, match=untrained):
        shared.classify(untrained, [jpeg(1)])
    with pytest.raises(RunError, match="run-none"):
        shared.classify("run-none", [jpeg(1)])
    other = add_trained_run(store, seed=3)
    store.add_facts(other, {"weights_sha256": "0" * 64})
    with pytest.raises(WeightsError, match="Restore that file"):
        shared.classify(other, [jpeg(1)])
    gone = store.add_run(DATASET, "resnet50-v2", HeadSettings(backbone="resnet50-v2").to_json())
    store.set_result(gone, 1)
    with pytest.raises(WeightsError, match="removed since"):
        shared.classify(gone, [jpeg(1)])
    assert shared.classify(run_id, [jpeg(1)])[0].rejected is None


def test_heat_maps_come_with_the_picture_and_the_class(shared, run_id, tmp_path):
    said = shared.classify(run_id, [jpeg(3, 640, 480)])[0].probabilities
    maps = shared.heat_maps(run_id, jpeg(3, 640, 480))
    assert maps.class_number == said.argmax()
    assert (maps.picture.shape, maps.picture.dtype) == ((480, 640, 3), np.uint8)
    assert maps.frozen.values.max() == 1
    assert (maps.frozen.layer, maps.trained) == ("head_activation", None)
    (tmp_path / "same.jpg").write_bytes(jpeg(3, 640, 480))
    other = shared.heat_maps(run_id, tmp_path / "same.jpg", (maps.class_number + 1) % 3)
    np.testing.assert_array_equal(other.picture, maps.picture)
    assert np.abs(other.frozen.values - maps.frozen.values).max() > 0.1
    with pytest.raises(ImageRejected, match="web page"):
        shared.heat_maps(run_id, b"<html>404</html>")
    with pytest.raises(SettingsError, match="from 0 to 2"):
        shared.heat_maps(run_id, jpeg(3), 3)


def test_a_run_that_was_trained_on_is_loaded_anew(shared, store, other_id):
    before = shared.classify(other_id, [jpeg(1)])[0].probabilities
    path = store.workspace.run(other_id) / "head.npz"
    with np.load(path) as kept:
        arrays = dict(kept)
    np.savez(path, **arrays | {"head/1": np.array([0, 0, 9], np.float32)})
    after = shared.classify(other_id, [jpeg(1)])[0].probabilities
    assert after.argmax() == 2
    assert np.abs(after - before).max() > 0.01


def test_there_is_one_predictor_a_workspace(shared, store, tmp_path):
    assert predictor(store.workspace) is shared
    other = predictor(open_workspace(tmp_path / "other"))
    assert other is not shared
    assert not other.running


@posix
def test_a_killed_process_is_started_again_once(store):
    asked = Predictor(store.workspace)
    expect_refusal(asked)
    killed = asked.pid
    os.kill(killed, signal.SIGKILL)
    expect_refusal(asked)
    assert asked.running
    assert asked.pid != killed

    # And in the middle of an answer: held still first, so that it cannot finish it.
    killed = psutil.Process(asked.pid)
    killed.suspend()
    threading.Timer(1.0, killed.kill).start()
    expect_refusal(asked)
    assert asked.running
    assert asked.pid != killed.pid
    asked.close()


@posix
def test_a_process_that_hangs_or_is_closed_meanwhile_is_told_plainly(store, monkeypatch):
    asked = Predictor(store.workspace)
    expect_refusal(asked)
    psutil.Process(asked.pid).suspend()
    monkeypatch.setattr("thaw.prediction.client.LIMIT_S", 0)
    monkeypatch.setattr(asked, "_limit_s", 0.2)
    with pytest.raises(PredictorError, match=r"within 0\.2 s"):
        asked.classify("run-none", [jpeg(1)])
    assert not asked.running

    monkeypatch.undo()
    expect_refusal(asked)
    psutil.Process(asked.pid).suspend()
    threading.Timer(1.0, asked.close).start()
    with pytest.raises(PredictorError, match="it was closed"):
        asked.classify("run-none", [jpeg(1)])
    assert not asked.running


def expect_refusal(asked):
    """Ask what can be answered without TensorFlow, which takes seconds to start."""
    with pytest.raises(RunError, match="run-none"):
        asked.classify("run-none", [jpeg(1)])


def test_a_process_that_cannot_start_says_so(tmp_path, monkeypatch):
    workspace = open_workspace(tmp_path)
    broken = Predictor(workspace)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(PredictorError, match=r"2 times in a row \(exit status 1\)"):
        broken.classify("run-none", [jpeg(1)])
    assert not broken.running


def test_it_ends_when_nobody_asks(store, run_id, wait_for):
    idle = Predictor(store.workspace, idle_s=0.5)
    expect_refusal(idle)
    wait_for(lambda: not idle.running, what="the end of an idle predictor")
    assert idle.pid is None
    expect_refusal(idle)
    idle.close()
    assert not idle.running


@posix
def test_it_ends_with_the_process_that_asked(store, wait_for):
    code = f"""
import time
from tlcore.errors import RunError
from thaw.prediction.client import predictor
from thaw.storage.workspace import open_workspace
asked = predictor(open_workspace({str(store.workspace.root)!r}))
try:
    asked.classify("run-none", [b""])
except RunError:
    print(asked.pid, flush=True)
time.sleep(60)
"""
    server = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(server.stdout.readline()))
    family = [child, *child.children(recursive=True)]
    assert len(family) > 1
    server.kill()
    server.wait()
    server.stdout.close()
    wait_for(lambda: not any(alive(each) for each in family), what="the end of the predictor and its decoders")


def alive(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
