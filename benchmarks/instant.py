"""How long a room waits: from a drop to the data set, from Start to the curve; and what phase 1 costs beside one pass.

    python benchmarks/instant.py [--photos 255] [--many 1020] [--epochs 20]

The photos are crops of real ones (`benchmarks/photos.py`) at EfficientNet-Lite0's 224 pixels. "Nothing ready" is a data
set that has just been imported and Start pressed at once, "all ready" the same once the work that Thaw does unasked has
ended. At a commit without such work, what is said of it does without. Keras's own way, a quarter of an hour long, is
in `benchmarks/keras_recipe.py`.
"""

import argparse
import importlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.photos import write_photos  # noqa: E402
from thaw.disk import trash  # noqa: E402
from thaw.jobs import starts  # noqa: E402
from thaw.prediction.client import predictor  # noqa: E402
from thaw.storage.store import Store  # noqa: E402
from thaw.storage.workspace import open_workspace  # noqa: E402
from tlcore.models.backbones import BACKBONES  # noqa: E402
from tlcore.settings import FineTuneSettings, HeadSettings  # noqa: E402

LOOK_EVERY_S = 0.01
LONGEST_S = 600.0
READ_S = 15.0
LAYERS, TUNE_EPOCHS = 38, 4
# One pass and nothing else, by the fastest engine that this commit has: photos decoded beforehand.
PASS = """
import sys, time
from pathlib import Path
import numpy as np
from tlcore.features import compute
from tlcore.images.pixels import load_pixels
from tlcore.models.backbones import find_backbone
from tlcore.models import loading
paths = sorted(Path(sys.argv[1]).rglob("*.*"))
pixels = np.stack([load_pixels(path, 224) for path in paths if path.suffix in (".jpg", ".png")])
row = find_backbone("efficientnet-lite0")
try:
    from tlcore.features.frozen import freeze_up_to
    from tlcore.models.plan import pooled_cut
    forward = freeze_up_to(Path(sys.argv[2]), loading.load_backbone(row, 224), pooled_cut(row)).forward([])
except ImportError:
    from tlcore.models import classifier
    loaded = loading.load_backbone(row, 224)
    forward = compute.forward_to(loaded, classifier.Cut(row.layers, ("pooled",), ((row.features,),), ("float32",)))
forward(pixels[:32])
started = time.perf_counter()
for start in range(0, len(pixels), 32):
    forward(pixels[start : start + 32])
print(time.perf_counter() - started)
"""


def wait(done: Callable[[], object]) -> float:
    """Wait until something is so; return the seconds."""
    started = time.perf_counter()
    while not done():
        assert time.perf_counter() - started < LONGEST_S, "nothing came of it"
        time.sleep(LOOK_EVERY_S)
    return time.perf_counter() - started


def optional(name: str) -> object | None:
    """Return what a dotted name stands for, or None at a commit that lacks it."""
    module, _, attribute = name.rpartition(".")
    try:
        return getattr(importlib.import_module(module), attribute, None)
    except ImportError:
        return None


def import_folder(store: Store, folder: Path) -> tuple[str, float]:
    """Import as the Data page does, then open the data set as its pages do; return its id and the import's seconds."""
    started = time.perf_counter()
    job_id = starts.start_import(store, {"kind": "folder", "path": str(folder), "name": folder.name})
    wait(lambda: not store.job(job_id).active)
    dataset_id = store.job(job_id).dataset_id
    assert dataset_id, store.job(job_id).error
    return dataset_id, time.perf_counter() - started


def open_dataset(store: Store, dataset_id: str) -> None:
    """Begin what is done unasked once a data set is opened."""
    if standby := optional("thaw.jobs.standby.standby"):
        standby.keep(store.workspace)
    if look_ahead := optional("thaw.training.look_ahead.start") or optional("thaw.datasets.look_ahead.start"):
        look_ahead(store, store.dataset(dataset_id), BACKBONES[HeadSettings().backbone])


def wait_ready(store: Store) -> None:
    """Wait until what is done unasked has ended, and the process that waits for jobs has loaded all."""
    wait(lambda: not store.unfinished_jobs())
    standby = optional("thaw.jobs.standby.standby")
    if standby and standby.pid:
        process = psutil.Process(standby.pid)
        used = [-1.0]

        def idle() -> bool:
            used.append(sum(process.cpu_times()[:2]))
            time.sleep(0.5)
            return used[-1] == used[-2] > 1

        wait(idle)


def train(store: Store, dataset_id: str, epochs: int) -> tuple[str, float, float]:
    """Press Start; return the run's id, the seconds to the first point of the curve and to the end."""
    started = time.perf_counter()
    run_id = starts.start_head(store, dataset_id, HeadSettings(epochs=epochs))
    first = wait(lambda: store.epochs(run_id) or not store.latest_job(run_id).active)
    wait(lambda: not store.latest_job(run_id).active)
    job = store.latest_job(run_id)
    assert job.status == "finished", job.error
    return run_id, first, time.perf_counter() - started


def look_at_depth(store: Store, run_id: str) -> bool:
    """Do what the Fine-tune page has done unasked while a person reads it; return whether this commit does any."""
    start = optional("thaw.training.look_ahead.start_at_depth")
    if start:
        start(store, store.run(run_id), LAYERS, 0)
        wait(lambda: not store.unfinished_jobs())
    return bool(start)


def tune(store: Store, run_id: str) -> tuple[float, float]:
    """Press Start of phase 2; return the seconds to its first point and those of an ordinary epoch."""
    before = len(store.epochs(run_id))
    started = time.perf_counter()
    tuned = starts.start_fine_tune(store, run_id, FineTuneSettings(layers=LAYERS, epochs=TUNE_EPOCHS, insist=True))
    wait(lambda: len(store.epochs(tuned)) > before or not store.latest_job(tuned).active)
    first = time.perf_counter() - started
    wait(lambda: not store.latest_job(tuned).active)
    job = store.latest_job(tuned)
    assert job.status == "finished", job.error
    return first, statistics.median(epoch.seconds for epoch in store.epochs(tuned)[before + 1 :])


def make_ready(store: Store, run_id: str) -> None:
    """Do what is done unasked when a run has ended, and give it the time in which a person reads the result."""
    if hasattr(predictor(store.workspace), "warm"):
        predictor(store.workspace).warm(run_id)
    time.sleep(READ_S)


def tell_memory(store: Store) -> None:
    """Print what the processes that wait hold; what two of them share counts once."""
    standby = optional("thaw.jobs.standby.standby")
    pids = [pid for pid in (standby.pid if standby else None, predictor(store.workspace).pid) if pid]
    children = [child for pid in pids for child in psutil.Process(pid).children(recursive=True)]
    held = [psutil.Process(pid).memory_full_info() for pid in pids] + [each.memory_full_info() for each in children]
    own, together = sum(each.uss for each in held) / 1e6, sum(each.pss for each in held) / 1e6
    print(f"processes that wait: {len(held)} hold {together:.0f} MB, of which their own {own:.0f} MB")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=255)
    parser.add_argument("--many", type=int, default=1020)
    parser.add_argument("--epochs", type=int, default=20)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(open_workspace(Path(scratch) / "workspace"))
        few = write_photos(Path(scratch) / "few", chosen.photos)
        dataset_id, seconds = import_folder(store, few)
        print(f"{chosen.photos} photos: drop to data set {seconds:.1f} s")
        open_dataset(store, dataset_id)
        _, first, end = train(store, dataset_id, chosen.epochs)
        print(f"nothing ready: Start to first point {first:.1f} s, to the end {end:.1f} s")
        dataset_id, _ = import_folder(store, write_photos(Path(scratch) / "others", chosen.photos, seed=1))
        open_dataset(store, dataset_id)
        wait_ready(store)
        ready = [train(store, dataset_id, chosen.epochs) for _ in range(3)]
        first, end = (statistics.median(each[place] for each in ready) for place in (1, 2))
        print(f"all ready: Start to first point {first:.2f} s, to the end {end:.2f} s")
        run_id, paths = ready[-1][0], sorted(few.rglob("*.jpg"))
        make_ready(store, run_id)
        asked = time.perf_counter()
        predictor(store.workspace).heat_maps(run_id, paths[0])
        print(f"first heat map {time.perf_counter() - asked:.2f} s")
        tell_memory(store)
        predictor(store.workspace).close()
        make_ready(store, run_id)
        asked = time.perf_counter()
        predictor(store.workspace).classify(run_id, [paths[1].read_bytes()])
        print(f"first answer to the camera {time.perf_counter() - asked:.2f} s")
        predictor(store.workspace).close()
        first, epoch = tune(store, run_id)
        print(f"phase 2, top {LAYERS} layers: Start at once to first point {first:.1f} s, an epoch {epoch:.2f} s")
        trash.delete(store, "features")
        if look_at_depth(store, ready[0][0]):
            first, _ = tune(store, ready[0][0])
            print(f"phase 2, the page read: Start to first point {first:.1f} s")
        many = write_photos(Path(scratch) / "many", chosen.many, seed=2)
        dataset_id, _ = import_folder(store, many)
        _, _, whole = train(store, dataset_id, chosen.epochs)
        photos = str(store.workspace.dataset(dataset_id))
        line = [sys.executable, "-c", PASS, photos, str(Path(scratch) / "pass")]
        passed = float(subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout)
        print(f"{chosen.many} photos: phase 1 {whole:.1f} s, one pass {passed:.1f} s; {whole / passed:.2f} times it")


if __name__ == "__main__":
    main()
