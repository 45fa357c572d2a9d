"""Groups of a pile on points whose groups are known."""

import subprocess
import sys

import numpy as np
import pytest

from thaw.labelling.groups import MOST_GROUPS, find_groups, halve, reduce


def clouds(kinds, each, spread=0.15, seed=0):
    """Return features, float32 (kinds * each, 80), around as many centres as there are kinds, and the kind of each."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(kinds, 80))
    kind = np.repeat(np.arange(kinds), each)
    return (centres[kind] + spread * chance.normal(size=(kinds * each, 80))).astype(np.float32), kind


def pure(groups, kind):
    return all(len(set(kind[groups == group])) == 1 for group in set(groups.tolist()))


def test_photos_of_a_kind_are_together_and_kinds_apart():
    features, kind = clouds(5, 30)
    directions = reduce(features)
    assert directions.dtype == np.float32
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1, abs=1e-5)
    groups = find_groups(directions, np.arange(150))
    assert pure(groups, kind)
    assert 5 <= groups.max() + 1 <= 25
    sizes = np.bincount(groups)
    assert (np.diff(sizes) <= 0).all(), "the largest group comes first"
    assert (find_groups(reduce(features), np.arange(150)) == groups).all(), "the same pile gives the same groups"


def test_near_duplicates_stay_together_wherever_they_lie():
    features, _ = clouds(4, 20)
    alike = np.arange(80)
    alike[[0, 25, 50]] = 0
    groups = find_groups(reduce(features), alike)
    assert len(set(groups[[0, 25, 50]])) == 1


@pytest.mark.parametrize("count", [0, 1, 2, 11])
def test_a_handful_of_photos_is_one_group(count):
    features = np.random.default_rng(0).normal(size=(count, 80)).astype(np.float32)
    assert find_groups(reduce(features), np.arange(count)).tolist() == [0] * count


def test_equal_photos_and_photos_without_features_can_be_grouped():
    features = np.ones((30, 80), np.float32)
    features[15:] = 0
    assert len(find_groups(reduce(features), np.arange(30))) == 30


def test_there_are_no_more_groups_than_a_person_would_look_at():
    features = np.random.default_rng(0).normal(size=(900, 80)).astype(np.float32)
    assert find_groups(reduce(features), np.arange(900)).max() < MOST_GROUPS


def test_a_very_large_pile_is_grouped_too(monkeypatch):
    monkeypatch.setattr("thaw.labelling.groups.COMPARED", 100)
    monkeypatch.setattr("thaw.labelling.groups.JUDGED", 60)
    features, kind = clouds(3, 60)
    assert pure(find_groups(reduce(features), np.arange(180)), kind)


def test_a_group_falls_into_the_two_kinds_that_are_in_it():
    features, kind = clouds(2, 15)
    second = halve(reduce(features))
    assert not second[0]
    assert (second == (kind == 1)).all()
    assert halve(np.ones((5, 3), np.float32)).tolist() == [False, False, True, True, True]
    assert halve(reduce(features)[[0, 20]]).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"two photos or more to part\. Received: 1"):
        halve(np.ones((1, 3), np.float32))


def test_what_the_server_imports_is_free_of_scikit_learn():
    lines = "import sys, thaw.labelling.pile, thaw.labelling.suggest, thaw.labelling.sorter\n"
    lines += "print([name for name in ('sklearn', 'scipy', 'tensorflow') if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
