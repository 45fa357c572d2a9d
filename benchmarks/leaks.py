"""Which copies of one object before different backgrounds come to both sides of a split, and what is joined wrongly.

    python benchmarks/leaks.py [--originals 255] [--unlike 1000] [--draw docs/images/leaks.svg]

Needs photos that a package manager brings: the stamps of Tux Paint (Debian's `tuxpaint-stamps-default`: photographed
animals, plants and things, cut out) and the pictures of GCompris (`gcompris-qt-data`); `--stamps` and `--photos` name
their folders. Each original is laid on four plain backgrounds at another place, size and light, with a lamp's fall-off,
a camera's noise and JPEG. Beside them lie photos that are unlike one another and all originals: whole ones, sixths of
large ones (those of one photo show one scene: to join them is not counted), and other cut-outs, each once. The real
backbone looks at all of them; what joins the copies by whole pictures and with the second look at the object is printed
for many thresholds, from one computation of the features, with its cost in CPU time.
"""

import argparse
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.photos import lay_on_plain  # noqa: E402
from thaw.datasets import scenes  # noqa: E402
from thaw.datasets.objects import look_twice  # noqa: E402
from thaw.model_card.line_chart import Series, draw_lines  # noqa: E402
from tlcore.api import read_photos  # noqa: E402
from tlcore.features.frozen import pooled_features  # noqa: E402
from tlcore.models.backbones import find_backbone  # noqa: E402
from tlcore.models.loading import load_backbone  # noqa: E402
from tlcore.photos import Photo  # noqa: E402
from tlcore.splits.groups import group_images  # noqa: E402
from tlcore.splits.near_duplicates import group  # noqa: E402
from tlcore.splits.splits import split  # noqa: E402

COPIES, SIZE_PX = 4, (480, 360)
# Folders of drawings, and the stamp that shows the same photo as another.
DRAWN, AGAIN = ("cartoon", "symbols/"), "fireman200b"
# What tells a photo from a drawing, and a thing that is large enough to be seen.
COLOURS, LEAST_PX, LARGE_PX = 150, 80, 300
ALIKE = 0.93
WHOLE = (0.96, 0.92, 0.88, 0.84, 0.8)
OBJECTS = (0.95, 0.92, 0.88, 0.86, 0.84, 0.82, 0.8, 0.78, 0.75)
PIXELS = (0.96, 0.94, 0.92, 0.9, 0.88, 0.86, 0.84, 0.8)
SEEDS = 10
# No cosine is as large.
NEVER = 2.0


@dataclass(frozen=True)
class Look:
    """All photos, which original each shows ("unlike ..." for those unlike all), and what the backbone saw of them."""

    photos: list[Photo]
    originals: list[str]
    features: np.ndarray
    second: scenes.SecondLook


@dataclass(frozen=True)
class Outcome:
    """How many originals lie on both sides of a split (mean), the validation photos of them, and what was joined."""

    both_sides: float
    validation: float
    apart: int
    false_originals: int
    false_unlike: int


def read_stamps(folder: Path) -> Iterator[Image.Image]:
    """Yield the photographed stamps, RGBA, cropped to what is to be seen, each once, in the order of their names."""
    seen = set()
    for file in sorted(folder.rglob("*.png")):
        name = file.relative_to(folder).as_posix()
        if any(word in name for word in DRAWN) or file.stem.endswith(("_mirror", "_flip", AGAIN)):
            continue
        picture = Image.open(file).convert("RGBA")
        box = picture.getchannel("A").point(lambda value: 255 * (value > 16)).getbbox()
        if box and picture.tobytes() not in seen and count_colours(picture) >= COLOURS:
            seen.add(picture.tobytes())
            yield picture.crop(box)


def read_bundles(folder: Path) -> Iterator[Image.Image]:
    """Yield the WebP pictures that lie in Qt's resource files, as they are stored there."""
    for file in sorted(folder.glob("*.rcc")):
        content, at = file.read_bytes(), 0
        while (at := content.find(b"RIFF", at)) >= 0:
            size = 8 + int.from_bytes(content[at + 4 : at + 8], "little")
            if content[at + 8 : at + 12] == b"WEBP":
                yield Image.open(io.BytesIO(content[at : at + size])).convert("RGBA")
            at += 4


def count_colours(picture: Image.Image) -> int:
    """Count the colours of a picture's opaque pixels, in steps of 8: a drawing has few."""
    pixels = np.asarray(picture)
    steps = pixels[pixels[..., 3] > 250][:, :3].astype(np.int64) // 8
    return int(np.count_nonzero(np.bincount(steps @ (1024, 32, 1))))


def write_set(folder: Path, stamps: Path, bundles: Path, originals: int, unlike: int) -> None:
    """Write the copies and the unlike photos as JPEGs in class folders; an original's number begins its copies' names.

    Raises SystemExit where the packages bring too few pictures.
    """
    chance, cut_outs, small = np.random.default_rng(0), [], []
    for each in read_stamps(stamps):
        (cut_outs if min(each.size) >= LEAST_PX and has_ground(each) else small).append(each)
    photos, others = choose_photos(read_bundles(bundles)), [*small, *cut_outs[originals:]]
    pieces = [piece for number, each in enumerate(photos) for piece in cut(each, f"unlike {number}")]
    if len(cut_outs) < originals or len(pieces) + len(others) < unlike:
        raise SystemExit(
            f"Expected {originals} cut-outs and {unlike} other photos. Received: {len(cut_outs)} below {stamps}, and "
            f"{len(photos)} photos below {bundles}. Install tuxpaint-stamps-default and gcompris-qt-data, or name the "
            "folders with --stamps and --photos."
        )
    for number, each in enumerate(cut_outs[:originals]):
        colours = random_colours(chance, COPIES)
        for copy, colour in enumerate(colours):
            save(lay_on_plain(each, colour, chance, SIZE_PX), folder / f"class {number % 5}" / f"{number}-{copy}")
    plain = [
        (f"unlike {number}-0", lay_on_plain(each, random_colours(chance, 1)[0], chance, SIZE_PX))
        for number, each in enumerate(others, len(photos))
    ]
    kept = [*plain, *pieces][:unlike]
    print(f"  {len(kept)} unlike: {len(plain)} cut-outs, and {len(photos)} photos whole or in sixths", flush=True)
    for number, (name, each) in enumerate(kept):
        save(each, folder / f"class {number % 5}" / name)


def has_ground(picture: Image.Image) -> bool:
    return float(np.mean(np.asarray(picture.getchannel("A")) < 5)) > 0.03


def choose_photos(pictures: Iterator[Image.Image]) -> list[Image.Image]:
    """Return the photos among `pictures`, no two of them one picture; drawings, icons and cut-outs are left."""
    photos, seen = [], np.zeros((0, 256))
    for each in pictures:
        if min(each.size) < LEAST_PX or has_ground(each) or count_colours(each) < COLOURS:
            continue
        grey = np.asarray(each.convert("L").resize((16, 16), Image.Resampling.BILINEAR), float).ravel()
        grey = (grey - grey.mean()) / (16 * grey.std() + 1e-9)
        if not len(seen) or (seen @ grey).max() < ALIKE:
            photos.append(each)
            seen = np.vstack([seen, grey])
    return photos


def random_colours(chance: np.random.Generator, count: int) -> list[tuple[int, int, int]]:
    """Draw colours of backgrounds, no two of them alike: far apart in at least one channel."""
    while True:
        drawn = chance.integers(25, 246, (count, 3))
        apart = np.abs(drawn[:, None] - drawn).max(axis=2) + 255 * np.eye(count)
        if apart.min() >= 40:
            return [(int(red), int(green), int(blue)) for red, green, blue in drawn]


def cut(photo: Image.Image, name: str) -> Iterator[tuple[str, Image.Image]]:
    """Yield the sixths of a large photo, and a smaller one whole, with a name each."""
    if min(photo.size) < LARGE_PX:
        yield f"{name}-0", photo
        return
    width, height = photo.width // 3, photo.height // 2
    for piece in range(6):
        left, top = piece % 3 * width, piece // 3 * height
        yield f"{name}-{piece}", photo.crop((left, top, left + width, top + height))


def save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.convert("RGB").save(path.with_suffix(".jpg"), quality=88)


def look_at(folder: Path, scratch: Path) -> Look:
    """Read the photos as the API does, compute what the backbone sees of them twice, and print what each look costs."""
    photos = list(read_photos(folder, copies=scratch / "copies"))
    names = [Path(photo.name).stem for photo in photos]
    originals = [name.partition("-")[0] for name in names]
    row = find_backbone("efficientnet-lite0")
    loaded = load_backbone(row, row.input_size)
    started = time.process_time()
    features, _ = pooled_features(loaded, photos, scratch)
    first_s = time.process_time() - started
    started = time.process_time()
    second, computed = look_twice(loaded, photos, scratch)
    second_s = time.process_time() - started
    print(
        f"  the whole pictures {1000 * first_s / len(photos):.1f} ms of a CPU each; the second look {second_s:.1f} s, "
        f"{1000 * second_s / max(1, computed):.1f} ms for each of the {computed:,} photos with an object"
    )
    without = sorted(set(range(len(photos))) - set(second.places.tolist()))[:200]
    started = time.process_time()
    look_twice(loaded, [photos[place] for place in without], scratch)
    spent = time.process_time() - started
    print(f"  a photo without one costs {1000 * spent / max(1, len(without)):.1f} ms of a CPU more")
    return Look(photos, originals, features, second)


def judge(look: Look, pairs: Sequence[tuple[int, int]]) -> Outcome:
    """Divide the photos as a run does, by many seeds, with `pairs` joined; count leaks and what is joined wrongly."""
    count = len(look.photos)
    keys = group(count, pairs)
    photos = [replace(photo, similar=str(key)) for photo, key in zip(look.photos, keys, strict=True)]
    groups = np.array(group_images(photos))
    shown = np.array(look.originals)
    wrong = [set(shown[groups == key]) for key in np.unique(groups)]
    joined = {each for names in wrong if len(names) > 1 for each in names}
    copies = {each: np.flatnonzero(shown == each) for each in look.originals if not each.startswith("unlike")}
    both, leaked = [], []
    for seed in range(SEEDS):
        held_out = {photo.id for photo in split(photos, 0.2, seed).validation}
        sides = [[photos[place].id in held_out for place in places] for places in copies.values()]
        both.append(sum(0 < sum(side) < len(side) for side in sides))
        leaked.append(sum(sum(side) for side in sides if sum(side) < len(side)))
    return Outcome(
        both_sides=float(np.mean(both)),
        validation=float(np.mean(leaked)),
        apart=sum(len(set(groups[places])) > 1 for places in copies.values()),
        false_originals=sum(not each.startswith("unlike") for each in joined),
        false_unlike=sum(each.startswith("unlike") for each in joined),
    )


def report(words: str, outcome: Outcome) -> Outcome:
    print(
        f"  {words:34} {outcome.both_sides:6.1f} {outcome.validation:6.1f} {outcome.apart:6} "
        f"{outcome.false_originals:6} {outcome.false_unlike:6}",
        flush=True,
    )
    return outcome


def compare(look: Look) -> dict[str, list[Outcome]]:
    """Print what each method does at each threshold; return it by the method's name."""
    print(f"  {'':34} {'both':>6} {'photos':>6} {'apart':>6} {'false':>6} {'unlike':>6}")
    report("fingerprint alone", judge(look, []))
    report("and whole pictures", judge(look, scenes.find_similar(look.features)))
    started = time.process_time()
    today = scenes.find_similar(look.features, look=look.second)
    found = scenes.find_similar_objects(look.features, look.second)
    spent = time.process_time() - started
    report("the same, empty ones by their tones", judge(look, today))
    report("and objects, as they are compared", judge(look, [*today, *found]))
    print(f"  comparing {len(look.photos):,} photos takes {spent:.2f} s of a CPU")
    drawn: dict[str, list[Outcome]] = {"objects by features": [], "by features and pixels": []}
    for cosine in WHOLE:
        pairs = scenes.find_similar(look.features, min_cosine=cosine, spread_share=1.0)
        report(f"whole pictures, cosine {cosine:.2f}", judge(look, pairs))
    for cosine in OBJECTS:
        found = scenes.find_similar_objects(look.features, look.second, cosine, 1.0, NEVER)
        drawn["objects by features"].append(report(f"objects, cosine {cosine:.2f}", judge(look, [*today, *found])))
    for pixels in PIXELS:
        found = scenes.find_similar_objects(look.features, look.second, min_pixels=pixels)
        drawn["by features and pixels"].append(
            report(f"and pixels, cosine {pixels:.2f}", judge(look, [*today, *found]))
        )
    return drawn


def draw(drawn: dict[str, list[Outcome]], originals: int, unlike: int) -> str:
    """Return the trade-off as SVG: originals on both sides against all pictures that are joined wrongly."""
    most_joined, most_leaked = 20, 12
    series = [
        # From the strictest threshold to the loosest: ever more joins, ever fewer leaks.
        Series(name, [point for point in map(_point, outcomes) if point[0] <= most_joined and point[1] <= most_leaked])
        for name, outcomes in drawn.items()
    ]
    return draw_lines(
        series,
        f"Originals with copies on both sides of a split, of {originals}, against what is joined wrongly.",
        (f"originals, and of {unlike:,} unlike photos, joined to another", "originals leaked"),
        (0, most_leaked),
        "{:.0f}".format,
        x_range=(0, most_joined),
    )


def _point(outcome: Outcome) -> tuple[float, float]:
    return outcome.false_originals + outcome.false_unlike, outcome.both_sides


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stamps", type=Path, default=Path("/usr/share/tuxpaint/stamps"))
    parser.add_argument("--photos", type=Path, default=Path("/usr/share/gcompris-qt/rcc"))
    parser.add_argument("--originals", type=int, default=255)
    parser.add_argument("--unlike", type=int, default=1000)
    parser.add_argument("--draw", type=Path, help="where the trade-off is drawn, as SVG")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        print(f"{arguments.originals} originals, {COPIES} copies of each (load average {os.getloadavg()[0]:.1f})")
        photos = scratch / "photos"
        write_set(photos, arguments.stamps, arguments.photos, arguments.originals, arguments.unlike)
        drawn = compare(look_at(photos, scratch))
        if arguments.draw:
            arguments.draw.write_text(draw(drawn, arguments.originals, arguments.unlike) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
