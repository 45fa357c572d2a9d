"""The examples for boards and phones: the one for the Raspberry Pi answers as a run does, with the exported file alone;
the one for Android is compiled, against stand-ins for Android and LiteRT, and reads names and pixels."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.models.networks import classifier
from thaw.exporting.read_photo import read_photo
from tlcore.exporting.converters import convert, write_saved_models
from tlcore.exporting.model import build_exported
from tlcore.settings import Decision

CLIENTS = Path(__file__).parents[3] / "clients"
PI, ANDROID = CLIENTS / "raspberry-pi" / "classify.py", CLIENTS / "android" / "Classifier.kt"
# What the example asks of Android and of LiteRT, for a model that answers by the first pixel: red is the second class.
STAND_INS = {
    "android/graphics/Bitmap.java": """
        package android.graphics;
        public class Bitmap {
            private final int width, height, colour;
            public Bitmap(int width, int height, int colour) {
                this.width = width; this.height = height; this.colour = colour;
            }
            public int getWidth() { return width; }
            public int getHeight() { return height; }
            public void getPixels(int[] into, int start, int row, int x, int y, int width, int height) {
                java.util.Arrays.fill(into, colour);
            }
            public static Bitmap createScaledBitmap(Bitmap from, int width, int height, boolean filter) {
                return new Bitmap(width, height, from.colour);
            }
        }""",
    "org/tensorflow/lite/Tensor.java": """
        package org.tensorflow.lite;
        public interface Tensor { int[] shape(); }""",
    "org/tensorflow/lite/Interpreter.java": """
        package org.tensorflow.lite;
        import java.nio.ByteBuffer;
        import java.util.Map;
        public class Interpreter implements AutoCloseable {
            public static class Options { public Options setNumThreads(int threads) { return this; } }
            public Interpreter(ByteBuffer model, Options options) { }
            public Tensor getInputTensor(int number) { return () -> new int[] {1, 48, 48, 3}; }
            public void runSignature(Map<String, Object> inputs, Map<String, Object> outputs, String signature) {
                ByteBuffer image = (ByteBuffer) inputs.get("image");
                if (image.remaining() != 48 * 48 * 3) throw new IllegalArgumentException("" + image.remaining());
                boolean red = (image.get(0) & 255) == 250 && (image.get(1) & 255) == 3 && (image.get(2) & 255) == 7;
                ((int[]) outputs.get("answer"))[0] = red ? 1 : -1;
                ((float[][]) outputs.get("probabilities"))[0][1] = 0.75f;
            }
            public void close() { }
        }""",
    "Main.java": """
        import android.graphics.Bitmap;
        import java.nio.file.Files;
        import java.nio.file.Path;
        public class Main {
            public static void main(String[] words) throws Exception {
                try (thaw.Classifier made = new thaw.Classifier(Files.readAllBytes(Path.of(words[0])), 1)) {
                    System.out.println(made.getLabels());
                    System.out.println(made.classify(new Bitmap(500, 400, 0xfffa0307)));
                    System.out.println(made.classify(new Bitmap(30, 20, 0xff000000)));
                }
            }
        }""",
}


@pytest.fixture(scope="module")
def made():
    return classifier("efficientnet-lite0")


@pytest.fixture(scope="module")
def model(made, tmp_path_factory):
    """A .tflite file as an export has it, which knows only what it is rather sure of."""
    folder = tmp_path_factory.mktemp("device")
    write_saved_models(build_exported(made, Decision(1, threshold=0.5)), made.labels, None, folder / "bare")
    assert convert("litert", folder / "bare", folder / "model.tflite", None, made.labels, 0.5) is None
    return folder / "model.tflite"


def test_the_raspberry_pi_answers_as_the_model_and_names_what_it_cannot_read(made, model, tmp_path):
    chance = np.random.default_rng(3)
    photos = [tmp_path / f"{number}.png" for number in range(6)]
    for path in photos:
        Image.fromarray(chance.integers(0, 256, (90, 120, 3), np.uint8)).resize((700, 500)).save(path)
    (tmp_path / "torn.jpg").write_bytes(b"no photo")
    command = [sys.executable, PI, model, *photos, tmp_path / "torn.jpg"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "torn.jpg: cannot identify image file" in done.stderr
    said = made.predict(np.concatenate([read_photo(path, made.image_size) for path in photos]))
    expected = [made.labels[each.argmax()] if each.max() >= 0.5 else "I do not know" for each in said]
    for line, path, label, shares in zip(done.stdout.splitlines(), photos, expected, said, strict=True):
        assert line == f"{path}: {label} ({shares.max():.0%})"


@pytest.mark.skipif(not shutil.which("kotlinc"), reason="there is no Kotlin compiler (Debian: apt install kotlin)")
def test_the_android_example_reads_the_names_and_hands_pixels_over_as_they_are(made, model, tmp_path):
    sources = [tmp_path / name for name in STAND_INS]
    for path, text in zip(sources, STAND_INS.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    classes = tmp_path / "classes"
    subprocess.run(["javac", "--release", "11", "-d", classes, *sources[:-1]], check=True)
    kotlin = ["kotlinc", ANDROID, "-cp", classes, "-include-runtime", "-d", tmp_path / "example.jar"]
    subprocess.run(kotlin, check=True, capture_output=True)
    path = os.pathsep.join(map(str, (classes, tmp_path / "example.jar")))
    subprocess.run(["javac", "-cp", path, "-d", classes, sources[-1]], check=True)
    done = subprocess.run(["java", "-cp", path, "Main", model], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        f"[{', '.join(made.labels)}]",
        f"Answer(label={made.labels[1]}, share=0.75)",
        "Answer(label=null, share=0.75)",
    ]
