"""How many decisions a person needs for an unsorted pile: by groups, beside single photos in a random order.

    python benchmarks/pile.py [--photos 500] [--stamps /usr/share/tuxpaint/stamps]

The photos are of ten kinds: the photographed stamps of Tux Paint (Debian's `tuxpaint-stamps-default`), 7 to 34
cut-outs a kind, each laid on plain backgrounds at another place, size and light until there are as many of each kind.
The bundled EfficientNet-Lite0 looks at them. A simulated person knows the right answers and decides as on the page
Pile: a group of which at least seven tenths are of one kind is called that (its strays are then wrong), any other is
parted in two; each is one decision. A photo counts as right by its name, or while it has none by what is suggested.
Beside it: the least certain photo each time, single photos in a random order with the same suggestions for the rest,
and one by one alone.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.leaks import AGAIN, COLOURS, DRAWN, LEAST_PX, count_colours, random_colours, save  # noqa: E402
from benchmarks.photos import lay_on_plain  # noqa: E402
from thaw.labelling.groups import find_groups, halve, reduce  # noqa: E402
from thaw.labelling.suggest import order_by_doubt, order_groups, suggest  # noqa: E402
from tlcore.api import read_photos  # noqa: E402
from tlcore.features.frozen import pooled_features  # noqa: E402
from tlcore.models.backbones import find_backbone  # noqa: E402
from tlcore.models.loading import load_backbone  # noqa: E402

KINDS = {
    "birds": "animals/birds",
    "cattle": "animals/mammals/bovines",
    "fish": "animals/fish",
    "insects": "animals/insects",
    "rodents": "animals/mammals/rodents",
    "fruit": "food/fruit",
    "flowers": "plants/flowers",
    "planets": "space/planets",
    "tools": "household/tools",
    "instruments": "hobbies/music",
}
SIZE_PX = (480, 360)
MAJORITY, GOAL, DECISIONS = 0.7, 0.95, 60
SHOWN = (10, 20, 30, 40, 50, 60)

Curve = list[float]
"""The share of all photos that are right after each decision, the first one's first."""


def by_groups(directions: np.ndarray, truth: np.ndarray, alike: np.ndarray, seed: int = 0) -> Curve:
    """Decide on groups until no photo waits; `truth` has each photo's kind, str (n,)."""
    groups = find_groups(directions, alike, seed)
    named: list[str | None] = [None] * len(truth)
    curve: Curve = []
    while waiting := [place for place, label in enumerate(named) if label is None]:
        places = np.array(waiting)
        suggested = suggest(directions, named)
        group = order_groups(groups[places], suggested.margins[places] if suggested else None)[0]
        members = places[groups[places] == group]
        (kind, count), *_ = Counter(truth[members].tolist()).most_common(1)
        if count < MAJORITY * len(members):
            groups[members[halve(directions[members])]] = groups.max() + 1
        else:
            for place in members:
                named[place] = kind
        curve.append(measure(directions, truth, named))
    return curve


def by_photos(
    directions: np.ndarray,
    truth: np.ndarray,
    choose: Callable[[Sequence[str | None]], int],
    decisions: int,
    suggests: bool = True,
) -> Curve:
    """Decide on one photo at a time, the one that `choose` gives, so many times."""
    named: list[str | None] = [None] * len(truth)
    curve: Curve = []
    for _ in range(decisions):
        place = choose(named)
        named[place] = str(truth[place])
        curve.append(measure(directions, truth, named, suggests))
    return curve


def measure(directions: np.ndarray, truth: np.ndarray, named: Sequence[str | None], suggests: bool = True) -> float:
    """Return the share of photos that are right, by name or by what is suggested."""
    suggested = suggest(directions, named) if suggests else None
    said = [label or (suggested.classes[place] if suggested else None) for place, label in enumerate(named)]
    return float(np.mean([one == other for one, other in zip(said, truth, strict=True)]))


def in_random_order(seed: int) -> Callable[[Sequence[str | None]], int]:
    """Return a choice of photos that takes any of those that wait."""
    chance = np.random.default_rng(seed)
    return lambda named: int(chance.choice([place for place, label in enumerate(named) if label is None]))


def least_certain(directions: np.ndarray, alike: np.ndarray) -> Callable[[Sequence[str | None]], int]:
    """Return a choice of photos that takes the least certain, as the page does."""

    def choose(named: Sequence[str | None]) -> int:
        waiting = np.array([place for place, label in enumerate(named) if label is None])
        suggested = suggest(directions, named)
        if suggested is None:
            return int(waiting[0])
        return int(waiting[order_by_doubt(suggested.margins[waiting], alike[waiting])[0]])

    return choose


def first_reaching(curve: Curve, goal: float = GOAL) -> int | None:
    """Return the number of decisions after which a curve reaches a goal, or None where it never does."""
    return next((number for number, share in enumerate(curve, 1) if share >= goal), None)


def write_pile(folder: Path, stamps: Path, photos: int, seed: int = 0) -> dict[str, int]:
    """Write the photos in a folder for each kind; return how many cut-outs each kind has."""
    chance, counts = np.random.default_rng(seed), {}
    for kind, below in KINDS.items():
        cut_outs = [each for file in sorted((stamps / below).rglob("*.png")) if (each := _read(file, stamps))]
        if not cut_outs:
            raise SystemExit(
                f"Expected photographed stamps of {kind} below {stamps / below}. Received: none. Install "
                "tuxpaint-stamps-default, or name the folder with --stamps."
            )
        counts[kind] = len(cut_outs)
        for number in range(photos // len(KINDS)):
            colour = random_colours(chance, 1)[0]
            picture = lay_on_plain(cut_outs[number % len(cut_outs)], colour, chance, SIZE_PX)
            save(picture, folder / kind / f"{number:04}")
    return counts


def _read(file: Path, stamps: Path) -> Image.Image | None:
    name = file.relative_to(stamps).as_posix()
    if any(word in name for word in DRAWN) or file.stem.endswith(("_mirror", "_flip", AGAIN)):
        return None
    picture = Image.open(file).convert("RGBA")
    box = picture.getchannel("A").point(lambda value: 255 * (value > 16)).getbbox()
    fits = box and min(picture.size) >= LEAST_PX and count_colours(picture) >= COLOURS
    return picture.crop(box) if fits else None


def show(name: str, curve: Curve) -> None:
    """Print one way: what is right after so many decisions, and how many the goal takes."""
    shares = " ".join(f"{curve[min(number, len(curve)) - 1]:8.1%}" for number in SHOWN)
    reached = first_reaching(curve)
    print(f"  {name:34}{shares}   {reached if reached else f'not in {len(curve)}'}", flush=True)


def main() -> None:
    """Make the pile, let each way decide, and print decisions against accuracy."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--photos", type=int, default=500)
    parser.add_argument("--stamps", type=Path, default=Path("/usr/share/tuxpaint/stamps"))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        counts = write_pile(Path(scratch) / "photos", asked.stamps, asked.photos)
        photos = list(read_photos(Path(scratch) / "photos", copies=Path(scratch) / "copies"))
        print(f"{len(photos)} photos; cut-outs: {', '.join(f'{kind} {n}' for kind, n in counts.items())}")
        row = find_backbone("efficientnet-lite0")
        features, _ = pooled_features(load_backbone(row, row.input_size), photos, Path(scratch) / "features")
    truth, alike = np.array([photo.label for photo in photos]), np.arange(len(photos))
    started = time.process_time()
    directions = reduce(features)
    find_groups(directions, alike)
    print(f"grouped in {time.process_time() - started:.1f} s of a CPU; right after so many decisions, and 95% after:")
    print(f"  {'':34}{' '.join(f'{number:8}' for number in SHOWN)}")
    show("groups", by_groups(directions, truth, alike))
    most = 2 * DECISIONS
    show("the least certain photo each time", by_photos(directions, truth, least_certain(directions, alike), most))
    for seed in range(3):
        show(f"random order, suggestions, seed {seed}", by_photos(directions, truth, in_random_order(seed), most))
    show("one by one, no suggestions", by_photos(directions, truth, in_random_order(0), most, suggests=False))


if __name__ == "__main__":
    main()
