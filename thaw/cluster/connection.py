"""A connection to a Ray cluster: joined with plain words where that cannot be, its nodes, and what each of them lacks.

Only the driver's process has one (`thaw.cluster.driver`): Ray ends a process whose cluster is lost.
"""

import os
import platform
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thaw.cluster import node
from thaw.cluster.runner import ClusterError
from tlcore import __version__ as thaw_version

ANSWERS_WITHIN_S = 3.0
EXAMINED_WITHIN_S = 60.0
LEAST_FREE_BYTES = 500_000_000
# A cluster on this machine, which Ray finds by itself.
AUTO = "auto"
ADDRESS = re.compile(r"(?P<host>[\w.-]+|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
INSTALL = "pip install 'thaw[cluster]'"


@dataclass(frozen=True)
class Node:
    """A machine of the cluster: what it is called, its processors, GPUs and bytes of memory, and how many of its
    processors are at work."""

    id: str
    name: str
    alive: bool
    cpus: float
    gpus: float
    memory_bytes: int
    busy_cpus: float


def require_address(address: str) -> tuple[str, int] | None:
    """Return host and port of an address, None for "auto"; raise ClusterError for what is none."""
    if address == AUTO:
        return None
    match = ADDRESS.fullmatch(address)
    if match is None or int(match["port"]) > 65535:
        raise ClusterError(
            f"Expected the address of a Ray cluster as HOST:PORT, or {AUTO}. Received: {address!r}. `ray start --head` "
            "prints the address as it starts a cluster."
        )
    return match["host"].strip("[]"), int(match["port"])


def connect(address: str) -> None:
    """Join the cluster at `address` with this process; raise ClusterError where that cannot be."""
    place = require_address(address)
    if place:
        try:
            socket.create_connection(place, ANSWERS_WITHIN_S).close()
        except OSError as problem:
            raise ClusterError(
                f"Expected a Ray cluster at {address}. Received: no answer ({problem}). Start one there with `ray "
                "start --head`, or look at the address and the firewall between."
            ) from problem
    # Ray would tell its makers how it is used.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # It would wait for a minute for a cluster that is lost, and then end this process.
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", "10")
    try:
        import ray
    except ImportError as problem:
        raise ClusterError(
            f"Expected Ray, to reach the cluster at {address}. Received: a Python without it. Install it: {INSTALL}"
        ) from problem
    try:
        ray.init(address=address, namespace="thaw", log_to_driver=False, logging_level="ERROR", configure_logging=False)
    except Exception as problem:
        words = " ".join(str(problem).split())
        raise ClusterError(
            f"Expected a Ray cluster at {address} of Ray {ray.__version__} and Python {platform.python_version()}, of "
            f"which this machine is a node. Received: {words} Install the same versions on every machine, and have "
            f"this one join: `ray start --address={address} --num-cpus=0`."
        ) from problem


def list_nodes() -> list[Node]:
    """Return the machines of the cluster that is joined, those that are gone last."""
    import ray
    from ray._private.state import available_resources_per_node

    free: Mapping[str, Mapping[str, float]] = available_resources_per_node()
    known = ray.nodes()
    names = [str(each["NodeName"]) for each in known if each["Alive"]]
    nodes = []
    for each in known:
        has, name = each["Resources"], str(each["NodeName"])
        cpus = float(has.get("CPU", 0))
        if names.count(name) > 1:
            name = f"{name} ({each['NodeID'][:6]})"
        left = free.get(each["NodeID"], {}).get("CPU", 0.0)
        memory, gpus, alive = int(has.get("memory", 0)), float(has.get("GPU", 0)), bool(each["Alive"])
        nodes.append(Node(each["NodeID"], name, alive, cpus, gpus, memory, max(0.0, cpus - left) if alive else 0.0))
    return sorted(nodes, key=lambda each: (not each.alive, each.name))


def place_on(node_id: str, cpus: int) -> dict[str, Any]:
    """Return the options of a task that runs on one node and takes `cpus` of its processors."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    # What is tried again is for the caller to say.
    return {"num_cpus": cpus, "max_retries": 0, "scheduling_strategy": there, "name": "thaw"}


def own_versions(packages: Sequence[str]) -> dict[str, str | None]:
    """Return the versions of this machine that a node's have to match."""
    return node.describe(tuple(packages), "")["versions"]


def find_fault(name: str, said: Mapping[str, Any], own: Mapping[str, str | None]) -> str | None:
    """Say why a node that describes itself so is left out, and what to do; None where it is fit."""
    there = said["versions"]
    missing = [each for each in own if there.get(each) is None and own[each] is not None]
    if missing:
        return (
            f"{name} is left out: it lacks {', '.join(missing)}. Install what this machine has there: pip install "
            f"'thaw[cluster]=={thaw_version}'"
        )
    other = [each for each in own if there.get(each) != own[each] and own[each] is not None]
    if other:
        differing = ", ".join(f"{each} {there[each]} where this machine has {own[each]}" for each in other)
        return f"{name} is left out: it has {differing}. Install the same versions on both."
    if said["free_bytes"] < LEAST_FREE_BYTES:
        return (
            f"{name} is left out: its disk has {said['free_bytes'] / 1e6:,.0f} MB left, and "
            f"{LEAST_FREE_BYTES / 1e6:,.0f} are needed. Free some space there."
        )
    return None


def tell_unseen(name: str, witness: str) -> str:
    """Say why a node is left out that does not see the file `witness`, and what to do."""
    return (
        f"{name} is left out: it does not see {Path(witness).parent}, where the photos are. Mount the workspace there "
        "at the same path."
    )


def no_machine(address: str) -> ClusterError:
    """Return what is raised where no node of a cluster is fit."""
    return ClusterError(
        f"Expected a machine of the cluster at {address} that can do this. Received: none. `python -m thaw cluster` "
        "lists them."
    )
