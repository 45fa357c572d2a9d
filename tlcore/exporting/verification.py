"""Has every file of an export converted, scored and timed by processes of their own, and judges what they found."""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from thaw.jobs.reporter import Reporter
from thaw.storage.export_record import ModelFile, Proof, measure_entry
from tlcore.errors import RunError
from tlcore.exporting.formats import Format
from tlcore.exporting.subprocesses import Crew, Killed
from tlcore.exporting.tolerances import Answers, Reference, compare, find_fault, judge
from tlcore.files import write_atomically

SCORING, TIMING = "converting and proving", "measuring the speed"
WORKERS = 2
NEVER_CONVERTED = ("keras", "saved-model")
LITERT = ("litert", "litert-float16", "litert-int8")


@dataclass(frozen=True)
class Bench:
    """Where an export is made: its `folder`, `work` for what is needed on the way, `pixels` of the photos that judge
    and of those for `calibration`, uint8 as .npy, and `bare`, the SavedModel that is converted."""

    folder: Path
    work: Path
    pixels: Path
    calibration: Path
    bare: Path

    @property
    def labels(self) -> Path:
        """Return where the class names are written for converters."""
        return self.work / "labels.json"

    def answers(self, row: Format) -> Path:
        """Return where a file's answers are written."""
        return self.work / f"{row.name}.npz"


def prove(
    reporter: Reporter,
    bench: Bench,
    formats: Sequence[Format],
    references: Sequence[Reference],
    labels: Sequence[str],
    threshold: float,
) -> list[ModelFile]:
    """Make and prove the files of an export; those that are refused are removed.

    Two are made and scored at a time, on half of the cores each; the speed is measured afterwards, one by one on all.
    Raises RunError where a process is killed from outside: that is no verdict on its file, and an earlier export stays.
    """
    images = sum(len(reference.true) for reference in references)
    scored = dict.fromkeys((row.name for row in formats), 0)

    def watch() -> None:
        reporter.check_stop()
        reporter.progress(SCORING, sum(scored.values()), images * len(formats))

    with Crew(bench.work, watch) as crew:
        write_atomically(bench.labels, json.dumps(list(labels)).encode())
        tasks = [partial(_score, crew, bench, row, threshold, scored) for row in formats]
        failures = crew.side_by_side(tasks, WORKERS)
        files = []
        for number, (row, failure) in enumerate(zip(formats, failures, strict=True)):
            reporter.check_stop()
            reporter.progress(TIMING, number, len(formats))
            files.append(_judge(crew, bench, row, failure, references, labels, threshold))
        return files


def _score(crew: Crew, bench: Bench, row: Format, threshold: float, scored: dict[str, int]) -> str | None:
    """Convert a format and have its file answer for the photos; return why that failed, or None."""
    threads = max(1, (os.cpu_count() or 1) // WORKERS)
    target = bench.folder / row.file
    if row.name not in NEVER_CONVERTED:
        words = [row.name, str(bench.bare), str(target)]
        if row.name == "litert-int8":
            words += ["--calibration", str(bench.calibration)]
        if row.name in LITERT:
            words += ["--labels", str(bench.labels), "--threshold", repr(threshold)]
        failure = _run(crew, row, "tlcore.exporting.converters", words, lambda line: None)
        if failure:
            return f"it could not be converted: {failure}"

    def hear(line: str) -> None:
        if line.isdigit():
            scored[row.name] = int(line)

    words = [row.name, str(target), "--pixels", str(bench.pixels), "--answers", str(bench.answers(row))]
    failure = _run(crew, row, "tlcore.exporting.verify_file", [*words, "--threads", str(threads)], hear)
    return f"its runtime could not run it: {failure}" if failure else None


def _run(crew: Crew, row: Format, module: str, words: Sequence[str], hear: Callable[[str], None]) -> str | None:
    try:
        return crew.run(module, words, hear)
    except Killed as problem:
        raise RunError(
            f"Expected the process that makes or proves {row.title} to end by itself. Received: one that was killed, "
            "as happens where the computer runs out of memory. The earlier export, if there was one, is as it was. "
            f"Close other programs and export again, or leave {row.title} out."
        ) from problem


def _judge(
    crew: Crew,
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
        failure = _run(crew, row, "tlcore.exporting.verify_file", words, lines.append)
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
