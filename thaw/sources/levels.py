"""Finds which folders of a tree are the classes: the outer ones, the inner ones, or one between."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from thaw.names import Parts
from thaw.sources.parts import is_neutral

MOST_LEVELS = 4
BOTH = ", "


@dataclass(frozen=True)
class Level:
    """One reading of a tree: `key` names it for programs, `title` in words; `label` gives the class of folders."""

    key: str
    title: str
    label: Callable[[Parts], str]


OUTER = Level("outer", "The outer folders", lambda folders: folders[0])


def common_depth(folders: Sequence[Parts]) -> int:
    """Count the leading folders that all files in folders share and below which class folders remain."""
    depth = 0
    while len({each[depth] for each in folders if len(each) > depth}) == 1 and _reaches(folders, depth + 1):
        depth += 1
    return depth


def list_levels(folders: Sequence[Parts]) -> list[Level]:
    """Return the readings of a tree that differ, the outermost first; `folders` are those of each file below the root.

    There is a second only where some folder holds two others or more. Where there are several, the last reading takes
    all levels together.
    """
    branching = [depth for depth in range(1, MOST_LEVELS) if _branches(folders, depth)]
    depths = [0, *branching]
    levels = [Level(_key(place, len(depths)), _title(place, len(depths)), _at(d)) for place, d in enumerate(depths)]
    if len(levels) > 1:
        joined = "Both together" if len(levels) == 2 else "All together"
        levels.append(Level("both", joined, lambda each: BOTH.join(dict.fromkeys(_pick(each, d) for d in depths))))
    return levels


def advise(levels: Sequence[Level], folders: Sequence[Parts], present: Collection[str] = ()) -> Level:
    """Return the level that is most likely the class: the one of the classes that are `present`, else the innermost
    whose names do not come again and again under the outer ones, as sessions or days do.
    """
    if present:
        known = {level.key: len({level.label(each) for each in folders} & set(present)) for level in levels}
        best = max(levels, key=lambda level: known[level.key])
        if known[best.key]:
            return best
    chosen = levels[0]
    for level in levels[1:-1]:
        if not _refines(chosen, level, folders):
            break
        chosen = level
    return chosen


def _refines(outer: Level, inner: Level, folders: Sequence[Parts]) -> bool:
    """Say whether the inner folders rather than the outer ones are the classes."""
    outers: defaultdict[str, set[str]] = defaultdict(set)
    for each in folders:
        outers[inner.label(each)].add(outer.label(each))
    if all(is_neutral(outer.label(each)) for each in folders):
        return True
    if 2 * sum(map(is_neutral, outers)) > len(outers):
        return False
    return 2 * sum(len(found) > 1 for found in outers.values()) <= len(outers)


def _branches(folders: Sequence[Parts], depth: int) -> bool:
    """Say whether some folder that lies `depth` levels deep holds two or more."""
    below = Counter(each[:depth] for each in {each[: depth + 1] for each in folders if len(each) > depth})
    return any(count > 1 for count in below.values())


def _at(depth: int) -> Callable[[Parts], str]:
    return lambda each: _pick(each, depth)


def _pick(each: Parts, depth: int) -> str:
    return each[min(depth, len(each) - 1)]


def _key(place: int, count: int) -> str:
    return {count - 1: "inner", 0: "outer"}.get(place, f"level-{place + 1}")


def _title(place: int, count: int) -> str:
    return {count - 1: "The inner folders", 0: "The outer folders"}.get(place, f"The folders of level {place + 1}")


def _reaches(folders: Sequence[Parts], depth: int) -> bool:
    return any(len(each) > depth for each in folders)
