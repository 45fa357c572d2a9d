"""What a service answers with: a model, how it sees pictures, and how what it says is told."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tlcore.exporting.formats import UNKNOWN
from tlcore.images.pixels import WIDEST, load_pixels

SIGNATURE = "serving_default"
TOP = 5

Shapes = dict[str, tuple[str, Sequence[int]]]


class Look(NamedTuple):
    """A picture as a model sees it, uint8 (side, side, 3), and where that lies in the upright original, of which
    `width` and `height` are the pixels."""

    pixels: np.ndarray
    width: int
    height: int
    window: Any = None


@dataclass(frozen=True)
class Engine(ABC):
    """What the service knows of its model; `network` takes uint8 (n, image_size, image_size, 3) and returns a row a
    picture, float32. `run` is the id of the run behind it; pictures of more than 8 bits are read by `grey_range`;
    below `threshold` (0 to 1) it is not sure enough."""

    run: str
    labels: Sequence[str]
    image_size: int
    threshold: float
    network: Callable[[np.ndarray], np.ndarray] = field(repr=False)
    grey_range: int = WIDEST

    def warm(self, batch_sizes: Sequence[int]) -> None:
        """Answer once for blank pictures in each size of batch: the first answers are slow."""
        for size in batch_sizes:
            self.network(np.zeros((size, self.image_size, self.image_size, 3), np.uint8))

    @property
    @abstractmethod
    def purpose(self) -> str:
        """Say in a sentence what it does with pictures."""

    @abstractmethod
    def explain_answer(self) -> str:
        """Say in HTML what its answer for a picture is."""

    @property
    @abstractmethod
    def outputs(self) -> Shapes:
        """Return the type, in TensorFlow's words, and the shape of each output, -1 for the number of pictures."""

    @abstractmethod
    def look(self, copy: Path, width: int, height: int) -> Look:
        """Return what the model sees of a picture by the copy that an import would keep of it; the upright original is
        `width` x `height` pixels."""

    @abstractmethod
    def look_at_pixels(self, pixels: np.ndarray) -> Look:
        """Return pixels, uint8 (image_size, image_size, 3), as a picture that is seen as it is."""

    @abstractmethod
    def name_answer(self, row: np.ndarray) -> str:
        """Return the word by which an answer is counted."""

    @abstractmethod
    def describe(self, row: np.ndarray, look: Look) -> dict[str, Any]:
        """Return what is said of one picture."""

    @abstractmethod
    def give_outputs(self, row: np.ndarray) -> dict[str, Any]:
        """Return the outputs of one picture by name, in plain lists and numbers."""


class ClassifierEngine(Engine):
    """A classifier, whose rows are probabilities, float32 (n, classes), with the temperature applied."""

    def choose(self, probabilities: np.ndarray) -> int:
        """Return the likeliest class's place in `labels`, or -1, "I don't know", below the threshold."""
        likeliest = int(probabilities.argmax())
        return likeliest if probabilities[likeliest] >= self.threshold else UNKNOWN

    @property
    def purpose(self) -> str:
        return f"Classifies pictures into {len(self.labels)} classes."

    def explain_answer(self) -> str:
        """Say what its answer is, and when it does not know."""
        told = "A picture goes in, its class and how sure the model is come out."
        unsure = f"Below a probability of {self.threshold:.0%} it says “I don't know” (<code>label</code> is null)."
        return f"{told} {unsure}" if self.threshold else told

    @property
    def outputs(self) -> Shapes:
        classes = len(self.labels)
        return {
            "probabilities": ("DT_FLOAT", (-1, classes)),
            "answer": ("DT_INT32", (-1,)),
            "class_names": ("DT_STRING", (-1, classes)),
        }

    def look(self, copy: Path, width: int, height: int) -> Look:
        """Return a picture stretched to the square."""
        return Look(load_pixels(copy, self.image_size), width, height)

    def look_at_pixels(self, pixels: np.ndarray) -> Look:
        """Return pixels as they are."""
        return Look(pixels, self.image_size, self.image_size)

    def name_answer(self, row: np.ndarray) -> str:
        """Return "class", or "dont_know"."""
        return "dont_know" if self.choose(row) == UNKNOWN else "class"

    def describe(self, row: np.ndarray, look: Look) -> dict[str, Any]:
        """Return `label`, None for "I don't know", with its probability, and as `top` the five likeliest classes."""
        choice = self.choose(row)
        likeliest: Sequence[int] = np.argsort(-row, kind="stable")[:TOP].tolist()
        return {
            "label": None if choice == UNKNOWN else self.labels[choice],
            "probability": float(row.max()),
            "top": [{"label": self.labels[place], "probability": float(row[place])} for place in likeliest],
        }

    def give_outputs(self, row: np.ndarray) -> dict[str, Any]:
        """Return probabilities, the answer's number, and the names of the classes."""
        return {"probabilities": row.tolist(), "answer": self.choose(row), "class_names": list(self.labels)}
