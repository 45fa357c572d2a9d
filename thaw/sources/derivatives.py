"""Finds by their names the turned, cropped and copied pictures that a program made of one photo."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_WORD = (
    r"(?:aug(?:mented|mentation)?|[hv]?[-_ ]?flip(?:ped)?(?:[-_ ]?(?:lr|ud|h|v|x|y))?|mirror(?:ed)?"
    r"|rot(?:ate|ated|ation)?|crop(?:ped)?|blur(?:red)?|noise|bright(?:ness|ened)|darkened|contrast|gr[ae]yscale|sharpened"
    r"|shift(?:ed)?|shear(?:ed)?|zoom(?:ed)?|jitter(?:ed)?|transformed|copy|kopie|copie|copia)"
)
# Roboflow: photo_jpg.rf.0123abcd...; Augmentor: cat_original_photo.jpg_01234567-89ab-...
_EXPORTED = re.compile(r"(?P<stem>.+?)[._](?:jpe?g|png|bmp|webp|tiff?)\.rf\.[0-9a-zA-Z]{8,}", re.IGNORECASE | re.DOTALL)
_RENAMED = re.compile(r"(?P<stem>.+)\.rf\.[0-9a-zA-Z]{8,}", re.IGNORECASE | re.DOTALL)
_AUGMENTOR = re.compile(
    r".*?_original_(?P<stem>.+?)(?:\.\w{3,4})?_[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE | re.DOTALL
)
# Keras's ImageDataGenerator: PREFIX_INDEX_NUMBER, where the index is the photo's and the number was drawn.
_KERAS = re.compile(r"(?P<stem>.*_\d{1,6})_(?P<drawn>\d{1,7})", re.DOTALL)
_LAST = re.compile(
    rf"(?P<stem>.+?)[-_. ]+(?:{_WORD})[-_. ]?(?:\(?[+-]?\d{{1,3}}\)?)?(?:deg)?", re.IGNORECASE | re.DOTALL
)
_FIRST = re.compile(
    rf"(?:copy of|kopie von|{_WORD}(?:[-_ ]?\d{{1,3}})?[-_])[ ]?(?P<stem>.*[^\W\d_].*)", re.IGNORECASE | re.DOTALL
)
_NUMBERED = re.compile(r"(?P<stem>.+?) ?\((?P<number>\d{1,2})\)", re.DOTALL)
# What browsers call all that they save.
_SAVED = re.compile(r"(?:images?|download|unnamed|photo|picture|untitled|index|file)s?", re.IGNORECASE)
# Of what a program makes of one photo, people keep so many; what is more is the name of what is shown.
MOST_COPIES, MOST_DERIVED, MOST_SHARE = 3, 40, 0.5
# Numbers that are drawn lie far apart.
LEAST_SPREAD = 20
LONGEST_NAME, LONGEST_WORDED = 255, 120
_DATE = re.compile(r"(?:19|20)\d\d_\d\d?_\d")


class Stem(NamedTuple):
    """What names the photo that a picture was made of; `certain` where only a program writes such a name, `made` where
    the picture's own name says more than that.
    """

    text: str
    made: bool = False
    certain: bool = False


Key = tuple[str, ...]
"""The sign by which pictures belong together, their class, and what names their photo."""


def read_stem(name: str) -> Stem:
    """Return the name of the photo that a picture was made of, by its file name; its own where nothing says so."""
    own = _bare(name)
    if len(own) > LONGEST_NAME:
        return Stem(own)
    for pattern in (_EXPORTED, _RENAMED, _AUGMENTOR):
        if found := pattern.fullmatch(own):
            return Stem(found["stem"], made=True, certain=True)
    stem = own
    for pattern in (_LAST, _FIRST) if len(own) <= LONGEST_WORDED else ():
        while found := pattern.fullmatch(stem):
            stem = found["stem"]
    return Stem(stem, made=stem != own)


def find_derivatives(labels: Sequence[str], names: Sequence[str]) -> list[tuple[int, int]]:
    """Return the pairs of places of pictures that were made of one photo, each with the first of its group.

    `names` are file names, `labels` the classes: names are compared within a class. A weak sign, such as "(1)" or a
    word like "crop", counts only where several share a stem, and not where it would join most of a class: then it
    names what is shown.
    """
    stems = [read_stem(name) for name in names]
    certain: defaultdict[Key, list[int]] = defaultdict(list)
    weak: defaultdict[Key, list[int]] = defaultdict(list)
    for place, (label, stem) in enumerate(zip(labels, stems, strict=True)):
        (certain if stem.certain else weak)["stem", label, stem.text].append(place)
    # Where all that is "cropped" in a class is of one name, and nothing else bears it, that is what is shown.
    several = Counter(label for _, label, _ in {key for key, members in weak.items() if stems[members[0]].made})
    worded = [
        (key, group)
        for key, members in weak.items()
        for group in (_apart(members, names) if len(members) > 1 else [])
        if any(stems[place].made for place in group)
        and (several[key[1]] > 1 or not all(stems[place].made for place in group))
    ]
    sizes = Counter(labels)
    unsure = [*worded, *_numbered(labels, names, weak).items(), *_drawn(labels, stems).items()]
    kept = [
        members
        for (_, label, _), members in unsure
        if 1 < len(members) <= min(MOST_DERIVED, max(2, MOST_SHARE * sizes[label]))
    ]
    return [(members[0], other) for members in (*certain.values(), *kept) for other in members[1:]]


def _apart(members: Sequence[int], names: Sequence[str]) -> list[list[int]]:
    """Part pictures by their folders where two of them have one name: then each folder numbers its own."""
    if len({_bare(names[place]) for place in members}) == len(members):
        return [list(members)]
    folders: defaultdict[str, list[int]] = defaultdict(list)
    for place in members:
        folders[names[place].rpartition("/")[0]].append(place)
    return list(folders.values())


def _drawn(labels: Sequence[str], stems: Sequence[Stem]) -> dict[Key, list[int]]:
    """Group what Keras's ImageDataGenerator saved: numbers that follow one another were counted and not drawn."""
    drawn: defaultdict[Key, list[tuple[int, int]]] = defaultdict(list)
    for place, (label, stem) in enumerate(zip(labels, stems, strict=True)):
        if not stem.certain and (found := _KERAS.fullmatch(stem.text)) and not _DATE.search(stem.text):
            drawn["drawn", label, found["stem"]].append((int(found["drawn"]), place))
    return {
        key: [place for _, place in members]
        for key, members in drawn.items()
        if max(members)[0] - min(members)[0] >= LEAST_SPREAD * len(members)
    }


def _numbered(labels: Sequence[str], names: Sequence[str], bare: Mapping[Key, list[int]]) -> dict[Key, list[int]]:
    """Group "photo (1)" with the "photo" that it is a copy of; many of one name are a renamed or downloaded series."""
    copies: defaultdict[Key, list[int]] = defaultdict(list)
    for place, (label, name) in enumerate(zip(labels, names, strict=True)):
        found = _NUMBERED.fullmatch(_bare(name)[:LONGEST_NAME])
        if found and not _SAVED.fullmatch(found["stem"]):
            copies["numbered", label, found["stem"]].append(place)
    return {
        key: [*originals, *members]
        for key, members in copies.items()
        if len(members) <= MOST_COPIES and len(originals := bare.get(("stem", *key[1:]), [])) == 1
    }


def _bare(name: str) -> str:
    """Return a file name without its folders and its ending."""
    file = name.rpartition("/")[2]
    bare, dot, ending = file.rpartition(".")
    return bare if bare and dot and 1 <= len(ending) <= 4 and ending.isalnum() else file
