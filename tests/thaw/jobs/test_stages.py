"""The words of stages: each has some, and a job is at no other stage."""

import sqlite3

import pytest

from thaw.cli.jobs import tell
from thaw.jobs.stages import STAGES, phrase
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.progress import Stage


def test_every_stage_has_words_of_its_own():
    assert STAGES.keys() == set(Stage)
    assert len({name for name, _ in STAGES.values()}) == len(Stage)


def test_what_a_stage_counts_is_told_where_it_does_not_go_without_saying():
    assert phrase(Stage.UNPACKING_TAR) == "unpacking the tar (bytes)"
    assert phrase(Stage.FINE_TUNING) == "training, phase 2"


def test_the_command_line_tells_stages_in_words_and_leaves_words_as_they_are(capsys):
    tell(Stage.CHECKING_IMAGES, 1000, 2000)
    tell("Keep these parts, as advised", 0, 0)
    assert capsys.readouterr().err == "checking images: 1,000 of 2,000\nKeep these parts, as advised ...\n"


def test_a_job_is_at_no_stage_that_there_is_not(tmp_path):
    store = Store(open_workspace(tmp_path))
    job_id = store.add_job("import", {})
    assert store.job(job_id).stage is Stage.STARTING
    with pytest.raises(sqlite3.IntegrityError):
        store.update_job(job_id, stage="thinking")
