import pytest

from pages.ui.words import names

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "**bold**",
    "$x$",
    ":smile:",
    "=cmd()",
    "`tick`",
    "a``b",
    "[a](http://b)",
    "",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_literal_name_is_one_code_span_that_holds_the_name(name):
    span = names.literal(name)
    fence = span[: len(span) - len(span.lstrip("`"))]
    assert fence
    assert span.endswith(fence)
    inside = span[len(fence) : -len(fence)]
    assert fence not in inside
    assert inside.strip() == name.strip()


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "www.example.com",
        "(www.example.com)",
        "()",
        "a ()",
        "...",
        "1 < 2",
        "a: b",
        "[a]: b",
        "https://a.b",
        "a@b.c",
        "-> a",
        "a--b",
        "a,b",
        "a, ",
        " a",
        "a\u202eb",
    ],
)
def test_a_name_of_more_than_plain_words_is_not_set_in_bold(name):
    assert names.emphasised(name) == names.literal(name)


@pytest.mark.parametrize(
    ("name", "bold"),
    [
        ("roses", "**roses**"),
        ("R&D 2", r"**R\&D 2**"),
        ("a_b", r"**a\_b**"),
        ("roses, old", r"**roses\, old**"),
        ("cup (small, blue)", r"**cup \(small\, blue\)**"),
        ("starling [winter]", r"**starling \[winter\]**"),
        ("St. Bernard {50%}", r"**St\. Bernard \{50\%\}**"),
    ],
)
def test_plain_words_are_set_in_bold_with_every_mark_escaped(name, bold):
    assert names.emphasised(name) == bold


def test_scripts_of_combining_letters_count_as_plain_words():
    assert names.emphasised("हिन्दी") == "**हिन्दी**"


def test_direction_marks_and_control_characters_are_written_out():
    assert names.visible("photo\u202egpj.exe\x00") == "photo\\u202egpj.exe\\x00"
    assert names.visible("line\nbreak") == "line\\nbreak"


def test_scripts_that_join_letters_stay_whole():
    assert names.visible("می\u200cخواهم 👩\u200d🌾 猫") == "می\u200cخواهم 👩\u200d🌾 猫"


def test_sentence_escapes_every_mark_and_fences_emoji_codes():
    assert names.sentence("Class '**x**' is :smile: <b>") == r"Class \'\*\*x\*\*\' is `:smile:` \<b\>"


def test_sentence_fences_what_would_become_an_arrow_or_a_dash():
    assert names.sentence("run app.py -- --root a->b <= 3") == r"run app\.py `--` \-\-root a\-\>b `<=` 3"


def test_html_and_figures_get_entities():
    assert names.in_html('<img src="x">') == "&lt;img src=&quot;x&quot;&gt;"
    assert names.in_figure("<b>R&D</b>") == "&lt;b&gt;R&amp;D&lt;/b&gt;"


def test_figure_label_is_cut_before_it_is_escaped():
    assert names.in_figure("<" * 50, longest=3) == "&lt;&lt;…"


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@x", "\tx", "\rx"])
def test_csv_cell_never_starts_a_formula(name):
    assert names.in_cell(name).startswith("'")


def test_csv_keeps_numbers_and_plain_text():
    written = names.csv([{"file": "=a", "size": -3}, {"file": "b,c", "size": 4}], ["file", "size"]).decode("utf-8-sig")
    assert written.splitlines() == ["file,size", "'=a,-3", '"b,c",4']
