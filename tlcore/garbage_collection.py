"""Python's search for garbage, which goes over all that is alive whenever much is made, however little can go."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


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
