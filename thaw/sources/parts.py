"""Finds the parts of a ready-made split among folders: training, validation, test, and photos without a class."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from thaw.names import Parts
from tlcore.photos import natural

Kind = Literal["training", "validation", "test", "unlabelled"]
LABELLED: tuple[Kind, ...] = ("training", "validation", "test")
MAX_LEVELS = 8
_WORDS: Mapping[Kind, str] = {
    "training": "train training trn trainval trainvalid learn learning trainings entrainement apprentissage "
    "entrenamiento treino addestramento 训练 訓練",
    "validation": "val valid validation validate dev devel development eval evaluation validierung validierungs "
    "validacion validacao convalida 验证 検証",
    "test": "test testing tst holdout heldout tests prueba pruebas teste 测试 テスト",
    "unlabelled": "unlabelled unlabeled unlabel unlabelled unannotated unsup unsupervised unsorted untagged "
    "unclassified uncategorised uncategorized nolabel nolabels pred preds predict prediction predictions inference",
}
_KINDS: dict[str, Kind] = {word: kind for kind, words in _WORDS.items() for word in words.split()}
# Of these a folder beside classes may be one too.
_ONLY_IN_SPLITS = frozenset({"pred", "preds", "predict", "prediction", "predictions", "inference", "unclassified"})
# What is written beside such a word and says nothing.
_NEUTRAL_WORDS = (
    "set sets data dataset datasets image images imgs img photo photos picture pictures pics pic split splits part "
    "parts folder folders sample samples jpg jpeg png original originals resized cropped small full final raw real "
    "public daten bilder 集 数据 图片 fold folds batch batches session sessions day days group stage subset chunk"
)
NEUTRAL = frozenset(_NEUTRAL_WORDS.split())
_JOINED = re.compile(rf"({'|'.join(sorted(_KINDS, key=len, reverse=True))})({'|'.join(sorted(NEUTRAL))})")
_PIECES = re.compile(r"[^\W\d_]+|\d+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CAMERA = re.compile(r"\d{3}[A-Z_]{5}")
_HELD_OUT = re.compile(r"\b(hold|held|un|no)[\W_]+(out|labell?ed|labels?)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Division:
    """What part each file is of (None where no folder says so), and its name without the folders that say it.

    `folders` gives the names of the folders of each kind, as they were met.
    """

    kinds: list[Kind | None]
    rest: list[Parts]
    folders: dict[Kind, list[str]] = field(default_factory=dict)


def words_of(name: str) -> list[str]:
    """Split a folder's name into its words and numbers, without capitals, accents and the marks between them."""
    spelt = "".join(letter for letter in unicodedata.normalize("NFKD", name) if unicodedata.category(letter) != "Mn")
    joined = _HELD_OUT.sub(r"\1\2", _HUMP.sub(" ", spelt))
    return [piece for word in _PIECES.findall(joined.casefold()) for piece in _unjoin(word)]


def is_neutral(name: str) -> bool:
    """Say whether a folder's name tells nothing of what its photos show: "images", "part 2", "2024-05-01"."""
    words = words_of(name)
    return bool(words) and (all(word.isdigit() or word in NEUTRAL for word in words) or is_camera(name))


def is_camera(name: str) -> bool:
    """Say whether a folder's name is one that cameras and phones give, such as "100CANON" or "DCIM"."""
    return bool(_CAMERA.fullmatch(name)) or name == "DCIM"


def read_part(name: str) -> tuple[Kind, str] | None:
    """Return the kind of part that a folder's name stands for, and what else the name says ("seg" of "seg_train").

    None where it stands for none, or for two.
    """
    words = words_of(name)
    kinds = {_KINDS[word] for word in words if word in _KINDS}
    if len(kinds) != 1:
        return None
    others = [word for word in words if word not in _KINDS and word not in NEUTRAL and not word.isdigit()]
    return kinds.pop(), " ".join(others)


def divide(names: Sequence[Parts], pictures: Sequence[bool]) -> Division:
    """Find the level of folders that makes the parts of a split; `pictures` says which files look like pictures.

    There must be two kinds of parts at least. A level that repeats the same parts (`seg_train/seg_train/cat`) goes too.
    """
    kinds: list[Kind | None] = [None] * len(names)
    rest = list(names)
    folders: dict[Kind, list[str]] = {}
    while found := _find_level(rest, pictures):
        level, read, subjects, shared = found
        met = _sort_strays(rest, level, read)
        next_kinds = [met.get(name[level]) if len(name) > level + 1 else None for name in rest]
        if folders and any(new and new != old for new, old in zip(next_kinds, kinds, strict=True)):
            break
        for folder, kind in met.items():
            folders.setdefault(kind, [])
            folders[kind] += [folder] * (folder not in folders[kind])
        kinds = [new or old for new, old in zip(next_kinds, kinds, strict=True)]
        # A folder around all parts is no class; what lies beside the parts is in none.
        rest = [
            (*name[: 0 if shared else level], *subjects.get(name[level], ()), *name[level + 1 :])
            if new
            else name[-1:]
            if shared
            else name
            for name, new in zip(rest, next_kinds, strict=True)
        ]
    return Division(kinds, rest, folders)


def _sort_strays(names: Sequence[Parts], level: int, read: Mapping[str, Kind]) -> dict[str, Kind]:
    """Return the kinds of a level's folders, with those beside the parts: more to learn from where it has the classes
    that the training part has, else photos without a class.
    """
    below: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        if len(name) > level + 1:
            below[name[level]].add(name[level + 1] if len(name) > level + 2 else "")
    learnt = {folder for each, kind in read.items() if kind == "training" for folder in below[each]} - {""}
    return {
        folder: read.get(folder, "training" if below[folder] & learnt else "unlabelled")
        for folder in sorted(below, key=natural)
    }


def find_unlabelled(names: Sequence[Parts], pictures: Sequence[bool], level: int) -> Division:
    """Find the folders at a level, among class folders, whose name says that their photos have no class."""
    named = {name[level] for name, picture in zip(names, pictures, strict=True) if picture and len(name) > level + 1}
    without = {
        folder
        for folder in named
        if (read := read_part(folder)) and read == ("unlabelled", "") and not _ONLY_IN_SPLITS & set(words_of(folder))
    }
    kinds: list[Kind | None] = [
        "unlabelled" if len(name) > level + 1 and name[level] in without else None for name in names
    ]
    return Division(kinds, list(names), {"unlabelled": sorted(without)} if without else {})


def _find_level(
    names: Sequence[Parts], pictures: Sequence[bool]
) -> tuple[int, dict[str, Kind], dict[str, Parts], bool] | None:
    """Return the first level whose folders are parts, the kind of each, what else a folder's name says of it, and
    whether all lies below one folder there.
    """
    shared = True
    for level in range(MAX_LEVELS):
        counts: defaultdict[str, int] = defaultdict(int)
        for name, picture in zip(names, pictures, strict=True):
            if picture and len(name) > level + 1:
                counts[name[level]] += 1
        if not counts:
            return None
        of_folder, subjects = _read_level(counts)
        strays = counts.keys() - of_folder.keys()
        if of_folder and (not strays or (shared and _may_lie_beside(strays, counts))):
            return level, of_folder, subjects, shared
        shared = shared and len(counts) == 1
    return None


def _read_level(folders: Collection[str]) -> tuple[dict[str, Kind], dict[str, Parts]]:
    """Return the kind of each folder of a level that is a part, {} where fewer than two kinds are there."""
    read = {folder: part for folder in folders if (part := read_part(folder))}
    kinds_of: defaultdict[str, set[Kind]] = defaultdict(set)
    for kind, subject in read.values():
        kinds_of[subject].add(kind)
    if len(kinds_of) > 1 and "" not in kinds_of and all(len(kinds) > 1 for kinds in kinds_of.values()):
        # cats_train, cats_test, dogs_train, dogs_test: the other words are the classes.
        return {folder: kind for folder, (kind, _) in read.items()}, {
            folder: (subject,) for folder, (_, subject) in read.items()
        }
    subject = max(kinds_of, key=lambda each: (len(kinds_of[each]), each == ""), default="")
    if len(kinds_of.get(subject, ())) < 2:
        return {}, {}
    return {folder: kind for folder, (kind, said) in read.items() if said == subject}, {}


def _may_lie_beside(strays: Collection[str], counts: Mapping[str, int]) -> bool:
    """Say whether folders beside the parts are few enough to be no classes: those would be the larger share."""
    return 2 * sum(counts[stray] for stray in strays) < sum(counts.values())


def _unjoin(word: str) -> tuple[str, ...]:
    """Part a word such as "trainset" into its two."""
    joined = _JOINED.fullmatch(word)
    return (joined[1], joined[2]) if joined else (word,)
