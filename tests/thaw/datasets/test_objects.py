"""Copies of one thing before different backgrounds come to one side of a split, and nothing else is joined."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from benchmarks.photos import lay_on_plain
from tests.support.pictures.cut_outs import cut_outs, real_tiles, skies, twigs
from thaw.datasets.objects import look_twice
from thaw.datasets.scenes import find_similar, find_similar_objects, mark_similar
from tlcore.errors import Stopped
from tlcore.features.frozen import pooled_features
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import load_backbone
from tlcore.photos import Photo
from tlcore.splits.near_duplicates import group

ORIGINALS, COPIES, SIZE_PX = 20, 3, (320, 240)
TWIGS = 14
COLOURS = [(240, 238, 232), (40, 42, 48), (60, 90, 160), (150, 60, 60), (90, 130, 80), (225, 205, 120)]


def saved(folder, name, picture):
    file = folder / f"{name}.png"
    picture.save(file, compress_level=1)
    return Photo(name, name.partition("-")[0], file.name, f"content-{name}", *picture.size, file=str(file))


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Return copies of each thing, every one elsewhere and before another colour, and photographs without a thing."""
    folder, chance, made = tmp_path_factory.mktemp("photos"), np.random.default_rng(4), []
    for number, thing in enumerate(cut_outs(ORIGINALS)):
        for copy, colour in enumerate(chance.permutation(len(COLOURS))[:COPIES]):
            made.append(saved(folder, f"{number}-{copy}", lay_on_plain(thing, COLOURS[colour], chance, SIZE_PX)))
    return [*made, *(saved(folder, f"tile{number}", tile) for number, tile in enumerate(real_tiles()))]


@pytest.fixture(scope="module")
def loaded():
    row = find_backbone("efficientnet-lite0")
    return load_backbone(row, row.input_size)


@pytest.fixture(scope="module")
def caches(tmp_path_factory):
    return tmp_path_factory.mktemp("caches")


@pytest.fixture(scope="module")
def looked(loaded, photos, caches):
    return pooled_features(loaded, photos, caches)[0], *look_twice(loaded, photos, caches)


def groups_of(photos):
    """Return the labels of the photos in each group: those of one thing share a label."""
    groups = {}
    for photo in photos:
        groups.setdefault(photo.similar, []).append(photo.label)
    return list(groups.values())


def test_copies_before_different_backgrounds_are_one_group_and_nothing_else_is(photos, looked):
    features, look, _ = looked
    before = groups_of(mark_similar(photos, features))
    after = groups_of(mark_similar(photos, features, look))
    assert [labels for labels in [*before, *after] if len(set(labels)) > 1] == []
    whole = [sum(len(labels) == COPIES for labels in groups) for groups in (before, after)]
    assert whole[0] < ORIGINALS / 2, "the set does not test what it should"
    assert whole[1] >= ORIGINALS - 1


def test_the_second_look_is_for_photos_with_an_object_alone(photos, looked):
    _, look, computed = looked
    assert set(look.places.tolist()) <= set(range(ORIGINALS * COPIES))
    assert len(look.places) >= 0.95 * ORIGINALS * COPIES
    assert (computed, len(look.features), look.features.dtype) == (len(look.places), len(look.places), np.float32)
    assert (len(look.small), len(look.empty), len(look.tones)) == (len(look.places), 0, 0)


def test_what_was_seen_is_not_computed_again_and_the_whole_pictures_keep_theirs(loaded, photos, caches, looked):
    look, computed = look_twice(loaded, photos, caches)
    assert computed == 0
    assert np.array_equal(look.features, looked[1].features)
    again, computed = pooled_features(loaded, photos, caches)
    assert computed == 0
    assert np.array_equal(again, looked[0])
    assert not np.allclose(look.features, again[look.places], atol=0.1)


def test_photos_without_objects_ask_nothing_of_the_backbone(loaded, photos, caches):
    look, computed = look_twice(loaded, photos[-3:], caches)
    assert (len(look.places), look.features.shape, computed) == (0, (0, 1280), 0)
    assert mark_similar(photos[-3:], np.eye(3, 1280, dtype=np.float32), look) == [
        replace(photo, similar=photo.id) for photo in photos[-3:]
    ]


def test_it_stops_when_asked(loaded, photos, tmp_path):
    def stop():
        raise Stopped

    with pytest.raises(Stopped):
        look_twice(loaded, photos, tmp_path, check_stop=stop)


def test_a_picture_of_one_tone_is_no_object(loaded, tmp_path):
    plain = saved(tmp_path, "plain", Image.new("RGB", SIZE_PX, COLOURS[0]))
    look, _ = look_twice(loaded, [plain], tmp_path)
    assert (len(look.places), look.empty.tolist()) == (0, [0])


def test_what_shows_through_a_thing_keeps_its_copies_together_no_less(loaded, tmp_path):
    chance, made = np.random.default_rng(4), []
    for number, twig in enumerate(twigs(TWIGS)):
        for copy, colour in enumerate(chance.permutation(len(COLOURS))[:COPIES]):
            made.append(saved(tmp_path, f"{number}-{copy}", lay_on_plain(twig, COLOURS[colour], chance, SIZE_PX)))
    features, _ = pooled_features(loaded, made, tmp_path)
    look, _ = look_twice(loaded, made, tmp_path)

    def joined(pairs):
        groups = np.array(group(len(made), pairs)).reshape(TWIGS, COPIES)
        assert (groups // COPIES == np.arange(TWIGS)[:, None]).all(), "different twigs are in one group"
        return int((groups == groups[:, :1]).all(axis=1).sum())

    by_features = joined(find_similar_objects(features, look, min_cosine=0.84, min_pixels=2))
    assert by_features < TWIGS - 2, "the set does not test what it should"
    assert joined(find_similar_objects(features, look)) >= TWIGS - 1


def test_empty_skies_are_not_one_scene_but_copies_of_one_are(loaded, photos, caches, tmp_path):
    made = []
    for number, sky in enumerate(skies(10, SIZE_PX)):
        sky.save(tmp_path / "again.jpg", quality=80)
        with Image.open(tmp_path / "again.jpg") as again:
            made += [saved(tmp_path, f"sky{number}-0", sky), saved(tmp_path, f"sky{number}-1", again.convert("RGB"))]
    # Among photos of other things: where all are alike, only the oddest pairs are joined anyhow.
    made += photos
    features, _ = pooled_features(loaded, made, caches)
    look, _ = look_twice(loaded, made, caches)
    assert look.empty.tolist() == list(range(20))
    assert max(np.bincount(group(len(made), find_similar(features))[:20])) > 4, "the set does not test what it should"
    together = groups_of(mark_similar(made, features, look)[:20])
    assert [labels for labels in together if len(set(labels)) > 1] == []
    assert sum(len(labels) == 2 for labels in together) >= 8
