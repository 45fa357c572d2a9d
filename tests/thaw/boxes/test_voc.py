"""Pascal VOC files."""

import pytest

from tests.support.boxes.annotations import ORCHARD, voc
from thaw.boxes import voc as reader
from thaw.boxes.sheets import Drawing
from thaw.boxes.voc import UnreadableXml, read_voc
from thaw.storage.boxes import Reason

LAUGHS = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><annotation><filename>&c;</filename></annotation>'


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "a.xml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_voc(path, "a.xml")

    return read_text


def test_a_file_tells_of_its_photo(read):
    sheet = read(voc("a.jpg", ORCHARD["a.jpg"]))
    assert (sheet.photo, sheet.size, sheet.drawings[1]) == ("a.jpg", (96, 72), Drawing("pear", 40, 20, 70, 60))
    assert read(voc("a.jpg", [], width=0)).size is None


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        LAUGHS.encode("utf-16"),
        '<!DOCTYPE annotation SYSTEM "file:///etc/passwd"><annotation/>',
        "<annotation>",
        "",
        b'<?xml version="1.0" encoding="nonsense"?><annotation/>',
        b"\xff\xfe\x00\x01",
    ],
)
def test_what_is_damaged_or_declares_a_type_is_not_read(read, text):
    with pytest.raises(UnreadableXml):
        read(text)


def test_a_file_that_is_too_large_is_not_read(read, monkeypatch):
    monkeypatch.setattr(reader, "MAX_BYTES", 50)
    with pytest.raises(UnreadableXml, match="more than"):
        read(voc("a.jpg", []))


@pytest.mark.parametrize("text", ["<feed/>", "<annotation/>", "<annotations><object/></annotations>"])
def test_other_xml_is_none(read, text):
    assert read(text) is None


def test_objects_without_a_box_or_name_cost_themselves_alone(read):
    text = voc("a.jpg", [("", 1, 2, 3, 4), ("pear", float("nan"), 2, 3, 4), ("pear", 1, 2, 3, 4)])
    sheet = read(text.replace("</annotation>", "<object><name>pear</name></object></annotation>"))
    assert [each.reason for each in sheet.rejected] == [Reason.UNKNOWN_CLASS, Reason.NOT_NUMBERS, Reason.NOT_NUMBERS]
    assert len(sheet.drawings) == 1


def test_many_folds_of_elements_end_soon(read):
    assert read("<annotation><filename>a.jpg</filename>" + "<a>" * 50_000 + "</a>" * 50_000 + "</annotation>").photo
