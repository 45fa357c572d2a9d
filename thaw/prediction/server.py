"""The process that answers for new pictures: `python -m thaw.prediction.server --workspace DIR`, asked over its pipes.

It keeps the classifiers of the last runs in memory, so that only the first question about a run is slow. The other side
is `thaw.prediction.client`.
"""

import argparse
import os
import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from thaw.decoding.decoder import Decoder
from thaw.decoding.reader import Copy, decode_pictures
from thaw.errors import PredictorError
from thaw.prediction.detector import load_finder
from thaw.prediction.frames import Frame, read_frame, write_frame
from thaw.prediction.network import HEAD, TUNED, RunNetwork, load_network
from thaw.storage.records import Run
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.detection.finding import FrozenDetector
from tlcore.detection.found import Found
from tlcore.errors import ImageRejected, ThawError, WeightsError
from tlcore.files import scratch_folder
from tlcore.images.pixels import WIDEST, load_pixels
from tlcore.models.backbones import find_backbone
from tlcore.models.weights import is_local

if TYPE_CHECKING:
    from tlcore.evaluation.grad_cam import GradCam

IDLE_S = 600.0
KEPT_RUNS = 2
DECODERS = 2
# What a detector found on several pictures, one after the other: the field of each, what there is of none, its type.
FOUND_ARRAYS = (("edges", (0, 4), np.float32), ("scores", (0,), np.float32), ("kinds", (0,), np.int64))
# Nobody has asked for so long: what was put off is not in the way.
QUIET_S = 5.0
# What the phases leave; a file that is newer than the classifier in memory makes another model.
RESULTS = (HEAD, TUNED)


class Loaded:
    """A run's model, and once a heat map was asked for, what draws them."""

    def __init__(self, store: Store, run: Run) -> None:
        self._store, self._run = store, run
        # At once: one that can't be loaded is not to be kept.
        _ = self.detector if run.head.task == "detect" else self.network

    @cached_property
    def network(self) -> RunNetwork:
        return load_network(self._store, self._run)

    @cached_property
    def detector(self) -> FrozenDetector:
        return load_finder(self._store, self._run)

    @cached_property
    def grad_cam(self) -> "GradCam":
        from thaw.prediction.classifier import load_classifier
        from tlcore.evaluation.grad_cam import GradCam

        return GradCam(load_classifier(self._store, self._run), count_tuned_layers(self._run))


@dataclass(frozen=True)
class Seen:
    """A picture as the model sees it, uint8 (image_size, image_size, 3); as a person does, a JPEG; and its notes."""

    pixels: np.ndarray
    thumbnail: bytes
    notes: list[str]


class PredictionService:
    """Answers questions about runs, one at a time; a run that went on since is loaded anew."""

    def __init__(self, store: Store, decoder: Decoder) -> None:
        self._store = store
        self._decoder = decoder
        self._loaded: OrderedDict[tuple[object, ...], Loaded] = OrderedDict()
        self._answers = {
            "classify": self._classify,
            "find": self._find,
            "heat_maps": self._draw_heat_maps,
            "warm": self._warm,
        }
        self._put_off: Frame | None = None

    def answer(self, question: Frame) -> Frame:
        """Answer one question; an error that is meant for the person becomes an answer too."""
        try:
            return self._answers[question.header["do"]](question)
        except ThawError as problem:
            return Frame({"error": type(problem).__name__, "message": str(problem)})
        except OSError as problem:
            return _refuse(f"a file could not be read or written: {problem}. Free some space on the disk and try again")
        except MemoryError:
            return _refuse("the computer ran out of memory. Close other programs and try again")

    def _classify(self, question: Frame) -> Frame:
        network = self._load(question).network
        with self._scratch() as scratch:
            paths = _place(question, scratch)
            copies = decode_pictures(self._decoder, scratch, paths, network.grey_range)
            seen = {place: _look(copy, network.image_size) for place, copy in copies}
        outcomes = [seen[place] for place in range(len(paths))]
        rejected = [str(outcome) if isinstance(outcome, ImageRejected) else None for outcome in outcomes]
        read = [outcome for outcome in outcomes if isinstance(outcome, Seen)]
        shares = network.predict(np.stack([each.pixels for each in read])).tobytes() if read else b""
        thumbnails = [each.thumbnail for each in read] if question.header.get("thumbnails") else []
        header = {"rejected": rejected, "classes": len(network.labels), "notes": [each.notes for each in read]}
        return Frame(header, [shares, *thumbnails])

    def _find(self, question: Frame) -> Frame:
        """Answer with the boxes on each picture: three arrays for all of them, after what tells how many are whose."""
        run = self._store.run(question.header["run"])
        detector, grey_range = self._load(question).detector, run.facts.grey_range or WIDEST
        told: dict[int, dict[str, Any]] = {}
        found: dict[int, Found] = {}
        thumbnails: dict[int, bytes] = {}
        with self._scratch() as scratch:
            paths = _place(question, scratch)
            for place, copy in decode_pictures(self._decoder, scratch, paths, grey_range):
                if isinstance(copy, ImageRejected):
                    told[place] = {"rejected": str(copy)}
                    continue
                with Image.open(copy.path, formats=("PNG", "JPEG")) as picture:
                    (found[place],) = detector.find([picture])
                told[place] = {"boxes": len(found[place].scores), "width": copy.width, "height": copy.height}
                if question.header.get("thumbnails"):
                    thumbnails[place] = copy.thumbnail.read_bytes()
        arrays = [
            np.concatenate([np.zeros(shape, dtype), *(getattr(found[place], name) for place in sorted(found))])
            for name, shape, dtype in FOUND_ARRAYS
        ]
        parts = [*(array.tobytes() for array in arrays), *(thumbnails[place] for place in sorted(thumbnails))]
        return Frame({"pictures": [told[place] for place in range(len(paths))]}, parts)

    def _draw_heat_maps(self, question: Frame) -> Frame:
        loaded = self._load(question)
        with self._scratch() as scratch:
            paths, grey_range = _place(question, scratch), loaded.network.grey_range
            for _, copy in decode_pictures(self._decoder, scratch, paths, grey_range):
                if isinstance(copy, ImageRejected):
                    raise copy
                pixels = load_pixels(copy.path, loaded.network.image_size)
                with Image.open(copy.path, formats=("PNG", "JPEG")) as image:
                    picture = np.asarray(image.convert("RGB"))
        number, *maps = loaded.grad_cam.draw(pixels, question.header["class"])
        arrays = [picture, *(each.values for each in maps if each)]
        described = [{"layer": each.layer, "block": each.block} if each else None for each in maps]
        header = {"class": number, "shapes": [array.shape for array in arrays], "maps": described}
        return Frame(header, [array.tobytes() for array in arrays])

    def _warm(self, question: Frame) -> Frame:
        """Do once for a black picture what is slow the first time: load the model and have its functions traced.

        Heat maps need TensorFlow, which takes seconds to load; they are put off where the question does not ask for
        them: whoever looks on waits for answers.
        """
        loaded = self._load(question)
        if self._store.run(question.header["run"]).head.task == "detect":
            loaded.detector.find([Image.new("RGB", (loaded.detector.image_size,) * 2)])
            return Frame({})
        black = np.zeros((loaded.network.image_size, loaded.network.image_size, 3), np.uint8)
        loaded.network.predict(black[None])
        self._put_off = None if question.header["maps"] else Frame(question.header | {"maps": True})
        if question.header["maps"]:
            loaded.grad_cam.draw(black, None)
        return Frame({})

    @property
    def has_put_off(self) -> bool:
        """Say whether there is something to do once nobody asks anything."""
        return self._put_off is not None

    def catch_up(self) -> None:
        """Do what was put off; what goes wrong is told to whoever asks for it."""
        question, self._put_off = self._put_off, None
        if question is not None:
            self.answer(question)

    def _scratch(self) -> AbstractContextManager[Path]:
        return scratch_folder("predictor", self._store.workspace.root / "staging")

    def _load(self, question: Frame) -> Loaded:
        """Return the run's classifier from memory or from disk; never by way of the internet."""
        run = self._store.run(question.header["run"])
        key = (run.id, run.result_phase, *_stamps(self._store.workspace.run(run.id)))
        if key not in self._loaded:
            _require_weights(run)
            while len(self._loaded) >= KEPT_RUNS:
                self._loaded.popitem(last=False)
            self._loaded[key] = Loaded(self._store, run)
        self._loaded.move_to_end(key)
        return self._loaded[key]


def _look(copy: Copy | ImageRejected, image_size: int) -> Seen | ImageRejected:
    if isinstance(copy, ImageRejected):
        return copy
    return Seen(load_pixels(copy.path, image_size), copy.thumbnail.read_bytes(), copy.notes)


def count_tuned_layers(run: Run) -> int:
    """Return how many layers of the backbone, from its top, were trained for the model that is the run's result."""
    row = find_backbone(run.backbone)
    if row.fresh:
        return row.layers
    if run.result_phase != 2 or run.fine_tune is None:
        return 0
    return run.fine_tune.layers or 0


def serve(store: Store, questions: IO[bytes], answers: IO[bytes], idle_s: float) -> None:
    """Answer until the questions end, since whoever asked is gone, or none has come for `idle_s` seconds."""
    arrived: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(questions, arrived), daemon=True).start()
    with Decoder(min(DECODERS, os.cpu_count() or 1)) as decoder:
        service = PredictionService(store, decoder)
        while True:
            try:
                question = arrived.get(timeout=min(QUIET_S, idle_s) if service.has_put_off else idle_s)
            except queue.Empty:
                if not service.has_put_off:
                    return
                service.catch_up()
                continue
            if question is None:
                return
            try:
                write_frame(answers, service.answer(question))
            except BrokenPipeError:
                return


def _listen(questions: IO[bytes], arrived: "queue.SimpleQueue[Frame | None]") -> None:
    while True:
        question = read_frame(questions)
        arrived.put(question)
        if question is None:
            return


def _place(question: Frame, scratch: Path) -> Sequence[Path]:
    """Return the paths of the pictures in question; those that came as bytes are written to `scratch`."""
    if "paths" in question.header:
        return [Path(path) for path in question.header["paths"]]
    paths = [scratch / f"{place}.sent" for place in range(len(question.parts))]
    for path, content in zip(paths, question.parts, strict=True):
        path.write_bytes(content)
    return paths


def _stamps(folder: Path) -> list[int]:
    return [path.stat().st_mtime_ns if path.exists() else 0 for path in map(folder.joinpath, RESULTS)]


def _require_weights(run: Run) -> None:
    row = find_backbone(run.backbone)
    if row.bundled_package is None and not is_local(row):
        raise WeightsError(
            f"Expected the pretrained weights of {row.title} on this machine. Received: none; they were removed since "
            "the run was trained. Download them again on the Backbone page."
        )


def _refuse(reason: str) -> Frame:
    return Frame({"error": PredictorError.__name__, "message": f"No answer for these pictures: {reason}."})


def _claim_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Take standard input and output for the frames alone; whatever TensorFlow prints goes to standard error."""
    questions, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    sys.stdout = sys.stderr
    # Without a buffer, or the thread that still waits for a question would be in the way of the process's end.
    return os.fdopen(questions, "rb", buffering=0), os.fdopen(answers, "wb")


def main() -> None:
    """Answer questions about the runs of one workspace until the asker is gone or silent."""
    parser = argparse.ArgumentParser(description="Answer for new pictures over standard input and output.")
    parser.add_argument("--workspace")
    parser.add_argument("--idle-s", type=float, default=IDLE_S)
    arguments = parser.parse_args()
    questions, answers = _claim_pipes()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # A run in training has the GPU to itself: its memory comes back only when a process ends.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    serve(Store(open_workspace(arguments.workspace)), questions, answers, arguments.idle_s)
    # All is put away; TensorFlow would take its time to take itself apart.
    os._exit(0)


if __name__ == "__main__":
    main()
