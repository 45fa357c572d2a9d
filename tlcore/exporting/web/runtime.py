"""The runtime that a web page computes with: LiteRT.js, taken out of the package that npm hands out.

No code of it lies in this repository: whoever wants web pages has their own npm fetch it, or gives its file. It was
chosen over ONNX Runtime Web 1.30 (Chromium 156, one thread, EfficientNet-Lite0 at 224 px, measured together): 36 ms an
image beside 75, and 2.8 MB of packed WebAssembly beside 3.7.
"""

import base64
import hashlib
import tarfile
from pathlib import Path

from tlcore.errors import SettingsError

PACKAGE, VERSION = "@litertjs/core", "2.5.3"
FILE = f"litertjs-core-{VERSION}.tgz"
BYTES = 11_817_097
INTEGRITY = "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ=="
"""The SHA-512 of the file in base64, as npm publishes it."""
COMMAND = f"npm pack {PACKAGE}@{VERSION}"
PAGE_FILE = "index.html"
HELPER = "@litertjs/wasm-utils"
"""The one module that the runtime imports; the page puts a few lines of its own in its place."""
INTERFACE = "index.js"
_FOLDERS = {
    INTERFACE: "package/dist",
    # For browsers with relaxed SIMD, and for those without.
    "litert_wasm_internal.js": "package/wasm",
    "litert_wasm_internal.wasm": "package/wasm",
    "litert_wasm_compat_internal.js": "package/wasm",
    "litert_wasm_compat_internal.wasm": "package/wasm",
}


def is_runtime(path: Path) -> bool:
    """Tell whether a file is the package, to the last byte."""
    if not path.is_file() or path.stat().st_size != BYTES:
        return False
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha512").digest()
    return base64.b64encode(digest).decode() == INTEGRITY


def read_runtime(path: Path) -> dict[str, bytes]:
    """Take what a page needs out of the package at `path`: the content of its files by name.

    Raises SettingsError, with what to do, where that is not the package whose content is pinned here.
    """
    if not is_runtime(path):
        raise SettingsError(
            f"Expected {FILE} as npm hands it out (SHA-512 {INTEGRITY[:12]}…). Received: '{path}', "
            f"{'which has another content' if path.is_file() else 'which is not there'}. Run `{COMMAND}` and give the "
            "file that it writes."
        )
    parts = {}
    with tarfile.open(path) as package:
        for name, folder in _FOLDERS.items():
            member = package.extractfile(f"{folder}/{name}")
            assert member is not None
            parts[name] = member.read()
    return parts
