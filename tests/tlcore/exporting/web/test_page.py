"""The web page of a model: what it holds, and that nothing but its own script may run in it."""

import base64
import gzip
import hashlib
import html
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.models.web_runtime import COLOURS, INTERFACE, MODEL, pack_runtime
from tlcore.exporting.web.page import read_scripts, write_page
from tlcore.exporting.web.runtime import read_runtime

ROOT = Path(__file__).parents[4]
HOSTILE = ["</script><script>alert(1)</script>", "$model", "naïve <b>", "‮"]


@pytest.fixture
def write(tmp_path, monkeypatch):
    runtime = read_runtime(pack_runtime(tmp_path / "runtime.tgz", monkeypatch))

    def written(labels=COLOURS, card=None):
        write_page(MODEL, runtime, labels, 8, tmp_path / "web", card)
        return (tmp_path / "web" / "index.html").read_text("utf-8")

    return written


def parts(page):
    return dict(re.findall(r'<script type="[a-z/]+" id="([^"]+)">(.*?)</script>', page, re.DOTALL))


def test_the_page_holds_the_network_and_the_runtime_to_the_last_byte(write):
    found = parts(write())
    unpacked = {name: gzip.decompress(base64.b64decode(text)) for name, text in found.items() if name != "facts"}
    assert unpacked["model"] == MODEL
    assert unpacked["index.js"].decode() == INTERFACE
    assert unpacked["litert_wasm_internal.wasm"] == b"wasm"
    assert unpacked["litert_wasm_compat_internal.wasm"] == b"plain"
    assert json.loads(found["facts"]) == {"labels": COLOURS, "side": 8}


def test_names_are_data_whatever_they_hold(write):
    page = write(HOSTILE)
    assert json.loads(parts(page)["facts"])["labels"] == HOSTILE
    assert page.count("<script") == len(parts(page)) + 1
    assert "alert(1)</script>" not in page


def test_only_its_own_script_may_run_and_no_host_be_asked(write):
    page = write()
    policy = html.unescape(re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1])
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert rules["script-src"].split() == [f"'sha256-{digest}'", "blob:", "'wasm-unsafe-eval'"]
    assert rules["default-src"] == "'none'"
    assert not any("http" in rule or "*" in rule for rule in rules.values())
    assert "connect-src" not in rules, "what is not named falls under default-src"


def test_the_same_model_gives_the_same_page(write, tmp_path):
    first = write()
    (tmp_path / "web").rename(tmp_path / "earlier")
    assert write() == first


def test_a_model_card_lies_beside_it_and_is_linked_where_there_is_one(write, tmp_path):
    assert "model_card.html" not in write()
    assert sorted(path.name for path in (tmp_path / "web").iterdir()) == ["README.md", "embedding.html", "index.html"]
    (tmp_path / "web").rename(tmp_path / "earlier")
    (tmp_path / "card.html").write_text("<p>card</p>")
    assert 'href="model_card.html"' in write(card=tmp_path / "card.html")
    assert (tmp_path / "web" / "model_card.html").read_text() == "<p>card</p>"


def test_the_linter_finds_nothing_in_its_script(tmp_path):
    (tmp_path / "page.js").write_text(read_scripts(), encoding="utf-8")
    linter = Path(sys.executable).with_name("oxlint")
    command = [linter, "--config", ROOT / ".oxlintrc.json", "--deny-warnings", tmp_path / "page.js"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
