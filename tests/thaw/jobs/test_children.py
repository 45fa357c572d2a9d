"""How the processes of Thaw are started: from one place, and so that they find its code."""

import subprocess

from thaw.jobs.children import start_child
from tlcore.environment import SOURCE_ROOT


def test_a_child_finds_the_code_wherever_its_parent_stands_and_hears_its_words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    child = start_child("thaw.decoding.decoder", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    said, complaint = child.communicate(b"", timeout=60)
    assert b"ready" in said
    assert (child.returncode, complaint) == (0, b"")
    child = start_child("thaw.worker", "job", "--nonsense", stderr=subprocess.PIPE)
    _, complaint = child.communicate(timeout=60)
    assert b"--nonsense" in complaint


def test_no_other_module_of_thaw_starts_one_by_itself():
    starting = {path.name for path in (SOURCE_ROOT / "thaw").rglob("*.py") if '"-m"' in path.read_text("utf-8")}
    # Streamlit is none of Thaw's modules.
    assert starting == {"children.py", "dashboard.py"}
