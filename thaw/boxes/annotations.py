"""Finds by itself in which format, if in any, the files of a source tell of boxes, and which photo each sheet means."""

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from thaw.boxes import coco, create_ml, voc, yolo
from thaw.boxes.sheets import Sheet, is_dense, is_huge, seems_annotated
from thaw.names import Parts
from thaw.storage.boxes import Reason, RejectedBox
from thaw.storage.questions import Ask, Option, Question
from thaw.tables.columns import split_of
from thaw.tables.file_index import FileIndex
from tlcore.errors import ImageRejected

ENDINGS = (".json", ".xml", ".txt", ".yaml", ".yml", ".names", ".labels")
# A file of all photos lies near the top; among very many JSON files none is looked for.
MOST_JSON = 200
_LABELS, _IMAGES = "labels", "images"
Tick = Callable[[], None]


class Source(NamedTuple):
    """A file of a source: its checked name, and where its bytes are."""

    name: Parts
    path: Path

    @property
    def shown(self) -> str:
        return "/".join(self.name)


@dataclass
class Annotations:
    """What the annotation files of a source say, all in one `format`.

    `sheets` has what is said of each photo that is there, `rejected` the boxes of photos that are not and the files
    that could not be read, `files` what is no photo but annotations, and `splits` the side of the split, "train",
    "validation" or "test", of photos whose annotation file is called after one.
    """

    format: str
    sheets: dict[Parts, list[Sheet]] = field(default_factory=dict)
    rejected: list[RejectedBox] = field(default_factory=list)
    files: set[Parts] = field(default_factory=set)
    splits: dict[Parts, str] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Return how many boxes are drawn."""
        return sum(len(sheet.drawings) for sheets in self.sheets.values() for sheet in sheets)

    def take(self, sheet: Sheet, photo: Parts | None) -> None:
        """Take a sheet with the photo that it means, None for one that is not there."""
        if photo is None:
            self.rejected += sheet.reject_all(Reason.MISSING_IMAGE)
        else:
            self.sheets.setdefault(photo, []).append(sheet)


def find_annotations(files: Sequence[Source], ask: Ask, tick: Tick = lambda: None) -> Annotations | None:
    """Return what the files of a source tell of boxes, None where none of them tells of a photo that is there.

    Names are data, and nothing but the files themselves is opened. `ask` is called where they do so in several formats,
    `tick` for every file that may be one of annotations.
    """
    candidates = [file for file in files if file.name[-1].lower().endswith(ENDINGS)]
    if not candidates:
        return None
    photos = [file.name for file in files if not file.name[-1].lower().endswith(ENDINGS)]
    index = FileIndex(photos)
    broken: list[RejectedBox] = []
    readings = [*_read_json(candidates, index, broken, tick), _read_voc(candidates, index, broken, tick)]
    readings.append(_read_yolo(candidates, photos, tick))
    found = [reading for reading in readings if reading.sheets]
    if not found:
        # Kept, so that it can be said why a file that is one of boxes gave none.
        return Annotations("", rejected=broken) if broken else None
    chosen = _choose(found, ask)
    chosen.rejected += broken
    chosen.files |= {name for reading in found for name in reading.files}
    return chosen


def _choose(found: Sequence[Annotations], ask: Ask) -> Annotations:
    best = max(found, key=lambda reading: reading.count)
    if len(found) == 1:
        return best
    options = tuple(
        Option(each.format, each.format, f"{each.count:,} boxes on {len(each.sheets):,} photos") for each in found
    )
    text = "There are boxes in several formats, which may be the same ones. Which are to be read?"
    answer = ask(Question("boxes-format", text, options, best.format))
    return next(each for each in found if each.format == answer)


def _read_json(files: Sequence[Source], index: FileIndex, broken: list[RejectedBox], tick: Tick) -> list[Annotations]:
    kept = coco.KEPT | create_ml.KEPT

    def prune(value: dict[str, Any]) -> dict[str, Any]:
        # At once, member by member: outlines take many times the memory of what is read.
        return {name: each for name, each in value.items() if name in kept}

    readings = {"coco": Annotations("coco"), "create-ml": Annotations("create-ml")}
    readers: dict[str, Callable[[Any, str], list[Sheet] | None]] = {
        "coco": coco.read_coco,
        "create-ml": create_ml.read_create_ml,
    }
    for file in _nearest(files, ".json"):
        tick()
        if is_huge(file.path):
            _note_broken(file, Reason.HUGE_FILE, broken)
            continue
        try:
            content = file.path.read_bytes()
            if is_dense(content):
                _note_broken(file, Reason.HUGE_FILE, broken)
                continue
            value = json.loads(content, object_hook=prune)
        except (OSError, ValueError, RecursionError):
            _note_broken(file, Reason.UNREADABLE_FILE, broken)
            continue
        for name, read in readers.items():
            sheets = read(value, file.shown)
            if sheets is not None:
                _take_listed(readings[name], file, sheets, index)
                break
    return list(readings.values())


def _take_listed(reading: Annotations, file: Source, sheets: Sequence[Sheet], index: FileIndex) -> None:
    """Take the sheets of one file, unless it tells of no photo that is here."""
    photos = [_find(sheet.photo, file.name[:-1], index) for sheet in sheets]
    if not any(photos):
        return
    reading.files.add(file.name)
    split = next((part for word in _words(file.name[-1]) if (part := split_of(word))), "")
    for sheet, photo in zip(sheets, photos, strict=True):
        reading.take(sheet, photo)
        if photo and split:
            reading.splits[photo] = split


def _read_voc(files: Sequence[Source], index: FileIndex, broken: list[RejectedBox], tick: Tick) -> Annotations:
    reading = Annotations("voc")
    lost: list[Sheet] = []
    for file in files:
        if not file.name[-1].lower().endswith(".xml"):
            continue
        tick()
        try:
            sheet = voc.read_voc(file.path, file.shown)
        except voc.UnreadableXml:
            _note_broken(file, Reason.UNREADABLE_FILE, broken)
            continue
        if sheet is None:
            continue
        stem = file.name[-1].rpartition(".")[0]
        photo = _find(sheet.photo, file.name[:-1], index) or _find(stem, file.name[:-1], index)
        reading.files.add(file.name)
        sheet.photo = sheet.photo or stem
        if photo:
            reading.take(sheet, photo)
        else:
            lost.append(sheet)
    for sheet in lost:
        reading.take(sheet, None)
    return reading


def _read_yolo(files: Sequence[Source], photos: Sequence[Parts], tick: Tick) -> Annotations:
    """Read the text files that lie beside photos of the same name, or in labels/ where those lie in images/."""
    reading, named = Annotations("yolo"), _read_names(files)
    by_stem = {(*photo[:-1], photo[-1].rpartition(".")[0]): photo for photo in reversed(photos)}
    empty: list[tuple[Source, Parts]] = []
    lost: list[Source] = []
    for file in files:
        if not file.name[-1].lower().endswith(".txt") or file.name[-1] in yolo.NAME_LISTS:
            continue
        tick()
        photo = next((by_stem[stem] for stem in _stems(file.name) if stem in by_stem), None)
        lines = yolo.read_lines(file.path)
        if lines is None:
            if photo:
                reading.rejected.append(RejectedBox(file.shown, "/".join(photo), "", Reason.UNREADABLE_FILE))
        elif not lines and photo:
            empty.append((file, photo))
        elif yolo.is_yolo(lines):
            if photo is None:
                lost.append(file)
            else:
                _take_yolo(reading, file, lines, photo, named)
    if reading.sheets or named:
        for file, photo in empty:
            _take_yolo(reading, file, [], photo, named)
    if reading.sheets:
        reading.files |= named.keys()
        for file in lost:
            # Read once more: the lines of thousands of files would take much memory.
            _take_yolo(reading, file, yolo.read_lines(file.path) or [], None, named)
    else:
        reading.rejected.clear()
    return reading


def _take_yolo(
    reading: Annotations,
    file: Source,
    lines: Sequence[Sequence[str]],
    photo: Parts | None,
    named: dict[Parts, dict[int, str]],
) -> None:
    stem = file.name[-1].rpartition(".")[0]
    sheet = yolo.read_yolo(lines, _names_for(file.name, named), file.shown, "/".join(photo) if photo else stem)
    reading.files.add(file.name)
    reading.take(sheet, photo)


def _read_names(files: Sequence[Source]) -> dict[Parts, dict[int, str]]:
    """Return the names of classes by the file that lists them, those in YAML first."""
    lists = [file for file in files if file.name[-1].lower() in yolo.NAME_LISTS]
    yamls = [file for file in files if yolo.is_yaml(file.name[-1])]
    return {file.name: names for file in [*yamls, *lists] if (names := yolo.read_names(file.path, file.name[-1]))}


def _names_for(name: Parts, named: dict[Parts, dict[int, str]]) -> dict[int, str] | None:
    """Return the names that are nearest to a file: in its folder, in one around it, or else the first there are."""
    for depth in range(len(name) - 1, -1, -1):
        for place, names in named.items():
            if place[:-1] == name[:depth]:
                return names
    return next(iter(named.values()), None)


def _stems(name: Parts) -> list[Parts]:
    """Return where the photo of a YOLO file may lie, without its ending."""
    stem = name[-1].rpartition(".")[0]
    places = [(*name[:-1], stem)]
    for depth, folder in enumerate(name[:-1]):
        if folder.casefold() == _LABELS:
            places.append((*name[:depth], _IMAGES, *name[depth + 1 : -1], stem))
            places.append((*name[:depth], *name[depth + 1 : -1], stem))
    return places


def _find(text: str, folder: Parts, index: FileIndex) -> Parts | None:
    try:
        return index.find(text, folder)[0] if text else None
    except ImageRejected:
        return None


def _nearest(files: Sequence[Source], ending: str) -> list[Source]:
    """Return the files of an ending, those nearest to the top first, and no more than can be read soon."""
    ended = [file for file in files if file.name[-1].lower().endswith(ending)]
    return sorted(ended, key=lambda file: (len(file.name), file.name))[:MOST_JSON]


def _note_broken(file: Source, reason: Reason, broken: list[RejectedBox]) -> None:
    if seems_annotated(file.path):
        broken.append(RejectedBox(file.shown, "", "", reason))


def _words(name: str) -> list[str]:
    """Return the words of a file's name: "instances_val2017.json" is of the validation part."""
    words: defaultdict[str, None] = defaultdict()
    for word in name.rpartition(".")[0].replace("-", "_").replace(".", "_").split("_"):
        words[word.rstrip("0123456789")] = None
    return list(words)
