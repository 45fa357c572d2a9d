"""A folder of photos read without a workspace: what is a photo, what is set aside, what counts as a near-duplicate."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import tlcore
from tests.support.pictures.corpus import photo
from tlcore.errors import DatasetError
from tlcore.images.pixels import load_pixels, read_picture
from tlcore.photo_folder import NO_CLASS, read_folder


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "photos"
    for number, name in enumerate(("berry/a.png", "berry/deep/b.png", "leaf/2.png", "leaf/10.png")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        photo(number, 90, 60).save(folder / name)
    return folder


def test_every_class_folder_is_read_in_order_and_copies_are_what_a_model_sees(folder, tmp_path):
    heard = []
    photos = read_folder(folder, tmp_path / "copies", lambda done, total: heard.append((done, total)))
    assert [each.name for each in photos] == ["berry/a.png", "berry/deep/b.png", "leaf/2.png", "leaf/10.png"]
    assert photos.classes == {"berry": 2, "leaf": 2}
    assert (len(photos), photos[0].label, photos[-1].width, photos[1:][0].height) == (4, "berry", 90, 60)
    assert not photos.set_aside
    assert heard[-1] == (4, 4)
    np.testing.assert_array_equal(load_pixels(photos[0].file, 32), load_pixels(folder / "berry/a.png", 32))


def test_what_cannot_be_read_is_set_aside_with_its_reason_and_hidden_files_do_not_count(folder, tmp_path):
    (folder / "leaf/torn.jpg").write_bytes(b"no picture")
    (folder / "leaf/.DS_Store").write_bytes(b"")
    photo(9, 90, 60).save(folder / "loose.png")
    (folder / "notes.txt").write_text("remember the milk")
    photos = read_folder(folder, tmp_path / "copies")
    reasons = {each.name: each.reason for each in photos.set_aside}
    assert set(reasons) == {"leaf/torn.jpg", "loose.png", "notes.txt"}
    assert reasons["loose.png"] == NO_CLASS
    assert "no picture in a format that is read" in reasons["notes.txt"]
    assert len(photos) == 4


def test_copies_and_near_duplicates_get_one_lookalike(folder, tmp_path):
    photo(0, 90, 60).save(folder / "berry/again.jpg", quality=90)
    marked = {each.name: each.lookalike for each in read_folder(folder, tmp_path / "copies")}
    assert marked["berry/a.png"] == marked["berry/again.jpg"] != ""
    assert marked["leaf/2.png"] == ""


def test_deep_greys_are_brought_to_8_bits_by_one_range(folder, tmp_path):
    for number, largest in ((1, 900), (2, 4000)):
        grey = np.linspace(0, largest, 64 * 64).reshape(64, 64).astype(np.uint16)
        Image.fromarray(grey).save(folder / f"leaf/deep{number}.png")
    photos = read_folder(folder, tmp_path / "copies")
    assert photos.grey_range == 4095
    brightest = {each.name: int(load_pixels(each.file, 64).max()) for each in photos}
    assert brightest["leaf/deep1.png"] == pytest.approx(900 / 4095 * 255, abs=4)
    assert brightest["leaf/deep2.png"] == pytest.approx(4000 / 4095 * 255, abs=4)


def test_the_reader_that_is_given_reads_and_goes_on_with_the_split(folder, tmp_path):
    def read(path, copy, grey_range):
        return replace(read_picture(path, copy, grey_range), taken_at=7.0)

    photos = read_folder(folder, tmp_path / "copies", read=read)
    assert [photo.taken_at for photo in photos] == [7.0] * 4
    parts = tlcore.split(photos, validation=0.5)
    assert (parts.read, parts.grey_range) == (read, 65535)


def test_a_folder_without_photos_is_refused_in_words(tmp_path):
    with pytest.raises(DatasetError, match="which is no folder"):
        read_folder(tmp_path / "none", tmp_path / "copies")
    (tmp_path / "leaf").mkdir()
    (tmp_path / "leaf" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"Received: none\. 1 files were set aside"):
        read_folder(tmp_path, tmp_path / "copies")
