"""The predictor's own process: nothing but frames on its output, nothing left of what was sent."""

import io
import os
import subprocess
import sys
import threading

from tests.support.pictures.corpus import jpeg
from tests.support.trained_run import DATASET, add_trained_run
from thaw.prediction.frames import Frame, read_frame, write_frame
from thaw.prediction.server import Loaded, serve
from thaw.storage.datasets import Arrival
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace

NOISY = """
import os, sys
from thaw.prediction.server import _claim_pipes
from thaw.prediction.frames import read_frame, write_frame
questions, answers = _claim_pipes()
print("said by Python")
sys.__stdout__.write("said by Python's own")
os.write(1, b"said by a library in C")
write_frame(answers, read_frame(questions))
"""


def test_what_a_library_prints_is_no_part_of_the_answers():
    sent = io.BytesIO()
    write_frame(sent, Frame({"run": "any"}, [b"bytes"]))
    ended = subprocess.run([sys.executable, "-c", NOISY], input=sent.getvalue(), capture_output=True, check=True)
    assert ended.stdout == sent.getvalue()
    assert all(words in ended.stderr for words in (b"said by Python\n", b"Python's own", b"said by a library"))


def test_it_answers_until_the_questions_end_and_leaves_nothing(tmp_path):
    workspace = open_workspace(tmp_path)
    sent = io.BytesIO()
    for _ in range(2):
        write_frame(sent, Frame({"do": "classify", "run": "run-none"}, [jpeg(1)]))
    command = [sys.executable, "-m", "thaw.prediction.server", "--workspace", str(tmp_path)]
    ended = subprocess.run(command, input=sent.getvalue(), capture_output=True, check=True)
    answers = io.BytesIO(ended.stdout)
    for _ in range(2):
        answer = read_frame(answers)
        assert answer.header["error"] == "RunError"
        assert "run-none" in answer.header["message"]
    assert read_frame(answers) is None
    assert not list((workspace.root / "staging").iterdir())


class Painter:
    """Stands for what draws heat maps, for which TensorFlow would start."""

    def __init__(self):
        self.asked = []

    def draw(self, pixels, class_number):
        self.asked.append(class_number)


def test_heat_maps_are_made_ready_at_once_or_when_nobody_asks_anything(tmp_path, monkeypatch, wait_for):
    store = Store(open_workspace(tmp_path / "workspace"))
    store.add_dataset(DATASET, "photos", "folder", Arrival([]))
    monkeypatch.setattr("thaw.prediction.server.QUIET_S", 0.5)
    painter = Painter()
    monkeypatch.setattr(Loaded, "grad_cam", painter)
    run_id = add_trained_run(store, seed=3)
    (inlet, asks), (answers, tells) = os.pipe(), os.pipe()
    with os.fdopen(inlet, "rb") as questions, os.fdopen(tells, "wb") as told, os.fdopen(answers, "rb") as heard:
        serving = threading.Thread(target=serve, args=(store, questions, told, 60.0))
        serving.start()
        with os.fdopen(asks, "wb") as asked:
            write_frame(asked, Frame({"do": "warm", "run": run_id, "maps": False}))
            assert read_frame(heard).header == {}
            assert painter.asked == []
            wait_for(lambda: len(painter.asked) == 1, 10, "the heat map that was put off")
            write_frame(asked, Frame({"do": "warm", "run": run_id, "maps": True}))
            assert read_frame(heard).header == {}
            assert len(painter.asked) == 2
        serving.join(60)
        assert not serving.is_alive()
