"""How long work tells of its progress, and asks whether to go on."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as progress(stage, done, total); stage is a plain phrase such as "checking images"."""
CheckStop = Callable[[], None]
"""Called often; raises `tlcore.errors.Stopped` where the work is to end."""


def ignore_progress(stage: str, done: int, total: int) -> None:
    """Hear of progress and do nothing."""


def never_stop() -> None:
    """Go on whatever happens."""
