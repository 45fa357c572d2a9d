"""Verifies the files of an export: processes of their own convert, score and time each, and the answers are judged."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tlcore.errors import RunError
from tlcore.evaluation.metrics import wilson
from tlcore.exporting.formats import CONVERTED, FLOAT_TOLERANCE, REFUSED_TIMES, UNKNOWN, Format
from tlcore.exporting.model_files import Judged, Judgement, ModelFile, Proof, measure_entry
from tlcore.exporting.subprocesses import Killed, Process, Subprocesses
from tlcore.exporting.verify_file import ANSWERED
from tlcore.progress import CheckStop, Progress, Stage

CONVERTERS = "tlcore.exporting.converters"
WORKERS = 2
NEVER_CONVERTED = ("keras", "saved-model")
SLOW_TO_LOAD = ("keras", "tensorflow")
"""Runtimes that take seconds to load: the process that has a file answer measures its times too, once it is told to."""
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
    """Where an export is made: its `folder`, and `work` for what is needed on the way; `web_runtime` is the package
    that web pages compute with, and `card` a model card, HTML, to lie beside such a page, if they are here."""

    folder: Path
    work: Path
    web_runtime: Path | None = None
    card: Path | None = None

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


@dataclass(eq=False)
class _Trial:
    """How far a format is: why it could not be converted, for how many images its file has answered, why that failed,
    and its process where that stays to measure the times."""

    row: Format
    failure_to_convert: "Future[str | None]" = field(default_factory=Future)
    scored: int = 0
    failure: str | None = None
    staying: Process | None = None


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

    One process converts while another scores, then two score at a time; the speed is measured afterwards, one by one
    on all cores.
    Raises RunError where a process is killed from outside: that is no verdict on its file, and an earlier export stays.
    """
    images = sum(len(reference.true) for reference in references)
    trials = [_Trial(row) for row in formats]

    def watch() -> None:
        check_stop()
        progress(Stage.VERIFYING, sum(trial.scored for trial in trials), images * len(formats))

    with Subprocesses(bench.work, watch) as processes:
        bench.labels.write_text(json.dumps(list(labels)), encoding="utf-8")
        converted = [trial for trial in trials if trial.row.name not in NEVER_CONVERTED]
        for trial in trials:
            if trial not in converted:
                trial.failure_to_convert.set_result(None)
        # Begun before what waits for it: while it converts, others are scored, in the order in which they come.
        tasks = [partial(_convert, processes, bench, converted, threshold)] if converted else []
        tasks += [partial(_score, processes, bench, trial) for trial in trials]
        processes.side_by_side(tasks, WORKERS)
        files = []
        for number, trial in enumerate(trials):
            check_stop()
            progress(Stage.MEASURING_SPEED, number, len(formats))
            files.append(_judge(processes, bench, trial, references, labels, threshold))
        return files


def _convert(processes: Subprocesses, bench: Bench, trials: Sequence[_Trial], threshold: float) -> None:
    """Convert the formats one after another; what is left after a crash is converted by another process."""
    waiting = list(trials)

    def hear(line: str) -> None:
        word, _, rest = line.partition(" ")
        name, _, failure = rest.partition(" ")
        if word == CONVERTED and waiting and name == waiting[0].row.name:
            waiting.pop(0).failure_to_convert.set_result(failure or None)

    try:
        while waiting:
            words = [str(bench.bare), *(f"{each.row.name}={bench.folder / each.row.file}" for each in waiting)]
            if any(each.row.calibrated for each in waiting):
                words += ["--calibration", str(bench.calibration)]
            if bench.web_runtime and any(each.row.fetched for each in waiting):
                words += ["--web-runtime", str(bench.web_runtime)]
                words += ["--card", str(bench.card)] if bench.card else []
            words += ["--labels", str(bench.labels), "--threshold", repr(threshold)]
            process = processes.start(CONVERTERS, words)
            failure = _listen(process, lambda: waiting[0].row, hear)
            if waiting:
                waiting.pop(0).failure_to_convert.set_result(failure or "its process ended before it was done")
    finally:
        for each in waiting:
            each.failure_to_convert.set_result("its process was ended")


def _score(processes: Subprocesses, bench: Bench, trial: _Trial) -> None:
    """Have a format's file answer for the photos, as soon as it is converted."""
    row, cores = trial.row, os.cpu_count() or 1
    failure = trial.failure_to_convert.result()
    if failure:
        trial.failure = f"it could not be converted: {failure}"
        return

    def hear(line: str) -> None:
        if line.isdigit():
            trial.scored = int(line)

    words = [
        row.name,
        str(bench.folder / row.file),
        "--pixels",
        str(bench.pixels),
        "--answers",
        str(bench.answers(row)),
    ]
    if row.runtime in SLOW_TO_LOAD:
        # TensorFlow keeps the number of threads that it begins with.
        words += ["--threads", str(cores), "--stay"]
    else:
        words += ["--threads", str(max(1, cores // WORKERS))]
    process = processes.start("tlcore.exporting.verify_file", words)
    failure = _listen(process, lambda: row, hear, ANSWERED)
    if failure:
        trial.failure = f"its runtime could not run it: {failure}"
    elif row.runtime in SLOW_TO_LOAD:
        trial.staying = process


def _measure(processes: Subprocesses, bench: Bench, trial: _Trial) -> dict[str, Any] | str:
    """Return a proof's times by name, or why they could not be measured."""
    row, process, lines = trial.row, trial.staying, list[str]()
    if process:
        process.say("measure")
    else:
        words = [row.name, str(bench.folder / row.file), "--pixels", str(bench.pixels)]
        process = processes.start("tlcore.exporting.verify_file", [*words, "--threads", str(os.cpu_count() or 1)])
    return _listen(process, lambda: row, lines.append) or json.loads(lines[-1])


def _listen(
    process: Process, at_work: Callable[[], Format], hear: Callable[[str], None], until: str | None = None
) -> str | None:
    """Listen to a process (see `Process.listen`); `at_work` says which format it works on, for where it is killed."""
    try:
        return process.listen(hear, until)
    except Killed as problem:
        title = at_work().title
        raise RunError(
            f"Expected the process that makes or proves {title} to end by itself. Received: one that was killed, "
            "as happens where the computer runs out of memory. The earlier export, if there was one, is as it was. "
            f"Close other programs and export again, or leave {title} out."
        ) from problem


def _judge(
    processes: Subprocesses,
    bench: Bench,
    trial: _Trial,
    references: Sequence[Reference],
    labels: Sequence[str],
    threshold: float,
) -> ModelFile:
    """Return the record of one file, and remove the file unless it may be used."""
    row, failure, proof = trial.row, trial.failure, None
    target = bench.folder / row.file
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
        measured = _measure(processes, bench, trial)
        if isinstance(measured, str):
            failure = measured
        else:
            proof = Proof(judged=judged, **measured)
    if failure is not None:
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
