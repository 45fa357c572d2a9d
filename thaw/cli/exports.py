"""The command `export`: writes a run's result in formats for other programs, and the zip that is asked for."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from thaw.cli.commands import cluster_option, command
from thaw.cli.jobs import do
from thaw.cli.output import Output
from thaw.cluster.spreading import choose_cluster
from thaw.exporting import exports
from thaw.exporting.web_runtime import keep_runtime
from thaw.exporting.zip_stream import stream_zip
from thaw.storage.export_record import Export, export_folder, handed_on
from thaw.storage.store import Store
from tlcore.errors import RunError, SettingsError
from tlcore.exporting.formats import FORMATS
from tlcore.exporting.web.runtime import COMMAND
from tlcore.files import replacing


@command("export", lists=["--formats"])
@click.argument("run")
@click.option("--formats", multiple=True, metavar="FORMAT...", help=f"of {', '.join(FORMATS)} (default: all)")
@click.option(
    "--web-runtime", metavar="FILE.tgz", help=f"what a web page computes with, as `{COMMAND}` writes it; kept"
)
@click.option("--to", metavar="FILE.zip", help="write what was proven to this zip, too")
@cluster_option
def run_export(
    store: Store, run: str, formats: Sequence[str], web_runtime: str | None, to: str | None, cluster: str | None
) -> Output:
    """Export a run's result in this process, prove every file, and write the zip that was asked for."""
    choose_cluster(cluster)
    target = Path(to).expanduser() if to else None
    if target and target.suffix != ".zip":
        raise SettingsError(f"Expected --to FILE.zip. Received: {str(target)!r}. Give a name that ends in .zip.")
    if web_runtime:
        keep_runtime(store.workspace, Path(web_runtime))
    job_id = exports.add_export_job(store, run, read_formats(formats) or None)
    do(store, job_id, "It was stopped before it had finished; nothing of this export was kept.")
    made = exports.latest_export(store, run)
    assert made is not None
    if target:
        write_zip(store, made, target)
    return {"folder": str(export_folder(store.workspace, made.run)), "zip": str(target) if target else None} | asdict(
        made
    )


def read_formats(words: Sequence[str]) -> list[str]:
    """Return the names of formats, also where a person joins them by commas or writes saved_model."""
    return [name.strip().replace("_", "-") for word in words for name in word.split(",") if name.strip()]


def write_zip(store: Store, made: Export, target: Path) -> None:
    """Write everything of an export that may be handed on to a zip; raise RunError where nothing may."""
    folder = export_folder(store.workspace, made.run)
    if not made.offered:
        raise RunError(
            f"Expected at least one file that passed its proof. Received: none of {len(made.formats)}. "
            f"{folder} has the reasons in export.json."
        )
    with replacing(target) as temporary, temporary.open("wb") as file:
        for piece in stream_zip(folder, list(handed_on(folder, made)), f"{made.run}-export"):
            file.write(piece)
