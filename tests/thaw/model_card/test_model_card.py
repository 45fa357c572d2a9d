"""The model card: real figures, names that stay names, photos only where they are wanted, and no TensorFlow."""

import html.parser
import io
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from PIL import Image as Picture

from tests.support.judged_runs import add, run_of
from tests.support.pages import BOLD, DATASET, TAG, add_dataset, add_run
from tests.support.pages import store as store
from thaw.model_card.blocks import REPLACEMENT, ModelCard, Paragraph, Section, printable
from thaw.model_card.card import fill_card
from thaw.model_card.lineage import TO_BE_WRITTEN
from thaw.model_card.model_card import (
    HTML_FILE,
    MARKDOWN_FILE,
    keep_intended_use,
    render_model_card,
    write_model_card,
)
from thaw.model_card.render import write_html, write_markdown
from thaw.runs.decision import keep_decision
from thaw.runs.results import read_predictions
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.errors import RunError, SettingsError
from tlcore.evaluation.metrics import measure_accuracy
from tlcore.evaluation.predictions import VALIDATION
from tlcore.settings import Decision, HeadSettings

ROOT = Path(__file__).parents[3]


class Reader(html.parser.HTMLParser):
    """Collects the tags of a page and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words += data


@pytest.fixture
def run(store):
    return store.run(add_run(store, add_dataset(store)))


@pytest.fixture
def files(store, run):
    return render_model_card(store, run)


def page_of(files) -> Reader:
    return Reader(files[HTML_FILE].decode())


def test_the_card_has_the_figures_of_the_run_and_every_part_that_mitchell_asks_for(store, run, files):
    accuracy = measure_accuracy(read_predictions(store, run))
    words = page_of(files).words
    assert f"{accuracy.value:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%}) of 15 validation photos" in words
    titles = ("Model details", "Intended use", "Training data", "How good it is", "Worst mistakes", "Limits found")
    assert all(title in words for title in titles)
    assert "efficientnet-lite0-57934424.pth" in words
    assert "Apache-2.0" in words
    assert "80.0% (37.6% to 96.4%)" in words
    assert "2 of 15 validation photos are taken for another class" in words


def test_names_stay_names_in_html(files):
    page = page_of(files)
    assert TAG in page.words
    assert BOLD in page.words
    allowed = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(allowed) == 2
    assert all(source.startswith("data:image/jpeg;base64,") for source in allowed)
    assert not [tag for tag, attributes in page.tags if tag == "script" or any(name[:2] == "on" for name in attributes)]


def test_names_stay_names_in_markdown(files):
    read = Reader(MarkdownIt("gfm-like", {"linkify": False}).render(files[MARKDOWN_FILE].decode()))
    assert TAG in read.words
    assert BOLD.replace(":smile:", "") in read.words
    sources = {attributes["src"] for tag, attributes in read.tags if tag == "img"}
    assert sources == set(files) - {HTML_FILE, MARKDOWN_FILE}
    assert not [tag for tag, _ in read.tags if tag in ("script", "a")]


def test_a_name_can_neither_break_a_line_nor_turn_the_text_around():
    assert printable("a\nb\u202ec\td é 字") == f"a{REPLACEMENT}b{REPLACEMENT}c{REPLACEMENT}d é 字"


def test_the_page_needs_nothing_else_and_follows_the_colours_of_the_system(files):
    page = files[HTML_FILE].decode()
    assert "default-src 'none'" in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "prefers-color-scheme: dark" in page
    assert '<html lang="en">' in page


def test_all_that_is_seen_is_also_said(files):
    page = page_of(files)
    assert all(attributes["alt"] for tag, attributes in page.tags if tag == "img")
    drawings = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(drawings) == 3
    assert all(each["role"] == "img" and each["aria-label"] for each in drawings)
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings == [1, *[2] * (len(headings) - 1)]


def test_the_drawings_are_whole_svg_files(files):
    drawings = {name: content for name, content in files.items() if name.endswith(".svg")}
    assert len(drawings) == 3
    for content in drawings.values():
        lines = [each for each in ET.fromstring(content).iter() if each.tag.endswith("polyline")]
        assert lines
        assert all(float(number) >= 0 for each in lines for number in re.split("[ ,]", each.get("points", "")))


def test_without_pictures_the_card_holds_no_photo_and_says_so(store, run):
    files = render_model_card(store, run, pictures=False)
    assert not [name for name in files if name.endswith(".jpg")]
    page = page_of(files)
    assert not [tag for tag, _ in page.tags if tag == "img"]
    assert "which holds no photos" in page.words
    assert "hand it on only if" not in page.words


def test_the_photos_are_small_copies_that_tell_nothing_of_their_camera(files):
    photos = [content for name, content in files.items() if name.endswith(".jpg")]
    for content in photos:
        with Picture.open(io.BytesIO(content)) as picture:
            assert max(picture.size) <= 200
            assert not picture.getexif()


def test_the_intended_use_is_asked_for_until_it_is_written(store, run):
    assert TO_BE_WRITTEN in page_of(render_model_card(store, run)).words
    keep_intended_use(store, run.id, " Sorting **my** photos.\n\nNot for <b>people</b>. ")
    kept = store.run(run.id)
    assert kept.facts.intended_use.startswith("Sorting")
    words = page_of(render_model_card(store, kept)).words
    assert TO_BE_WRITTEN not in words
    assert "Not for <b>people</b>." in words
    keep_intended_use(store, run.id, "  ")
    assert TO_BE_WRITTEN in page_of(render_model_card(store, store.run(run.id))).words
    with pytest.raises(SettingsError, match="at most 5,000 letters"):
        keep_intended_use(store, run.id, "x" * 5001)


def limits(store, run):
    (section,) = (section for section in fill_card(store, run).sections if section.title == "Limits found")
    return " ".join(section.blocks[0].items)


def test_limits_are_found_by_rules(store, run):
    found = limits(store, run)
    assert "It knows its 2 classes and nothing else" in found
    assert "Fewer than 30 validation photos" in found
    assert "never judged on photos from elsewhere" in found
    assert "No confidence has been chosen" in found
    keep_decision(store, run.id, Decision(1, 1.5, 0.8))
    assert "Below a confidence of 80%" in limits(store, store.run(run.id))


def test_a_drop_on_the_holdout_is_a_limit(tmp_path):
    store = Store(open_workspace(tmp_path / "workspace"))
    add(store, each=40, holdout=20)
    run = store.run(run_of(store, HeadSettings(), {VALIDATION: 1, "holdout": 20}))
    assert "On the holdout it gets 50.0% right" in limits(store, run)
    words = page_of(render_model_card(store, run, pictures=False)).words
    assert "Class by class on the holdout" in words
    assert "never judged on photos from elsewhere" not in words


def test_the_path_on_the_users_machine_is_left_out(store, run):
    def card_from(source: str) -> str:
        with store._transaction() as connection:
            connection.execute("UPDATE datasets SET source = ? WHERE id = ?", (source, DATASET))
        return page_of(render_model_card(store, run)).words

    assert "secret-me" not in card_from("/home/secret-me/photos")
    published = "https://example.org/a.tgz (CC BY 2.0)"
    assert published in card_from(published)


def test_a_run_without_a_model_has_no_card(store, run):
    with pytest.raises(RunError, match="has no model yet"):
        render_model_card(store, store.run(store.add_run(DATASET, "resnet50", HeadSettings().to_json())))


def test_the_files_are_written_where_they_are_wanted(store, run, tmp_path):
    paths = write_model_card(store, run, tmp_path / "export")
    assert [path.name for path in paths[:2]] == [MARKDOWN_FILE, HTML_FILE]
    assert all(path.stat().st_size for path in paths)
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == sorted(path.name for path in paths)


def test_an_open_question_stands_out_in_both():
    card = ModelCard("A", "B", [Section("C", [Paragraph("Who?", open_question=True)])])
    assert '<p class="open">Who?</p>' in write_html(card)
    assert "**[ Who? ]**" in write_markdown(card, "")[0]


def test_no_tensorflow_is_loaded_for_it():
    program = (
        "import sys, thaw.model_card.model_card; print(sorted({'tensorflow', 'keras', 'sklearn'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
