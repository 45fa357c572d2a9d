"""The commands about the disk: what they tell, that nothing goes without --yes, and that it comes back."""

import json

import pytest

from tests.support.keepings import furnish, snapshot
from thaw.__main__ import main


@pytest.fixture
def furnished(tmp_path):
    return furnish(tmp_path / "workspace")


@pytest.fixture
def ask(furnished, capsys):
    """Return a function that runs a command on the workspace; it returns the exit status and the JSON."""
    store, *_ = furnished

    def run(*words):
        status = main([*words, "--workspace", str(store.workspace.root), "--json"])
        return status, json.loads(capsys.readouterr().out)

    return run


def test_disk_tells_every_thing_with_its_size_and_what_goes_with_it(furnished, ask):
    _, dataset_id, runs = furnished
    status, told = ask("disk")
    things = {each["id"]: each for each in told["things"]}
    assert status == 0
    assert set(things) == {
        *(dataset_id, *runs, *(f"{run}/export" for run in runs)),
        *(f"projects/{dataset_id}.zip", f"projects/{runs[0]}.zip", "features", "downloads", "speed"),
    }
    assert things[dataset_id]["goes_with"] == {"runs": 2, "exports": 2, "projects": 2, "checks": 1}
    assert things[runs[0]]["stays"] == {"runs": 1}
    assert all(each["bytes"] > 0 for each in told["things"])
    assert told["thaw"] >= sum(each["bytes"] for each in told["things"])
    assert told["features_at_most"] == 30_000_000_000
    assert 0 < told["free"] < told["total"]


def test_nothing_goes_without_a_yes(furnished, ask):
    store, dataset_id, _ = furnished
    before = snapshot(store)
    status, told = ask("delete", dataset_id)
    assert status == 1
    assert "--yes" in told["error"]
    assert "with 2 runs" in told["error"]
    assert "1 check" in told["error"]
    assert snapshot(store) == before


def test_what_was_deleted_is_listed_comes_back_or_goes_for_good(furnished, ask):
    store, dataset_id, runs = furnished
    before = snapshot(store)
    status, deleted = ask("delete", dataset_id, runs[0], "speed", "--yes")
    assert (status, [each["id"] for each in deleted]) == (0, [runs[0], dataset_id, "speed"])
    assert [each["id"] for each in ask("disk")[1]["trash"]] == ["speed", dataset_id, runs[0]]
    status, _ = ask("undelete", dataset_id, runs[0], "speed")
    assert (status, snapshot(store)) == (0, before)
    ask("delete", "features", "--yes")
    assert ask("disk", "--empty")[1]["emptied"] == ["features"]
    status, told = ask("undelete", "features")
    assert status == 1
    assert "in the trash" in told["error"]


def test_a_job_that_uses_it_is_named(furnished, ask):
    store, dataset_id, runs = furnished
    job_id = store.add_job("head", {}, dataset_id, runs[0])
    status, told = ask("delete", dataset_id, "--yes")
    assert status == 1
    assert job_id in told["error"]


def test_ids_that_are_none_are_refused(ask):
    for each in ("run-none", "data-none", "../thaw.sqlite3", "runs"):
        status, told = ask("delete", each, "--yes")
        assert status == 1
        assert "Expected the id" in told["error"]
