"""Folders, archives and tables as people bring them, made small: each with what must come of it, by whichever way."""

import csv
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from tests.support.pictures import heic
from tests.support.pictures.corpus import encoded, jpeg, photo
from tests.support.pictures.raws import nef, preview
from thaw.datasets.edits import grouping
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from tlcore.splits.groups import group_images

EACH = 6
"""How many photos a class has, where nothing else is said."""
Files = dict[str, bytes]


@dataclass(frozen=True)
class Situation:
    """What people bring and what must come of it.

    `files` are those of a folder by name. `classes` count the photos to learn from, `holdout` those set apart to judge,
    `unlabelled` those without a class. `says` are parts of the data set's notes, `image_notes` of those of some image,
    `reasons` of those set aside; `asks` are the keys of the questions that are put, answered as advised.
    """

    name: str
    files: Files
    classes: dict[str, int]
    holdout: int = 0
    unlabelled: int = 0
    set_aside: int = 0
    ignored: int = 0
    says: tuple[str, ...] = ()
    image_notes: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    # Ways in by which it cannot come: an archive is not dropped packed into a zip once more.
    not_by: tuple[str, ...] = ()
    check: Callable[[Store, Dataset], None] | None = field(default=None, compare=False)


def photos(folders: Iterable[str], count: int = EACH, first: int = 0) -> Files:
    """Make `count` photos for each folder, no two alike; another `first` makes others."""
    return {
        f"{folder}/{number:03}.jpg": jpeg(1000 * place + first + number)
        for place, folder in enumerate(folders)
        for number in range(count)
    }


def named(names: Iterable[str], first: int = 0) -> Files:
    """Make one photo for each name."""
    return {name: jpeg(50_000 + first + number) for number, name in enumerate(names)}


def png(image: Image.Image) -> bytes:
    return encoded(image, "PNG")


def zipped(files: Files, names: Callable[[str], bytes | str] = str, field_codec: str = "") -> bytes:
    """Pack files into a zip; `names` may give a name's raw bytes, and with `field_codec` its UTF-8 is told besides."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            raw = names(name)
            entry = RawEntry(raw) if isinstance(raw, bytes) else zipfile.ZipInfo()
            if isinstance(raw, str):
                entry.filename = raw
            entry.create_system = 0
            if field_codec:
                told = name.encode()
                entry.extra = (
                    struct.pack("<HHBL", 0x7075, 5 + len(told), 1, zlib.crc32(name.encode(field_codec))) + told
                )
            packed.writestr(entry, content)
    return buffer.getvalue()


class RawEntry(zipfile.ZipInfo):
    """An entry whose name is written as the bytes that are given, without the mark of UTF-8."""

    def __init__(self, raw: bytes) -> None:
        super().__init__("x")
        self._raw = raw

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's own name
        return self._raw, self.flag_bits & ~0x800


def table(rows: Sequence[Sequence[str]], separator: str = ",", head: str = "", end: str = "\n") -> str:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(rows)
    return head + text.getvalue()


TWO = ("cat", "dog")


def pairs(folder: str = "") -> tuple[Files, list[tuple[str, str]]]:
    """Return loose photos below a folder, and for each its name there and its class."""
    listed = [(f"{label[0]}{number}.jpg", label) for label in TWO for number in range(EACH)]
    return named([folder + name for name, _ in listed]), listed


def beside(name: str, text: str | bytes, folder: str = "") -> Files:
    """Lay a table beside the photos of `pairs`."""
    return pairs(folder)[0] | {name: text if isinstance(text, bytes) else text.encode()}


CATS_AND_DOGS = dict.fromkeys(TWO, EACH)


def hidden() -> list[Situation]:
    kept = photos(["skip", "keep"])
    copies = {f"skip/.ipynb_checkpoints/00{n}-checkpoint.jpg": jpeg(n) for n in range(3)}
    copies |= {f".ipynb_checkpoints/new{n}-checkpoint.jpg": jpeg(9000 + n) for n in range(3)}
    fruit = photos(["apple", "pear"])
    thumbnails = {
        f"{name.rpartition('/')[0]}/@eaDir/{name.rpartition('/')[2]}/SYNOPHOTO_THUMB_{size}.jpg": jpeg(seed, width, 36)
        for seed, name in enumerate(fruit)
        for size, width in (("M", 48), ("XL", 64))
    }
    bins = ("$RECYCLE.BIN/S-1-5", ".Trash-1000/files", "System Volume Information", "lost+found", "#recycle", ".git/x")
    thrown = {f"{folder}/old.jpg": jpeg(9100 + n) for n, folder in enumerate(bins)}
    return [
        Situation("notebook copies", kept | copies, {"skip": EACH, "keep": EACH}, ignored=6),
        Situation("thumbnails of a NAS", fruit | thumbnails, {"apple": EACH, "pear": EACH}, ignored=4 * EACH),
        Situation("recycle bins", photos(["apple", "pear"]) | thrown, {"apple": EACH, "pear": EACH}, ignored=len(bins)),
    ]


def structures() -> list[Situation]:
    learn, judge = photos(["train/cat", "train/dog"]), photos(["test/cat", "test/dog"], first=500)
    other = {
        name.replace("train/", "training_set/").replace("test/", "test_set/"): c for name, c in (learn | judge).items()
    }
    pile = named([f"unlabelled/{n}.jpg" for n in range(4)])
    flat = named([f"train/{label}.{n}.jpg" for label in TWO for n in range(EACH)])
    numbered = named([f"test/{n + 1}.jpg" for n in range(4)], first=500)
    camera = named([f"IMG_{n:04}.jpg" for n in range(EACH)])
    breeds = named([f"pets/{label}_{n}.jpg" for label in ("Abyssinian", "great_dane") for n in range(EACH)])
    deep = photos(["animals/cat", "animals/dog", "vehicles/bike", "vehicles/car"])
    made = {
        f"{label}/{n:02}_jpg.rf.{variant:032x}.jpg": jpeg(100 * place + 10 * n + variant)
        for place, label in enumerate(TWO)
        for n in range(EACH)
        for variant in range(2)
    }
    halves = dict.fromkeys(TWO, EACH)
    return [
        Situation("training_set and test_set", other, halves, holdout=2 * EACH, asks=("parts",)),
        Situation("train, test, unlabelled", learn | judge | pile, halves, 2 * EACH, 4, asks=("parts",)),
        Situation("class in the name, in parts", flat | numbered, halves, unlabelled=4, asks=("parts",)),
        Situation("photos in no folder", camera, {}, unlabelled=EACH, says=("a pile",)),
        Situation("breed in the name", breeds, {"Abyssinian": EACH, "great_dane": EACH}, asks=("names",)),
        Situation("two levels", deep, dict.fromkeys(("cat", "dog", "bike", "car"), EACH), asks=("levels",)),
        Situation("numbers in names", photos(map(str, range(13)), 2), {str(k): 2 for k in range(13)}, check=in_order),
        Situation("copies that an exporter made", made, dict.fromkeys(TWO, 2 * EACH), check=in_groups),
        Situation(
            "the same class twice",
            photos(["polar bear", "polar_bear", "seal"]),
            {"polar bear": 2 * EACH, "seal": EACH},
            asks=("twins",),
        ),
    ]


def in_order(store: Store, dataset: Dataset) -> None:
    """Check that classes stand as people count."""
    assert list(dataset.classes) == [str(k) for k in range(13)]


def in_groups(store: Store, dataset: Dataset) -> None:
    """Check that the copies of one photo, and they alone, are one group."""
    images = store.images(dataset.id)
    groups: dict[int, set[str]] = {}
    for image, group in zip(images, group_images(images, grouping(store, dataset.id)), strict=True):
        groups.setdefault(group, set()).add(image.label + image.name.rpartition("/")[2].partition("_jpg.rf.")[0])
    assert all(len(names) == 1 for names in groups.values())
    assert len(groups) == len(images) // 2


def tables() -> list[Situation]:
    _, listed = pairs()
    ids = [(name.removesuffix(".jpg"), label) for name, label in listed]
    one_hot = [(name, str(int(label == "cat")), str(int(label == "dog"))) for name, label in listed]
    accents = {"cat": "Käse", "dog": "Äpfel, süß"}
    foreign = [(f"img/{name}", accents[label]) for name, label in listed]
    windows = [(f"img\\{name}", accents[label]) for name, label in listed]
    kept = dict.fromkeys(accents.values(), EACH)
    several = [(name, "cat|indoor" if name == "c0.jpg" else label) for name, label in listed]
    header = [("path", "label")]
    return [
        Situation("file_name,label", beside("metadata.csv", table([("file_name", "label"), *listed])), CATS_AND_DOGS),
        Situation("filename,class", beside("classes.csv", table([("filename", "class"), *listed])), CATS_AND_DOGS),
        Situation("image,choice", beside("labels.csv", table([("image", "choice"), *listed])), CATS_AND_DOGS),
        Situation("no header", beside("labels.csv", table(listed)), CATS_AND_DOGS),
        Situation("ids without ending", beside("labels.csv", table([("id", "breed"), *ids]), "train/"), CATS_AND_DOGS),
        Situation("one-hot", beside("labels.csv", table([("image", *TWO), *one_hot])), CATS_AND_DOGS),
        Situation("sep=;", beside("labels.csv", table(header + foreign, ";", "sep=;\r\n", "\r\n"), "img/"), kept),
        Situation("backslashes", beside("labels.csv", table(header + windows, end="\r\n"), "img/"), kept),
        Situation("UTF-16", beside("labels.csv", table(header + foreign).encode("utf-16"), "img/"), kept),
        Situation(
            "several labels in a cell",
            beside("labels.csv", table(header + several)),
            {"cat": EACH - 1, "dog": EACH},
            set_aside=1,
            reasons=("several labels",),
        ),
    ]


def archives() -> list[Situation]:
    tools = photos(["photos/bolt", "photos/nut"])
    fruit, pets = photos(["苹果", "香蕉"]), photos(["кошка", "собака"])
    one_a_class = {
        f"{label}s.zip": zipped(
            {name.rpartition("/")[2]: content for name, content in photos([label], first=900 * k).items()}
        )
        for k, label in enumerate(TWO)
    }
    machine = named(f"{label}-!-{number}.jpg" for label in TWO for number in range(EACH))
    machine["manifest.json"] = json.dumps({"type": "image", "version": "2.4.7"}).encode()
    packed = ("zip",)
    return [
        Situation(
            "backslashes in a zip",
            {"photos.zip": zipped(tools, lambda name: name.replace("/", "\\"))},
            {"bolt": EACH, "nut": EACH},
            not_by=packed,
        ),
        Situation(
            "names in a national code page",
            {"gbk.zip": zipped(fruit, lambda name: name.encode("gbk"))},
            {"苹果": EACH, "香蕉": EACH},
            not_by=packed,
            says=("were read as Chinese",),
        ),
        Situation(
            "names in a field of their own",
            {"field.zip": zipped(pets, lambda name: name.encode("cp866"), "cp866")},
            {"кошка": EACH, "собака": EACH},
            not_by=packed,
        ),
        Situation(
            "archives that are not read",
            photos(TWO) | {"cat/more.7z": b"7z\xbc\xaf'\x1c" + bytes(40), "dog/more.zip.001": bytes(40)},
            CATS_AND_DOGS,
            set_aside=2,
            reasons=("add the folder",),
        ),
        Situation(
            "a zip of photos alone",
            {"all.zip": zipped(named(f"IMG_{n}.jpg" for n in range(EACH)))},
            {},
            unlabelled=EACH,
            says=("a pile",),
            not_by=packed,
        ),
        Situation("one zip a class", one_a_class, {"cats": EACH, "dogs": EACH}, not_by=packed),
        Situation(
            "a project of Teachable Machine", {"project.tm": zipped(machine)}, CATS_AND_DOGS, set_aside=1, not_by=packed
        ),
    ]


def pictures() -> list[Situation]:
    deep = {}
    for place, label in enumerate(("cell", "debris")):
        for number in range(EACH):
            grey = np.asarray(photo(100 * place + number).convert("L"), np.float32) / 255
            deep[f"{label}/{number}.png"] = png(Image.fromarray((grey * 3600 + 200).astype(np.uint16)))
    endless = {
        name: content[:-2] if number % 2 else content
        for number, (name, content) in enumerate(photos(["open", "shut"]).items())
    }
    raws = {
        f"{label}/DSC_{number:04}.NEF": nef(seed, preview(seed, 800, 600) if number else None)
        for place, label in enumerate(("finch", "robin"))
        for number, seed in enumerate(range(100 * place, 100 * place + EACH))
    }
    plain = {
        f"{label}/{number}.ppm": encoded(photo(100 * place + number), "PPM")
        for place, label in enumerate(TWO)
        for number in range(EACH)
    }
    return [
        Situation(
            "12-bit greys", deep, {"cell": EACH, "debris": EACH}, image_notes=("more than 8 bits",), check=spread
        ),
        Situation("no end mark", endless, {"open": EACH, "shut": EACH}, image_notes=("end mark",)),
        Situation("alpha 0 everywhere", transparent(), {"fan": EACH, "lamp": EACH}, image_notes=("alpha",), check=seen),
        Situation("white on transparent", symbols(), {"fan": EACH, "lamp": EACH}, check=seen),
        Situation(
            "camera raws",
            raws,
            {"finch": EACH - 1, "robin": EACH - 1},
            set_aside=2,
            image_notes=("camera raw: its embedded preview",),
            reasons=("160 x 120 thumbnail",),
        ),
        Situation("PPM", plain, CATS_AND_DOGS),
        Situation(
            "HEIC", photos(TWO) | {"cat/phone.heic": heic.PLAIN}, {"cat": EACH + 1, "dog": EACH}, check=has_phone
        ),
    ]


def transparent() -> Files:
    files = {}
    for place, label in enumerate(("fan", "lamp")):
        for number in range(EACH):
            picture = photo(100 * place + number).convert("RGBA")
            picture.putalpha(0)
            files[f"{label}/{number}.png"] = png(picture)
    return files


def symbols() -> Files:
    """Draw white symbols on a ground that is transparent."""
    files = {}
    for label in ("fan", "lamp"):
        for number in range(EACH):
            picture = Image.new("RGBA", (96, 96), (255, 255, 255, 0))
            pen, box = ImageDraw.Draw(picture), [20, 20, 40 + 6 * number, 40 + 6 * number]
            (pen.ellipse if label == "fan" else pen.rectangle)(box, fill=(255, 255, 255, 255))
            files[f"{label}/{number}.png"] = png(picture)
    return files


def spread(store: Store, dataset: Dataset) -> None:
    """Check that deep greys are scaled by the range that they use: most of 0..255, and not a sixteenth of it."""
    assert max(image.brightness for image in store.images(dataset.id)) > 60


def has_phone(store: Store, dataset: Dataset) -> None:
    """Check that the phone's photo is among those that were accepted."""
    assert "phone.heic" in {image.name.rpartition("/")[2] for image in store.images(dataset.id)}


def seen(store: Store, dataset: Dataset) -> None:
    """Check that something is to be seen on every picture."""
    assert min(image.contrast for image in store.images(dataset.id)) > 5


SITUATIONS = [*hidden(), *structures(), *tables(), *archives(), *pictures()]
