"""The same photos and seed give the split that they gave when these digests were written: a run can be repeated."""

import hashlib
import random

import pytest

from tlcore.errors import DatasetError
from tlcore.photos import Photo
from tlcore.splits.groups import GroupRules, group_images
from tlcore.splits.splits import count_straddling, split

# By what each data set is made with.
DIGESTS = {
    "plain": ["d400986b4f99", "d23bed2e9057"],
    "few groups": ["340c0861be60", "4847f8d98f2b"],
    "disputed": ["dd1eb57c5a6e", "842f59053f31"],
    "recordings": ["811c5318fbcb", "d97012a80b36"],
    "later": ["17d74d6965a8", "23eb1e3b40d8"],
    "bursts": ["265cc9a085e1", "ae09251fcb42"],
    "subjects": ["7a42b62476ae", "2f6a09e73063"],
    "parts": ["4f78f268eede", "ac5292d0bcd0"],
    "inseparable": ["660e19ef83d2", "fbb7db8420ea"],
    "everything": ["c6f9a456e6a5", "8ebacddd5828"],
}


def photos(kind, number=1500):
    """Photos of 7 classes, with copies, near-duplicates over several ties, and what else `kind` names."""
    chance = random.Random(kind)
    made = []
    for place in range(number):
        label = f"class {min(6, int(chance.expovariate(0.5)))}"
        content = hashlib.sha256(f"{kind} {chance.randrange(number * 8)}".encode()).hexdigest()
        name = f"{label}/subject{chance.randrange(400)}_{place}.jpg"
        if kind == "recordings" and label in ("class 2", "class 3", "class 5"):
            recording = 2 if label == "class 2" else chance.randrange(3, 6)
            name = f"{label}/recording-{recording:012x}-{place}.jpg"
        if kind == "disputed" and chance.random() < 0.05 and made:
            content = chance.choice(made).content
        if kind == "recordings":
            content = f"{name.rpartition('-')[0]} {place // 2}"
        dated = chance.random() < (0.7 if kind in ("later", "bursts", "inseparable", "everything") else 0.1)
        parts = ("training", "validation", "") if kind in ("parts", "everything") else ("",)
        ties = 60 if kind == "few groups" else 3000
        made.append(
            Photo(
                id=f"img-{place}",
                label=label,
                name=name,
                content=content,
                width=100,
                height=80,
                taken_at=1e9 + chance.randrange(200_000) if dated else None,
                part=chance.choice(parts),
                lookalike=f"l{chance.randrange(ties)}" if chance.random() < 0.3 else "",
                similar=f"s{chance.randrange(ties)}" if chance.random() < 0.3 else "",
                derived=f"d{chance.randrange(ties)}" if chance.random() < 0.1 else "",
            )
        )
    return made


CASES = {
    "plain": {},
    "few groups": {},
    "disputed": {},
    "recordings": {},
    "later": {"later_share": 0.2},
    "bursts": {"rules": GroupRules(burst_seconds=60), "later_share": 0.1},
    "subjects": {"rules": GroupRules("{group}_*")},
    "parts": {"theirs": True},
    "inseparable": {"rules": GroupRules(burst_seconds=3600)},
    "everything": {"rules": GroupRules("{group}_*", 20), "later_share": 0.3, "theirs": True},
}


def digest(kind, seed):
    images, settings = photos(kind), CASES[kind]
    try:
        parts = split(images, 0.2, seed, **settings)
    except DatasetError as problem:
        return str(problem)
    told = [parts.labels, *([image.id for image in side] for side in (parts.training, parts.validation, parts.later))]
    told += [group_images(images, settings.get("rules")), count_straddling(images, settings.get("rules"))]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:12]


@pytest.mark.parametrize("kind", CASES)
def test_a_split_is_what_it_was(kind):
    assert [digest(kind, seed) for seed in (0, 7)] == DIGESTS[kind]
