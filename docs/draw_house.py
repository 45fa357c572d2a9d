"""Draws docs/images/house.svg, the picture of docs/architecture.md: the floors of benchmarks/floors.toml.

python docs/draw_house.py
"""

import sys
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.house import read_floors  # noqa: E402

PICTURE = ROOT / "docs" / "images" / "house.svg"
LAYERS = {
    "pages": ("pages", "the browser: Streamlit", "#8a5a12", "#fbf3e6"),
    "thaw": ("thaw", "the application: workspace, jobs, serving", "#14606b", "#e8f4f5"),
    "tlcore": ("tlcore", "the method: Keras", "#5b3a86", "#f2edf8"),
}
# The names that stand for what is above all packages of a layer.
TOPS = {"tlcore": "its API", "thaw": "python -m thaw", "pages": "the pages", "app": "app.py"}
COLUMN, GAP, PAD, LINE, TOP = 290, 44, 12, 18, 74
CHARACTERS = 38


def list_floors(layer: str) -> Iterator[list[str]]:
    """Yield the lines of text of each floor of a layer, from the lowest up."""
    for floor in read_floors():
        if floor[0].replace("app", "pages").split(".")[0] != layer:
            continue
        names = [TOPS.get(name, name.removeprefix(f"{layer}.").removeprefix("ui.")) for name in floor]
        yield textwrap.wrap(" · ".join(names), CHARACTERS)


def draw_layer(layer: str, left: int, bottom: int) -> tuple[str, int]:
    """Return the SVG of a layer that stands on `bottom`, and where its highest floor ends."""
    _, _, ink, paper = LAYERS[layer]
    parts = []
    for lines in list_floors(layer):
        height = LINE * len(lines) + PAD
        bottom -= height + 6
        parts.append(
            f'<rect x="{left}" y="{bottom}" width="{COLUMN}" height="{height}" rx="6" fill="{paper}" stroke="{ink}"/>'
        )
        for number, line in enumerate(lines):
            y = bottom + PAD / 2 + LINE * number + 13
            parts.append(f'<text x="{left + COLUMN / 2:g}" y="{y:g}" text-anchor="middle">{escape(line)}</text>')
    return "\n".join(parts), bottom


def draw() -> str:
    """Return the whole picture: a layer a column, its floors upon one another, and which way imports point."""
    tallest = max(sum(LINE * len(lines) + PAD + 6 for lines in list_floors(layer)) for layer in LAYERS)
    bottom, width = TOP + tallest + 6, 3 * COLUMN + 2 * GAP + 32
    parts = []
    for number, (layer, (name, about, ink, _)) in enumerate(LAYERS.items()):
        left = 16 + number * (COLUMN + GAP)
        drawn, _ = draw_layer(layer, left, bottom)
        parts += [
            f'<text x="{left}" y="30" font-size="20" font-weight="700" fill="{ink}">{name}/</text>',
            f'<text x="{left}" y="52" fill="{ink}">{escape(about)}</text>',
            drawn,
        ]
        if number:
            y, tip = bottom - 40, left - 6
            parts.append(
                f'<path d="M{left - GAP + 6} {y}H{tip}m-7 -5l7 5l-7 5" fill="none" stroke="#444" stroke-width="2"/>'
            )
    words = "Imports point to the right, from layer to layer, and down: a package knows what stands below it."
    parts.append(f'<text x="16" y="{bottom + 24}" fill="#444">{words}</text>')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 40}" '
        f'viewBox="0 0 {width} {bottom + 40}" font-family="sans-serif" font-size="13" role="img" '
        f'aria-label="{words}">\n<rect width="100%" height="100%" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
