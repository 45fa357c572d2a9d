"""The command that searches backbone, learning rate and augmentation on a cluster."""

from dataclasses import asdict
from typing import Any

import click

from thaw.cli.commands import cluster_option, command, shards_option
from thaw.cli.jobs import do
from thaw.cli.output import Output
from thaw.cluster.keeping import choose_store
from thaw.cluster.spreading import choose_cluster, require_cluster
from thaw.jobs import starts
from thaw.storage.store import Store
from thaw.tuning.search_record import CAUTION, SearchSettings, advise, rank, read_search
from tlcore.errors import RunError, SettingsError
from tlcore.images.recipes import PRESETS
from tlcore.models.backbones import BACKBONES, read_backbone
from tlcore.models.weights import is_local
from tlcore.settings import HeadSettings

DEFAULT = SearchSettings([HeadSettings().backbone])
MOST_BACKBONES = 3
CUT_SHORT = "It was stopped before it had finished; every finished trial is kept: search again to go on."


@command("search")
@click.argument("dataset")
@click.option(
    "--backbones",
    metavar="A,B",
    help=f"default: {HeadSettings().backbone} and others whose weights are here, {MOST_BACKBONES} at most",
)
@click.option("--rates", metavar="A,B", help=f"learning rates (default: {','.join(map('{:g}'.format, DEFAULT.rates))})")
@click.option(
    "--augmentations",
    metavar="A,B",
    help=f"of {', '.join(PRESETS)}, or 'A;B' where one is a recipe (default: {','.join(DEFAULT.augmentations)})",
)
@click.option("--epochs", type=int, help=f"at most, for the best (default: {DEFAULT.epochs})")
@click.option("--seed", type=int, help=f"default: {DEFAULT.seed}")
@click.option("--show", is_flag=True, help="tell what an earlier search has found, and search nothing")
@cluster_option
@shards_option
def run_search(
    store: Store, dataset: str, cluster: str | None, shards: str | None, show: bool, **options: Any
) -> Output:
    """Search settings for a data set on a cluster, in this process, or tell what was found."""
    choose_cluster(cluster)
    choose_store(shards)
    store.dataset(dataset)
    if not show:
        require_cluster()
        do(store, starts.add_search_job(store, dataset, read_settings(**options)), CUT_SHORT)
    return describe_search(store, dataset)


def read_settings(
    backbones: str | None, rates: str | None, augmentations: str | None, epochs: int | None, seed: int | None
) -> SearchSettings:
    """Return the settings that the options ask for; raise SettingsError and BackboneError for what makes no sense."""
    given: dict[str, Any] = {
        "rates": rates and [_read_rate(each) for each in _split(rates)],
        "augmentations": augmentations and _split(augmentations),
        "epochs": epochs,
        "seed": seed,
    }
    names = [read_backbone(each).name for each in _split(backbones)] if backbones else list_local()
    return SearchSettings(names, **{name: value for name, value in given.items() if value is not None})


def list_local() -> list[str]:
    """Return the default backbone and others whose weights are on this machine, in the order of the table."""
    local = [name for name, row in BACKBONES.items() if is_local(row)]
    return list(dict.fromkeys([HeadSettings().backbone, *local]))[:MOST_BACKBONES]


def describe_search(store: Store, dataset_id: str) -> dict[str, Any]:
    """Return what a search has found, the best first; raise RunError where none has begun."""
    found = read_search(store.workspace.dataset(dataset_id))
    if found is None:
        raise RunError(
            f"Expected a data set for which settings were searched. Received: {dataset_id!r}, for which none were. "
            f"Search: python -m thaw search {dataset_id} --cluster ADDRESS"
        )
    ranked = rank(found.trials)
    return {
        "dataset": dataset_id,
        "epochs": found.plan.epochs,
        "trials": [asdict(trial) for trial in ranked],
        "missing": [asdict(each) for each in found.missing],
        "caution": CAUTION if ranked else None,
        "train": advise(dataset_id, ranked[0], found.plan) if ranked else None,
    }


def _split(text: str) -> list[str]:
    # A recipe has commas of its own.
    return [each.strip() for each in text.split(";" if ";" in text else ",") if each.strip()]


def _read_rate(text: str) -> float:
    try:
        return float(text)
    except ValueError as problem:
        raise SettingsError(
            f"Expected learning rates as numbers with commas between them, such as 3e-4,1e-3. Received: {text!r}."
        ) from problem
