"""The command `predict`: classifies files and whole folders, reports each that cannot be read, and tells by its exit
status whether there were any."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from thaw.cli.commands import command
from thaw.cli.output import Output, quieten_tensorflow
from thaw.detection.found import CONFIDENCE
from thaw.sources.sources import walk_folder
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.errors import DatasetError
from tlcore.photos import natural

ALL_ANSWERED, NONE_ANSWERED, SOME_ANSWERED = 0, 1, 2

# A picture, and why it was set aside before it was opened.
Listed = tuple[Path, str | None]


@command("predict")
@click.argument("run_id", metavar="RUN")
@click.argument("images", metavar="IMAGE_OR_FOLDER...", nargs=-1, required=True)
def run_predict(store: Store, run_id: str, images: Sequence[str]) -> Output:
    """Classify pictures with a run's result, or find objects on them; folders are gone through as an import does."""
    run = store.run(run_id)
    listed = [each for path in images for each in list_pictures(Path(path))]
    quieten_tensorflow()
    return _find(store, run, listed) if run.head.task == "detect" else _classify(store, run, listed)


def _classify(store: Store, run: Run, listed: Sequence[Listed]) -> Output:
    from thaw.prediction.files import predict_files
    from thaw.prediction.network import load_network

    network = load_network(store, run)
    told = iter(predict_files(network, [path for path, reason in listed if reason is None]))
    answers = []
    for path, reason in listed:
        answer = next(told) if reason is None else None
        if answer is None or answer.probabilities is None:
            answers.append({"image": str(path), "error": answer.rejected if answer else reason})
        else:
            answers.append({"image": str(path)} | _describe(network.labels, answer.probabilities))
    return answers


def _find(store: Store, run: Run, listed: Sequence[Listed]) -> Output:
    """List the objects on each picture, surest first: boxes are x, y, width and height in pixels of it, upright."""
    from thaw.prediction.detector import find_in_files, load_finder

    detector = load_finder(store, run)
    told = iter(find_in_files(detector, [path for path, reason in listed if reason is None], run.facts.grey_range))
    answers: list[dict[str, Any]] = []
    for path, reason in listed:
        seen = next(told) if reason is None else None
        if seen is None or seen.found is None:
            answers.append({"image": str(path), "error": seen.rejected if seen else reason})
            continue
        boxes = [
            {"label": each.label, "confidence": each.confidence, "box": each.box.in_pixels(seen.width, seen.height)}
            for each in detector.name(seen.found.above(CONFIDENCE))
        ]
        answers.append({"image": str(path), "width": seen.width, "height": seen.height, "boxes": boxes})
    return answers


def list_pictures(path: Path) -> Sequence[Listed]:
    """Return a file as it is, or what lies below a folder, as people count, with why some of it is set aside.

    Hidden files and those of systems are left out, links are not followed. Raises DatasetError for a folder in which
    nothing is left.
    """
    if not path.is_dir():
        return [(path, None)]
    found = walk_folder(path)
    listed: list[Listed] = [(entry.path, None) for entry in found.entries]
    listed += [(path / file.name, file.reason) for file in found.set_aside]
    if not listed:
        raise DatasetError(
            f"Expected a folder with pictures. Received: {str(path)!r}, in which there are none"
            f"{f' ({found.ignored} hidden or system files)' if found.ignored else ''}. Name another one."
        )
    return sorted(listed, key=lambda each: [natural(part) for part in each[0].parts])


def grade(answers: Output) -> int:
    """Return the exit status: 0 where all were answered, 2 where some were, 1 where none was."""
    failed = sum("error" in answer for answer in answers)
    if not failed:
        return ALL_ANSWERED
    return SOME_ANSWERED if failed < len(answers) else NONE_ANSWERED


def _describe(labels: Sequence[str], probabilities: np.ndarray) -> dict[str, Any]:
    by_label = dict(zip(labels, map(float, probabilities), strict=True))
    predicted = max(by_label, key=lambda label: by_label[label])
    return {"predicted": predicted, "confidence": by_label[predicted], "probabilities": by_label}
