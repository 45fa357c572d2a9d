"""What Thaw needs of the process that it runs in, whatever the environment says: Keras's settings, safe output, and no
search for garbage, which goes over all that is alive whenever much is made, however little can go."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

# Where child processes start: an installed package and a checkout both find `tlcore` and `thaw` from here.
SOURCE_ROOT = Path(__file__).parents[1]
SETTINGS = {
    # A model is built, cut and exported with TensorFlow's own graph.
    "KERAS_BACKEND": "tensorflow",
    "TF_USE_LEGACY_KERAS": "0",
    # For child processes, whose output is read or kept as UTF-8: this interpreter has read both already.
    "PYTHONUTF8": "1",
    "PYTHONIOENCODING": "utf-8",
}
# Names another backend of Keras's for what `tlcore.models` and `tlcore.training` do ("jax"); the rest of Thaw wants
# TensorFlow. A variable of its own: KERAS_BACKEND is often set for other programs.
OTHER_BACKEND = "TLCORE_BACKEND"
# For child processes that work in large blocks: glibc keeps up to 64 MB, and blocks of up to 32 MB, for the next use,
# where it would hand each back to the system and have the next one's memory cleared anew: a tenth of the time that a
# picture takes to decode, a third of a retraining by large batches. Other C libraries do not heed it.
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(64 << 20)}
# These cap every training, and turn on what Keras calls experimental.
REMOVED = ("KERAS_MAX_EPOCHS", "KERAS_MAX_STEPS_PER_EPOCH", "KERAS_NNX_ENABLED")


def settle() -> None:
    """Set the environment for Keras, TensorFlow and child processes, and let no output end in a UnicodeEncodeError.

    `tlcore/__init__` calls it, so that it holds in every process before anything else is imported. What Keras reads
    from keras.json is put right by `tlcore.models.backend`. Which devices and which of oneDNN's operations TensorFlow
    uses (CUDA_VISIBLE_DEVICES, TF_ENABLE_ONEDNN_OPTS) stays the person's choice: both are ways to get the same result.
    """
    os.environ.update(SETTINGS)
    os.environ["KERAS_BACKEND"] = os.environ.get(OTHER_BACKEND) or SETTINGS["KERAS_BACKEND"]
    for name in REMOVED:
        os.environ.pop(name, None)
    for stream in (sys.stdout, sys.stderr):
        escape_unknown(stream)


def escape_unknown(stream: TextIO | None) -> None:
    """Have a stream write characters that its encoding lacks as escapes (`\\u4e2d`), instead of raising for them."""
    if stream is not None and getattr(stream, "errors", None) == "strict" and hasattr(stream, "reconfigure"):
        stream.reconfigure(errors="backslashreplace")


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the search away while something large is built; a decorator too.

    Reading 32,000 images and dividing them took half as long again with it. Threads may be inside at once: it goes on
    when all of them have left.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def spare_modules() -> None:
    """Have the search pass over what is alive now, once for every time that modules were loaded: they stay anyway.

    In the server it went over the 130,000 objects of the libraries again and again: 0.1 s after every page, in which
    nothing else can run, and two fifths of the server's own time while photos arrive. Call it where little else is
    alive, since what is passed over is freed only when the last reference to it goes.
    """
    global _modules
    if len(sys.modules) != _modules:
        _modules = len(sys.modules)
        gc.collect()
        gc.freeze()


_modules = 0
