"""Transfer learning with Keras, from folders of photos: train a head first, then the top layers of the backbone.

The API is what `tlcore.api` and `tlcore.detection.api` define; importing this package alone loads neither NumPy nor
Keras.
"""

from typing import TYPE_CHECKING, Any

from tlcore.environment import settle

if TYPE_CHECKING:
    from tlcore.api import Trained, export, fine_tune, read_photos, read_pixels, split, train_from_scratch, train_head
    from tlcore.detection.api import TrainedDetector, fine_tune_detector, train_detector

__version__ = "0.1.0"
_DETECTION = ["TrainedDetector", "fine_tune_detector", "train_detector"]
__all__ = [
    "Trained",
    "TrainedDetector",
    "export",
    "fine_tune",
    "fine_tune_detector",
    "read_photos",
    "read_pixels",
    "split",
    "train_detector",
    "train_from_scratch",
    "train_head",
]

settle()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module("tlcore.detection.api" if name in _DETECTION else "tlcore.api"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
