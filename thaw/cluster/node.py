"""What runs on a node of the cluster. It goes there by value, so that a node without Thaw can say that it has none: at
its head only the standard library is imported."""

import hashlib
import importlib.metadata
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Any

# What has to be the same on every machine for the results to be: what decodes photos and what computes.
SAME = ("numpy", "pillow", "onnxruntime")


def describe(packages: tuple[str, ...], witness: str) -> dict[str, Any]:
    """Return what this machine has: versions of Python, Thaw and `packages` (None for one that is missing), the sha256
    of the file `witness` (None where it cannot be read), and how many bytes its disk has left for results."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in packages:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    try:
        versions["thaw"] = importlib.import_module("tlcore").__version__
    except ImportError:
        versions["thaw"] = None
    return {
        "versions": versions,
        "witness": hash_file(witness),
        "free_bytes": shutil.disk_usage(tempfile.gettempdir()).free,
    }


def hash_file(path: str) -> str | None:
    """Return the sha256 of a file; None where this machine does not see it."""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return None


def do(function: str, common: Any, task: Any) -> Any:
    """Return what "module:function" makes of a task."""
    module, _, name = function.partition(":")
    return getattr(importlib.import_module(module), name)(common, task)
