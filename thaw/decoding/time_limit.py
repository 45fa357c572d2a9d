"""How long a picture may take to decode: what its size warrants, and what an import lends those that take longer."""

import math
import signal
import threading

IMPORT_EXTRA_S = 60.0
# Two to four times what the slowest honest pictures took on one core at 3 GHz: progressive JPEG, AVIF and lossless WebP
# of 24 megapixels and 11 to 58 MB 0.5 to 0.9 s, pictures of 100 megapixels of one colour up to 1.2 s; HEIC of 12
# megapixels and 2.2 MB 0.7 s; a PPM of 43 MB in text 4.5 s.
_BASE_S, _A_MEGAPIXEL_S, _A_MEGABYTE_S = 1.0, 0.02, 0.06
_A_MEGABYTE_OF_S = {"HEIF": 0.5, "PPM": 0.3}
# Where a process cannot limit its own processor time (Windows), its parent's clock stands in.
_CAN_LIMIT = hasattr(signal, "setitimer")
_PLAIN_S = 5.0


def ordinary_s(size_bytes: int, pixels: int, encoding: str = "") -> float:
    """Return the seconds of processor time that a picture of this size may take; `encoding` as Pillow calls it."""
    return _BASE_S + _A_MEGABYTE_OF_S.get(encoding, _A_MEGABYTE_S) * size_bytes / 1e6 + _A_MEGAPIXEL_S * pixels / 1e6


def end_after(seconds: float) -> None:
    """Let the system end this process after so much more processor time; 0 takes that back.

    The signal is not handled: while a library decodes, no line of Python would run.
    """
    if _CAN_LIMIT:
        signal.setitimer(signal.ITIMER_PROF, seconds)


def was_ended(returncode: int | None) -> bool:
    """Say whether a process ended because its time by `end_after` was over."""
    return _CAN_LIMIT and returncode == -signal.SIGPROF


def limit_wait(limit_s: float, lent_s: float) -> float:
    """Return how long to wait for a picture that was lent some time beyond the ordinary."""
    return limit_s if _CAN_LIMIT else min(limit_s, _PLAIN_S + lent_s)


class Allowance:
    """Processor time beyond the ordinary that all pictures of one import share; safe to use from several threads."""

    def __init__(self, seconds: float = math.inf) -> None:
        self.seconds = seconds
        self._left = seconds
        self._lock = threading.Lock()

    def lend(self, most_s: float) -> float:
        """Take out what one picture may use: at most `most_s` and half of what is left, so that others find some."""
        with self._lock:
            lent = min(most_s, self._left / 2)
            self._left -= lent
            return lent

    def give_back(self, unused_s: float) -> None:
        """Put back what a picture did not use of what it was lent."""
        with self._lock:
            self._left += unused_s
