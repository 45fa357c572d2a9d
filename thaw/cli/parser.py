"""The grammar of the command line: every command and its options."""

import argparse
from collections.abc import Callable
from typing import NoReturn

from tlcore.errors import SettingsError
from tlcore.exporting.formats import FORMATS
from tlcore.images.recipes import PRESETS
from tlcore.settings import CLASS_WEIGHTS, METHODS, OUTPUTS, PARTS, FineTuneSettings, HeadSettings
from tlcore.tuning.probe_record import ProbeSettings

Command = Callable[[str, str], argparse.ArgumentParser]


class Parser(argparse.ArgumentParser):
    """Raises SettingsError for arguments that make no sense, so that they end like any other refusal."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}. See `{self.prog} --help`.")


def build_parser() -> Parser:
    """Describe every command and its options; an option that is not given keeps the default of `tlcore.settings`."""
    common = Parser(add_help=False)
    common.add_argument("--workspace", metavar="DIR", help="the folder that holds data sets and runs")
    common.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser = Parser(prog="python -m thaw", description="Transfer learning from folders of photos.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[common], help=help_text, description=help_text)

    _describe_data(command)
    _describe_head(command)
    _describe_fine_tuning(command)
    _describe_trials(command)
    _describe_runs(command)
    _describe_backbones(command)
    _describe_lineage(command)
    _describe_disk(command)
    _describe_service(command)
    return parser


def _describe_data(command: Command) -> None:
    head = HeadSettings()
    importing = command(
        "import", "Import a folder with one sub-folder a class, a .zip or .tar of it, a CSV, or a sample."
    )
    importing.add_argument(
        "path",
        metavar="PATH",
        help="folder, .zip, .tar, .tar.gz, table (.csv, .tsv, .jsonl) of files and classes, digits or flowers",
    )
    importing.add_argument("--name", help="what to call the data set (default: the folder's name)")
    importing.add_argument("--into", metavar="DATASET", help="add to this data set what is new")
    importing.add_argument("--holdout", action="store_true", help="with --into: keep for evaluation, never train on it")
    importing.add_argument(
        "--answer",
        action="append",
        default=[],
        metavar="KEY=OPTION",
        help="answer beforehand to a question that the import may have, such as levels=outer; several can be given",
    )
    command("datasets", "List the data sets.")
    command("rebuild", "Bring data sets and runs back from their folders, where the database is lost or damaged.")
    saving = command("dataset", "Save a data set, with its labels as they are now, as a zip of class folders or a CSV.")
    saving.add_argument("action", metavar="ACTION", choices=("save",), help="save")
    saving.add_argument("dataset", metavar="DATASET")
    saving.add_argument("--to", metavar="FILE", required=True, help="a new .zip, or a new .csv for the labels alone")
    saving.add_argument(
        "--split", metavar="RUN_OR_SHARE", help="divide it as that run did, or anew with this share for validation"
    )
    saving.add_argument("--seed", type=int, help=f"of a new split (default: {head.seed})")
    saving.add_argument(
        "--with-excluded", action="store_true", help="take excluded pictures along, in their own folder"
    )
    checking = command(
        "check",
        "Cross-validate: what would near-duplicates on both sides of a split claim, and which labels are likely wrong?",
    )
    checking.add_argument("dataset", metavar="DATASET")
    checking.add_argument("--backbone", help=f"default: {head.backbone}")
    checking.add_argument("--seed", type=int, help=f"default: {head.seed}")


def _describe_head(command: Command) -> None:
    head = HeadSettings()
    train = command("train", "Phase 1: train a head on the frozen backbone.")
    train.add_argument("dataset", metavar="DATASET")
    train.add_argument("--backbone", help=f"default: {head.backbone}; `backbones` lists all")
    train.add_argument("--image-size", type=int, help="pixels a side (default: suits the data set and backbone)")
    train.add_argument("--epochs", type=int, help=f"at most (default: {head.epochs})")
    train.add_argument("--batch-size", type=int, help=f"default: {head.batch_size}")
    train.add_argument("--learning-rate", type=float, help=f"default: {head.learning_rate:g}")
    train.add_argument("--dropout", type=float, help=f"share, 0 to 0.9 (default: {head.dropout:g})")
    train.add_argument("--hidden-units", type=int, help="size of an extra layer in the head (default: none)")
    train.add_argument("--output", choices=OUTPUTS, help=f"default: {head.output}; sigmoid is for two classes")
    train.add_argument("--seed", type=int, help=f"default: {head.seed}")
    train.add_argument("--validation-split", type=float, help=f"share (default: {head.validation_split:g})")
    train.add_argument(
        "--augmentation",
        help=f"{', '.join(PRESETS)}, or a recipe such as mirror,crop=0.15,rotation=10 (default: {head.augmentation})",
    )
    train.add_argument("--views", type=int, help=f"of each image, computed once and cached (default: {head.views})")
    train.add_argument(
        "--exact", action="store_true", default=None, help="draw new views in every epoch, uncached: far slower"
    )
    train.add_argument("--later-share", type=float, help="share of the newest photos kept for evaluation (default: 0)")
    train.add_argument("--parts", choices=PARTS, help=f"of a ready-made split, or Thaw's (default: {head.parts})")
    train.add_argument("--class-weights", choices=CLASS_WEIGHTS, help=f"default: {head.class_weights}")
    train.add_argument("--method", choices=METHODS, help=f"default: {head.method}; svm is for small sets")
    train.add_argument("--patience", type=int, help=f"epochs without improvement (default: {head.patience})")


def _describe_fine_tuning(command: Command) -> None:
    tuned = FineTuneSettings()
    finetune = command("finetune", "Phase 2: train the top layers of the backbone too, at a far smaller rate.")
    finetune.add_argument("run", metavar="RUN")
    finetune.add_argument(
        "--layers", type=int, help="Keras layers from the top (default: suits the images, whole blocks)"
    )
    finetune.add_argument("--epochs", type=int, help=f"at most (default: {tuned.epochs})")
    finetune.add_argument("--batch-size", type=int, help=f"default: {tuned.batch_size}")
    finetune.add_argument(
        "--learning-rate", type=float, help="default: 1e-5 beside a head's 1e-3; 1e-4 for small images"
    )
    finetune.add_argument("--patience", type=int, help=f"epochs without improvement (default: {tuned.patience})")
    finetune.add_argument(
        "--largest-drop",
        type=float,
        help=f"share of accuracy that the first epoch may lose before a smaller rate is tried (default: "
        f"{tuned.largest_drop:g})",
    )
    finetune.add_argument("--insist", action="store_true", help="go on where Thaw refuses to spoil the weights")


def _describe_trials(command: Command) -> None:
    probe, tuned = ProbeSettings(), FineTuneSettings()
    probing = command("probe", "Try several depths of phase 2 in short runs and recommend one; the run stays as it is.")
    probing.add_argument("run", metavar="RUN")
    probing.add_argument("--depths", type=int, help=f"how many (default: {probe.depths})")
    probing.add_argument("--folds", type=int, help=f"of the cross-validation (default: {probe.folds})")
    probing.add_argument("--epochs", type=int, help=f"of each short run (default: {probe.epochs})")
    probing.add_argument("--images", type=int, help=f"that take part at most (default: {probe.images})")
    finding = command("find-rate", "Search a learning rate (Smith's range test); the run stays as it is.")
    finding.add_argument("run", metavar="RUN")
    finding.add_argument("--phase", type=int, choices=(1, 2), default=2, help="default: 2")
    finding.add_argument("--layers", type=int, help="unfrozen in phase 2 (default: as `finetune`)")
    finding.add_argument("--batch-size", type=int, help=f"in phase 2 (default: {tuned.batch_size})")


def _describe_runs(command: Command) -> None:
    stopping = command("stop", "Ask a run that trains or waits to stop; everything up to its last epoch is kept.")
    stopping.add_argument("run", metavar="RUN")
    resuming = command("resume", "Go on with a run that was stopped or cut short.")
    resuming.add_argument("run", metavar="RUN")
    queue = command("queue", "List what works on the device and what waits for it.")
    queue.add_argument("--front", metavar="JOB", help="let this job go first of those that wait")
    mistakes = command("mistakes", "List the misclassified validation images, largest confidence gap first.")
    mistakes.add_argument("run", metavar="RUN")
    predict = command(
        "predict",
        "Classify pictures, or all in a folder, with a run's result. Exit status: 0 when all were answered, 2 when "
        "some could not be read, 1 when none could or the command failed.",
    )
    predict.add_argument("run", metavar="RUN")
    predict.add_argument("images", metavar="IMAGE_OR_FOLDER", nargs="+")
    exporting = command("export", "Write a run's result in formats for other programs, each proven to answer alike.")
    exporting.add_argument("run", metavar="RUN")
    exporting.add_argument("--formats", nargs="+", metavar="FORMAT", help=f"of {', '.join(FORMATS)} (default: all)")
    exporting.add_argument("--to", metavar="FILE.zip", help="write what was proven to this zip, too")
    command("runs", "List the runs, newest first.")
    comparing = command("compare", "Compare runs: their settings, and which one is better beyond chance.")
    comparing.add_argument("runs", metavar="RUN", nargs="+")


def _describe_backbones(command: Command) -> None:
    command("backbones", "List the backbones.")
    weights = command("weights", "Take a backbone's pretrained weights from a file, where there is no internet.")
    weights.add_argument("backbone", metavar="BACKBONE")
    weights.add_argument("file", metavar="FILE")
    speed = command("speed", "Measure the milliseconds an image takes through backbones on this machine.")
    speed.add_argument("backbones", metavar="BACKBONE", nargs="*", help="default: those whose weights are here")


def _describe_lineage(command: Command) -> None:
    history = command("history", "List every run with its lineage: weights, layers, rates, data, accuracies, versions.")
    history.add_argument("--csv", action="store_true", help="print a CSV table")
    events = command("tensorboard", "Write the epochs of a run as TensorBoard event files.")
    events.add_argument("run", metavar="RUN")
    events.add_argument("--to", metavar="FOLDER", required=True, help="for `tensorboard --logdir FOLDER`")
    card = command("card", "Write the model card of a run, in Markdown and HTML.")
    card.add_argument("run", metavar="RUN")
    card.add_argument("--to", metavar="FOLDER", required=True, help="the folder to write it to")
    card.add_argument("--no-pictures", action="store_true", help="leave the photos of the worst mistakes out")
    project = command("project", "Save a data set with its runs as one zip, or open such a zip and go on with it here.")
    project.add_argument("action", metavar="ACTION", choices=("save", "open"), help="save or open")
    project.add_argument("subject", metavar="RUN_OR_DATASET_OR_ZIP", help="to save: an id; to open: the zip")
    project.add_argument("--to", metavar="FILE.zip", help="where to save it")


def _describe_disk(command: Command) -> None:
    disk = command("disk", "Tell what is kept on the disk, with the ids to delete it by, and what is in the trash.")
    disk.add_argument("--empty", action="store_true", help="empty the trash first: nothing comes back from then on")
    deleting = command("delete", "Put data sets, runs, exports, projects or caches into the trash.")
    deleting.add_argument("ids", metavar="ID", nargs="+", help="as `disk` lists it")
    deleting.add_argument("--yes", action="store_true", help="do it; without this, only tell what would go")
    bringing = command("undelete", "Bring back what was deleted, until the trash is emptied.")
    bringing.add_argument("ids", metavar="ID", nargs="+", help="as `disk` lists it in the trash")


def _describe_service(command: Command) -> None:
    serving = command("serve", "Answer for new pictures over HTTP, with a run's result or an export of it.")
    serving.add_argument("source", metavar="RUN_OR_EXPORT", help="a run, or the folder or .zip of an export")
    serving.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    serving.add_argument("--port", type=int, default=8600, help="default: 8600; 0 takes a free one")
    serving.add_argument(
        "--allow-origin",
        action="append",
        metavar="ORIGIN",
        help="let pages of this origin, such as https://example.org, ask from a browser; may be repeated",
    )
    serving.add_argument("--name", default="thaw", help="what the model is called in addresses (default: thaw)")
    serving.add_argument(
        "--tensorflow-serving", metavar="FOLDER", help="serve nothing; write the folder that TensorFlow Serving needs"
    )
