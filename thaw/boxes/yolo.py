"""YOLO text: a file a photo, a line an object, with the number of its class and its box in shares of the photo: the
centre, the width and the height. The classes' names stand in a data.yaml, a classes.txt or a file like it."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from thaw.boxes.sheets import Sheet
from thaw.storage.boxes import Reason
from tlcore.boxes import Box

MAX_BYTES, MAX_NAMES_BYTES = 5_000_000, 1_000_000
MOST_LINES = 20_000
"""Ten times as many boxes as a photo may have."""
NAME_LISTS = ("classes.txt", "obj.names", "classes.names", "_darknet.labels")
_ITEM = re.compile(r"\s*(?:-|(\d+)\s*:)\s*(.*)")


def read_lines(path: Path) -> list[list[str]] | None:
    """Return the words of each line that has any, or None for what is no text, too large or of too many lines."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    lines = text.splitlines()
    return None if len(lines) > MOST_LINES else [words for line in lines if (words := line.split())]


def is_yolo(lines: Sequence[Sequence[str]]) -> bool:
    """Say whether lines are those of a YOLO file, judged by the first: a number of a class, and four others or more."""
    first = lines[0] if lines else []
    return len(first) >= 5 and first[0].isdecimal() and all(_number(word) is not None for word in first)


def read_yolo(lines: Sequence[Sequence[str]], names: Mapping[int, str] | None, file: str, photo: str) -> Sheet:
    """Return what a YOLO file says of a photo; without `names` a class is called by its number.

    A line of more numbers is an outline, of which the box around it is taken, or ends in the confidence of a guess.
    """
    sheet = Sheet(file, photo, shares=True)
    for words in lines:
        numbers = [_number(word) for word in words]
        edges = [number for number in numbers[1:] if number is not None]
        odd = len(edges) > 5 and len(edges) % 2
        if not words[0].isdecimal() or len(edges) < 4 or len(edges) != len(words) - 1 or odd:
            sheet.reject(words[0], Reason.NOT_NUMBERS)
            continue
        label = words[0] if names is None else names.get(int(words[0][:9]))
        if label is None:
            sheet.reject(words[0], Reason.UNKNOWN_CLASS)
        else:
            sheet.draw(label, _edges(edges))
    return sheet


def write_yolo(boxes: Sequence[Box], labels: Sequence[str]) -> str:
    """Return the YOLO file of a photo; `labels` are the classes in their order."""
    numbers = {label: number for number, label in enumerate(labels)}
    lines = [
        f"{numbers[box.label]} {box.x + box.width / 2:.6f} {box.y + box.height / 2:.6f} "
        f"{box.width:.6f} {box.height:.6f}\n"
        for box in boxes
    ]
    return "".join(lines)


def read_names(path: Path, name: str) -> dict[int, str] | None:
    """Return the names of the classes by number from a file called `name`, a data.yaml or a plain list; None where it
    has none."""
    try:
        if path.stat().st_size > MAX_NAMES_BYTES:
            return None
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    if is_yaml(name):
        return _read_yaml(text)
    return dict(enumerate(line.strip() for line in text.splitlines() if line.strip())) or None


def write_names(labels: Sequence[str], folders: Mapping[str, str]) -> str:
    """Return a data.yaml with the names of classes in their order, and the `folders` of photos by part."""
    lines = [f"{part}: {folder}" for part, folder in folders.items()]
    # A text in JSON is one in YAML too.
    names = [f"  {number}: {json.dumps(label)}" for number, label in enumerate(labels)]
    return "\n".join(["path: .", *lines, "names:", *names, ""])


def is_yaml(name: str) -> bool:
    """Say whether a file is called as one in YAML."""
    return name.lower().endswith((".yaml", ".yml"))


def _read_yaml(text: str) -> dict[int, str] | None:
    """Return what stands under `names:`, as a list in one line or several, or by number.

    Not the whole of YAML is read, which can do far more than a list of names needs.
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    start = next((place for place, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        return None
    rest = lines[start].partition(":")[2].strip()
    if rest[:1] in ("[", "{"):
        inside = " ".join([rest, *lines[start + 1 :]])
        body = re.split(r"[\]}]", inside[1:], maxsplit=1)[0]
        items = [_ITEM.fullmatch(part) if rest[0] == "{" else None for part in _part(body)]
        if rest[0] == "[":
            return dict(enumerate(map(_bare, _part(body)))) or None
        return {int(item[1][:9]): _bare(item[2]) for item in items if item and item[1]} or None
    names: dict[int, str] = {}
    for line in lines[start + 1 :]:
        item = _ITEM.fullmatch(line)
        if line.strip() and not item:
            break
        if item:
            names[int(item[1][:9]) if item[1] else len(names)] = _bare(item[2])
    return names or None


def _part(text: str) -> list[str]:
    """Part a list at its commas, but not at those within quotes."""
    return [part for part in re.findall(r"""(?:[^,'"]|'[^']*'|"[^"]*")+""", text) if part.strip()]


def _bare(text: str) -> str:
    stripped = text.strip()
    if len(stripped) > 1 and stripped[0] == stripped[-1] == '"':
        try:
            return str(json.loads(stripped))
        except ValueError:
            return stripped[1:-1]
    if len(stripped) > 1 and stripped[0] == stripped[-1] == "'":
        return stripped[1:-1].replace("''", "'")
    return re.split(r"\s#", stripped, maxsplit=1)[0].strip()


def _number(word: str) -> float | None:
    try:
        number = float(word)
    except ValueError:
        return None
    return number


def _edges(numbers: Sequence[float]) -> tuple[float, float, float, float]:
    if len(numbers) in (4, 5):
        x, y, width, height = numbers[:4]
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    across, down = numbers[0::2], numbers[1::2]
    return min(across), min(down), max(across), max(down)
