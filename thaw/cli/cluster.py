"""The command about a cluster: its machines and what they do."""

from thaw.cli.commands import cluster_option, command
from thaw.cli.output import Output
from thaw.cluster.ray_runner import look_at
from thaw.cluster.spreading import VARIABLE, choose_cluster, chosen_cluster
from thaw.storage.workspace import Workspace
from tlcore.errors import SettingsError


def _know_place(workspace: Workspace) -> Workspace:
    """Open no database: a cluster has nothing to do with what a workspace holds."""
    return workspace


@command("cluster", opens=_know_place)
@cluster_option
def run_cluster(_workspace: Workspace, cluster: str | None) -> Output:
    """List the machines of a cluster, those that are gone last."""
    choose_cluster(cluster)
    address = chosen_cluster()
    if address is None:
        raise SettingsError(
            f"Expected the address of a Ray cluster, by --cluster HOST:PORT or the variable {VARIABLE}. Received: none."
        )
    return [
        {
            "machine": node.name,
            "alive": node.alive,
            "cpus": node.cpus,
            "cpus_at_work": node.busy_cpus,
            "gpus": node.gpus,
            "memory_gb": round(node.memory_bytes / 1e9, 1),
        }
        for node in look_at(address)
    ]
