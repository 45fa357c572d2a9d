"""Thaw against Keras's own transfer-learning recipe: same backbone, same images, same split, one run.

    python benchmarks/keras_recipe.py [--images 1020] [--epochs 20] [--layers 38] [--tune-epochs 2] [--size 224]
        [--seeds 1]

The recipe is the one of Keras's guide: `image_dataset_from_directory`, a frozen base called with `training=False`,
`fit`; then the top layers unfrozen, recompiled at 1e-5, `fit` again. Both run after one another in child processes of
their own, so that neither warms the other up. The split is Thaw's, copied into train/ and validation/ folders.
"""

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.photos import write_photos  # noqa: E402
from thaw.datasets.run_split import read_split  # noqa: E402
from thaw.storage.store import Store  # noqa: E402
from thaw.storage.workspace import open_workspace  # noqa: E402

BACKBONE, BATCH = "efficientnet-lite0", 32


def run_recipe(folder: Path, epochs: int, layers: int, tune_epochs: int, size: int, seed: int) -> dict:
    """Train by the recipe; return seconds and accuracies. Runs in a process of its own (`--recipe`)."""
    import keras

    from tlcore.models.architectures import build_backbone
    from tlcore.models.backbones import find_backbone
    from tlcore.models.preprocessing import normalise
    from tlcore.models.weights import fetch

    keras.utils.set_random_seed(seed)
    row = find_backbone(BACKBONE)
    training, validation = (
        keras.utils.image_dataset_from_directory(
            folder / part, image_size=(size, size), batch_size=BATCH, shuffle=part == "train", seed=seed
        ).prefetch(2)
        for part in ("train", "validation")
    )
    base = build_backbone(row, size, fetch(row))
    base.trainable = False
    inputs = keras.Input((size, size, 3))
    outputs = keras.layers.GlobalAveragePooling2D()(base(normalise(row, inputs), training=False))
    outputs = keras.layers.Dropout(0.2)(outputs)
    outputs = keras.layers.Dense(len(list((folder / "train").iterdir())), activation="softmax")(outputs)
    model = keras.Model(inputs, outputs)

    def fit(learning_rate: float, count: int) -> tuple[float, float]:
        model.compile(
            keras.optimizers.Adam(learning_rate),
            "sparse_categorical_crossentropy",
            metrics=["accuracy"],
            jit_compile=False,
        )
        started = time.perf_counter()
        history = model.fit(training, validation_data=validation, epochs=count, verbose=0)
        return time.perf_counter() - started, history.history["val_accuracy"][-1]

    head_s, head_accuracy = fit(1e-3, epochs)
    base.trainable = True
    for layer in base.layers[:-layers]:
        layer.trainable = False
    for layer in base.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    first_s, _ = fit(1e-5, 1)
    tune_s, tuned_accuracy = fit(1e-5, tune_epochs)
    return {
        "head_seconds": head_s,
        "head_accuracy": head_accuracy,
        "tune_epoch_seconds": tune_s / tune_epochs,
        "tune_first_epoch_seconds": first_s,
        "tuned_accuracy": tuned_accuracy,
    }


def thaw(workspace: Path, *words: str) -> dict:
    """Run one command of Thaw's command line; return its JSON."""
    command = [sys.executable, "-m", "thaw", *words, "--workspace", str(workspace), "--json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(result.stderr)
    return json.loads(result.stdout)


def copy_split(workspace: Path, run_id: str, target: Path) -> None:
    """Lay out the images of a run, as they were imported, in train/ and validation/ class folders."""
    store = Store(open_workspace(workspace))
    run = store.run(run_id)
    parts = read_split(store, run)
    assert parts is not None
    for name, images in (("train", parts.training), ("validation", parts.validation)):
        for image in images:
            folder = target / name / image.label
            folder.mkdir(parents=True, exist_ok=True)
            source = store.workspace.image(image.folder, image.id, image.suffix)
            shutil.copy(source, folder / f"{image.id}{image.suffix}")


def compare(photos: Path | None, images: int, epochs: int, layers: int, tune_epochs: int, size: int, seed: int) -> dict:
    """Run Thaw and then the recipe on the same images; return both and their ratios."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, workspace = Path(scratch), Path(scratch) / "workspace"
        source = photos or write_photos(folder / "photos", images)
        dataset = thaw(workspace, "import", str(source))["dataset"]
        common = ["--backbone", BACKBONE, "--image-size", str(size), "--batch-size", str(BATCH)]
        common += ["--seed", str(seed)]
        head = thaw(workspace, "train", dataset, *common, "--epochs", str(epochs), "--patience", str(epochs))
        tuning = ["--layers", str(layers), "--epochs", str(tune_epochs + 1), "--patience", "100", "--insist"]
        tuning += ["--learning-rate", "1e-5"]
        tuned = thaw(workspace, "finetune", head["run"], *tuning)
        copy_split(workspace, head["run"], folder / "split")
        command = [sys.executable, __file__, "--recipe", str(folder / "split"), "--epochs", str(epochs)]
        command += ["--layers", str(layers), "--tune-epochs", str(tune_epochs)]
        command += ["--size", str(size), "--seed", str(seed)]
        output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    recipe = json.loads(output.splitlines()[-1])
    tune_seconds = [epoch["seconds"] for epoch in tuned["epochs"] if epoch["phase"] == 2][1:]
    thaw_head_s = head["seconds"]["features"] + head["seconds"]["training"]
    thaw_epoch_s = sum(tune_seconds) / len(tune_seconds)
    return {
        "recipe": recipe,
        "thaw": {
            "head_seconds": thaw_head_s,
            "head_accuracy": head["epochs"][-1]["val_accuracy"],
            "tune_epoch_seconds": thaw_epoch_s,
            "tuned_accuracy": tuned["epochs"][-1]["val_accuracy"],
        },
        "head_ratio": recipe["head_seconds"] / thaw_head_s,
        "tune_epoch_ratio": recipe["tune_epoch_seconds"] / thaw_epoch_s,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="a folder of class folders (default: made from real photographs)")
    parser.add_argument("--images", type=int, default=1020)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--layers", type=int, default=38)
    parser.add_argument("--tune-epochs", type=int, default=2)
    parser.add_argument("--size", type=int, default=224, help="pixels a side that the backbone sees")
    parser.add_argument("--seeds", type=int, default=1, help="how many splits and initial heads")
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--recipe", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    numbers = (arguments.epochs, arguments.layers, arguments.tune_epochs, arguments.size)
    if arguments.recipe:
        print(json.dumps(run_recipe(arguments.recipe, *numbers, arguments.seed)))
        return
    results = []
    for seed in range(arguments.seeds):
        results.append(compare(arguments.photos, arguments.images, *numbers, seed))
        print(json.dumps(results[-1], indent=2), flush=True)

    def mean(*path: str) -> float:
        return statistics.mean(functools.reduce(lambda part, name: part[name], path, result) for result in results)

    print(f"phase 1, {arguments.epochs} epochs: {mean('head_ratio'):.1f} times as fast as the recipe")
    print(f"phase 2, an epoch: {mean('tune_epoch_ratio'):.1f} times as fast as the recipe")
    for name in ("head_accuracy", "tuned_accuracy"):
        print(f"{name}: {mean('thaw', name):.2%}, the recipe {mean('recipe', name):.2%}")


if __name__ == "__main__":
    main()
