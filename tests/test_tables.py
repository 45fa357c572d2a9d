import pytest

from tlcore import tables
from tlcore.errors import DatasetError
from tlcore.tables import Row, is_table, read_table, settle


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
    ],
)
def test_rows_are_read_in_every_dialect(tmp_path, text):
    rows = read_table(table_of(tmp_path, text))
    assert [(row.path, row.label, row.reason) for row in rows] == [("a.jpg", "rose", ""), ("b.jpg", "tulip", "")]


def test_quoted_separators_quotes_and_lines_belong_to_the_cell(tmp_path):
    (row, last) = read_table(table_of(tmp_path, 'path,label\n"a, ""b""\nc.jpg","rose; red"\nd.jpg,x\n'))
    assert (row.path, row.label) == ('a, "b"\nc.jpg', "rose; red")
    assert last.line == 4


def test_labels_in_two_spellings_are_one(tmp_path):
    rows = read_table(table_of(tmp_path, "path,label\na.jpg,caf\u00e9\nb.jpg,cafe\u0301\n"))
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
    bad, good = read_table(table_of(tmp_path, f"path,label\n{row}\nb.jpg,tulip\n"))
    assert says in bad.reason
    assert (good.label, good.reason, good.line) == ("tulip", "", 3)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "first line"),
        ("file,label\na.jpg,rose\n", "first line without both: 'file,label'"),
        ("a.jpg,rose\nb.jpg,tulip\n", "first line"),
        ("path,label,label\na.jpg,rose,tulip\n", "first line"),
        ("path,label\fnote\na.jpg,rose\n", "first line"),
        ('path,"label\n"\na.jpg,rose\n', "first line"),
        ("path,label\nr\u00f6se.jpg,rose\n".encode("latin-1"), "not UTF-8"),
        ("path,label\n".encode("utf-16"), "not UTF-8"),
        ('path,label\n"a.jpg,rose\nb.jpg,tulip\n', "damaged line"),
        ('path,label\n"a.jpg"x,rose\n', "damaged line 2"),
        ("path,label\n" + "x" * 200_000 + ",rose\n", "field larger than"),
    ],
)
def test_what_is_no_such_table_is_refused_with_a_remedy(tmp_path, content, says):
    with pytest.raises(DatasetError, match=r"Expected a CSV with the columns path and label\. Received") as refusal:
        read_table(table_of(tmp_path, content))
    assert says in str(refusal.value)


def test_a_missing_table_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="Check the path"):
        read_table(tmp_path / "none.csv")
    assert not is_table(tmp_path / "none.csv")


def test_sizes_are_capped(tmp_path, monkeypatch):
    path = table_of(tmp_path, "path,label\n" + "a.jpg,rose\n" * 10)
    monkeypatch.setattr(tables, "MAX_ROWS", 9)
    with pytest.raises(DatasetError, match="over 9 rows"):
        read_table(path)
    monkeypatch.setattr(tables, "MAX_TABLE_BYTES", 50)
    with pytest.raises(DatasetError, match="import it in parts"):
        read_table(path)


@pytest.mark.parametrize(
    ("text", "fits"),
    [("LABEL;path\n", True), ("path,label", True), ("name,score\na,1\n", False), ("", False), ("\n\n", False)],
)
def test_a_table_is_known_by_its_header(tmp_path, text, fits):
    assert is_table(table_of(tmp_path, text)) is fits


def test_a_picture_is_no_table(tmp_path):
    assert not is_table(table_of(tmp_path, bytes(range(256)) * 1000))


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
