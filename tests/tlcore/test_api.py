"""The API as it is documented: the first program of docs/python.md, every example of a docstring, and its types."""

import ast
import doctest
import os
import re
import subprocess
import sys

import pytest

import tlcore
from tests.support.boxed import draw_boxed
from tests.support.pictures.corpus import photo
from tlcore.environment import SOURCE_ROOT
from tlcore.settings import HeadSettings

TEXT = (SOURCE_ROOT / "docs" / "python.md").read_text(encoding="utf-8")
PROGRAM, SETTINGS, EVALUATION = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
EXAMPLES = (
    *("read_photos", "read_pixels", "split", "train_head", "Trained", "fine_tune", "train_from_scratch"),
    *("train_detector", "TrainedDetector", "fine_tune_detector"),
    "export",
)


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """Work where there is a folder of two classes that brightness tells apart, every eighth photo in the wrong one."""
    folder = tmp_path_factory.mktemp("notebook")
    for seed, (label, other) in enumerate((("daisy", "rose"), ("rose", "daisy"))):
        for number in range(40):
            shift = 90 * ((label if number % 8 else other) == "rose")
            picture = photo(1000 * seed + number, 90, 70).point(lambda value, shift=shift: value // 2 + shift)
            path = folder / "flowers" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
    before = os.getcwd()  # noqa: PTH109
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.mark.timeout(900)
def test_the_program_of_the_documentation_runs(folder, capsys):
    namespace: dict[str, object] = {}
    exec(PROGRAM, namespace)
    assert (folder / "flowers.onnx").stat().st_size > 1_000_000
    assert namespace["photos"].set_aside == ()
    accuracy = float(capsys.readouterr().out.split()[0])
    assert accuracy == namespace["tuned"].accuracy >= namespace["head"].accuracy
    exec(EVALUATION, namespace)
    assert "daisy" in capsys.readouterr().out
    # Of another backbone, whose weights would be downloaded: what it is asked for is at least what there is.
    asked = ast.parse(SETTINGS).body[0].value
    assert HeadSettings(**{word.arg: ast.literal_eval(word.value) for word in asked.keywords}).patience == 8


# What the example of an export does, the program of the documentation does in every run.
@pytest.mark.timeout(900)
@pytest.mark.parametrize("examples", [EXAMPLES[:-1], pytest.param(EXAMPLES, marks=pytest.mark.slow)], ids=len)
def test_every_example_of_a_docstring_is_true(examples, folder):
    names = {name: getattr(tlcore, name) for name in tlcore.__all__}
    assert set(EXAMPLES) == set(names)
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    values = names | {"boxed": draw_boxed(folder / "boxed", 12)}
    for name in examples:
        (example,) = finder.find(names[name], name, globs={})
        assert example.examples, name
        example.globs = values
        runner.run(example, clear_globs=False)
    assert runner.summarize().failed == 0


def test_the_package_alone_loads_neither_numpy_nor_keras():
    program = "import sys, tlcore; print(sorted({'numpy', 'keras', 'tensorflow', 'PIL'} & set(sys.modules)))"
    ended = subprocess.run([sys.executable, "-c", program], cwd=SOURCE_ROOT, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
    assert set(tlcore.__all__) <= set(dir(tlcore))
    with pytest.raises(AttributeError, match="no attribute 'train_everything'"):
        _ = tlcore.train_everything
