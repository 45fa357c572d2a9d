"""Photos that come with boxes: their annotation files are taken out of what is decoded, and no folder is a class."""

from collections.abc import Callable, Collection, Sequence

from thaw.archives.entries import Found, Layout, Place
from thaw.boxes.annotations import Annotations, Source, find_annotations
from thaw.names import Parts
from thaw.sources import parts
from thaw.sources.layout import LISTED, ROLES, is_picture
from thaw.sources.parts import Kind
from thaw.storage.boxes import Reason
from thaw.storage.questions import Ask
from thaw.storage.records import Role

FORMATS = {"coco": "COCO JSON", "create-ml": "Create ML JSON", "voc": "Pascal VOC XML", "yolo": "YOLO text"}
_BROKEN = {
    Reason.HUGE_FILE: "holds more than the 100 MB or a million boxes that are read at once. Export them again in parts",
    Reason.UNREADABLE_FILE: "could not be read: it is cut off or damaged. Export the boxes again",
}


def take_annotations(found: Found, ask: Ask, check_stop: Callable[[], None]) -> bool:
    """Take what the annotation files of a source tell of boxes; say whether any of its photos is told of.

    Those files are ignored, and counted. One that seems to hold boxes and cannot be read is noted. `ask` is called
    where there are boxes in several formats, `check_stop` for every file.
    """
    annotations = find_annotations([Source(entry.name, entry.path) for entry in found.entries], ask, check_stop)
    if annotations is None:
        return False
    found.annotations = annotations
    found.notes += [
        f"{each.file!r} seems to hold boxes, but {_BROKEN[each.reason]}."
        for each in annotations.rejected
        if each.reason in _BROKEN and not each.photo
    ]
    kept = [entry for entry in found.entries if entry.name not in annotations.files]
    found.ignored += len(found.entries) - len(kept)
    found.entries[:] = kept
    if annotations.sheets:
        found.notes.append(f"The boxes come from {FORMATS[annotations.format]}.")
    return bool(annotations.sheets)


def arrange_annotated(names: Sequence[Parts], annotations: Annotations, role: Role, classes: Collection[str]) -> Layout:
    """Return where each photo with boxes, and each that came with them, belongs: none has a class.

    Folders called train, valid and test, or annotation files called so, make the parts of a split. The test part is
    the holdout, unless there are classes already, which a holdout of theirs must have.
    """
    if role == "holdout":
        return Layout([Place("", role)] * len(names), [])
    division = parts.divide(names, [is_picture(name[-1]) for name in names])
    kinds: list[Kind | None] = [
        kind or LISTED.get(annotations.splits.get(name, "")) for name, kind in zip(names, division.kinds, strict=True)
    ]
    if role == "pile" or "training" not in kinds:
        return Layout([Place("", "pile")] * len(names), [])
    divided = "validation" in kinds
    places = []
    for kind in kinds:
        held, part = ROLES[kind] if kind else ("pile", "")
        holdout = held == "holdout" and not classes
        places.append(Place("", "holdout" if holdout else "pile", part if divided else ""))
    told = [kind for kind in ("training", "validation", "test") if kind in kinds]
    return Layout(places, [f"The photos came in parts, which were kept: {', '.join(told)}."])
