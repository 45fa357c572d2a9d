"""Offers to merge classes of nearly the same name, such as "polar bear" and "polar_bear", when they come in."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from thaw.archives.entries import Layout
from thaw.names import twins
from thaw.storage.questions import Ask, Option, Question

NAMED = 6


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


def _name_of(group: Sequence[str], counts: Mapping[str, int], present: Collection[str]) -> str:
    """Return the name that a pair of classes keeps: the one that is there already, else that of the most photos."""

    def merit(name: str) -> tuple[bool, int, bool]:
        return name in present, counts.get(name, 0), name == name.strip()

    return max(group, key=merit)


def _letters(label: str) -> str:
    return "".join(letter for letter in label if letter.isalnum())
