"""The predictor's own process: nothing but frames on its output, nothing left of what was sent."""

import io
import subprocess
import sys

from tests.support.pictures.corpus import jpeg
from thaw.prediction.frames import Frame, read_frame, write_frame
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
