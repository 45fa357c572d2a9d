"""The command that lists a cluster's machines, and the options that name a cluster and a store."""

import json

import pytest

from tests.support.cluster.nodes import cluster, free_port
from thaw.__main__ import main
from thaw.cluster.costs import estimate
from thaw.cluster.spreading import VARIABLE


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch):
    monkeypatch.setenv(VARIABLE, "")


def ask(capsys, *words):
    status = main([*words, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_without_an_address_the_way_to_name_one_is_told(capsys, workspace):
    status, answer = ask(capsys, "cluster", "--workspace", str(workspace.root))
    assert status == 1
    assert (
        "Expected the address of a Ray cluster, by --cluster HOST:PORT or the variable THAW_CLUSTER" in answer["error"]
    )


@pytest.mark.parametrize(
    "command", ["cluster", "import", "train", "check", "probe", "search", "finetune", "resume", "export"]
)
def test_what_is_no_address_is_refused_before_any_work(capsys, workspace, command):
    about = [] if command == "cluster" else ["ds-none"]
    status, answer = ask(capsys, command, *about, "--cluster", "lab", "--workspace", str(workspace.root))
    assert status == 1
    assert "Expected the address of a Ray cluster as HOST:PORT, or auto. Received: 'lab'" in answer["error"]


@pytest.mark.parametrize("command", ["train", "check", "probe", "finetune", "resume"])
def test_what_names_no_store_is_refused_before_any_work(capsys, monkeypatch, workspace, command):
    monkeypatch.setenv("THAW_SHARDS", "")
    status, answer = ask(capsys, command, "ds-none", "--shards", "lab", "--workspace", str(workspace.root))
    assert status == 1
    assert "Expected the URL of a folder for features, such as s3://bucket/features" in answer["error"]


def test_no_cluster_at_the_address_is_told(capsys, workspace):
    address = f"127.0.0.1:{free_port()}"
    status, answer = ask(capsys, "cluster", "--cluster", address, "--workspace", str(workspace.root))
    assert status == 1
    assert f"Expected a Ray cluster at {address}. Received: no answer" in answer["error"]


def test_the_machines_are_listed(capsys, workspace):
    pytest.importorskip("ray", reason="pip install '.[cluster]', to list the machines of a real Ray cluster")
    with cluster() as lab:
        status, answer = ask(capsys, "cluster", "--cluster", lab.address, "--workspace", str(workspace.root))
    assert status == 0
    (machine,) = answer
    assert machine.pop("memory_gb") > 0
    assert machine == {"machine": "head", "alive": True, "cpus": 1.0, "cpus_at_work": 0.0, "gpus": 0.0}


def test_what_photos_would_take_is_told_by_the_speed_measured_here(capsys, tmp_path):
    words = ("cluster", "--photos", "1000000", "--machines", "4", "--cpus", "8", "--price", "0.5")
    words = (*words, "--workspace", str(tmp_path))
    status, answer = ask(capsys, *words)
    assert status == 1
    assert "Measure it: `python -m thaw speed efficientnet-lite0`" in answer["error"]
    speeds = {"GPU: one": {"efficientnet-lite0": 0.1}, "CPU: one": {"efficientnet-lite0": 10.0}}
    (tmp_path / "speed.json").write_text(json.dumps(speeds))
    status, answer = ask(capsys, *words)
    assert status == 0
    cost = estimate(1_000_000, 10.0, 4, 8, 0.5)
    assert answer["hours"] == round(cost.hours, 3)
    assert answer["price"] == round(cost.price, 3) > 0
    assert (answer["machines"], answer["cpus"], answer["backbone"]) == (4, 8, "efficientnet-lite0")
