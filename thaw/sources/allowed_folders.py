"""Which folders of this machine the browser may import from: those that the person who started the server allowed."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from tlcore.errors import DatasetError

ENVIRONMENT_VARIABLE = "THAW_ROOTS"
SHOWN = 300


def allow(roots: Iterable[Path]) -> None:
    """Make `roots` the allowed folders of this process and of those that it starts; none changes nothing.

    Raises DatasetError for what is no folder, or has the separator of the list in its path and would allow others.
    """
    folders = [root.expanduser().resolve() for root in roots]
    for folder in folders:
        if not folder.is_dir() or os.pathsep in str(folder):
            raise DatasetError(
                f"Expected after --root a folder without {os.pathsep!r} in its path. Received: {str(folder)!r}. "
                "Check the path, or allow the folder around it."
            )
    if folders:
        os.environ[ENVIRONMENT_VARIABLE] = os.pathsep.join(map(str, folders))


def allowed_roots() -> list[Path]:
    """Return the folders of $THAW_ROOTS, else the home folder alone."""
    named = [name for name in os.environ.get(ENVIRONMENT_VARIABLE, "").split(os.pathsep) if name]
    return [Path(name).expanduser().resolve() for name in named] or [Path.home().resolve()]


def require_allowed(path: Path, roots: Sequence[Path]) -> Path:
    """Return `path` with every link followed; raise DatasetError where it then lies under none of `roots`.

    What is opened should be the answer: a link put there afterwards is not followed.
    """
    try:
        resolved = path.resolve()
        lies_under = [resolved.is_relative_to(root.resolve()) for root in roots]
    except (OSError, RuntimeError, ValueError) as problem:
        raise DatasetError(
            f"Expected a path on this machine that can be read. Received: {str(path)[:SHOWN]!r} ({problem}). "
            "Check the path."
        ) from problem
    if not any(lies_under):
        named = " or ".join(repr(str(root)) for root in roots)
        led = f", which leads to {str(resolved)[:SHOWN]!r}" if resolved != path else ""
        raise DatasetError(
            f"Expected a path under {named}. Received: {str(path)[:SHOWN]!r}{led}. Copy it there, or start "
            "the server with 'streamlit run app.py -- --root DIR' to allow another folder."
        )
    return resolved
