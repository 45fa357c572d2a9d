"""Reads the structure of what is imported: the class, role and part of each file, asking where it is unclear."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from tlcore import filename_classes, levels, parts
from tlcore.names import Parts, natural, twins
from tlcore.parts import LABELLED, Division, Kind
from tlcore.questions import Ask, Option, Question
from tlcore.records import Part, Role

_ENDINGS = (
    "jpg jpeg jpe jfif png gif bmp webp tif tiff avif heic heif ppm pgm pbm pnm jp2 mpo ico tga dng nef cr2 cr3 arw "
    "orf rw2 raf pef srw"
)
PICTURE_ENDINGS = frozenset(_ENDINGS.split())
LEFT_OUT = "it is in the part {folder!r}, which was left out"
NAMED = 6
ROLES: Mapping[Kind, tuple[Role, Part]] = {
    "training": ("main", "training"),
    "validation": ("main", "validation"),
    "test": ("holdout", ""),
    "unlabelled": ("pile", ""),
}
# What a table calls the sides.
LISTED: Mapping[str, Kind] = {"train": "training", "validation": "validation", "test": "test"}
WORDS: Mapping[Kind, str] = {
    "training": "to learn from",
    "validation": "validation",
    "test": "holdout",
    "unlabelled": "without a class",
}


@dataclass(frozen=True)
class Place:
    """Where a file belongs: its class (None for none that is told), its role and its part in a ready-made split.

    `reason` says why it is to be set aside, or is "".
    """

    label: str | None
    role: Role = "main"
    part: Part = ""
    reason: str = ""


@dataclass(frozen=True)
class Layout:
    """The place of each file, and notes in plain words."""

    places: list[Place]
    notes: list[str]


def arrange(
    names: Sequence[Parts],
    ask: Ask,
    role: Role = "main",
    classes: Collection[str] = (),
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> Layout:
    """Return where each file belongs, by its folders and else its own name.

    `classes` are there already; `aliases` gives what folders' names stand for by now. Folders around all class folders
    are stripped. `ask` is called where the names can be understood in several ways: "levels", "names", "parts" and
    "twins". Of photos for the holdout the parts of a split are merged.
    """
    present = {*classes, *aliases}
    pictures = [_is_picture(name[-1]) for name in names]
    if not any(pictures):
        pictures = [True] * len(names)
    division = _divide(names, pictures, present)
    labels = _read_labels(division, pictures, ask, present)
    if labels is None:
        # The folders called train and test hold no classes, so they are classes themselves.
        division = Division([None] * len(names), list(names))
        labels = _read_labels(division, pictures, ask, present) or [None] * len(names)
    division, labels = _without_labels(division, labels, pictures)
    answer = _ask_parts(division, labels, pictures, ask) if role == "main" else "together"
    places = [
        _place(label, kind, name, answer, division)
        for label, kind, name in zip(labels, division.kinds, names, strict=True)
    ]
    if role != "main":
        places = [Place(place.label if place.role == "main" else None, role) for place in places]
    places = [replace(place, label=aliases.get(place.label or "", place.label)) for place in places]
    return merge_twins(Layout(places, _notes(division, answer)), ask, classes)


def merge_twins(layout: Layout, ask: Ask, present: Collection[str] = ()) -> Layout:
    """Ask whether classes of nearly the same name are one, and let the answer name them."""
    counts = Counter(place.label for place in layout.places if place.label is not None and not place.reason)
    pairs = [group for group in twins({*counts, *present}) if set(group) & set(counts) - set(present)]
    if not pairs:
        return layout
    named = {label: _name_of(group, counts, present) for group in pairs for label in group}
    # "A" and "a" may well be two classes.
    only_gaps = all(len({_letters(label) for label in group}) == 1 for group in pairs)
    more = "; ..." if len(pairs) > NAMED else ""
    listed = "; ".join(" and ".join(f"{label!r} ({counts[label]:,})" for label in group) for group in pairs[:NAMED])
    question = Question(
        "twins",
        f"Some classes have nearly the same name: {listed}{more}. Is each pair one class?",
        (
            Option("merge", "Merge them", ", ".join(sorted({repr(each) for each in named.values()})[:NAMED])),
            Option("apart", "Keep them apart", "They can still be merged later, under Health."),
        ),
        "merge" if only_gaps else "apart",
    )
    if ask(question) == "apart":
        return layout
    merged = [
        replace(place, label=named.get(place.label, place.label)) if place.label is not None else place
        for place in layout.places
    ]
    notes = [f"The classes {' and '.join(map(repr, group))} were merged into {named[group[0]]!r}." for group in pairs]
    return Layout(merged, [*layout.notes, *notes])


def place_listed(labels: Sequence[str | None], splits: Sequence[str], role: Role = "main") -> list[Place]:
    """Return where each file belongs by a table that tells its class and its side of a split ("" for none).

    The test side is the holdout, as it is of folders; a side for training is kept beside one for validation alone.
    """
    if role != "main":
        return [Place(label, role) for label in labels]
    divided = "validation" in splits
    sides = [ROLES[LISTED.get(split, "training")] for split in splits]
    return [
        Place(label, side, part if divided and split else "")
        for label, split, (side, part) in zip(labels, splits, sides, strict=True)
    ]


def _is_picture(file: str) -> bool:
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


def _read_labels(
    division: Division, pictures: Sequence[bool], ask: Ask, present: Collection[str]
) -> list[str | None] | None:
    """Return the class of each file; None where a division leaves none that could be told."""
    told = _telling(division, pictures)
    folders = [division.rest[place][:-1] for place in told]
    inside = [each for each in folders if each]
    depth = levels.common_depth(inside)
    tails = [each[depth:] for each in inside if len(each) > depth]
    single = len({each[0] for each in tails}) < 2
    by_name = filename_classes.read_classes([name[-1] for name in division.rest], told) if single else None
    if by_name and (not inside or _ask_names(tails, [by_name[place] for place in told], ask, present)):
        return by_name
    if not inside and division.folders:
        return None
    level = _choose_level(tails, ask, present) if tails else levels.OUTER
    return [level.label(name[depth:-1]) if len(name) > depth + 1 else None for name in division.rest]


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


def _ask_names(tails: Sequence[Parts], labels: Sequence[str | None], ask: Ask, present: Collection[str]) -> bool:
    """Ask whether the names of the files in one folder tell their classes."""
    folder = tails[0][0]
    if folder in present:
        return False
    question = Question(
        "names",
        f"All photos are in one folder, {folder!r}, but their names seem to tell classes: use those?",
        (
            Option("names", "Classes from the file names", _counted(labels)),
            Option("folder", "One class, named after the folder", _counted([folder] * len(labels))),
        ),
        "folder" if present else "names",
    )
    return ask(question) == "names"


def _choose_level(tails: Sequence[Parts], ask: Ask, present: Collection[str]) -> levels.Level:
    choices = levels.list_levels(tails)
    advised = levels.advise(choices, tails, present)
    if len(choices) == 1 or {advised.label(each) for each in tails} <= set(present):
        return advised
    question = Question(
        "levels",
        "Your folders lie inside one another: which of them are the classes?",
        tuple(Option(each.key, each.title, _counted([each.label(tail) for tail in tails])) for each in choices),
        advised.key,
    )
    answer = ask(question)
    return next(each for each in choices if each.key == answer)


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
    if "unlabelled" in division.folders:
        bare.add("unlabelled")
    kinds: list[Kind | None] = ["unlabelled" if kind in bare else kind for kind in division.kinds]
    folders: dict[Kind, list[str]] = {}
    for kind, names in division.folders.items():
        folders.setdefault("unlabelled" if kind in bare else kind, []).extend(names)
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
    if len(options) == 1 and not counts["unlabelled"]:
        return "together"
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


def _name_of(group: Sequence[str], counts: Mapping[str, int], present: Collection[str]) -> str:
    """Return the name that a pair of classes keeps: the one that is there already, else that of the most photos."""

    def merit(name: str) -> tuple[bool, int, bool]:
        return name in present, counts.get(name, 0), name == name.strip()

    return max(group, key=merit)


def _letters(label: str) -> str:
    return "".join(letter for letter in label if letter.isalnum())
