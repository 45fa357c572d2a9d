"""The training images nearest to another: closed-form cosines, no image of its own group, and a real run's cache."""

import json
import math
import shutil

import numpy as np
import pytest

from tests.support.garden import ANGLES, DATASET, add_run, image, plain, turned
from tests.support.garden import garden as garden
from tests.support.runs import train_head
from thaw.datasets import edits
from thaw.datasets.run_split import read_split
from thaw.runs import neighbours
from thaw.runs.neighbours import measure_likeness
from thaw.runs.results import list_neighbours
from tlcore.features.cache import FeatureCache
from tlcore.settings import HeadSettings
from tlcore.splits.groups import GroupRules


def test_the_five_nearest_come_first_with_the_cosine_of_their_angle(garden):
    found = list_neighbours(garden, add_run(garden, plain(), image(99)), image(99))
    assert [each.image.id for each in found] == [image(number).id for number in (1, 5, 3, 2, 4)]
    cosines = [math.cos(math.radians(degrees)) for degrees in (10, 20, 30, 50, 70)]
    assert [each.likeness for each in found] == pytest.approx(cosines, abs=1e-6)


def test_likeness_is_numpys_over_any_number_of_chunks_and_order(monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS_AT_A_TIME", 64)
    chance = np.random.default_rng(3)
    tensor = chance.normal(size=(1000, 20)).astype(np.float32)
    tensor[7] = 0
    rows = [*chance.permutation(1000)[:777].tolist(), 7]
    lengths = np.linalg.norm(tensor, axis=1)
    expected = tensor[rows] @ tensor[12] / np.maximum(lengths[rows] * lengths[12], 1e-30)
    found = measure_likeness(tensor, 12, rows)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found[-1] == 0


def test_no_neighbour_is_of_the_images_own_group(garden):
    training = plain()
    training[1] = image(1, lookalike="alike")
    training[5] = image(5, similar="scene")
    training[3] = image(3, content=f"{99:064x}")
    asked = image(99, lookalike="alike", similar="scene")
    run = add_run(garden, training, asked, [turned(degrees, 1) for degrees in ANGLES])
    assert [each.image.id for each in list_neighbours(garden, run, asked)] == [
        image(number).id for number in (2, 4, 0, 6)
    ]


def test_a_pattern_of_the_persons_own_makes_a_group_too(garden):
    training = plain()
    training[1] = image(1, name="tulip/cat_1.png")
    asked = image(99, name="tulip/cat_9.png")
    run = add_run(garden, training, asked)
    assert list_neighbours(garden, run, asked)[0].image.id == image(1).id
    edits.set_grouping(garden, DATASET, GroupRules(pattern="{group}_*.png"))
    assert image(1).id not in {each.image.id for each in list_neighbours(garden, run, asked)}


def test_a_training_image_is_not_its_own_neighbour(garden):
    run = add_run(garden, plain(), image(99))
    found = list_neighbours(garden, run, image(1))
    assert image(1).id not in {each.image.id for each in found}
    assert image(99).id not in {each.image.id for each in found}
    assert found[0].image.id == image(5).id


def test_labels_are_those_that_the_run_saw(garden):
    run = add_run(garden, plain(), image(99))
    edits.move_images(garden, DATASET, [image(1).id], "rose")
    assert list_neighbours(garden, run, image(99))[0].image.label == "tulip"


def test_images_without_features_are_no_neighbours_and_have_none(garden):
    run = add_run(garden, plain(), image(99), [turned(degrees, 1) for degrees in ANGLES[:3]])
    assert [each.image.id for each in list_neighbours(garden, run, image(99))] == [image(n).id for n in (1, 2, 0)]
    assert list_neighbours(garden, run, image(6)) == []


def test_a_key_that_is_still_being_written_is_left_alone(garden):
    run = add_run(garden, plain(), image(99))
    keys = garden.workspace.features / run.facts.feature_cache.folder / "keys.txt"
    with keys.open("ab") as lines:
        lines.write(b"0000")
    before = keys.read_bytes()
    assert len(list_neighbours(garden, run, image(99))) == 5
    assert keys.read_bytes() == before


def test_a_run_without_the_fact_or_the_cache_has_no_neighbours(garden):
    run = add_run(garden, plain(), image(99))
    shutil.rmtree(garden.workspace.features / run.facts.feature_cache.folder)
    assert list_neighbours(garden, run, image(99)) == []
    garden.add_facts(run.id, {"feature_cache": None})
    assert list_neighbours(garden, garden.run(run.id), image(99)) == []


def test_phase_1_records_where_its_features_lie(store, tiny_dataset):
    run = store.run(train_head(store, tiny_dataset, HeadSettings(image_size=48, epochs=1, validation_split=0.25)))
    parts = read_split(store, run)
    folder = store.workspace.features / run.facts.feature_cache.folder
    identity, channels = json.loads((folder / "identity.json").read_text()), run.facts.feature_cache.channels
    cache = FeatureCache(store.workspace.features, identity, [(channels,)], ["float32"])
    asked = parts.validation[0]
    (own,) = cache.tensors()[0][cache.rows([asked.content])]
    for each in list_neighbours(store, run, asked, most=3):
        assert each.image in parts.training
        (other,) = cache.tensors()[0][cache.rows([each.image.content])]
        assert each.likeness == pytest.approx(own @ other / np.linalg.norm(own) / np.linalg.norm(other), abs=1e-5)
    assert len(list_neighbours(store, run, asked)) == 5
