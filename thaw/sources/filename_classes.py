"""Reads classes from file names such as `cat.0.jpg`, `american_bulldog_12.jpg` or `dog (3).jpg`."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

from thaw.sources.derivatives import read_stem

# The same of nearly all, so that a stray file or two do not count.
LEAST_SHARE = 0.95
SAMPLE, LEAST_OF_SAMPLE = 500, 0.8
LONGEST_STEM = 120
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NUMBER = r"(?:\(\d+\)|\d+|(?=[0-9a-f]*\d)[0-9a-f]{6,})"
_MARKS = r"[\s._\-#,+]"
_UUID_LAST = re.compile(rf"(?P<label>.*[^\W\d_].*?){_MARKS}++{_UUID}", re.IGNORECASE | re.DOTALL)
_LAST = re.compile(rf"(?P<label>.*[^\W\d_].*?){_MARKS}++{_NUMBER}{_MARKS}*", re.IGNORECASE | re.DOTALL)
_BRACKETED = re.compile(r"(?P<label>.*[^\W\d_])\(\d+\)", re.DOTALL)
_GLUED = re.compile(r"(?P<label>[^\W\d_]{3,})\d+", re.DOTALL)
_FIRST = re.compile(rf"{_NUMBER}{_MARKS}++(?P<label>.*[^\W\d_].*)", re.IGNORECASE | re.DOTALL)
_WORDS = re.compile(r"[^\W\d_]+")
# What cameras, phones, scanners and browsers write.
_GENERIC_WORDS = (
    "img image images imgs dsc dscn dscf dcim pxl pict picture pictures pic pics photo photos p pano dji gopr gp gh "
    "sam vid mvimg screenshot screen shot scan scans frame frames file files download unnamed untitled whatsapp signal "
    "telegram received snapchat burst hdr video videos capture snapshot webcam camera cam kimg jpg jpeg png wa copy "
    "of at am pm edited e bild bilder foto fotos imagen imagem sdc cimg hpim imag mg s t x n o a v no nr thumb "
    "small large test train val valid aug crop rgb cover output out sample index item temp tmp data"
)
_GENERIC = frozenset(_GENERIC_WORDS.split())


def read_classes(names: Sequence[str], telling: Sequence[int]) -> list[str | None] | None:
    """Return the class that each file name tells, or None where they tell none.

    `telling` are the places of the names by which that is judged: there must be two classes or more, told by nearly all
    of them, and nearly all of them more than once. `IMG_1234` is what a camera calls its photos, and no class.
    """
    # Long names that tell nothing take long to search: of many names a sample says whether that is worth it.
    sample = telling[:: max(1, len(telling) // SAMPLE)]
    if sum(_tell(_stem(names[place])) is not None for place in sample) < LEAST_OF_SAMPLE * len(sample):
        return None
    stems = [_stem(name) for name in names]
    read = [_tell(stem) for stem in stems]
    counts = Counter(label for place in telling if (label := read[place]) is not None)
    # "dog" beside "dog (2)" and "dog (3)".
    labels = [each if (each := label or stem) in counts else None for label, stem in zip(read, stems, strict=True)]
    counts = Counter(label for place in telling if (label := labels[place]) is not None)
    repeated = sum(count for count in counts.values() if count > 1)
    if len(counts) < 2 or counts.total() < LEAST_SHARE * len(telling) or repeated < LEAST_SHARE * counts.total():
        return None
    return labels


def _stem(name: str) -> str:
    stem = read_stem(name)
    text = stem.text if stem.certain else name.rpartition(".")[0] or name
    return unicodedata.normalize("NFC", text).strip()[:LONGEST_STEM]


def _tell(stem: str) -> str | None:
    return _read(stem) or _read(read_stem(stem).text)


def _read(stem: str) -> str | None:
    label = stem
    for pattern in (_UUID_LAST, _LAST, _BRACKETED):
        while found := pattern.fullmatch(label):
            label = found["label"]
    if label == stem:
        found = _GLUED.fullmatch(stem) or _FIRST.fullmatch(stem)
        if not found:
            return None
        label = found["label"]
    label = label.strip(" ._-#,+")
    words = _WORDS.findall(label.casefold())
    return label if words and not all(word in _GENERIC for word in words) else None
