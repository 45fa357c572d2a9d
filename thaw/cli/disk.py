"""The commands about the disk: what Thaw keeps there, deleting it, and bringing it back."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from thaw.cli.commands import command
from thaw.cli.output import Output
from thaw.disk import trash
from thaw.disk.holdings import Holding, find_holding, list_holdings
from thaw.disk.usage import freed_bytes, measure_usage, own_bytes
from thaw.storage.store import Store
from thaw.storage.trash import Trashed
from tlcore.errors import SettingsError
from tlcore.features.cache import BUDGET_BYTES


@command("disk")
@click.option("--empty", is_flag=True, help="empty the trash first: nothing comes back from then on")
def run_disk(store: Store, empty: bool) -> Output:
    """Tell what Thaw keeps on the disk, what is in the trash and how much is free; empty the trash where asked to."""
    trash.settle(store)
    emptied = [each.subject for each in trash.empty(store)] if empty else []
    sizes = [(each, own_bytes(store.workspace, each)) for each in list_holdings(store)]
    usage = measure_usage(store.workspace, sizes)
    return {
        "workspace": str(store.workspace.root),
        "total": usage.total,
        "free": usage.free,
        "thaw": usage.thaw,
        "by_kind": usage.by_kind,
        "features_at_most": BUDGET_BYTES,
        "things": [_describe(each, size) for each, size in sorted(sizes, key=lambda pair: -pair[1])],
        "trash": [describe_trashed(each) for each in store.trash()],
        "emptied": emptied,
    }


@command("delete", "Each ID is as `disk` lists it.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="do it; without this, only tell what would go")
def run_delete(store: Store, ids: Sequence[str], yes: bool) -> Output:
    """Put things into the trash with all that goes with them; without --yes, only tell what that would be."""
    found = [find_holding(store, each) for each in dict.fromkeys(ids)]
    told = [_describe(each, freed_bytes(store.workspace, each)) for each in found]
    if not yes:
        raise SettingsError(
            "Expected --yes, which deletes what was named. Received: none, so that nothing was deleted. It would go: "
            + "; ".join(f"{each['id']} ({_in_words(each)})" for each in told)
            + "."
        )
    deleted = trash.delete_together(store, {each["id"]: each["bytes"] for each in told})
    return [describe_trashed(each) for each in deleted]


@command("undelete", "Each ID is as `disk` lists it in the trash.")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def run_undelete(store: Store, ids: Sequence[str]) -> Output:
    """Bring things back from the trash."""
    return [describe_trashed(trash.undelete(store, each)) for each in dict.fromkeys(ids)]


def describe_trashed(entry: Trashed) -> dict[str, Any]:
    """Return what the commands print of an entry of the trash."""
    return {"trash": entry.id, "id": entry.subject, "kind": entry.kind, "deleted_at": entry.deleted_at} | {
        name: value for name, value in entry.detail.items() if value is not None
    }


def _describe(holding: Holding, size_bytes: int) -> dict[str, Any]:
    kept = ("id", "kind", "title", "made_at", "goes_with", "stays")
    return {name: value for name, value in asdict(holding).items() if name in kept} | {"bytes": size_bytes}


def _in_words(told: dict[str, Any]) -> str:
    along = [f"{count} {name if count > 1 else name.removesuffix('s')}" for name, count in told["goes_with"].items()]
    return ", ".join([told["kind"], f"{told['bytes'] / 1e6:,.1f} MB", *(f"with {each}" for each in along)])
