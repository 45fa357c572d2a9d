"""The bench on which an export is made: processes of their own convert, score and time each file, to be judged."""

import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tlcore.errors import RunError
from tlcore.exporting.formats import CONVERTED, Format
from tlcore.exporting.model_files import Judged, Judgement, ModelFile, Proof, measure_entry
from tlcore.exporting.subprocesses import Killed, Process, Subprocesses
from tlcore.exporting.verify_file import ANSWERED
from tlcore.files import scratch_folder
from tlcore.progress import CheckStop, Progress, Stage, never_stop

CONVERTERS = "tlcore.exporting.converters"
WORKERS = 2
NEVER_CONVERTED = ("keras", "saved-model")
SLOW_TO_LOAD = ("keras", "tensorflow")
"""Runtimes that take seconds to load: the process that has a file answer measures its times too, once it is told to."""


@dataclass(frozen=True)
class Bench:
    """Where an export is made: its `folder`, and `work` for what is needed on the way; `web_runtime` is the package
    that web pages compute with, and `card` a model card, HTML, to lie beside such a page, if they are here. `elsewhere`
    has files answer on other machines, if there are some: see `score`."""

    folder: Path
    work: Path
    web_runtime: Path | None = None
    card: Path | None = None
    elsewhere: "Elsewhere | None" = None

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


@dataclass(frozen=True)
class Verdict:
    """What a file's answers come to: whether it may be used, why not or with what care, and how it answers on each set;
    on none where its answers do not hold together."""

    judgement: Judgement
    reason: str = ""
    judged: Sequence[Judged] = ()


@dataclass(frozen=True)
class Scoring:
    """Where a file of a format lies, the pixels of the photos that it is to answer for, and where its answers go: paths
    that mean the same on every machine that takes part."""

    format: str
    file: str
    pixels: str
    answers: str


Elsewhere = Callable[[Sequence[Scoring]], Iterable[str]]
"""Has files answer on other machines by `score`, and yields the formats of those that have; some may be missing."""
Judge = Callable[[Format, Path], Verdict]
"""Judges a file of a format by its answers, an .npz of the outputs by name."""


@dataclass(eq=False)
class _Trial:
    """How far a format is: why it could not be converted, for how many images its file has answered, why that failed,
    and its process where that stays to measure the times."""

    row: Format
    failure_to_convert: "Future[str | None]" = field(default_factory=Future)
    scored: int = 0
    failure: str | None = None
    staying: Process | None = None


def prove(
    bench: Bench,
    formats: Sequence[Format],
    images: int,
    judge: Judge,
    labels: Sequence[str],
    converting: Sequence[str],
    progress: Progress,
    check_stop: CheckStop,
) -> list[ModelFile]:
    """Make and verify the files of an export on the `images` at `bench.pixels`; those that are refused are removed.

    One process converts, with the further arguments `converting`, while another scores, then two score at a time; the
    speed is measured afterwards, one by one on all cores.
    Raises RunError where a process is killed from outside: that is no verdict on its file, and an earlier export stays.
    """
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
        tasks = [partial(_convert, processes, bench, converted, converting)] if converted else []
        left = trials
        if bench.elsewhere:
            processes.side_by_side([*tasks, partial(_score_elsewhere, bench, bench.elsewhere, trials, images)], WORKERS)
            tasks, left = [], [trial for trial in trials if not trial.scored]
        tasks += [partial(_score, processes, bench, trial) for trial in left]
        processes.side_by_side(tasks, WORKERS)
        files = []
        for number, trial in enumerate(trials):
            check_stop()
            progress(Stage.MEASURING_SPEED, number, len(formats))
            files.append(_judge(processes, bench, trial, judge))
        return files


def _convert(processes: Subprocesses, bench: Bench, trials: Sequence[_Trial], converting: Sequence[str]) -> None:
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
            words += ["--labels", str(bench.labels), *converting]
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


def _score_elsewhere(bench: Bench, elsewhere: Elsewhere, trials: Sequence[_Trial], images: int) -> None:
    """Have other machines ask those files that need no browser, once all are converted. What fails there says nothing
    yet of a file: it answers here again."""
    there = {
        trial.row.name: trial for trial in trials if trial.failure_to_convert.result() is None and not trial.row.fetched
    }
    scorings = [
        Scoring(name, str(bench.folder / trial.row.file), str(bench.pixels), str(bench.answers(trial.row)))
        for name, trial in there.items()
    ]
    for name in elsewhere(scorings) if scorings else ():
        there[name].scored = images


def score(_common: None, scoring: Scoring) -> str:
    """Have a file answer on all cores of this machine; return its format. Raises RunError where it cannot.

    Its answers are put in place whole: another machine may be at the same.
    """
    answers = Path(scoring.answers)
    part = answers.with_name(f".{uuid.uuid4().hex}.npz")
    words = [scoring.format, scoring.file, "--pixels", scoring.pixels, "--answers", str(part)]
    with scratch_folder("prove") as folder, Subprocesses(folder, never_stop) as processes:
        process = processes.start("tlcore.exporting.verify_file", [*words, "--threads", str(os.cpu_count() or 1)])
        failure = process.listen(lambda _line: None)
    if failure:
        raise RunError(failure)
    part.replace(answers)
    return scoring.format


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


def _judge(processes: Subprocesses, bench: Bench, trial: _Trial, judge: Judge) -> ModelFile:
    """Return the record of one file, and remove the file unless it may be used."""
    row, proof = trial.row, None
    target = bench.folder / row.file
    verdict = Verdict("refused", trial.failure) if trial.failure else judge(row, bench.answers(row))
    if verdict.judged:
        measured = _measure(processes, bench, trial)
        if isinstance(measured, str):
            verdict = Verdict("refused", measured)
        else:
            proof = Proof(judged=list(verdict.judged), **measured)
    if verdict.judgement == "refused":
        _remove(target)
        return ModelFile(row.name, row.file, verdict.judgement, verdict.reason, proof=proof)
    sha256, size = measure_entry(bench.folder, row.file)
    return ModelFile(row.name, row.file, verdict.judgement, verdict.reason, sha256, size, proof)


def _remove(target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)
