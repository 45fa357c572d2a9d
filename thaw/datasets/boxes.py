"""The boxes of an import: what its annotation files draw on the photos that were taken in, or were there already."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image as Picture

from thaw.boxes.annotations import Annotations
from thaw.boxes.placing import Upright, When, place, tell_when
from thaw.names import Parts
from thaw.pictures.exif import PARSER_ERRORS, find_turn, orientation_of
from thaw.storage.boxes import Reason, RejectedBox
from thaw.storage.questions import Ask, Option, Question
from thaw.storage.records import Image, Role
from thaw.storage.store import Store
from tlcore.boxes import Box, BoxedPhotos

WHEN = "boxes-drawn"


@dataclass
class Drawn:
    """The boxes of photos by id, those that were rejected, and notes."""

    boxes: dict[str, list[Box]] = field(default_factory=dict)
    rejected: list[RejectedBox] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def draw(
    annotations: Annotations | None,
    images: Mapping[Parts, Image],
    orientations: Mapping[str, int],
    drawn_before: Collection[str],
    ask: Ask,
) -> Drawn:
    """Draw on `images`, by the name each file came under, what annotations say of them.

    `orientations` has that of each photo that was turned upright, by id, as EXIF states it; photos of `drawn_before`,
    ids too, keep the boxes they have. `ask` is called where it cannot be told whether the boxes of turned photos were
    drawn before turning.
    """
    drawn = Drawn()
    if annotations is None:
        return drawn
    drawn.rejected += annotations.rejected
    photos = {name: Upright(image.width, image.height, orientations.get(image.id, 1)) for name, image in images.items()}
    unclear = [
        name
        for name, sheets in annotations.sheets.items()
        if name in photos
        and images[name].id not in drawn_before
        and any(sheet.drawings and tell_when(sheet, photos[name]) is None for sheet in sheets)
    ]
    when = _ask_when(unclear, ask) if unclear else None
    kept = cut = 0
    for name, sheets in annotations.sheets.items():
        if name not in images:
            drawn.rejected += [each for sheet in sheets for each in sheet.reject_all(Reason.REFUSED_IMAGE)]
        elif images[name].id in drawn_before:
            kept += 1
        else:
            placed = place(sheets, photos[name], when)
            drawn.boxes[images[name].id] = placed.boxes
            drawn.rejected += placed.rejected
            cut += placed.cut
    drawn.notes += _notes(drawn, kept, cut)
    return drawn


def read_orientation(path: Path) -> int:
    """Return how a photo that was decoded whole before lies in its file, as EXIF states it; 1 where nothing says so."""
    try:
        with Picture.open(path) as picture:
            return orientation_of(find_turn(picture))
    except PARSER_ERRORS:
        return 1


def _ask_when(names: Sequence[Parts], ask: Ask) -> When:
    """Ask whether the boxes of photos that were turned upright were drawn before that."""
    count = f"{len(names):,} {'photo' if len(names) == 1 else 'photos'}, such as {'/'.join(names[0])!r}"
    text = (
        "Cameras may store a photo on its side and only note how to turn it, and the annotation file does not say "
        "which way its boxes are meant. Did the photos stand upright while the boxes were drawn?"
    )
    options = (
        Option("after", "Yes, they stood upright", count),
        Option("before", "No, they were shown as they are stored", count),
    )
    return "before" if ask(Question(WHEN, text, options, "")) == "before" else "after"


def _notes(drawn: Drawn, kept: int, cut: int) -> list[str]:
    """Say in words what became of the boxes, where it is not plain."""
    notes = []
    if drawn.rejected:
        count = Counter(each.reason for each in drawn.rejected).total()
        notes.append(f"{count:,} {'box was' if count == 1 else 'boxes were'} not taken in; each has its reason.")
    if cut:
        notes.append(f"{cut:,} {'box' if cut == 1 else 'boxes'} reached beyond their photo's edge and end there now.")
    if kept:
        notes.append(f"{kept:,} {'photo keeps' if kept == 1 else 'photos keep'} the boxes drawn before.")
    return notes


def read_boxed(store: Store, dataset_id: str, holdout: bool = False) -> BoxedPhotos[Image]:
    """Return the photos of a data set that take part and were looked at, or those of its holdout, with their boxes."""
    boxes = store.boxes(dataset_id)
    roles: tuple[Role, ...] = ("holdout",) if holdout else ("main", "pile")
    images = [image for role in roles for image in store.images(dataset_id, role=role)]
    photos = [image for image in images if image.id in boxes]
    return BoxedPhotos(photos, {photo.id: boxes[photo.id] for photo in photos})
