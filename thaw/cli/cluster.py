"""The command about a cluster: its machines and what they do, and what many photos would take on such."""

import os
from dataclasses import asdict

import click

from thaw.backbones.speeds import read_speeds
from thaw.cli.commands import BackboneName, cluster_option, command
from thaw.cli.output import Output
from thaw.cluster.costs import estimate
from thaw.cluster.ray_runner import look_at
from thaw.cluster.spreading import choose_cluster, require_cluster
from thaw.storage.workspace import Workspace
from tlcore.errors import SettingsError
from tlcore.settings import HeadSettings

BACKBONE = HeadSettings().backbone


def _know_place(workspace: Workspace) -> Workspace:
    """Open no database: what a workspace holds has nothing to do with a cluster."""
    return workspace


@command("cluster", opens=_know_place)
@cluster_option
@click.option("--photos", type=int, help="tell what the features of so many would take, without a cluster")
@click.option("--backbone", type=BackboneName(), default=BACKBONE, help=f"of these features (default: {BACKBONE})")
@click.option("--machines", type=int, default=2, help="that would compute them (default: 2)")
@click.option("--cpus", type=int, help="processors of each of these machines (default: as many as this one has)")
@click.option("--price", type=float, default=0.0, help="of a machine for an hour, such as 0.50 (default: 0)")
def run_cluster(
    workspace: Workspace,
    cluster: str | None,
    photos: int | None,
    backbone: str,
    machines: int,
    cpus: int | None,
    price: float,
) -> Output:
    """List the machines of a cluster, those that are gone last, or tell what so many photos would take."""
    if photos is not None:
        return _expect(workspace, photos, backbone, machines, cpus or os.cpu_count() or 1, price)
    choose_cluster(cluster)
    return [
        {
            "machine": node.name,
            "alive": node.alive,
            "cpus": node.cpus,
            "cpus_at_work": node.busy_cpus,
            "gpus": node.gpus,
            "memory_gb": round(node.memory_bytes / 1e9, 1),
        }
        for node in look_at(require_cluster())
    ]


def _expect(workspace: Workspace, photos: int, backbone: str, machines: int, cpus: int, price: float) -> Output:
    by_device = read_speeds(workspace).items()
    speeds = [known[backbone] for device, known in by_device if device.startswith("CPU") and backbone in known]
    if not speeds:
        raise SettingsError(
            f"Expected the speed of {backbone} on this machine's processor. Received: none yet. Measure it: `python -m "
            f"thaw speed {backbone}`."
        )
    cost = estimate(photos, speeds[-1], machines, cpus, price)
    return {"photos": photos, "backbone": backbone, "machines": machines, "cpus": cpus} | {
        name: round(value, 3) for name, value in asdict(cost).items()
    }
