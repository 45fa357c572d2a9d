import pytest

from thaw.storage.questions import take_default
from thaw.tables.columns import NoColumns, choose_columns, is_known, plain, read_label, read_one_hot, several, split_of

HERE = {"a.jpg", "b.jpg", "c.jpg", "d.jpg"}


def chosen(text, exists=HERE.__contains__, ask=take_default, named=False):
    return choose_columns("t.csv", [line.split(",") for line in text.split()], exists, ask, named)


@pytest.mark.parametrize(
    ("text", "headed", "file", "label", "split"),
    [
        ("path,label a.jpg,x", True, 0, 1, None),
        ("class,ID a,a.jpg", True, 1, 0, None),
        ("path,filename,label x,a.jpg,cat", True, 1, 2, None),
        ("path,filename,label q.jpg,r.jpg,cat", True, 0, 2, None),
        ("image_id,Class_Name,class_id,subset a.jpg,cat,1,val b.jpg,dog,2,train", True, 0, 1, 3),
        ("id,label,fold a.jpg,cat,1 b.jpg,dog,2", True, 0, 1, None),
        ("a.jpg,cat b.jpg,dog", False, 0, 1, None),
        ("cat,a.jpg dog,b.jpg", False, 1, 0, None),
        ("a.jpg,0 b.jpg,1", False, 0, 1, None),
        ("TRAIN,s3://x/a.jpg,cat TEST,s3://x/b.jpg,dog", False, 1, 2, 0),
        ("foto,sorte a.jpg,cat", True, 0, 1, None),
        ("foto,when,sorte a.jpg,2020,cat b.jpg,2021,cat c.jpg,2022,dog d.jpg,2023,dog", True, 0, 2, None),
    ],
)
def test_columns_are_told_by_their_names_and_by_the_files(text, headed, file, label, split):
    columns = chosen(text)
    assert (columns.headed, columns.file, columns.label, columns.split) == (headed, file, label, split)


def test_one_hot_columns_are_those_of_zeros_and_ones():
    columns = chosen("image,age,cat,dog a.jpg,7,1,0 b.jpg,8,0,1 c.jpg,9,0,0")
    assert (columns.label, columns.one_hot) == (None, (2, 3))
    assert chosen("image,cat,dog,label a.jpg,1,0,cat").one_hot == ()


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("path a.jpg", False),
        ("name,score a.jpg,0.5", True),
        ("foto,width,height a.jpg,1,2", True),
        ("foto,note a.jpg,1 b.jpg,2", True),
        ("path,label", False),
        ("x,y u,v", False),
    ],
)
def test_a_table_without_such_columns_is_none(text, files):
    with pytest.raises(NoColumns) as problem:
        chosen(text)
    assert problem.value.files is files


def test_where_folders_give_classes_a_column_needs_a_usual_name():
    text = "foto,sorte a.jpg,cat b.jpg,cat c.jpg,dog d.jpg,dog"
    assert chosen(text).label == 1
    with pytest.raises(NoColumns):
        chosen(text, named=True)
    assert chosen(text.replace("sorte", "label"), named=True).label == 1


def test_names_are_known_however_they_are_written():
    assert all(map(is_known, ("Image ID", "image_id", "ImageID", "LABEL", "file-name", "Split")))
    assert not any(map(is_known, ("width", "", "42")))
    assert plain("Ｆile_Name ") == "filename"
    assert [split_of(word) for word in ("Training", "VAL", "dev", "test_set", "3", "")] == [
        *("train", "validation", "validation", "test"),
        *("", ""),
    ]


@pytest.mark.parametrize(
    ("cell", "label", "says"),
    [
        ("cat", "cat", ""),
        ('["cat"]', "cat", ""),
        ("['cat']", "cat", ""),
        ('{"choices": ["cat"]}', "cat", ""),
        ("[3]", "3", ""),
        ('["cat", "dog"]', "", "'cat', 'dog'"),
        ("[]", "", "empty"),
        ('[{"x": 1}]', "", "another kind"),
        ("[cat", "[cat", ""),
        ("[" * 5000, "[" * 5000, ""),
    ],
)
def test_a_cell_may_hold_its_label_as_json(cell, label, says):
    read, reason = read_label(cell)
    assert read == label
    assert says in reason
    assert bool(reason) == bool(says)


def test_a_one_hot_row_has_one_class_or_a_reason():
    assert read_one_hot(["0", "1.0"], ["cat", "dog"]) == ("dog", "")
    assert read_one_hot(["", "x"], ["cat", "dog"]) == ("dog", "")
    assert "none of its class columns" in read_one_hot(["0", "0"], ["cat", "dog"])[1]
    assert "'cat', 'dog'" in read_one_hot(["1", "1"], ["cat", "dog"])[1]
    assert "'2'" in read_one_hot(["2", "1"], ["cat", "dog"])[1]
    assert "Leave one label" in several(["a", "b"])
