import pytest

from thaw.sources import tables
from thaw.sources.tables import NotATable, Row, read_table, settle
from thaw.storage.questions import take_default
from tlcore.errors import DatasetError


def read(path, exists=lambda text: False, ask=take_default):
    return read_table(path, exists, ask)


def table_of(tmp_path, content):
    path = tmp_path / "labels.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.jpg,rose\nb.jpg,tulip\n",
        "Label;split; PATH \nrose;train;a.jpg\ntulip;val;b.jpg",
        "path\tlabel\r\na.jpg\trose\r\n\r\nb.jpg\ttulip\r\n",
        "\ufeffpath,label\na.jpg , rose\nb.jpg,tulip\n",
        'path,label\n"a.jpg","rose"\n"b.jpg",tulip\n',
        "sep=;\r\npath;label\r\na.jpg;rose\r\nb.jpg;tulip\r\n",
        '"sep=\t"\npath\tlabel\na.jpg\trose\nb.jpg\ttulip\n',
        "path|label\na.jpg|rose\nb.jpg|tulip",
        "path,label\ra.jpg,rose\rb.jpg,tulip\r",
        "a.jpg,rose\nb.jpg,tulip\n",
        "a.jpg rose\nb.jpg\ttulip\n",
        "path,label\na.jpg,rose\nb.jpg,tulip\n".encode("utf-16"),
        "\ufeffpath,label\na.jpg,rose\nb.jpg,tulip\n".encode("utf-16-be"),
        "path,label\na.jpg,rose\nb.jpg,tulip\n".encode("utf-16-le"),
        "\ufeffpath,label\na.jpg,rose\nb.jpg,tulip\n".encode("utf-32"),
        "Image Path,Class Name,note\na.jpg,rose,\nb.jpg,tulip,x\n",
        "a.jpg,TRAIN,rose\nb.jpg,TEST,tulip\n",
    ],
)
def test_rows_are_read_in_every_dialect(tmp_path, text):
    rows = read(table_of(tmp_path, text)).rows
    assert [(row.path, row.label, row.reason) for row in rows] == [("a.jpg", "rose", ""), ("b.jpg", "tulip", "")]


def test_quoted_separators_quotes_and_lines_belong_to_the_cell(tmp_path):
    (row, last) = read(table_of(tmp_path, 'path,label\n"a, ""b""\nc.jpg","rose; red"\nd.jpg,x\n')).rows
    assert (row.path, row.label) == ('a, "b"\nc.jpg', "rose; red")
    assert last.line == 4


def test_labels_in_two_spellings_are_one(tmp_path):
    rows = read(table_of(tmp_path, "path,label\na.jpg,caf\u00e9\nb.jpg,cafe\u0301\n")).rows
    assert {row.label for row in rows} == {"caf\u00e9"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (",rose", "names no file"),
        ("a.jpg,", "label is empty"),
        ("a.jpg", "label is empty"),
        ("a.jpg,  ", "label is empty"),
        ("a.jpg," + "x" * 300, "no name for a class"),
        ("a.jpg,ro\0se", "no name for a class"),
    ],
)
def test_a_row_without_a_file_or_a_label_says_so_and_the_rest_stands(tmp_path, row, says):
    bad, good = read(table_of(tmp_path, f"path,label\n{row}\nb.jpg,tulip\n")).rows
    assert says in bad.reason
    assert (good.label, good.reason, good.line) == ("tulip", "", 3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no first line"),
        ("\n\n", "no first line"),
        ("path,score\na.jpg,1.5\n", "no column that is clearly the class among 'path', 'score'"),
        ("name;colour\nrose;red\n", "no column of file names among 'name', 'colour'"),
        ("label,grade\nrose,1\n", "no column of file names"),
        ("just words\nin a file\n", "no column of file names"),
        ("a.jpg\nb.jpg\n", "one column only: 'a.jpg'"),
        ("path,label", "no column of file names"),
        ('path,label\n"a.jpg,rose\nb.jpg,tulip\n', "damaged line"),
        ('path,label\n"a.jpg"x,rose\n', "damaged line 2"),
        ("path,label\n" + "x" * 200_000 + ",rose\n", "field larger than"),
        (bytes(range(256)) * 1000, "no text"),
        ("path,label\na.jpg,rose\n".encode("utf-16")[:-1], "damaged text"),
    ],
)
def test_what_is_no_such_table_is_refused_with_a_remedy(tmp_path, content, says):
    with pytest.raises(DatasetError, match=r"Expected a table with a column of file names.*Received") as refusal:
        read(table_of(tmp_path, content))
    assert says in str(refusal.value)
    assert "'labels.csv'" in str(refusal.value)
    assert refusal.value.args[0].endswith(".")


@pytest.mark.parametrize(
    "content",
    [
        '{"file_name": "a.jpg", "label": "rose"}\n{"file_name"',
        '{"images": [], "categories": []}',
        "[1, 2]",
        "[" * 9999,
        "",
    ],
)
def test_json_that_is_no_list_of_rows_is_refused_with_a_remedy(tmp_path, content):
    path = tmp_path / "metadata.jsonl"
    path.write_text(content)
    with pytest.raises(DatasetError, match=r"Expected a table.*Received: 'metadata.jsonl' with .*(JSON|no column)"):
        read(path)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="Check the path"):
        read(tmp_path / "none.csv")


def test_sizes_are_capped(tmp_path, monkeypatch):
    path = table_of(tmp_path, "path,label\n" + "a.jpg,rose\n" * 10)
    monkeypatch.setattr(tables, "MAX_ROWS", 9)
    with pytest.raises(DatasetError, match="over 9 rows"):
        read(path)
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 50)
    with pytest.raises(DatasetError, match="import it in parts"):
        read(path)


def test_contradictions_are_set_aside_and_repetitions_counted_once():
    rows = [
        Row(2, "a", "rose"),
        Row(3, "b", "rose"),
        Row(4, "./a", "tulip"),
        Row(5, "b", "rose"),
        Row(6, "", "", "bad"),
    ]
    settled = settle(rows, {2: "a", 3: "b", 4: "a", 5: "b"})
    assert [row.line for row in settled] == [2, 3, 4, 5, 6]
    assert [row.reason == "" for row in settled] == [False, True, False, False, False]
    assert all("different labels: 'rose', 'tulip'" in settled[at].reason for at in (0, 2))
    assert "twice" in settled[3].reason
    assert settled[4].reason == "bad"


@pytest.mark.parametrize(
    ("codec", "labels"),
    [
        ("cp1252", ["Käse", "Möhre", "Süßes"]),
        ("cp1250", ["Żółw", "Gołąb", "Świnia"]),
        ("cp1251", ["кошка", "собака", "птица"]),
        ("gbk", ["苹果", "香蕉", "葡萄"]),
        ("cp932", ["りんご", "バナナ", "ひまわり"]),
    ],
)
def test_text_that_is_not_utf8_is_guessed_and_said(tmp_path, codec, labels):
    text = "path,label\n" + "".join(f"{n}.jpg,{label}\n" for n, label in enumerate(labels))
    table = read(table_of(tmp_path, text.encode(codec)))
    assert [row.label for row in table.rows] == labels
    (note,) = table.notes
    assert "'labels.csv' is not UTF-8" in note
    assert "CSV UTF-8" in note


def test_text_that_is_utf8_needs_no_note(tmp_path):
    assert read(table_of(tmp_path, "path,label\na.jpg,Käse\n")).notes == []


class Asked:
    def __init__(self, answer=None):
        self.answer, self.questions = answer, []

    def __call__(self, question):
        self.questions.append(question)
        return self.answer or question.default


@pytest.mark.parametrize(
    ("cells", "aside"),
    [
        (["cat|indoor", "dog"], ["cat|indoor"]),
        (['"[""cat"", ""indoor""]"', '"[""cat""]"'], ["cat, indoor"]),
        (['"{""choices"": [""cat"", ""dog""]}"', "dog"], ["cat, dog"]),
        (["\"['cat', 'dog']\"", "dog"], ["cat, dog"]),
        (["[]", "dog"], [""]),
        (['"cat, indoor"', '"dog, indoor"', "cat"], ["cat, indoor", "dog, indoor"]),
        (['"cat;dog"', "cat", "dog"], ["cat;dog"]),
        (['"Apples, sweet"', "Pears"], []),
    ],
)
def test_several_labels_in_a_cell_make_no_class(tmp_path, cells, aside):
    asked = Asked()
    text = "path,label\n" + "".join(f"{n}.jpg,{cell}\n" for n, cell in enumerate(cells))
    rows = read(table_of(tmp_path, text), ask=asked).rows
    assert sum(bool(row.reason) for row in rows) == len(aside)
    assert all("several labels" in row.reason or "is empty" in row.reason for row in rows if row.reason)
    assert not any(row.label in aside for row in rows if not row.reason)
    assert bool(asked.questions) == (aside not in ([], [""]) and cells[0].startswith('"c'))


def test_a_comma_may_be_part_of_a_name(tmp_path):
    asked = Asked("one")
    path = table_of(tmp_path, 'path,label\na.jpg,"apple, red"\nb.jpg,"pear, red"\n')
    assert [row.label for row in read(path, ask=asked).rows] == ["apple, red", "pear, red"]
    (question,) = asked.questions
    assert (question.key, question.default) == ("several-labels", "several")
    assert "'apple, red'" in question.text


def test_words_in_a_column_of_labels_are_several_where_each_is_one(tmp_path):
    text = "image,labels\na.jpg,scab rust\nb.jpg,scab\nc.jpg,rust\nd.jpg,healthy\n"
    assert [bool(row.reason) for row in read(table_of(tmp_path, text)).rows] == [True, False, False, False]
    text = "image,label\na.jpg,polar bear\nb.jpg,bear\nc.jpg,polar\n"
    assert not any(row.reason for row in read(table_of(tmp_path, text)).rows), "one label is one, by its column's name"


def test_one_hot_rows_without_exactly_one_class_are_set_aside(tmp_path):
    text = (
        "image,cat,dog,fox\na.jpg,1,0,0\nb.jpg,0,0,1\nc.jpg,0,0,0\nd.jpg,1,1,0\ne.jpg,0,1,0\n" + "f.jpg,0,1,0\n" * 250
    )
    rows = read(table_of(tmp_path, text + "g.jpg,0.5,1,0\n")).rows
    assert [row.label for row in rows[:2]] == ["cat", "fox"]
    assert "none of its class columns" in rows[2].reason
    assert "'cat', 'dog'" in rows[3].reason
    assert "'0.5' where a 0 or a 1" in rows[-1].reason


def test_two_columns_that_could_be_the_class_are_asked_about(tmp_path):
    text = "path,category,breed\na.jpg,cat,siamese\nb.jpg,cat,persian\nc.jpg,dog,beagle\n"
    asked = Asked()
    assert [row.label for row in read(table_of(tmp_path, text), ask=asked).rows] == ["cat", "cat", "dog"]
    (question,) = asked.questions
    assert (question.key, question.answers, question.default) == ("label-column", ["category", "breed"], "category")
    assert question.options[1].preview == "'beagle', 'persian', 'siamese'"
    assert next(row.label for row in read(table_of(tmp_path, text), ask=Asked("breed")).rows) == "siamese"


def test_a_column_of_words_that_repeat_is_taken_for_the_class_and_said(tmp_path):
    text = "file,taken on,sex,what\n" + "".join(
        f"{n}.jpg,2020-{n},{n / 7},{'cat' if n % 2 else 'dog'}\n" for n in range(9)
    )
    table = read(table_of(tmp_path, text))
    assert {row.label for row in table.rows} == {"cat", "dog"}
    assert table.notes == ["The column 'what' of 'labels.csv' was taken for the class."]


def test_which_column_names_files_is_told_by_the_files(tmp_path):
    text = "id,original,label\n7,a.jpg,rose\n8,b.jpg,tulip\n"
    rows = read(table_of(tmp_path, text), {"a.jpg", "b.jpg"}.__contains__).rows
    assert [row.path for row in rows] == ["a.jpg", "b.jpg"]


def test_a_file_that_is_there_makes_no_header(tmp_path):
    rows = read(table_of(tmp_path, "file,class\nx,rose\n"), {"file", "x"}.__contains__).rows
    assert [(row.path, row.label) for row in rows] == [("file", "class"), ("x", "rose")]


def test_a_lists_paths_may_hold_blanks(tmp_path):
    rows = read(table_of(tmp_path, "my photos/a b.jpg 0\nmy photos/c.jpg 1\n")).rows
    assert [(row.path, row.label) for row in rows] == [("my photos/a b.jpg", "0"), ("my photos/c.jpg", "1")]


def test_what_looks_like_no_table_says_whether_it_names_files(tmp_path):
    for text, files in (("path,width\na.jpg,640\n", True), ("no,table\nat,all\n", False)):
        with pytest.raises(NotATable) as problem:
            read(table_of(tmp_path, text), {"a.jpg"}.__contains__)
        assert problem.value.files is files
