"""How fast the predictor process answers the pages: heat maps (target: under 300 ms after the first) and frames.

    python benchmarks/predicting.py [--size 224] [--maps 40] [--seconds 5]

A head on EfficientNet-Lite0 is trained for one epoch on pictures made on the spot. The first heat map includes the
start of the process and of TensorFlow; later ones are each of another picture, decoded anew. Frames are JPEGs of 640 by
480 pixels, classified one after the other, as the webcam sends them; the browser's own part is not in them.
"""

import argparse
import io
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.photos import write_photos  # noqa: E402
from benchmarks.serving import PICTURES, prepare, tell_waits  # noqa: E402
from thaw.prediction.client import Predictor  # noqa: E402
from thaw.storage.workspace import open_workspace  # noqa: E402

FRAME = (640, 480)


def take_frame(path: Path) -> bytes:
    """Return a picture as the webcam would send it."""
    written = io.BytesIO()
    Image.open(path).resize(FRAME).save(written, "JPEG", quality=85)
    return written.getvalue()


def draw_map(predictor: Predictor, run_id: str, path: Path) -> float:
    """Ask for the heat maps of a picture; return the seconds until they are here."""
    asked = time.perf_counter()
    predictor.heat_maps(run_id, path)
    return time.perf_counter() - asked


def main() -> None:
    """Train a head, then ask for heat maps and for answers to frames; print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=224, help="pixels that the network sees")
    parser.add_argument("--maps", type=int, default=40, help="heat maps after the first")
    parser.add_argument("--seconds", type=float, default=5, help="how long frames are sent")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace, folder = Path(scratch) / "workspace", write_photos(Path(scratch) / "photos", PICTURES)
        run_id = prepare(workspace, folder, chosen.size)
        paths = sorted(folder.rglob("*.jpg"))
        predictor = Predictor(open_workspace(workspace))
        try:
            print(f"first heat map, the start included: {draw_map(predictor, run_id, paths[0]):.1f} s")
            waits = [draw_map(predictor, run_id, path) for path in islice(cycle(paths), 1, chosen.maps + 1)]
            tell_waits("heat maps after it", waits)
            frames = cycle([take_frame(path) for path in paths])
            predictor.classify(run_id, [next(frames)])
            answered, started = 0, time.perf_counter()
            while (passed := time.perf_counter() - started) < chosen.seconds:
                predictor.classify(run_id, [next(frames)])
                answered += 1
            print(f"frames, one after the other: {answered / passed:.1f} a second")
        finally:
            predictor.close()


if __name__ == "__main__":
    main()
