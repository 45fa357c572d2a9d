"""The command line, `python -m tlcore COMMAND`: the same functions as the dashboard, without a browser."""

import argparse
import json
import sys
import traceback
from typing import Any, NoReturn

from tlcore.commands import COMMANDS
from tlcore.errors import SettingsError, ThawError
from tlcore.reporter import explain
from tlcore.settings import AUGMENTATIONS, CLASS_WEIGHTS, METHODS, OUTPUTS, FineTuneSettings, HeadSettings
from tlcore.store import Store
from tlcore.workspace import open_workspace


class Parser(argparse.ArgumentParser):
    """Raises SettingsError for arguments that make no sense, so that they end like any other refusal."""

    def error(self, message: str) -> NoReturn:
        raise SettingsError(f"{message}. See `{self.prog} --help`.")


def build_parser() -> Parser:
    """Describe every command and its options; an option that is not given keeps the default of `tlcore.settings`."""
    head, tuned = HeadSettings(), FineTuneSettings()
    common = Parser(add_help=False)
    common.add_argument("--workspace", metavar="DIR", help="the folder that holds data sets and runs")
    common.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser = Parser(prog="python -m tlcore", description="Transfer learning from folders of photos.")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, help_text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[common], help=help_text, description=help_text)

    importing = command(
        "import", "Import a folder with one sub-folder a class, a .zip or .tar of it, a CSV, or a sample."
    )
    importing.add_argument(
        "path",
        metavar="PATH",
        help="folder, .zip, .tar, .tar.gz, .csv with the columns path and label, digits or flowers",
    )
    importing.add_argument("--name", help="what to call the data set (default: the folder's name)")
    importing.add_argument("--into", metavar="DATASET", help="add to this data set what is new")
    importing.add_argument("--holdout", action="store_true", help="with --into: keep for evaluation, never train on it")
    command("datasets", "List the data sets.")
    checking = command("check", "Cross-validate: what would near-duplicates on both sides of a split claim?")
    checking.add_argument("dataset", metavar="DATASET")
    checking.add_argument("--backbone", help=f"default: {head.backbone}")
    checking.add_argument("--seed", type=int, help=f"default: {head.seed}")

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
    train.add_argument("--augmentation", choices=AUGMENTATIONS, help=f"default: {head.augmentation}")
    train.add_argument("--later-share", type=float, help="share of the newest photos kept for evaluation (default: 0)")
    train.add_argument("--class-weights", choices=CLASS_WEIGHTS, help=f"default: {head.class_weights}")
    train.add_argument("--method", choices=METHODS, help=f"default: {head.method}; svm is for small sets")
    train.add_argument("--patience", type=int, help=f"epochs without improvement (default: {head.patience})")

    finetune = command("finetune", "Phase 2: train the top layers of the backbone too, at a far smaller rate.")
    finetune.add_argument("run", metavar="RUN")
    finetune.add_argument(
        "--layers", type=int, help="Keras layers from the top (default: suits the images, whole blocks)"
    )
    finetune.add_argument("--epochs", type=int, help=f"at most (default: {tuned.epochs})")
    finetune.add_argument("--batch-size", type=int, help=f"default: {tuned.batch_size}")
    finetune.add_argument(
        "--learning-rate", type=float, help="default: 1e-5 beside a head's 1e-3; 3e-5 for small images"
    )
    finetune.add_argument("--patience", type=int, help=f"epochs without improvement (default: {tuned.patience})")
    finetune.add_argument("--insist", action="store_true", help="go on where Thaw refuses to spoil the weights")

    mistakes = command("mistakes", "List the misclassified validation images, largest confidence gap first.")
    mistakes.add_argument("run", metavar="RUN")
    predict = command("predict", "Classify pictures with a run's result.")
    predict.add_argument("run", metavar="RUN")
    predict.add_argument("images", metavar="IMAGE", nargs="+")
    command("runs", "List the runs, newest first.")
    command("backbones", "List the backbones.")
    return parser


def show(answer: Any, as_json: bool) -> None:
    """Print an answer: one JSON value, or lines for a person to read."""
    if as_json:
        print(json.dumps(answer))
        return
    for item in answer if isinstance(answer, list) else [answer]:
        for name, value in item.items():
            if isinstance(value, list):
                print(f"{name}:", *(f"  {json.dumps(entry, ensure_ascii=False)}" for entry in value), sep="\n")
            else:
                print(f"{name}: {json.dumps(value, ensure_ascii=False)}")
        print()


def main(words: list[str] | None = None) -> int:
    """Run one command; return 0, or 1 with the reason on standard error (and as `error` in the JSON)."""
    given = sys.argv[1:] if words is None else words
    as_json = "--json" in given
    try:
        arguments = build_parser().parse_args(given)
        answer = COMMANDS[arguments.command](Store(open_workspace(arguments.workspace)), arguments)
    except ThawError as problem:
        return fail(str(problem), as_json)
    except Exception as problem:  # noqa: BLE001 - the outermost shell: a script that reads the JSON must hear of it
        traceback.print_exc()
        return fail(explain(problem), as_json)
    show(answer, as_json)
    return 0


def fail(reason: str, as_json: bool) -> int:
    """Tell why a command failed; return its exit status."""
    print(reason, file=sys.stderr)
    if as_json:
        print(json.dumps({"error": reason}))
    return 1


if __name__ == "__main__":
    sys.exit(main())
