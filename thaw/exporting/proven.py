"""The files of a run's model, a classifier's or a detector's: each is proven on the photos that judge the run."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from thaw.datasets.run_split import read_split
from thaw.detection.found import found_file, read_found
from thaw.exporting.exports import decision_of
from thaw.jobs.reporter import Reporter
from thaw.runs.results import predictions_file, read_predictions
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.evaluation.predictions import EVALUATION_SIDES, Predictions
from tlcore.exporting.bench import Bench
from tlcore.exporting.formats import Format, Signature
from tlcore.exporting.model_files import ModelFile
from tlcore.exporting.verification import MOST_JUDGED
from tlcore.progress import Stage
from tlcore.settings import Decision


class Made(NamedTuple):
    """What was made of a run's model: its labels, what goes in and comes out, the record of each file, and with what
    each was compared."""

    labels: list[str]
    signature: Signature
    files: list[ModelFile]
    reference: str


def make_files(reporter: Reporter, run: Run, formats: Sequence[Format], bench: Bench) -> Made:
    """Write a run's model in `formats` into `bench.folder`, each file proven by a process of its own."""
    make = _make_detector if run.head.task == "detect" else _make_classifier
    return make(reporter, run, formats, bench)


def _make_classifier(reporter: Reporter, run: Run, formats: Sequence[Format], bench: Bench) -> Made:
    from thaw.prediction.classifier import load_classifier
    from tlcore.exporting import export

    # 1. The photos: those that judge, and those that int8 takes its ranges from.
    store, decision = reporter.store, decision_of(run)
    read, judged, parts = _tell_reading(reporter), read_judged(store, run), read_split(store, run)
    assert parts is not None
    images = [image for predictions in judged.values() for image in predictions.images]
    export.write_pixels(images, run.image_size, bench.pixels, read)
    export.write_pixels(export.choose_calibration(parts.training), run.image_size, bench.calibration, read)

    # 2. The model and its files.
    reporter.progress(Stage.BUILDING_MODEL, 0, 0)
    classifier, reason = load_classifier(store, run), _why_not_stored(run, decision)
    signature, files = export.make_files(
        classifier, decision, formats, judged, bool(reason), bench, reporter.progress, reporter.check_stop
    )
    return Made(classifier.labels, signature, files, reason or "the stored predictions of the run")


def _make_detector(reporter: Reporter, run: Run, formats: Sequence[Format], bench: Bench) -> Made:
    from thaw.prediction.detector import load_detector
    from tlcore.detection.exporting import count_judged, make_detector_files, write_squares

    # 1. The photos that judge, as many of each set as their answers find room in memory.
    store, folder = reporter.store, reporter.store.workspace.run(run.id)
    sides = [side for side in EVALUATION_SIDES if (folder / found_file(run.result_phase or 0, side)).exists()]
    photos = {side: read_found(store, run, side=side) for side in sides}
    labels = photos[sides[0]].labels
    most = min(MOST_JUDGED, max(1, count_judged(run.image_size, len(labels)) // len(sides)))
    judging = {side: range(0, len(each.files), -(-len(each.files) // most)) for side, each in photos.items()}
    files = [photos[side].files[place] for side in sides for place in judging[side]]
    windows = write_squares(files, run.image_size, bench.pixels, _tell_reading(reporter))

    # 2. The model and its files.
    reporter.progress(Stage.BUILDING_MODEL, 0, 0)
    detector = load_detector(store, run)
    drawn = {side: [photos[side].drawn[place] for place in judging[side]] for side in sides}
    signature, made = make_detector_files(
        detector, formats, windows, drawn, bench, reporter.progress, reporter.check_stop
    )
    return Made(labels, signature, made, "the run's detector computed again in float32 on the CPU")


def _tell_reading(reporter: Reporter) -> Callable[[int, int], None]:
    def read(done: int, total: int) -> None:
        reporter.check_stop()
        reporter.progress(Stage.READING_PHOTOS, done, total)

    return read


def read_judged(store: Store, run: Run, most: int = MOST_JUDGED) -> dict[str, Predictions]:
    """Return what the run's result says of each set of photos that judges it, at most `most` of each, at random."""
    from tlcore.exporting.export import sample

    folder = store.workspace.run(run.id)
    sides = [side for side in EVALUATION_SIDES if (folder / predictions_file(run.result_phase or 0, side)).exists()]
    return {side: sample(read_predictions(store, run, side=side), most) for side in sides}


def _why_not_stored(run: Run, decision: Decision) -> str | None:
    """Say why a run's stored predictions have fewer digits than a proof needs, or return None where they have them."""
    computed = "the run's model computed again in float32 on the CPU, since"
    if (run.facts.device or "").startswith("GPU"):
        return f"{computed} its predictions come from a GPU, which rounds differently"
    if decision.temperature > 1 and run.head.output == "sigmoid":
        return f"{computed} a sigmoid near 1 has too few digits to be divided by a temperature"
    return None
