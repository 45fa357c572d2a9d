"""Every bad and odd file of the reliability list, made on the spot, each with the verdict it must get."""

import hashlib
import io
import json
import pickle
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from tests.support.pictures import heic
from thaw.storage.store import Store

ACCEPTED, SET_ASIDE, IGNORED = "accepted", "set aside", "ignored"


@dataclass(frozen=True)
class Case:
    """One file: `says` is a part of the reason, or of the notes where it is accepted."""

    name: str
    content: bytes
    verdict: str
    says: str = ""


def photo(seed: int, width: int = 96, height: int = 72) -> Image.Image:
    """Make a smooth coloured picture that no other seed makes."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def encoded(image: Image.Image, encoding: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, encoding, **options)
    return buffer.getvalue()


def jpeg(seed: int, width: int = 96, height: int = 72) -> bytes:
    return encoded(photo(seed, width, height), "JPEG", quality=90)


def png_bomb() -> bytes:
    return encoded(Image.new("1", (13_000, 13_000)), "PNG")


def with_text(compressed: bool) -> bytes:
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "A" * 30_000_000 if compressed else "A" * 2_000_000, zip=compressed)
    return encoded(photo(90), "PNG", pnginfo=text)


def exif_rotated(orientation: int, seed: int = 40) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(photo(seed), "JPEG", quality=90, exif=exif)


def zip_of(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as packed:
        for name, content in files.items():
            packed.writestr(name, content)
    return buffer.getvalue()


def _damaged() -> list[Case]:
    whole = jpeg(1, 320, 240)
    png = encoded(photo(2), "PNG")
    bad_sum = bytearray(png)
    bad_sum[png.index(b"IEND") - 5] ^= 0xFF
    webp = bytearray(encoded(photo(3), "WEBP", quality=80))
    for at in (13, 20, 23, 24, 26, 27):
        webp[at] ^= 0x55
    return [
        Case("rose/empty.jpg", b"", SET_ASIDE, "empty file"),
        Case("rose/cut05.jpg", whole[: len(whole) // 20], SET_ASIDE, "cut off"),
        Case("rose/cut50.jpg", whole[: len(whole) // 2], SET_ASIDE, "cut off"),
        Case("rose/cut99.jpg", whole[: len(whole) * 99 // 100], SET_ASIDE, "cut off"),
        Case("rose/sum.png", bytes(bad_sum), SET_ASIDE, "checksum"),
        Case("rose/endless.png", png[:-12], SET_ASIDE, "cut off"),
        Case("rose/claims-2-GB.png", png[:33] + b"\x7f\xff\xff\xff" + png[37:], SET_ASIDE, "cut off"),
        Case("rose/half.gif", encoded(photo(5), "GIF")[:900], SET_ASIDE, "cut off"),
        Case("rose/flipped.webp", bytes(webp), SET_ASIDE, "damaged"),
        Case("rose/half.avif", encoded(photo(4), "AVIF")[:200], SET_ASIDE, "damaged"),
        Case("rose/half.heic", heic.PLAIN[:300], SET_ASIDE, "HEIC photo"),
        Case("rose/half.ppm", encoded(photo(4), "PPM")[:900], SET_ASIDE, "cut off"),
        Case("rose/filled-up.jpg", whole[: len(whole) // 2] + b"\0" * 20_000, SET_ASIDE, "cut off"),
    ]


def _traps() -> list[Case]:
    return [
        Case("rose/bomb.png", png_bomb(), SET_ASIDE, "13,000 x 13,000"),
        Case("rose/one.png", encoded(Image.new("RGB", (1, 1)), "PNG"), SET_ASIDE, "1 x 1"),
        Case("rose/line.png", encoded(Image.new("RGB", (20_000, 1)), "PNG"), SET_ASIDE, "20,000 x 1"),
        Case("rose/strip.png", encoded(Image.new("RGB", (500, 10)), "PNG"), SET_ASIDE, "20 times"),
        Case("rose/text.png", with_text(compressed=False), SET_ASIDE, "text"),
        Case("rose/ztext.png", with_text(compressed=True), SET_ASIDE, "damaged"),
        Case("rose/huge.jpg", jpeg(6) + b"\0" * 50_000_000, SET_ASIDE, "50 MB"),
    ]


def _foreign() -> list[Case]:
    array = io.BytesIO()
    np.save(array, np.zeros((8, 8)))
    return [
        Case("rose/page.jpg", b"\n<!DOCTYPE html><html><body>404</body></html>", SET_ASIDE, "web page"),
        Case(
            "rose/draw.svg",
            b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            SET_ASIDE,
            "SVG",
        ),
        Case("rose/draw.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", SET_ASIDE, "PostScript"),
        Case("rose/layers.psd", b"8BPS\x00\x01" + b"\0" * 40, SET_ASIDE, "Photoshop"),
        Case("rose/sky.fits", b"SIMPLE  =                    T" + b" " * 50, SET_ASIDE, "FITS"),
        Case("rose/phone.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 60, SET_ASIDE, "cut off, damaged"),
        Case("rose/paper.png", b"%PDF-1.7\n1 0 obj", SET_ASIDE, "PDF"),
        Case("rose/array.npy", array.getvalue(), SET_ASIDE, "NumPy"),
        Case("rose/model.pkl", pickle.dumps({"a": 1}), SET_ASIDE, "pickle"),
        Case("rose/notes.txt", b"remember the milk\n", SET_ASIDE, "text file"),
        Case("rose/clip.mp4", b"\0\0\0\x18ftypmp42" + b"\0" * 40, SET_ASIDE, "video"),
        Case("rose/inner.docx", zip_of({"word/document.xml": b"<w/>"}), SET_ASIDE, "zip archive"),
        Case("rose/noise.bin", bytes(range(128, 256)) * 8, SET_ASIDE, "not a picture in a format"),
        Case("rose/windows.txt", "Grüße aus Köln\r\n".encode("cp1252"), SET_ASIDE, "text file"),
        Case("rose/notepad.txt", "Grüße aus Köln".encode("utf-16"), SET_ASIDE, "text file"),
        Case("rose/bm.txt", b"BM is how bitmaps begin, and these words too.", SET_ASIDE, "text file"),
        Case("rose/p1.txt", b"P1 is the plan for the garden.", SET_ASIDE, "text file"),
        Case("rose/cut.bmp", b"BM\x36\x30\0\0\0\0\0\0\x36\0\0\0", SET_ASIDE, "cut off"),
        Case("stray.txt", b"remember the milk\n", SET_ASIDE, "text file"),
        Case("stray", b"", SET_ASIDE, "empty file"),
        Case("stray.png", encoded(photo(7), "PNG"), SET_ASIDE, "not inside a class folder"),
    ]


def _unusual() -> list[Case]:
    """Return what cameras, microscopes and drawing programs write and plain readers get wrong."""
    # Its helpers are made of this module's.
    from tests.support.pictures import raws

    logo = Image.new("RGBA", (96, 96), (255, 255, 255, 0))
    logo.paste((255, 255, 255, 255), (20, 20, 60, 60))
    unseen = photo(36).convert("RGBA")
    unseen.putalpha(0)
    deep = (np.asarray(photo(37).convert("L")).astype(np.uint16) * 14) + 200
    return [
        Case("rose/endless.jpg", jpeg(38)[:-2], ACCEPTED, "end mark was missing"),
        Case("rose/endless-progressive.jpg", encoded(photo(39), "JPEG", progressive=True)[:-2], ACCEPTED, "end mark"),
        Case("rose/unseen.png", encoded(unseen, "PNG"), ACCEPTED, "alpha is 0 everywhere"),
        Case("rose/logo.png", encoded(logo, "PNG"), ACCEPTED, "laid on grey"),
        Case("rose/12-bit.tiff", encoded(Image.fromarray(deep), "TIFF"), ACCEPTED, "more than 8 bits"),
        Case("rose/camera.nef", raws.nef(41, raws.preview(41), 6), ACCEPTED, "embedded preview"),
        Case("rose/thumbnail.nef", raws.nef(42, None), SET_ASIDE, "160 x 120 thumbnail"),
        Case("rose/plain.ppm", encoded(photo(43), "PPM"), ACCEPTED),
    ]


def _odd() -> list[Case]:
    deep = (np.add.outer(np.arange(64), np.arange(64)) * 500).astype(np.uint16)
    clear = photo(20).quantize(16)
    frames = [photo(21).quantize(32), photo(22).quantize(32), photo(23).quantize(32)]
    return [
        Case("rose/upright.jpg", exif_rotated(6), ACCEPTED, "turned upright"),
        Case("rose/print.jpg", encoded(photo(24).convert("CMYK"), "JPEG"), ACCEPTED, "converted from CMYK"),
        Case("rose/deep.png", encoded(Image.fromarray(deep), "PNG"), ACCEPTED, "more than 8 bits"),
        Case("rose/clear.png", encoded(clear, "PNG", transparency=0), ACCEPTED, "laid on white"),
        Case("rose/grey.jpg", encoded(photo(25).convert("L"), "JPEG"), ACCEPTED),
        Case("rose/bits.png", encoded(photo(26).convert("1"), "PNG"), ACCEPTED),
        Case(
            "rose/moves.gif",
            encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50),
            ACCEPTED,
            "first frame of 3",
        ),
        Case("rose/pair.mpo", encoded(photo(27), "MPO", save_all=True, append_images=[photo(28)]), ACCEPTED, "of 2"),
        Case("rose/new.avif", encoded(photo(29), "AVIF"), ACCEPTED),
        Case("rose/scan.tiff", encoded(photo(30), "TIFF"), ACCEPTED),
        Case("rose/flat.bmp", encoded(photo(31), "BMP"), ACCEPTED),
        Case("rose/really-a-png.jpg", encoded(photo(32), "PNG"), ACCEPTED),
        Case("rose/no-extension", jpeg(33), ACCEPTED),
        Case("rose/zip-behind.jpg", jpeg(34) + zip_of({"a.txt": b"hidden"}), ACCEPTED),
        Case("rose/script-behind.jpg", jpeg(35) + b"<script>alert(1)</script>", ACCEPTED),
    ]


def _names() -> list[Case]:
    names = [
        "tulip/<img src=x onerror=alert(1)>.jpg",
        "tulip/**bold** [link](javascript:alert).jpg",
        "tulip/=cmd()|calc.jpg",
        "tulip/\u202egpj.exe",
        "tulip/con.jpg",
        "tulip/trailing dot.",
        f"tulip/{'n' * 250}",
        "tulip/" + "d/" * 60 + "deep.jpg",
        "tulip/caf\u00e9.jpg",
    ]
    junk = ["tulip/.DS_Store", "tulip/Thumbs.db", "tulip/desktop.ini", "tulip/._photo.jpg", "__MACOSX/tulip/x.jpg"]
    return [Case(name, jpeg(60 + seed), ACCEPTED) for seed, name in enumerate(names)] + [
        Case(name, b"system file", IGNORED) for name in junk
    ]


def cases() -> list[Case]:
    """Return every file that can lie in a folder, a zip and an upload alike."""
    return [*_damaged(), *_traps(), *_foreign(), *_odd(), *_unusual(), *_names()]


_NOT_IN_WORDS = re.compile(r"Errno|Traceback|\b\w+(Error|Exception|Warning)\b|<\w+ |0x[0-9a-f]{4}|(^|[\s'\"(])/\w")


def in_words(reason: str) -> bool:
    """Say whether a reason is for people: some text, with none of a program's own words and no path of this machine."""
    return len(reason.split()) > 3 and not _NOT_IN_WORDS.search(reason)


UNSAFE_NAMES = [
    "../evil.jpg",
    "/etc/evil.jpg",
    "C:\\evil.jpg",
    "C:/evil.jpg",
    "\\\\server\\share\\evil.jpg",
    "//server/share/evil.jpg",
    "rose/nul\0.jpg",
    "a/../b.jpg",
    "rose/./b.jpg",
    "rose//b.jpg",
    "..\\evil.jpg",
]


def awkward_cases() -> list[Case]:
    """Return the files whose names only some ways in can carry."""
    long = Case("rose/" + "n" * 300, jpeg(300), ACCEPTED)
    return [long] + [Case(name, jpeg(400 + n), SET_ASIDE, "unsafe name") for n, name in enumerate(UNSAFE_NAMES)]


def fits_in_a_folder(case: Case) -> bool:
    """Say whether a file system can hold a file of that very name: no empty part, no dots, no NUL, 255 bytes a part."""
    parts = case.name.split("/")
    return "\0" not in case.name and not any(part in ("", ".", "..") or len(part.encode()) > 255 for part in parts)


def write_folder(folder: Path, files: list[Case]) -> Path:
    for case in files:
        path = folder / case.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(case.content)
    return folder


def write_zip(path: Path, files: list[Case]) -> Path:
    """Pack the files; long runs of zeros are stored, or the zip would rightly be refused as a bomb."""
    with zipfile.ZipFile(path, "w") as packed:
        for case in files:
            stored = len(case.content) > 10_000_000
            entry = zipfile.ZipInfo()
            # Given to the constructor, a name would be cut at its NUL.
            entry.filename = case.name
            packed.writestr(entry, case.content, zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED)
    return path


def write_upload(staging: Path, files: list[Case]) -> Path:
    """Lay the files out as the upload route does."""
    (staging / "files").mkdir(parents=True)
    with (staging / "manifest.jsonl").open("w") as manifest:
        for number, case in enumerate(files):
            (staging / "files" / str(number)).write_bytes(case.content)
            row = {"file": str(number), "name": case.name, "size": len(case.content)}
            manifest.write(json.dumps(row) + "\n")
    return staging


def digests(path: Path) -> dict[str, str]:
    """Hash a file, or every plain file below a folder."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def leftovers(store: Store) -> list[Path]:
    """Return what imports left in a workspace that no accepted image lies in."""
    datasets = store.datasets()
    kept = {image.folder for dataset in datasets for image in store.every_image(dataset.id)}
    # The journal of a data set lies under its own id, also where the photos of an opened project do not.
    kept |= {dataset.id for dataset in datasets if store.workspace.journal(dataset.id).exists()}
    root = store.workspace.root
    folders = [folder for folder in (root / "datasets").iterdir() if folder.name not in kept]
    return folders + list((root / "staging").iterdir())


def write_classes(folder: Path, counts: dict[str, int], seed: int = 1000) -> Path:
    """Write class folders of small, distinct JPEGs."""
    files = [Case(f"{label}/{n}.jpg", b"", ACCEPTED) for label, count in counts.items() for n in range(count)]
    return write_folder(folder, [Case(case.name, jpeg(seed + n, 32, 24), ACCEPTED) for n, case in enumerate(files)])


def overlapping_zip() -> bytes:
    """Make a zip whose two entries share one body, as zip bombs do."""
    body = jpeg(70)
    packed = zlib.compressobj(wbits=-15)
    data = packed.compress(body) + packed.flush()
    crc = zlib.crc32(body)
    name = b"rose/a.jpg"
    local = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(data), len(body), len(name), 0) + name
    entry = struct.pack(
        "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, len(data), len(body), len(name), 0, 0, 0, 0, 0, 0
    )
    directory = (entry + name) * 2
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 2, 2, len(directory), len(local) + len(data), 0)
    return local + data + directory + end


def many_entries_zip(count: int, name: bytes = b"a/b.jpg") -> bytes:
    """Make a zip that lists `count` empty entries, and claims to hold one."""
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0x800, 0, 0, 0, 0, 0, 0, len(name), 0, 0, 0, 0, 0, 0) + name
    directory = entry * count
    return directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), 0, 0)


def two_faced_zip(count: int) -> bytes:
    """Make a large zip that tells a reader who follows its pointer of one entry, and any other reader of `count`."""

    def end(entries: int, length: int) -> bytes:
        return struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, length, 56)

    listed = many_entries_zip(count)[:-22]
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1)
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return end(1, 53) + listed + end(count, len(listed)) + locator + last
