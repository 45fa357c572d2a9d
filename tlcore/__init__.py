"""Transfer learning with Keras, from folders of photos: train a head first, then the top layers of the backbone.

The API is what `tlcore.api` defines; importing this package alone loads neither NumPy nor Keras.
"""

from typing import TYPE_CHECKING, Any

from tlcore.environment import settle

if TYPE_CHECKING:
    from tlcore.api import Trained, export, fine_tune, read_photos, read_pixels, split, train_from_scratch, train_head

__version__ = "0.1.0"
__all__ = ["Trained", "export", "fine_tune", "read_photos", "read_pixels", "split", "train_from_scratch", "train_head"]

settle()


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tlcore import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
