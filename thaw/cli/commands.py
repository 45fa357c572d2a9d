"""The command line's commands by name, and the decorator that makes a function one of them."""

import functools
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, ParamSpec

import click

from thaw.cli.output import Output
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace, open_workspace
from tlcore.errors import SettingsError

P = ParamSpec("P")
# The module of each command and what `--help` says of it, so that only the module that is asked for is imported.
COMMANDS = {
    "app": ("dashboard", "Open the dashboard in the browser, for this machine only."),
    "import": ("data", "Import a folder with one sub-folder a class, a .zip or .tar of it, a CSV, or a sample."),
    "datasets": ("data", "List the data sets."),
    "rebuild": ("data", "Bring data sets and runs back from their folders, where the database is lost or damaged."),
    "dataset": ("data", "Save a data set, with its labels as they are now, as a zip of class folders or a CSV."),
    "check": (
        "data",
        "Cross-validate: what would near-duplicates on both sides of a split claim, and which labels are likely wrong?",
    ),
    "train": ("runs", "Phase 1: train a head on the frozen backbone."),
    "finetune": ("runs", "Phase 2: train the top layers of the backbone too, at a far smaller rate."),
    "probe": ("runs", "Try several depths of phase 2 in short runs and recommend one; the run stays as it is."),
    "find-rate": ("runs", "Search a learning rate (Smith's range test); the run stays as it is."),
    "search": (
        "search",
        "Try backbones, learning rates and augmentations on a Ray cluster, and tell which did best on validation.",
    ),
    "stop": ("runs", "Ask a run that trains or waits to stop; everything up to its last epoch is kept."),
    "resume": ("runs", "Go on with a run that was stopped or cut short."),
    "cluster": ("cluster", "List the machines of a Ray cluster, and what is at work on each."),
    "queue": ("runs", "List what works on the device and what waits for it."),
    "mistakes": ("runs", "List the misclassified validation images, largest confidence gap first."),
    "evaluate": ("evaluate", "Tell how good a run's result is on its exam photos: kind by kind, and what was found."),
    "predict": (
        "predict",
        "Classify pictures, or all in a folder, with a run's result, or find objects on them. Exit status: 0 when all "
        "were answered, 2 when some could not be read, 1 when none could or the command failed.",
    ),
    "export": ("exports", "Write a run's result in formats for other programs, each proven to answer alike."),
    "runs": ("runs", "List the runs, newest first."),
    "compare": ("runs", "Compare runs: their settings, and which one is better beyond chance."),
    "backbones": ("backbones", "List the backbones."),
    "weights": ("backbones", "Take a backbone's pretrained weights from a file, where there is no internet."),
    "speed": ("backbones", "Measure the milliseconds an image takes through backbones on this machine."),
    "history": ("sharing", "List every run with its lineage: weights, layers, rates, data, accuracies, versions."),
    "tensorboard": ("sharing", "Write the epochs of a run as TensorBoard event files."),
    "card": ("sharing", "Write the model card of a run, in Markdown and HTML."),
    "project": ("sharing", "Save a data set with its runs as one zip, or open such a zip and go on with it here."),
    "disk": ("disk", "Tell what is kept on the disk, with the ids to delete it by, and what is in the trash."),
    "delete": ("disk", "Put data sets, runs, exports, projects or caches into the trash."),
    "undelete": ("disk", "Bring back what was deleted, until the trash is emptied."),
    "serve": ("serve", "Answer for new pictures over HTTP, with a run's result or an export of it."),
}
COMMON = (
    click.Option(["--workspace"], metavar="DIR", help="the folder that holds data sets and runs"),
    click.Option(["--json", "as_json"], is_flag=True, help="print one JSON object on standard output"),
)


class Commands(click.Group):
    """Lists all commands, and imports the module of the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            import_module(f"{__package__}.{COMMANDS[cmd_name][0]}")
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


class Command(click.Command):
    """Reads `--formats a b` as `--formats a --formats b`, as it does for each option named in `lists`."""

    lists: Sequence[str] = ()

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words: list[str] = []
        option = None
        for word in args:
            if word.startswith("-"):
                option = word if word in self.lists else None
            elif option and words[-1] != option:
                words.append(option)
            words.append(word)
        return super().parse_args(ctx, words)


app = Commands(
    help="Transfer learning from folders of photos.",
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


class BackboneName(click.ParamType):
    """The name of a backbone as a person may write it, turned into that of the table."""

    name = "backbone"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name in the table; raise BackboneError for one that none is meant by."""
        # Only commands that take one read the table.
        from tlcore.models.backbones import read_backbone

        return read_backbone(value).name


def cluster_option(work: Callable[P, Output]) -> Callable[P, Output]:
    """Give a command the option that names a cluster, for `thaw.cluster.spreading.choose_cluster`."""
    words = "of a Ray cluster that does what can be done there, as HOST:PORT (default: the variable THAW_CLUSTER)"
    return click.option("--cluster", metavar="ADDRESS", help=words)(work)


def shards_option(work: Callable[P, Output]) -> Callable[P, Output]:
    """Give a command the option that names a store for features, for `thaw.cluster.keeping.choose_store`."""
    words = (
        "of a folder where features are looked for and put, such as s3://bucket/features or file:///mnt/features "
        "(default: the variable THAW_SHARDS)"
    )
    return click.option("--shards", metavar="URL", help=words)(work)


def command(
    name: str, about: str | None = None, lists: Sequence[str] = (), opens: Callable[[Workspace], Any] = Store
) -> Callable[[Callable[P, Output]], Callable[P, Output]]:
    """Make a function a command: it is called with the store (what `opens` makes of the workspace) and its options, and
    returns its answer. `about` explains its arguments; the options named in `lists` take several words."""

    def add(work: Callable[P, Output]) -> Callable[P, Output]:
        @functools.wraps(work)
        def run(workspace: str | None, as_json: bool, **options: Any) -> Output:
            return work(opens(open_workspace(workspace)), **options)

        made = click.command(name, Command, help=COMMANDS[name][1], epilog=about)(run)
        made.params += COMMON
        made.lists = lists
        app.add_command(made)
        return work

    return add


def run_command(words: Sequence[str], program: str) -> tuple[str, Output]:
    """Run the command that `words` ask for; return its name and its answer.

    Raises SettingsError for words that make no sense, whatever the command itself raises, and click's Exit after
    `--help`.
    """
    try:
        with app.make_context(program, list(words)) as context:
            answer = app.invoke(context)
            return str(context.invoked_subcommand), answer
    except click.UsageError as problem:
        path = problem.ctx.command_path if problem.ctx else program
        raise SettingsError(f"{problem.format_message()} See `{path} --help`.") from None
