"""Annotation files of each format that are changed in their structure, and some that want much memory."""

import copy
import json
import random
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.boxes.annotations import ORCHARD, coco, voc, yolo

DEEP: list[Any] = []
for _ in range(150):
    DEEP = [DEEP]
WORDS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 7, 0.5, -0.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), 10**400, 2**63),
    *("", " ", "0", "apple", "pear", "a.jpg", "b.jpg", "<script>alert(1)</script>", "=cmd()", "[link](x)", "\u202e"),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "C:\\a.jpg",
        "..\\a.jpg",
        "a.jpg\0",
        "http://a/a.jpg",
        "a/" * 5000,
        "x" * 9000,
    ),
    *("\ud800", "\ud800.jpg", "a\u0301.jpg", "%2e%2e%2fa.jpg", "file:///a.jpg", "nan", "1e999", "1_0", "\u0663"),
)
SPOILT: tuple[Any, ...] = (*WORDS, [], {}, [[]], [1, 2, 3, 4], [None] * 4, {"id": 0}, {"name": {}}, DEEP)
KEYS = ("images", "annotations", "categories", "bbox", "id", "file_name", "label", "coordinates", "image", "width")
ENCODINGS = ("utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1", "cp037")
HEADS = (
    '<?xml version="1.0" encoding="{}"?>'.format,
    "<!DOCTYPE a [<!ENTITY b 'c'>]>".format,
    "<!DOCTYPE a SYSTEM 'http://localhost/{}'>".format,
    "<!-- {} -->".format,
    "\ufeff".format,
)
DECLARED = ("utf-8", "utf-16", "latin-1", "utf-7", "punycode", "hex", "rot13", "nothing")


def mutate(form: str, chance: random.Random) -> dict[str, bytes]:
    """Return the annotation files of `ORCHARD` in a format, by their names, with one to four things changed."""
    return MAKERS[form](chance)


def _changed(value: Any, change: Callable[[Any, random.Random], Any], chance: random.Random) -> Any:
    for _ in range(chance.randint(1, 4)):
        value = change(value, chance)
    return value


def _mutate_coco(chance: random.Random) -> dict[str, bytes]:
    return {"annotations.json": _write_json(_changed(coco(ORCHARD), _change_json, chance), chance)}


def _mutate_create_ml(chance: random.Random) -> dict[str, bytes]:
    rows = [
        {"image": name, "annotations": [{"label": label, "coordinates": _centre(*box)} for label, *box in boxes]}
        for name, boxes in ORCHARD.items()
    ]
    return {"_annotations.createml.json": _write_json(_changed(rows, _change_json, chance), chance)}


def _centre(x: float, y: float, width: float, height: float) -> dict[str, float]:
    return {"x": x + width / 2, "y": y + height / 2, "width": width, "height": height}


def _change_json(value: Any, chance: random.Random) -> Any:
    """Return a value of JSON with one part spoilt, left out, doubled, wrapped, exchanged or called otherwise."""
    value = copy.deepcopy(value)
    parts = [*_list_parts(value)]
    if not parts:
        return chance.choice(SPOILT)
    inside, key = chance.choice(parts)
    act = chance.randrange(6)
    if act == 0:
        del inside[key]
    elif act == 1 and isinstance(inside, list):
        inside[key:key] = [inside[key]] * chance.choice((1, 2, 50))
    elif act == 2:
        inside[key] = [inside[key]]
    elif act == 3:
        other, place = chance.choice(parts)
        inside[key] = copy.deepcopy(other[place])
    elif act == 4 and isinstance(inside, dict):
        inside[chance.choice(KEYS)] = inside.pop(key)
    else:
        inside[key] = chance.choice(SPOILT)
    return value


def _list_parts(value: Any) -> Iterator[tuple[Any, Any]]:
    """List every place of a value of JSON, as what holds it and its key there; what is very deep is one."""
    waiting = [(value, 0)]
    while waiting:
        inside, depth = waiting.pop()
        items = inside.items() if isinstance(inside, dict) else enumerate(inside) if isinstance(inside, list) else ()
        for key, each in [*items] if depth < 20 else []:
            yield inside, key
            waiting.append((each, depth + 1))


def _write_json(value: Any, chance: random.Random) -> bytes:
    return _encode(json.dumps(value, ensure_ascii=chance.random() < 0.8), chance)


def _encode(text: str, chance: random.Random) -> bytes:
    """Write most texts as they should be, some in another encoding, cut off or with bytes that are no text."""
    odd = chance.random()
    if odd < 0.1:
        return text.encode(chance.choice(ENCODINGS), "replace")
    content = text.encode("utf-8", "surrogatepass")
    if odd < 0.2:
        return content[: chance.randrange(len(content) + 1)]
    if odd < 0.3:
        place = chance.randrange(len(content) + 1)
        return content[:place] + chance.choice((b"\0", b"\xff\xfe", b"\x80", b"\r", b"\x1b[31m")) + content[place:]
    return content


def _mutate_voc(chance: random.Random) -> dict[str, bytes]:
    files = {}
    for name, boxes in ORCHARD.items():
        tree = _changed(ET.fromstring(voc(name, boxes)), _change_xml, chance)
        text = ET.tostring(tree, encoding="unicode")
        if chance.random() < 0.3:
            text = chance.choice(HEADS)(chance.choice(DECLARED)) + text
        files[f"{name[0]}.xml"] = _encode(text, chance)
    return files


def _change_xml(tree: ET.Element, chance: random.Random) -> ET.Element:
    element = chance.choice([*tree.iter()])
    children = [*element]
    act = chance.randrange(6)
    if act == 0 and children:
        element.remove(chance.choice(children))
    elif act == 1 and children:
        element.extend([copy.deepcopy(chance.choice(children))] * chance.choice((1, 50)))
    elif act == 2:
        element.tag = chance.choice(("object", "bndbox", "xmin", "name", "filename", "size", "annotation", "{u}object"))
    elif act == 3:
        element.append(copy.deepcopy(chance.choice([*tree.iter()])))
    elif act == 4:
        element.set("name", "apple")
    else:
        # As a text, of which XML takes no controls and no half characters.
        element.text = "".join(each for each in str(chance.choice(WORDS)) if each.isprintable())
    return tree


def _mutate_yolo(chance: random.Random) -> dict[str, bytes]:
    files = {}
    for name, boxes in ORCHARD.items():
        lines = [line.split() for line in yolo(boxes).splitlines()]
        files[f"{name[0]}.txt"] = _encode(_join(_changed(lines, _change_lines, chance), chance), chance)
    names = [["names:"], ["-", "apple"], ["-", "pear"]] if chance.random() < 0.5 else [["names:", "[apple,", "pear]"]]
    files["data.yaml"] = _encode(_join(_changed(names, _change_lines, chance), chance), chance)
    return files


def _change_lines(lines: list[list[str]], chance: random.Random) -> list[list[str]]:
    lines = [[*words] for words in lines] or [[]]
    line = chance.choice(lines)
    act = chance.randrange(5)
    if act == 0 and line:
        line.pop(chance.randrange(len(line)))
    elif act == 1:
        line *= chance.choice((2, 50))
    elif act == 2:
        lines += [line] * chance.choice((1, 50))
    elif act == 3 and line:
        line[chance.randrange(len(line))] = str(chance.choice(WORDS))
    else:
        line.insert(chance.randrange(len(line) + 1), str(chance.choice(WORDS)))
    return lines


def _join(lines: list[list[str]], chance: random.Random) -> str:
    return chance.choice(("\n", "\r\n", "\n\n", "\u2028")).join(chance.choice((" ", "\t")).join(line) for line in lines)


MAKERS: dict[str, Callable[[random.Random], dict[str, bytes]]] = {
    "coco": _mutate_coco,
    "create-ml": _mutate_create_ml,
    "voc": _mutate_voc,
    "yolo": _mutate_yolo,
}


def list_bombs() -> dict[str, Callable[[], dict[str, bytes]]]:
    """Return by name what makes files that want far more memory or time than they have bytes, beside photo a.jpg."""
    large, small = 99_000_000, 4_900_000

    def listed(item: str) -> Callable[[], dict[str, bytes]]:
        def make() -> dict[str, bytes]:
            frame = '{"images": [{"id": 0, "file_name": "a.jpg"}], "categories": [], "annotations": [%s]}'
            return {"x.json": (frame % ",".join([item] * (large // (len(item) + 1)))).encode()}

        return make

    def text(before: str, item: str, after: str = "", name: str = "a.txt") -> Callable[[], dict[str, bytes]]:
        good = {"a.txt": b"0 .5 .5 .1 .1\n"} if name != "a.txt" else {"data.yaml": b"names: [apple]\n"}
        return lambda: good | {name: (before + item * (small // len(item)) + after).encode()}

    return {
        "empty lists": listed("[]"),
        "empty objects": listed("{}"),
        "short texts": listed('"ab"'),
        "numbers": listed("1.5"),
        "lists in lists": listed("[[[[[[]]]]]]"),
        "objects in objects": listed('{"id":{"id":{}}}'),
        "boxes of no photo": listed('{"bbox":[1,2,3,4],"image_id":9,"category_id":1}'),
        "boxes of a photo": listed('{"bbox":[1,2,3,4],"image_id":0,"category_id":1}'),
        "one text": listed(f'"{"x" * 90_000_000}"'),
        "brackets": lambda: {"x.json": b'{"annotations":' + b"[" * large},
        "a long path": lambda: {
            "x.json": json.dumps(
                {"images": [{"id": 0, "file_name": "a/" * (large // 4) + "a.jpg"}], "annotations": [], "categories": []}
            ).encode()
        },
        "elements": text("<annotation>", "<object/>", "</annotation>", "a.xml"),
        "elements in elements": text("<annotation>", "<a>", "", "a.xml"),
        "boxes in XML": text(
            "<annotation><filename>a.jpg</filename>", "<object><bndbox/></object>", "</annotation>", "a.xml"
        ),
        "lines": text("", "0 .5 .5 .1 .1\n"),
        "short lines": text("0 .5 .5 .1 .1\n", "0\n"),
        "one line": text("0 ", ".5 "),
        "a long word": text("0 .5 .5 .1 ", "1"),
        "a list without commas": text("names: [", "a", "]", "data.yaml"),
        "a list of commas": text("names: [", "a,", "]", "data.yaml"),
        "quotes": text("names: [", "'\"", "]", "data.yaml"),
        "open quotes": text("names: ['", 'a"', "]", "data.yaml"),
        "spaces": text("names:\n", " ", "x", "data.yaml"),
        "digits": text("names:\n  ", "1", ": a", "data.yaml"),
        "names": text("names:\n", "- a\n", "", "data.yaml"),
        "names and their numbers": text("names: {", "1: a,", "}", "data.yaml"),
    }
