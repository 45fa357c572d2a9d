"""Hostile surroundings: another Keras backend and keras.json, `python -OO`, terminals that know ASCII alone."""

import ast
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.pictures.corpus import photo
from tests.support.serving.service_process import ServiceProcess
from thaw.exporting.guide import show_program
from thaw.storage.export_record import read_export
from tlcore.environment import REMOVED, SETTINGS, escape_unknown
from tlcore.exporting.formats import FORMATS

ROOT = Path(__file__).parents[2]
KERAS_JSON = {"backend": "torch", "floatx": "float16", "image_data_format": "channels_first", "epsilon": 1e-3}
HOSTILE = {
    "KERAS_BACKEND": "torch",
    "TF_USE_LEGACY_KERAS": "1",
    "KERAS_MAX_EPOCHS": "1",
    "KERAS_MAX_STEPS_PER_EPOCH": "1",
    "KERAS_NNX_ENABLED": "true",
    "TF_ENABLE_ONEDNN_OPTS": "0",
    "CUDA_VISIBLE_DEVICES": "",
    "PYTHONIOENCODING": "ascii",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "LC_ALL": "C",
    "LANG": "C",
}
COLOURS = {"猫": (170, 40, 60), "🐈 café": (60, 110, 190)}
SOURCES = [
    *(ROOT / "tlcore").rglob("*.py"),
    *(ROOT / "thaw").rglob("*.py"),
    *(ROOT / "pages").rglob("*.py"),
    ROOT / "app.py",
]


def list_tasks():
    """Return every module that is run as a process; with TensorFlow it is compiled for -OO for half a minute."""
    yield "thaw"
    for path in sorted(SOURCES):
        text = path.read_text("utf-8")
        if "ArgumentParser(" in text:
            loads = "\nimport tensorflow" in text or "from tlcore.models.backend import" in text
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield pytest.param(module, marks=pytest.mark.slow) if loads else module


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory):
    """The environment of a child process, with a home folder whose keras.json is another program's."""
    home = tmp_path_factory.mktemp("home")
    (home / ".keras").mkdir()
    (home / ".keras" / "keras.json").write_text(json.dumps(KERAS_JSON), encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name not in (*SETTINGS, *REMOVED)}
    return kept | HOSTILE | {"HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture(scope="module")
def optimised(surroundings, tmp_path_factory):
    """The same under -OO. What is compiled for that is kept, or each process would compile TensorFlow anew."""
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("compiled"))}
    return surroundings | compiled | {"PYTHONOPTIMIZE": "2"}


def run(surroundings, *words: object) -> subprocess.CompletedProcess[bytes]:
    line = [sys.executable, *map(str, words)]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, env=surroundings, timeout=800, check=False)
    assert b"UnicodeEncodeError" not in done.stderr, done.stderr.decode()
    return done


def test_keras_is_set_before_anything_of_it_is_used(surroundings):
    program = (
        "from tlcore.models.backend import keras; import json, os, tensorflow as tf\n"
        "print(json.dumps([keras.config.backend(), keras.config.floatx(), keras.config.image_data_format(),"
        "keras.config.epsilon(), keras.config.max_epochs(), keras.config.max_steps_per_epoch(),"
        "keras.mixed_precision.dtype_policy().name, tf.keras.layers.Dense is not None]))"
    )
    done = run(surroundings, "-c", program)
    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout.splitlines()[-1]) == [
        "tensorflow",
        "float32",
        "channels_last",
        1e-7,
        None,
        None,
        "float32",
        True,
    ]


def test_a_program_that_took_another_backend_before_is_told(surroundings):
    pretended = "import sys, types; keras = types.SimpleNamespace(config=types.SimpleNamespace("
    pretended += "set_floatx=print, set_epsilon=print, set_image_data_format=print, backend=lambda: 'jax'))\n"
    done = run(surroundings, "-c", f"{pretended}sys.modules['keras'] = keras\nimport tlcore.models.backend")
    assert "Received: jax, with which this program had imported it before Thaw." in done.stderr.decode()


def test_every_module_takes_keras_from_the_one_that_sets_it():
    for path in SOURCES:
        tree = ast.parse(path.read_text("utf-8"))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        found = {name for name in names if name.partition(".")[0] == "keras"}
        # The one lies in exports and is run where there is no Thaw.
        assert not found or path.name in ("backend.py", "find_objects.py"), path


def test_text_is_read_and_written_as_utf_8_on_every_system():
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            given = {each.arg: getattr(each.value, "value", None) for each in node.keywords}
            as_text = given.get("text") or given.get("universal_newlines")
            assert not (called in ("run", "Popen") and as_text and "encoding" not in given), (path, node.lineno)
            if called in ("read_text", "write_text"):
                said = "encoding" in given or len(node.args) == 1 + (called == "write_text")
                assert said, (path, node.lineno)


def test_what_an_encoding_lacks_is_written_as_an_escape():
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="cp1252")
    escape_unknown(stream)
    stream.write("café 猫 🐈")
    stream.flush()
    assert raw.getvalue() == "café ".encode("cp1252") + rb"\u732b \U0001f408"
    escape_unknown(None)


@pytest.mark.parametrize("task", [*list_tasks()])
def test_every_task_starts_and_explains_itself(optimised, task):
    done = run(optimised, "-m", task, "--help")
    assert done.returncode == 0, done.stderr.decode()
    assert b"usage: " in done.stdout.lower()
    assert len(done.stdout.splitlines()) > 4


# Does each command that it reads as `python -m thaw` does, and tells its exit status on a line of its own.
DO_COMMANDS = """
import json, sys
from thaw.__main__ import main
for line in sys.stdin.buffer:
    print(f"ended with {main(json.loads(line))}", flush=True)
"""


class OneProcess:
    """A process that does one command after another, so that TensorFlow is loaded once; `errors` gets its stderr."""

    def __init__(self, surroundings: dict[str, str], errors: Path) -> None:
        self._errors, line = errors, [sys.executable, "-c", DO_COMMANDS]
        with errors.open("wb") as log:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
            self._process = subprocess.Popen(line, cwd=ROOT, env=surroundings, **pipes)

    def do(self, *words: object) -> bytes:
        """Do a command that succeeds; return what it printed."""
        self._process.stdin.write(json.dumps([*map(str, words)]).encode() + b"\n")
        self._process.stdin.flush()
        printed = []
        for line in self._process.stdout:
            if line.startswith(b"ended with "):
                assert line.split()[-1] == b"0", self._errors.read_text()
                return b"".join(printed)
            printed.append(line)
        raise AssertionError(self._errors.read_text())

    def close(self) -> None:
        """Let it end."""
        self._process.communicate(timeout=60)
        assert self._process.returncode == 0, self._errors.read_text()
        assert "UnicodeEncodeError" not in self._errors.read_text()


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for number, (label, colour) in enumerate(COLOURS.items()):
        (folder / label).mkdir()
        for index in range(6):
            scene = photo(1000 + 10 * number + index, 48, 48)
            Image.blend(scene, Image.new("RGB", scene.size, colour), 0.5).save(folder / label / f"写真 {index}.png")
    return folder


@pytest.mark.timeout(900)
@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_project_goes_through(surroundings, optimised, photos, tmp_path, whole):
    """Importer, worker, predictor, a converter, its prover; the whole has fine-tuning, all formats, the service, -OO.

    Without -OO nothing has to be compiled, which takes longer than all the rest. The whole starts a process for each
    command; else one does them all, so that TensorFlow is loaded once.
    """
    place = ("--workspace", tmp_path / "ws")
    surroundings = optimised if whole else surroundings
    one = None if whole else OneProcess(surroundings, tmp_path / "errors.txt")

    def say(*words: object) -> bytes:
        if one:
            return one.do(*words, *place)
        done = run(surroundings, "-m", "thaw", *words, *place)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    def command(*words: object) -> dict:
        return json.loads(say(*words, "--json").splitlines()[-1])

    dataset = command("import", photos)
    assert dataset["classes"] == dict.fromkeys(COLOURS, 6)
    head = command("train", dataset["dataset"], "--epochs", 3, "--image-size", 48, "--validation-split", 0.34)
    assert len(head["epochs"]) == 3, "nothing caps the epochs"
    if whole:
        tuned = command("finetune", head["run"], "--epochs", 1, "--layers", 3, "--insist")
        assert tuned["val_accuracy"] >= 0.5
    answers = command("predict", head["run"], photos)
    assert {answer["predicted"] for answer in answers} <= set(COLOURS)
    assert len(answers) == 12
    made = command("export", head["run"], *([] if whole else ["--formats", "onnx"]))
    exact = [each for each in made["formats"] if FORMATS[each["name"]].tolerance is None]
    assert {each["verdict"] for each in exact} == {"passed"}, made["formats"]
    assert json.loads((Path(made["folder"]) / "labels.json").read_text("utf-8")) == sorted(COLOURS)
    told = [say(*words) for words in (["datasets"], ["history", "--csv"], ["mistakes", head["run"]])]
    if one:
        one.close()
    assert all(map(bytes.isascii, told))
    shown = told[0].decode("ascii")
    assert "\\u732b" in shown
    assert "\\U0001f408" in shown
    run_exported_program(surroundings, Path(made["folder"]), photos)
    if not whole:
        return
    with ServiceProcess(made["folder"], *place, environment=surroundings) as service:
        picture = next((photos / "猫").iterdir()).read_bytes()
        said = service.client.post("/predict", content=picture, headers={"content-type": "image/png"}).json()
    assert said["label"] in COLOURS


def run_exported_program(surroundings, folder: Path, photos: Path) -> None:
    """Run the program of the export's README for ONNX, in a terminal that cannot show the class names."""
    export = read_export(folder)
    program = show_program(export, next(each for each in export.offered if each.name == "onnx"))
    (folder / "classify.py").write_text(program, encoding="utf-8")
    picture = next((photos / "猫").iterdir())
    line = [sys.executable, "classify.py", picture]
    done = subprocess.run(line, cwd=folder, capture_output=True, env=surroundings, check=False)
    (folder / "classify.py").unlink()
    assert done.returncode == 0, done.stderr.decode()
    assert b"\\u732b" in done.stdout
