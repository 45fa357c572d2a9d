import pytest

from thaw.tables.columns import is_known
from thaw.tables.delimited import Dialect, Unreadable, find_dialect, read_lines

LINES = [["path", "label"], ["a.jpg", "Käse"]]
TEXT = "path;label\na.jpg;Käse\n"


def read(path):
    return [cells for _, cells in read_lines(path, find_dialect(path, is_known))]


def table_of(tmp_path, content, name="t.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("codec", "encoding", "guess"),
    [
        ("utf-8", "utf-8", ""),
        ("utf-8-sig", "utf-8-sig", ""),
        ("utf-16", "utf-16", ""),
        ("utf-16-le", "utf-16-le", ""),
        ("utf-16-be", "utf-16-be", ""),
        ("utf-32", "utf-32", ""),
        ("cp1252", "cp1252", "German"),
    ],
)
def test_the_encoding_is_told(tmp_path, codec, encoding, guess):
    path = table_of(tmp_path, TEXT.encode(codec))
    assert find_dialect(path, is_known) == Dialect(encoding, ";", 0, guess)
    assert read(path) == LINES


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_separator_and_the_line_ends_are_told(tmp_path, separator, end):
    assert read(table_of(tmp_path, end.join(TEXT.replace(";", separator).split("\n")))) == LINES


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=; "])
def test_excels_first_line_names_the_separator_and_is_no_line(tmp_path, first):
    path = table_of(tmp_path, f"{first}\r\npath;a,b\r\nx,y;z\r\n")
    assert list(read_lines(path, find_dialect(path, is_known))) == [(2, ["path", "a,b"]), (3, ["x,y", "z"])]


def test_without_known_names_most_lines_agree_on_the_separator(tmp_path):
    assert read(table_of(tmp_path, "a.jpg;1,5\nb.jpg;2\nc.jpg;3\n")) == [
        ["a.jpg", "1,5"],
        ["b.jpg", "2"],
        ["c.jpg", "3"],
    ]


def test_a_list_is_parted_at_its_last_blank(tmp_path):
    assert read(table_of(tmp_path, "my a.jpg  0\n\nb.jpg 1\n", "train.txt")) == [["my a.jpg", "0"], ["b.jpg", "1"]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("t.jsonl", '{"path": "a.jpg", "label": "Käse"}\n\n{"label": "x", "path": "b.jpg", "n": 3}\n'),
        ("t.json", '[{"path": "a.jpg", "label": "Käse"},\n {"label": "x", "path": "b.jpg", "n": 3}]'),
    ],
)
def test_json_is_read_as_lines_of_cells(tmp_path, name, text):
    assert read(table_of(tmp_path, text, name)) == [["path", "label", "n"], ["a.jpg", "Käse", ""], ["b.jpg", "x", "3"]]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("t.csv", b"", "no first line"),
        ("t.csv", b"one\ntwo\n", "one column only: 'one'"),
        ("t.csv", b"\x89PNG\0\0\xff\xfe" * 100, "no text"),
        ("t.csv", b'path,label\n"a.jpg,x', "damaged line"),
        ("t.csv", b"path,label\n" + b"x" * 200_000 + b",y\n", "damaged line"),
        ("t.json", b"{}", "no column|no list of objects|one column"),
        ("t.json", b"[1]", "no list of objects"),
        ("t.jsonl", b'{"a": 1}\n{', "damaged line 2"),
    ],
)
def test_what_cannot_be_read_says_what_it_is(tmp_path, name, content, says):
    path = table_of(tmp_path, content, name)
    if content == b"{}":
        assert read(path) == [[], []]
        return
    with pytest.raises(Unreadable, match=says):
        read(path)


def test_large_json_is_not_read(tmp_path):
    path = table_of(tmp_path, b" " * 20_000_001, "t.json")
    with pytest.raises(Unreadable, match="JSON"):
        read(path)
