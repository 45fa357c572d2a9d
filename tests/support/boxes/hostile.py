"""Annotation files that are wrong in every way that is known, made on the spot, each with what must come of it."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.boxes.annotations import HEIGHT, ORCHARD, WIDTH, coco, voc, write_photos, yolo
from thaw.storage.boxes import MOST_ON_A_PHOTO, Reason

PHOTOS = ("a.jpg", "b.jpg")
GOOD = ("apple", 10, 10, 20, 20)
LAUGHS = "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'><!ENTITY c '&b;&b;&b;&b;'>]>"
OUTSIDE = "<!DOCTYPE a [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"


@dataclass(frozen=True)
class Evil:
    """Files beside two photos of 96 x 72 pixels: how many boxes they leave, and how often each reason is given."""

    name: str
    files: dict[str, bytes]
    boxes: int = 1
    reasons: dict[Reason, int] = field(default_factory=dict)


def write(folder: Path, evil: Evil) -> Path:
    write_photos(folder, PHOTOS)
    for name, content in evil.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def list_evils() -> list[Evil]:
    return [*_coco(), *_create_ml(), *_voc(), *_yolo()]


def _coco() -> list[Evil]:
    value = coco({"a.jpg": [GOOD], "b.jpg": []})
    (good,) = value["annotations"]

    def with_boxes(*boxes: object, **besides: object) -> bytes:
        bad = [good | each if isinstance(each, dict) else each for each in boxes]
        return json.dumps(value | {"annotations": [good, *bad]} | besides).encode()

    def images(**changes: object) -> list[dict[str, object]]:
        return [value["images"][0] | changes, value["images"][1]]

    beyond = [[200, 0, 9, 9], [-50, 0, 9, 9], [90, 0, 30, 9], [0, 500, 9, 9], [-1e300, 0, 1e300, 9]]
    flat = [[5, 5, 0, 9], [5, 5, 9, 0], [5, 5, -9, 9], [5, 5, 1e-9, 9]]
    words = [None, "5,5,9,9", [5, 5, 9], [5, 5, 9, "9"], [5, 5, 9, None], [5, 5, 9, [9]], {}, [5, 5, 9, True], []]
    digits = "9" * 4000
    return [
        Evil("outside", {"x.json": with_boxes(*({"bbox": each} for each in beyond))}, 1, {Reason.OUTSIDE_IMAGE: 5}),
        Evil("no area", {"x.json": with_boxes(*({"bbox": each} for each in flat))}, 1, {Reason.ZERO_AREA: 4}),
        Evil("no numbers", {"x.json": with_boxes(*({"bbox": each} for each in words))}, 1, {Reason.NOT_NUMBERS: 9}),
        Evil(
            "not finite",
            {
                "x.json": with_boxes(
                    *({"bbox": [5, 5, 9, each]} for each in (float("nan"), float("inf"), -float("inf")))
                )
            },
            1,
            {Reason.NOT_NUMBERS: 3},
        ),
        Evil("no annotation", {"x.json": with_boxes(None, 7, "x", [1])}, 1, {Reason.NOT_NUMBERS: 4}),
        Evil(
            "a large number",
            {"x.json": with_boxes({"bbox": [0, 0, 7, 7]}).replace(b"[0, 0, 7, 7]", f"[0, 0, 7, {digits}]".encode())},
            1,
            {Reason.NOT_NUMBERS: 1},
        ),
        Evil(
            "unknown class",
            {"x.json": with_boxes(*({"category_id": each} for each in (9, None, [], {}, "0x", 1.5)))},
            1,
            {Reason.UNKNOWN_CLASS: 6},
        ),
        Evil(
            "no names",
            {"x.json": with_boxes(categories=[{"id": 0}, {"id": 0, "name": 7}, None, 3])},
            0,
            {Reason.UNKNOWN_CLASS: 1},
        ),
        Evil(
            "missing photo",
            {"x.json": with_boxes(*({"image_id": each} for each in (9, None, [], "zero")))},
            1,
            {Reason.MISSING_IMAGE: 4},
        ),
        Evil("twice", {"x.json": with_boxes(good, {"bbox": [10.0000001, 10, 20, 20]})}, 1, {Reason.SAME_BOX_TWICE: 2}),
        Evil("twice in two files", {"x.json": with_boxes(), "y.json": with_boxes()}, 1, {Reason.SAME_BOX_TWICE: 1}),
        Evil("crowd", {"x.json": with_boxes({"iscrowd": 1, "bbox": [0, 0, 50, 50]})}, 1, {Reason.CROWD: 1}),
        Evil("wrong size", {"x.json": with_boxes(images=images(width=97))}, 0, {Reason.WRONG_SIZE: 1}),
        Evil("sides exchanged", {"x.json": with_boxes(images=images(width=72, height=96))}, 0, {Reason.WRONG_SIZE: 1}),
        Evil("no size", {"x.json": with_boxes(images=images(width=None, height="72"))}),
        Evil(
            "climbing", {"x.json": with_boxes(images=images(file_name="../../etc/a.png"))}, 0, {Reason.MISSING_IMAGE: 1}
        ),
        Evil("elsewhere", {"x.json": with_boxes(images=images(file_name="C:\\data\\train\\a.jpg"))}),
        Evil("absolute", {"x.json": with_boxes(images=images(file_name="/data/train/a.jpg"))}),
        Evil("no file name", {"x.json": with_boxes(images=images(file_name=None))}, 0, {Reason.MISSING_IMAGE: 1}),
        Evil(
            "half a character",
            {"x.json": with_boxes(images=images(file_name="\ud800.jpg"))},
            0,
            {Reason.MISSING_IMAGE: 1},
        ),
        Evil("a NUL", {"x.json": with_boxes(images=images(file_name="a.jpg\0"))}, 0, {Reason.MISSING_IMAGE: 1}),
        Evil(
            "names that mislead",
            {
                "x.json": with_boxes(
                    *({"category_id": n, "bbox": [n, 1, 9, 9]} for n in range(1, 5)),
                    categories=[
                        {"id": n, "name": name}
                        for n, name in enumerate(
                            ("apple", "<img src=x onerror=alert(1)>", "=cmd()", "\u202egnp", "\ud800")
                        )
                    ],
                )
            },
            5,
        ),
        Evil(
            "names that are none",
            {
                "x.json": with_boxes(
                    *({"category_id": n} for n in range(1, 4)),
                    categories=[{"id": n, "name": name} for n, name in enumerate(("apple", " ", "x" * 300, "a\0"))],
                )
            },
            1,
            {Reason.UNKNOWN_CLASS: 3},
        ),
        Evil("a byte order mark", {"x.json": b"\xef\xbb\xbf" + with_boxes()}),
        Evil("UTF-16", {"x.json": with_boxes().decode().encode("utf-16")}),
        Evil("cut off", {"x.json": with_boxes()[:-1]}, 0, {Reason.UNREADABLE_FILE: 1}),
        Evil("very deep", {"x.json": b'{"annotations":' + b"[" * 200_000}, 0, {Reason.UNREADABLE_FILE: 1}),
        Evil(
            "too many on a photo",
            {"x.json": with_boxes(*({"bbox": [0, 0, 1 + n / 100, 9]} for n in range(MOST_ON_A_PHOTO + 4)))},
            MOST_ON_A_PHOTO,
            {Reason.TOO_MANY: 5},
        ),
        Evil("members twice", {"x.json": with_boxes().replace(b'"images"', b'"images": [], "images"', 1)}),
    ]


def _create_ml() -> list[Evil]:
    def listing(*annotations: object, **row: object) -> bytes:
        good = {"label": "apple", "coordinates": {"x": 20, "y": 20, "width": 20, "height": 20}}
        return json.dumps([{"image": "a.jpg", "annotations": [good, *annotations]} | row]).encode()

    place = {"x": 20, "y": 20, "width": 20, "height": 20}
    return [
        Evil(
            "Create ML, all at once",
            {
                "x.json": listing(
                    {"label": "apple", "coordinates": place | {"x": 500}},
                    {"label": "apple", "coordinates": place | {"width": 0}},
                    {"label": "apple", "coordinates": place | {"x": "20"}},
                    {"label": "apple", "coordinates": place},
                    {"label": None, "coordinates": place},
                    {"label": "apple"},
                    None,
                )
            },
            1,
            {
                Reason.OUTSIDE_IMAGE: 1,
                Reason.ZERO_AREA: 1,
                Reason.NOT_NUMBERS: 3,
                Reason.SAME_BOX_TWICE: 1,
                Reason.UNKNOWN_CLASS: 1,
            },
        ),
        Evil("Create ML, no photo", {"x.json": listing(image="z.jpg")}, 0),
    ]


def _voc() -> list[Evil]:
    good = voc("a.jpg", [GOOD])
    thing = "<object><name>apple</name>{}</object></annotation>"

    def with_objects(*boxes: str) -> bytes:
        return "".join([good.removesuffix("</annotation>"), *(thing.format(box)[:-13] for box in boxes)]).encode() + (
            b"</annotation>"
        )

    def edges(left: object, top: object, right: object, bottom: object) -> str:
        return f"<bndbox><xmin>{left}</xmin><ymin>{top}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox>"

    return [
        Evil(
            "VOC, all at once",
            {
                "a.xml": with_objects(
                    edges(500, 0, 509, 9),
                    edges(9, 9, 9, 20),
                    edges(20, 9, 9, 20),
                    edges("x", 9, 9, 20),
                    edges("nan", 9, 9, 20),
                    edges("1e999", 9, 9, 20),
                    edges(10, 10, 30, 30),
                    "<bndbox/>",
                    "",
                )
            },
            1,
            {Reason.OUTSIDE_IMAGE: 1, Reason.ZERO_AREA: 2, Reason.NOT_NUMBERS: 5, Reason.SAME_BOX_TWICE: 1},
        ),
        Evil("VOC, wrong size", {"a.xml": voc("a.jpg", [GOOD], width=95).encode()}, 0, {Reason.WRONG_SIZE: 1}),
        Evil("VOC, no size", {"a.xml": voc("a.jpg", [GOOD], width=0).encode()}),
        Evil(
            "VOC, entities",
            {"a.xml": f"{LAUGHS}{good}".encode(), "b.xml": f"{OUTSIDE}{voc('b.jpg', [GOOD])}".encode()},
            0,
            {Reason.UNREADABLE_FILE: 2},
        ),
        Evil(
            "VOC, cut off",
            {"a.xml": good[:-3].encode(), "b.xml": voc("b.jpg", [GOOD]).encode()},
            1,
            {Reason.UNREADABLE_FILE: 1},
        ),
        Evil("VOC, climbing", {"a.xml": voc("../../../etc/passwd", [GOOD]).encode()}),
    ]


def _yolo() -> list[Evil]:
    good = yolo([GOOD])
    names = {"data.yaml": b"names: [apple, pear]\n"}
    bad = "1 0.5 0.5 nan 0.1\n2 0.5 0.5 0.1 0.1\n0 1.5 0.5 0.1 0.1\n0 0.5 0.5 0 0.1\n0 0.5 0.5\napple 0.1 0.1 0.1 0.1\n"
    return [
        Evil(
            "YOLO, all at once",
            names | {"a.txt": (good + bad + good).encode()},
            1,
            {
                Reason.NOT_NUMBERS: 3,
                Reason.UNKNOWN_CLASS: 1,
                Reason.OUTSIDE_IMAGE: 1,
                Reason.ZERO_AREA: 1,
                Reason.SAME_BOX_TWICE: 1,
            },
        ),
        Evil(
            "YOLO, pixels", names | {"a.txt": good.encode(), "b.txt": b"0 48 36 20 20\n"}, 1, {Reason.OUTSIDE_IMAGE: 1}
        ),
        Evil(
            "YOLO, no text", names | {"a.txt": good.encode(), "b.txt": b"\xff\xfe\0\0"}, 1, {Reason.UNREADABLE_FILE: 1}
        ),
        Evil("YOLO, no photo", names | {"a.txt": good.encode(), "z.txt": good.encode()}, 1, {Reason.MISSING_IMAGE: 1}),
        Evil(
            "YOLO, a long line", names | {"a.txt": (good + "0 " + "0.5 " * 300_000).encode()}, 1, {Reason.ZERO_AREA: 1}
        ),
        Evil("YOLO, a spoilt list", {"a.txt": good.encode(), "data.yaml": b"names: !!python/object:os.system [" * 999}),
    ]


def write_orchard_of_all(folder: Path) -> tuple[Path, int, dict[Reason, int]]:
    """Write one data set in which much is wrong; return it with the boxes and the reasons that must come of it."""
    value = coco(ORCHARD)
    (first, *_) = value["annotations"]
    for change in ({"category_id": 9}, {"bbox": [900, 0, 9, 9]}, {"bbox": [9, 9, 0, 9]}, {}, {"bbox": None}):
        value["annotations"].append(first | change)
    value["images"].append({"id": 90, "file_name": "lost.jpg", "width": WIDTH, "height": HEIGHT})
    value["images"].append({"id": 91, "file_name": "page.jpg", "width": WIDTH, "height": HEIGHT})
    value["annotations"] += [first | {"image_id": 90}, first | {"image_id": 91}]
    write_photos(folder, [*ORCHARD])
    (folder / "page.jpg").write_bytes(b"<html>")
    (folder / "annotations.json").write_text(json.dumps(value))
    reasons = (
        *(Reason.UNKNOWN_CLASS, Reason.OUTSIDE_IMAGE, Reason.ZERO_AREA, Reason.SAME_BOX_TWICE, Reason.NOT_NUMBERS),
        *(Reason.MISSING_IMAGE, Reason.REFUSED_IMAGE),
    )
    return folder, 3, dict.fromkeys(reasons, 1)
