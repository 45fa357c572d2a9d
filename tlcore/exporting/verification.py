"""Verifies the files of an export: the answers of each are judged by what the run says of the same photos."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlcore.evaluation.metrics import wilson
from tlcore.exporting.bench import Bench, Verdict, prove
from tlcore.exporting.formats import FLOAT_TOLERANCE, REFUSED_TIMES, UNKNOWN, Format
from tlcore.exporting.model_files import Judged, Judgement, ModelFile
from tlcore.progress import CheckStop, Progress

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


def verify(
    bench: Bench,
    formats: Sequence[Format],
    references: Sequence[Reference],
    labels: Sequence[str],
    threshold: float,
    progress: Progress,
    check_stop: CheckStop,
) -> list[ModelFile]:
    """Make and verify the files of a classifier's export, as `tlcore.exporting.bench.prove` does."""
    bounds = np.cumsum([0, *(len(reference.true) for reference in references)])

    def judge_answers(row: Format, path: Path) -> Verdict:
        answers = _read_answers(path)
        fault = find_fault(answers, labels, threshold)
        if fault:
            return Verdict("refused", fault)
        judged = [
            compare(reference, answers.probabilities[start:end])
            for reference, start, end in zip(references, bounds[:-1], bounds[1:], strict=True)
        ]
        return Verdict(*judge(row, judged), judged)

    converting = ["--threshold", repr(threshold)]
    return prove(bench, formats, int(bounds[-1]), judge_answers, labels, converting, progress, check_stop)


def _read_answers(path: Path) -> Answers:
    with np.load(path, allow_pickle=False) as archive:
        names = archive["class_names"].tolist() if "class_names" in archive else None
        return Answers(archive["probabilities"], archive["answer"], names)
