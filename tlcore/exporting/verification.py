"""Verifies the files of an export: processes of their own convert, score and time each, and the answers are judged."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from tlcore.errors import RunError
from tlcore.evaluation.significance import wilson
from tlcore.exporting.formats import FLOAT_TOLERANCE, REFUSED_TIMES, UNKNOWN, Format
from tlcore.exporting.model_files import Judged, Judgement, ModelFile, Proof, measure_entry
from tlcore.exporting.subprocesses import Killed, Subprocesses
from tlcore.progress import CheckStop, Progress, Stage

WORKERS = 2
NEVER_CONVERTED = ("keras", "saved-model")
LITERT = ("litert", "litert-float16", "litert-int8")
MOST_JUDGED = 2000
"""Images of one set: with as many a disagreement of 0.5% is told from 0.9%, and the proof stays a matter of minutes."""
# Nearer than this to the threshold, or to the second class, rounding decides.
CLOSE = 1e-6


@dataclass(frozen=True)
class Reference:
    """What the run says of one set of images: `probabilities` (n, classes) with the temperature applied, `true` (n,)
    the classes' numbers."""

    side: str
    probabilities: np.ndarray
    true: np.ndarray


@dataclass(frozen=True)
class Answers:
    """What a file says: `probabilities` (n, classes), `answer` (n,), and the different rows of class names that it
    gives, if it does."""

    probabilities: np.ndarray
    answer: np.ndarray
    class_names: list[list[str]] | None = None


def compare(reference: Reference, probabilities: np.ndarray) -> Judged:
    """Measure how far a file's probabilities are from the run's on one set of images."""
    said, told = reference.probabilities.argmax(axis=1), probabilities.argmax(axis=1)
    accuracy, expected = float((told == reference.true).mean()), float((said == reference.true).mean())
    return Judged(
        reference.side,
        len(said),
        int((said != told).sum()),
        float(np.abs(probabilities - reference.probabilities).max()),
        accuracy,
        accuracy - expected,
    )


def judge(row: Format, judged: Sequence[Judged]) -> tuple[Judgement, str]:
    """Return the verdict on a file and, unless it passed, the reason.

    A float32 file passes up to `FLOAT_TOLERANCE` of difference in probability. Beyond that it is warned of as long as
    every image keeps its class: the figures shown for the run still hold. With one that changes it is refused, since
    rounding alone does not do that.
    A reduced file passes up to its tolerance of images with another class. It is refused where even the lower end of
    the 95% Wilson interval is beyond `REFUSED_TIMES` that: then it is another model, whose accuracy the run's figures
    do not tell. In between it is warned of, as it is where there are too few images to know.
    """
    images = sum(each.images for each in judged)
    disagreements = sum(each.disagreements for each in judged)
    changed = f"{disagreements:,} of {images:,} images get another class than from the run"
    if row.tolerance is None:
        difference = max(each.largest_difference for each in judged)
        if difference <= FLOAT_TOLERANCE:
            return "passed", ""
        reason = f"probabilities differ from the run's by up to {difference:.2g}, and {changed}"
        return ("refused" if disagreements else "warned"), f"{reason}; expected at most {FLOAT_TOLERANCE:g}"
    interval = wilson(disagreements, images)
    if interval is None or interval.value <= row.tolerance:
        return "passed", ""
    reason = f"{changed} ({interval.value:.1%}); expected at most {row.tolerance:.1%}"
    return ("refused" if interval.low > REFUSED_TIMES * row.tolerance else "warned"), reason


def find_fault(answers: Answers, labels: Sequence[str], threshold: float) -> str | None:
    """Return what is wrong with a file's answers taken by themselves, or None where they hold together."""
    probabilities, answer = answers.probabilities, answers.answer
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels) or len(answer) != len(probabilities):
        return f"its outputs have the shapes {probabilities.shape} and {answer.shape}, not one row for each image"
    if not np.isfinite(probabilities).all():
        return "some of its probabilities are no numbers"
    if answers.class_names is not None and answers.class_names != [list(labels)]:
        return "its class names are not those of the run"
    ordered = np.sort(probabilities, axis=1)
    expected = np.where(ordered[:, -1] >= threshold, probabilities.argmax(axis=1), UNKNOWN)
    clear = (np.abs(ordered[:, -1] - threshold) > CLOSE) & (ordered[:, -1] - ordered[:, -2] > CLOSE)
    wrong = int(((answer != expected) & clear).sum())
    return f"its answer is not what its probabilities say for {wrong:,} images" if wrong else None


@dataclass(frozen=True)
class Bench:
    """Where an export is made: its `folder`, and `work` for what is needed on the way."""

    folder: Path
    work: Path

    @property
    def pixels(self) -> Path:
        """Return where the pixels of the photos that judge lie, uint8 (n, side, side, 3) as .npy."""
        return self.work / "judged.npy"

    @property
    def calibration(self) -> Path:
        """Return where the pixels of the photos lie that int8 takes its ranges from."""
        return self.work / "calibration.npy"

    @property
    def bare(self) -> Path:
        """Return where the SavedModel lies that is converted."""
        return self.work / "bare"

    @property
    def labels(self) -> Path:
        """Return where the class names are written for converters."""
        return self.work / "labels.json"

    def answers(self, row: Format) -> Path:
        """Return where a file's answers are written."""
        return self.work / f"{row.name}.npz"


def verify(
    bench: Bench,
    formats: Sequence[Format],
    references: Sequence[Reference],
    labels: Sequence[str],
    threshold: float,
    progress: Progress,
    check_stop: CheckStop,
) -> list[ModelFile]:
    """Make and verify the files of an export; those that are refused are removed.

    Two are made and scored at a time, on half of the cores each; the speed is measured afterwards, one by one on all.
    Raises RunError where a process is killed from outside: that is no verdict on its file, and an earlier export stays.
    """
    images = sum(len(reference.true) for reference in references)
    scored = dict.fromkeys((row.name for row in formats), 0)

    def watch() -> None:
        check_stop()
        progress(Stage.VERIFYING, sum(scored.values()), images * len(formats))

    with Subprocesses(bench.work, watch) as processes:
        bench.labels.write_text(json.dumps(list(labels)), encoding="utf-8")
        tasks = [partial(_score, processes, bench, row, threshold, scored) for row in formats]
        failures = processes.side_by_side(tasks, WORKERS)
        files = []
        for number, (row, failure) in enumerate(zip(formats, failures, strict=True)):
            check_stop()
            progress(Stage.MEASURING_SPEED, number, len(formats))
            files.append(_judge(processes, bench, row, failure, references, labels, threshold))
        return files


def _score(processes: Subprocesses, bench: Bench, row: Format, threshold: float, scored: dict[str, int]) -> str | None:
    """Convert a format and have its file answer for the photos; return why that failed, or None."""
    threads = max(1, (os.cpu_count() or 1) // WORKERS)
    target = bench.folder / row.file
    if row.name not in NEVER_CONVERTED:
        words = [row.name, str(bench.bare), str(target)]
        if row.calibrated:
            words += ["--calibration", str(bench.calibration)]
        if row.name in LITERT:
            words += ["--labels", str(bench.labels), "--threshold", repr(threshold)]
        failure = _run(processes, row, "tlcore.exporting.converters", words, lambda line: None)
        if failure:
            return f"it could not be converted: {failure}"

    def hear(line: str) -> None:
        if line.isdigit():
            scored[row.name] = int(line)

    words = [row.name, str(target), "--pixels", str(bench.pixels), "--answers", str(bench.answers(row))]
    failure = _run(processes, row, "tlcore.exporting.verify_file", [*words, "--threads", str(threads)], hear)
    return f"its runtime could not run it: {failure}" if failure else None


def _run(
    processes: Subprocesses, row: Format, module: str, words: Sequence[str], hear: Callable[[str], None]
) -> str | None:
    try:
        return processes.run(module, words, hear)
    except Killed as problem:
        raise RunError(
            f"Expected the process that makes or proves {row.title} to end by itself. Received: one that was killed, "
            "as happens where the computer runs out of memory. The earlier export, if there was one, is as it was. "
            f"Close other programs and export again, or leave {row.title} out."
        ) from problem


def _judge(
    processes: Subprocesses,
    bench: Bench,
    row: Format,
    failure: str | None,
    references: Sequence[Reference],
    labels: Sequence[str],
    threshold: float,
) -> ModelFile:
    """Return the record of one file, and remove the file unless it may be used."""
    target = bench.folder / row.file
    proof, lines = None, list[str]()
    if failure is None:
        answers = _read_answers(bench.answers(row))
        failure = find_fault(answers, labels, threshold)
    if failure is None:
        bounds = np.cumsum([0, *(len(reference.true) for reference in references)])
        judged = [
            compare(reference, answers.probabilities[start:end])
            for reference, start, end in zip(references, bounds[:-1], bounds[1:], strict=True)
        ]
        verdict, reason = judge(row, judged)
        words = [row.name, str(target), "--pixels", str(bench.pixels), "--threads", str(os.cpu_count() or 1)]
        failure = _run(processes, row, "tlcore.exporting.verify_file", words, lines.append)
    if failure is None:
        proof = Proof(judged=judged, **json.loads(lines[-1]))
    else:
        verdict, reason = "refused", failure
    if verdict == "refused":
        _remove(target)
        return ModelFile(row.name, row.file, verdict, reason, proof=proof)
    sha256, size = measure_entry(bench.folder, row.file)
    return ModelFile(row.name, row.file, verdict, reason, sha256, size, proof)


def _read_answers(path: Path) -> Answers:
    with np.load(path, allow_pickle=False) as archive:
        names = archive["class_names"].tolist() if "class_names" in archive else None
        return Answers(archive["probabilities"], archive["answer"], names)


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
