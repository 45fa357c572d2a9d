"""Writes a model as one web page that runs it: the network, the runtime and what draws the answer in a single file."""

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from string import Template

from tlcore.exporting.web.runtime import HELPER, INTERFACE, PAGE_FILE
from tlcore.files import write_atomically

CARD_FILE, README_FILE, EXAMPLE_FILE = "model_card.html", "README.md", "embedding.html"
_PART = '    <script type="text/plain" id="{name}">{packed}</script>'
_SCRIPTS = ("resample.js", "photo.js", "model.js", "page.js")
_LINK = f'<p><a href="{CARD_FILE}">What it was taught, how good it is, and its limits</a></p>'
# Nothing may be asked of any host: no source but the page itself, and what it holds in memory.
_POLICY = (
    "default-src 'none'; script-src {script} blob: 'wasm-unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src blob:; media-src blob:; base-uri 'none'; form-action 'none'"
)


def write_page(
    model: bytes,
    runtime: Mapping[str, bytes],
    labels: Sequence[str],
    side: int,
    folder: Path,
    card: Path | None = None,
) -> None:
    """Write the page of a classifier into a new `folder`, with how to put it into a page of one's own.

    `model` is a .tflite file that takes `image`, uint8 (1, side, side, 3), and gives `probabilities` and `answer`, the
    number of a label or -1; `runtime` is what `read_runtime` returns. A model card, HTML, lies beside the page and is
    linked where there is one.
    """
    assert runtime[INTERFACE].count(f'"{HELPER}"'.encode()) == 1, "the page replaces this import"
    # The lines around the script belong to what is hashed.
    script = f"\n{read_scripts()}\n    "
    facts = json.dumps({"labels": list(labels), "side": side}, ensure_ascii=False)
    page = Template(_asset("page.html")).substitute(
        policy=html.escape(_POLICY.format(script=_hash(script)), quote=False),
        title="What is in the picture?",
        style=_asset("page.css"),
        card=_LINK if card else "",
        # Nothing in a name may end the element.
        facts=facts.replace("<", "\\u003c"),
        parts="\n".join(
            _PART.format(name=name, packed=_pack(each)) for name, each in {**runtime, "model": model}.items()
        ),
        script=script,
    )
    folder.mkdir()
    write_atomically(folder / PAGE_FILE, page.encode())
    for name in (README_FILE, EXAMPLE_FILE):
        write_atomically(folder / name, _asset(name).encode())
    if card:
        write_atomically(folder / CARD_FILE, card.read_bytes())


@cache
def read_scripts() -> str:
    """Return the page's own scripts, joined."""
    return "\n".join(_asset(name) for name in _SCRIPTS)


def _asset(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """Return how a policy names a script that stands in the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _pack(content: bytes) -> str:
    """Return bytes as the page holds them; the same bytes are always packed the same."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()
