"""Reads the structure of what is imported: the class, role and part of each file, asking where it is unclear."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from thaw.archives.entries import Layout, Place
from thaw.names import Parts
from thaw.sources import filename_classes, levels, parts
from thaw.sources.parts import LABELLED, Division, Kind
from thaw.sources.twin_classes import merge_twins
from thaw.storage.questions import Ask, Option, Question
from thaw.storage.records import Role
from tlcore.photos import Part, natural

_ENDINGS = (
    "jpg jpeg jpe jfif png gif bmp webp tif tiff avif heic heif ppm pgm pbm pnm jp2 mpo ico tga dng nef cr2 cr3 arw "
    "orf rw2 raf pef srw"
)
PICTURE_ENDINGS = frozenset(_ENDINGS.split())
LEFT_OUT = "it is in the part {folder!r}, which was left out"
FLAT = "No folder tells a class: the photos are a pile, to be sorted on the page Pile."
ONE_FOLDER = "All photos lie in one folder, {folder!r}: they are a pile, to be sorted on the page Pile."
NAMED = 6
ROLES: Mapping[Kind, tuple[Role, Part]] = {
    "training": ("main", "training"),
    "validation": ("main", "validation"),
    "test": ("holdout", ""),
    "unlabelled": ("pile", ""),
}
# What a table calls the sides.
UNLABELLED: Kind = "unlabelled"
LISTED: Mapping[str, Kind] = {
    "train": "training",
    "validation": "validation",
    "test": "test",
    UNLABELLED: UNLABELLED,
}
WORDS: Mapping[Kind, str] = {
    "training": "to learn from",
    "validation": "validation",
    "test": "holdout",
    "unlabelled": "without a class",
}


def arrange(
    names: Sequence[Parts],
    ask: Ask,
    role: Role = "main",
    classes: Collection[str] = (),
    aliases: Mapping[str, str] = MappingProxyType({}),
    brought: bool = False,
) -> Layout:
    """Return where each file belongs, by its folders and else its own name.

    `classes` are there already; `aliases` gives what folders' names stand for by now. Folders around all class folders
    are stripped. `ask` is called where the names can be understood in several ways: "levels", "names", "parts" and
    "twins". Of photos for the holdout the parts of a split are merged; for the pile no class is read. Photos that no
    folder and no name gives a class are the pile; so are those of a lone folder that was itself `brought`.
    """
    if role == "pile":
        return Layout([Place("", "pile")] * len(names), [])
    present = {*classes, *aliases}
    pictures = [is_picture(name[-1]) for name in names]
    if not any(pictures):
        pictures = [True] * len(names)
    division = _divide(names, pictures, present)
    plain = Division([None] * len(names), list(names))
    reading = _read_labels(division, pictures, ask, present)
    if reading is None:
        # The folders called train and test hold no classes, so they are classes themselves.
        division = plain
        reading = _read_labels(division, pictures, ask, present)
    assert reading is not None
    division, labels = _without_labels(division, reading.labels, pictures)
    answer = _ask_parts(division, labels, pictures, ask) if role == "main" else "together"
    if answer == "class":
        division = plain
        labels = (_read_labels(division, pictures, ask, present) or reading).labels
    if role == "main" and (reading.none or not (division.folders or _tells(names, reading, pictures, brought))):
        places = [Place("", "pile") if each else Place(None) for each in pictures]
        return Layout(places, [] if reading.none else [_say_flat(names, pictures)])
    places = [
        _place(label, kind, name, answer, division)
        for label, kind, name in zip(labels, division.kinds, names, strict=True)
    ]
    if role != "main":
        places = [Place(place.label if place.role == "main" else None, role) for place in places]
    places = [replace(place, label=aliases.get(place.label or "", place.label)) for place in places]
    return merge_twins(Layout(places, [*reading.notes, *_notes(division, answer)]), ask, classes)


def place_listed(labels: Sequence[str | None], splits: Sequence[str], role: Role = "main") -> list[Place]:
    """Return where each file belongs by a table that tells its class and its side of a split ("" for none).

    The test side is the holdout, as it is of folders; a side for training is kept beside one for validation alone.
    """
    if role != "main":
        return [Place(label, role) for label in labels]
    divided = "validation" in splits
    sides = [ROLES[LISTED.get(split, "training")] for split in splits]
    return [
        Place("" if side == "pile" else label, side, part if divided and split else "")
        for label, split, (side, part) in zip(labels, splits, sides, strict=True)
    ]


def is_picture(file: str) -> bool:
    """Say whether a file may be a picture by its name; what has no ending may be one."""
    _, dot, ending = file.rpartition(".")
    return not dot or ending.casefold() in PICTURE_ENDINGS


def _divide(names: Sequence[Parts], pictures: Sequence[bool], present: Collection[str]) -> Division:
    division = parts.divide(names, pictures)
    if division.folders:
        return division
    folders = [name[:-1] for name, picture in zip(names, pictures, strict=True) if picture and len(name) > 1]
    level = levels.common_depth(folders)
    found = parts.find_unlabelled(names, pictures, level)
    others = {each[level] for each in folders if len(each) > level} - set(found.folders.get("unlabelled", ()))
    return found if found.folders and (others or present) else Division([None] * len(names), list(names))


@dataclass(frozen=True)
class _Reading:
    """The class of each file, notes on how it was told, and whether the person wants none to be told."""

    labels: list[str | None]
    notes: list[str]
    none: bool = False


def _tells(names: Sequence[Parts], reading: _Reading, pictures: Sequence[bool], brought: bool) -> bool:
    """Say whether the classes that were read are any.

    The folder that somebody brings is a class only where another lies beside it, and a camera's folder is none.
    """
    told = {label for label, picture in zip(reading.labels, pictures, strict=True) if picture} - {None}
    folders = {name[:-1] for name, picture in zip(names, pictures, strict=True) if picture}
    if not told or reading.notes:
        return bool(told)
    lone = brought and len(folders) == 1 and len(folders.pop()) == 1
    return not lone and not all(parts.is_camera(label) for label in told if label)


def _say_flat(names: Sequence[Parts], pictures: Sequence[bool]) -> str:
    """Say why the photos are a pile."""
    folders = {name[:-1] for name, picture in zip(names, pictures, strict=True) if picture}
    lone = folders.pop() if len(folders) == 1 else ()
    return ONE_FOLDER.format(folder="/".join(lone)) if lone else FLAT


def _read_labels(division: Division, pictures: Sequence[bool], ask: Ask, present: Collection[str]) -> _Reading | None:
    """Return the class of each file; None where a division leaves none that could be told."""
    told = _telling(division, pictures)
    if not told:
        return _Reading([None] * len(pictures), [])
    folders = [division.rest[place][:-1] for place in told]
    inside = [each for each in folders if each]
    depth = levels.common_depth(inside)
    tails = [each[depth:] for each in inside if len(each) > depth]
    single = len({each[0] for each in tails}) < 2
    by_name = filename_classes.read_classes([name[-1] for name in division.rest], told) if single else None
    if by_name and not (tails and tails[0][0] in present):
        # The question on the parts shows these classes too.
        known = not inside and division.folders
        answer = "names" if known else _ask_names(tails, [by_name[place] for place in told], ask, present)
        if answer != "folder":
            return _Reading(by_name, ["The classes come from the names of the files."], answer == "pile")
    if not inside and division.folders:
        return None
    level, notes = _choose_level(tails, ask, present) if tails else (levels.OUTER, [])
    return _Reading([level.label(name[depth:-1]) if len(name) > depth + 1 else None for name in division.rest], notes)


def _telling(division: Division, pictures: Sequence[bool]) -> list[int]:
    """Return the places of the files by which classes are known: the training part's, else those of any labelled."""
    for wanted in ({"training"}, set(LABELLED), {None}):
        places = [
            place
            for place, (picture, kind) in enumerate(zip(pictures, division.kinds, strict=True))
            if picture and kind in wanted
        ]
        if places:
            return places
    return []


def _ask_names(tails: Sequence[Parts], labels: Sequence[str | None], ask: Ask, present: Collection[str]) -> str:
    """Ask whether the names of the files in one folder tell their classes: "names", "folder" or "pile"."""
    options = [Option("names", "Classes from the file names", _counted(labels))]
    if tails:
        folder = tails[0][0]
        options.append(Option("folder", "One class, named after the folder", _counted([folder] * len(labels))))
    options.append(Option("pile", "Keep them without a class", f"{len(labels):,} photos, to be moved to classes later"))
    text = "The photos are in no class folders, but their names seem to tell classes: use those?"
    return ask(Question("names", text, tuple(options), "folder" if present and tails else "names"))


def _choose_level(tails: Sequence[Parts], ask: Ask, present: Collection[str]) -> tuple[levels.Level, list[str]]:
    """Return the level of folders that makes the classes, with a note where there were several."""
    choices = levels.list_levels(tails)
    chosen = levels.advise(choices, tails, present)
    if len(choices) == 1:
        return chosen, []
    if not {chosen.label(each) for each in tails} <= set(present):
        question = Question(
            "levels",
            "Your folders lie inside one another: which of them are the classes?",
            tuple(Option(each.key, each.title, _counted([each.label(tail) for tail in tails])) for each in choices),
            chosen.key,
        )
        answer = ask(question)
        chosen = next(each for each in choices if each.key == answer)
    return chosen, [f"Of folders inside one another these are the classes: {chosen.title.lower()}."]


def _without_labels(
    division: Division, labels: Sequence[str | None], pictures: Sequence[bool]
) -> tuple[Division, list[str | None]]:
    """Take a part whose photos have no class of the training part for what it is: photos without one.

    `test/1.jpg` has none, and `test/unknown/1.jpg` or `test/images/1.jpg` is how such a part must lie for some tools.
    """
    rows = list(zip(division.kinds, labels, pictures, strict=True))
    learnt = {label for kind, label, picture in rows if kind == "training" and picture}
    bare: set[Kind] = set()
    for kind in LABELLED[1:]:
        told = {label for each, label, picture in rows if each == kind and picture}
        if told and learnt and not told & learnt and len(told) == 1:
            bare.add(kind)
    meant: dict[Kind, Kind] = {kind: "unlabelled" if kind in bare else kind for kind in WORDS}
    # Of a validation and a test part alone, or a lone one, the first is what there is to learn from.
    labelled = [kind for kind in LABELLED if any(each == kind and label for each, label, picture in rows if picture)]
    if labelled and labelled[0] not in bare:
        meant[labelled[0]] = "training"
    kinds: list[Kind | None] = [kind and meant[kind] for kind in division.kinds]
    folders: dict[Kind, list[str]] = {}
    for kind, names in division.folders.items():
        folders.setdefault(meant[kind], []).extend(names)
    kept = [None if kind == "unlabelled" else label for kind, label in zip(kinds, labels, strict=True)]
    return Division(kinds, division.rest, folders), kept


def _ask_parts(division: Division, labels: Sequence[str | None], pictures: Sequence[bool], ask: Ask) -> str:
    """Ask what becomes of the parts that somebody made: "theirs", "together" or "without"."""
    if not division.folders:
        return "together"
    counts: dict[Kind, Counter[str]] = {kind: Counter() for kind in WORDS}
    for kind, label, picture in zip(division.kinds, labels, pictures, strict=True):
        if kind and picture and (label is not None or kind == "unlabelled"):
            counts[kind][label or ""] += 1
    made = [kind for kind in LABELLED if counts[kind]]
    options = [Option("theirs", "Keep these parts" if len(made) > 1 else "Keep them without a class", _parts(counts))]
    if len(made) > 1:
        together = Counter(label for kind in made for label in counts[kind].elements())
        mixed: dict[Kind, Counter[str]] = {"training": together, "unlabelled": counts["unlabelled"]}
        options.append(Option("together", "Put all together, for Thaw's own split", _parts(mixed)))
    if counts["test"] or counts["unlabelled"]:
        out: Kind = "test" if counts["test"] else "unlabelled"
        left = f"Leave out {', '.join(map(repr, division.folders[out]))}"
        options.append(Option("without", left, _parts(counts | {out: Counter()})))
    if len(options) == 1:
        return "together"
    if not set(LABELLED) & set(division.folders):
        options.append(
            Option(
                "class", "That is a class", _counted([*division.folders["unlabelled"]] * counts["unlabelled"].total())
            )
        )
    if len(made) > 1:
        named = ", ".join(repr(name) for kind in WORDS for name in division.folders.get(kind, ())[:NAMED])
        text = f"The folders {named} look like a split that somebody made: keep its parts?"
    else:
        named = ", ".join(map(repr, division.folders["unlabelled"][:NAMED]))
        text = f"Photos in {named} have no class: what becomes of them?"
    return ask(Question("parts", text, tuple(options), "theirs"))


def _place(label: str | None, kind: Kind | None, name: Parts, answer: str, division: Division) -> Place:
    if kind is None:
        return Place(label)
    left_out: Kind = "test" if "test" in division.folders else "unlabelled"
    if answer == "without" and kind == left_out:
        folder = next((folder for folder in name if folder in division.folders[kind]), kind)
        return Place(label, reason=LEFT_OUT.format(folder=folder))
    role, part = ROLES[kind]
    if role == "pile":
        return Place("", "pile")
    if answer == "together":
        return Place(label)
    return Place(label, role, part if "validation" in division.folders else "")


def _notes(division: Division, answer: str) -> list[str]:
    """Say what became of the parts."""
    made = [name for kind in LABELLED for name in division.folders.get(kind, ())]
    if answer == "together" and len(made) > 1:
        return [f"The folders {', '.join(made)} were merged: Thaw makes its own split into training and validation."]
    kept = [kind for kind in WORDS if kind in division.folders]
    if answer == "theirs" and kept:
        told = [f"{', '.join(map(repr, division.folders[kind]))} {WORDS[kind]}" for kind in kept]
        return [f"The photos came in parts, which were kept: {', '.join(told)}."]
    return []


def _parts(counts: Mapping[Kind, Counter[str]]) -> str:
    """Put what each part holds into words."""
    told = [
        f"{WORDS[kind]}: {_listed(found) if kind != 'unlabelled' else f'{found.total():,}'}"
        for kind, found in counts.items()
        if found
    ]
    return " · ".join(told)


def _counted(labels: Sequence[str | None]) -> str:
    return _listed(Counter(label for label in labels if label is not None))


def _listed(counts: Counter[str]) -> str:
    """List classes with their numbers, the first few by name."""
    names = sorted(counts, key=natural)
    more = f" and {len(names) - NAMED:,} more classes" if len(names) > NAMED else ""
    between = "; " if any("," in name for name in names[:NAMED]) else ", "
    return between.join(f"{name} ({counts[name]:,})" for name in names[:NAMED]) + more
