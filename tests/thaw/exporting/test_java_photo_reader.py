"""The Java example's way to read a photo, compiled and run on the odd pictures that Java can read."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.support.pictures.odd_pictures import write_odd_pictures
from thaw.exporting.read_photo import read_photo

SIDE = 64
SOURCES = Path(__file__).parents[3] / "clients" / "java-tensorflow"
# Java has no WebP, no JPEG in CMYK, no PGM and no TIFF of floating-point numbers.
UNREAD = (".webp", "cmyk", ".pgm", "float")
PROGRAM = """
import java.io.File;
import java.nio.file.Files;

final class ReadAll {
    public static void main(String[] files) throws Exception {
        for (String file : files) {
            byte[] pixels = PhotoReader.readPixels(new File(file), 64, 65535);
            Files.write(new File(file + ".pixels").toPath(), pixels);
        }
    }
}
"""


@pytest.mark.skipif(not shutil.which("javac"), reason="there is no javac")
def test_java_sees_the_pictures_as_the_dashboard_does(tmp_path):
    (tmp_path / "ReadAll.java").write_text(PROGRAM, encoding="utf-8")
    line = ["javac", "--release", "17", "-Xlint:all", "-Werror", "-d", tmp_path]
    subprocess.run([*line, SOURCES / "PhotoReader.java", tmp_path / "ReadAll.java"], check=True)
    pictures = write_odd_pictures(tmp_path)
    pictures = [path for path in pictures if not any(kind in path.name for kind in UNREAD)]
    assert len(pictures) > 40
    subprocess.run(["java", "-cp", tmp_path, "ReadAll", *pictures], check=True)
    for path in pictures:
        read = np.fromfile(f"{path}.pixels", np.uint8).reshape(SIDE, SIDE, 3).astype(int)
        difference = np.abs(read - read_photo(path, SIDE)[0])
        # Another JPEG decoder, and without the step by way of 640 pixels.
        assert difference.mean() < 1.5, (path.name, difference.mean(), difference.max())
        assert difference.max() <= 16, (path.name, difference.mean(), difference.max())
