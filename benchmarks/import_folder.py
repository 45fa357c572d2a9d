"""Importing a folder: files a second from the folder to a data set that is ready, against plain Pillow in one loop.

    python benchmarks/import_folder.py [--files 1000] [--side 160]

Plain Pillow opens, decodes, shrinks and writes each file in this process, without limits on time or memory, without
checks and without a database: about the least that any importer must do.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.photos import write_photos  # noqa: E402
from thaw.pictures.copies import THUMBNAIL_SIDE_PX  # noqa: E402
from tlcore.images.pixels import LONGER_SIDE_PX  # noqa: E402


def plain_pillow(photos: Path, target: Path) -> float:
    """Decode and write every photo in one loop; return the seconds."""
    target.mkdir()
    started = time.perf_counter()
    for number, path in enumerate(sorted(photos.rglob("*.jpg"))):
        with Image.open(path) as picture:
            copy = picture.convert("RGB")
        copy.thumbnail((LONGER_SIDE_PX, LONGER_SIDE_PX))
        copy.save(target / f"{number}.jpg", quality=95, subsampling=0)
        copy.thumbnail((THUMBNAIL_SIDE_PX, THUMBNAIL_SIDE_PX))
        copy.save(target / f"{number}-thumbnail.jpg", quality=85)
    return time.perf_counter() - started


def thaw(photos: Path, workspace: Path) -> float:
    """Import the folder by the command line, its start included; return the seconds."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "thaw", "import", str(photos), "--workspace", str(workspace), "--json"]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--side", type=int, default=160, help="pixels a side of each photo")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        photos = write_photos(folder / "photos", arguments.files, side=arguments.side)
        size = sum(path.stat().st_size for path in photos.rglob("*.jpg")) / arguments.files
        plain_s = plain_pillow(photos, folder / "plain")
        thaw_s = thaw(photos, folder / "workspace")
    print(f"{arguments.files} files of {size / 1000:.0f} kB")
    print(f"plain Pillow: {plain_s:.1f} s, {arguments.files / plain_s:.0f} files/s")
    print(f"Thaw: {thaw_s:.1f} s, {arguments.files / thaw_s:.0f} files/s")
    print(f"Thaw takes {thaw_s / plain_s:.2f} times as long as plain Pillow in one loop")


if __name__ == "__main__":
    main()
