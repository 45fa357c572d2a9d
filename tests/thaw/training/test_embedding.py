"""The arrangement of a map: true to real digits, told and stopped on the way, and the way back to PCA."""

import numpy as np
import pytest
from sklearn import decomposition
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness
from sklearn.neighbors import NearestNeighbors

from thaw.training import embedding
from thaw.training.embedding import embed, reduce_dimensions
from tlcore.progress import Stage

DIGITS = 600


def quiet(*_):
    """Hear a report, or go on."""


@pytest.fixture(scope="module")
def digits():
    found = load_digits()
    return found.data[:DIGITS].astype(np.float32), found.target[:DIGITS]


@pytest.fixture(scope="module")
def arranged(digits):
    told = []
    places, method = embed(digits[0], lambda *report: told.append(report), quiet)
    return places, method, told


def test_real_digits_keep_their_neighbours(digits, arranged):
    places, method, _ = arranged
    assert (places.shape, places.dtype, method) == ((DIGITS, 2), np.float32, "t-SNE")
    assert np.abs(places).max() == pytest.approx(1)
    # Two principal components have 0.83.
    assert trustworthiness(digits[0], places, n_neighbors=10) > 0.97
    nearest = NearestNeighbors(n_neighbors=1).fit(places).kneighbors(return_distance=False)[:, 0]
    assert (digits[1][nearest] == digits[1]).mean() > 0.93


def test_progress_is_told_step_by_step(arranged):
    steps = [(done, total) for stage, done, total in arranged[2] if stage == Stage.ARRANGING_MAP]
    assert steps == sorted(steps)
    assert len(steps) >= 10
    assert steps[-1] == (100, 100)


def test_the_same_features_give_the_same_map(digits):
    some = digits[0][:60]
    assert np.array_equal(embed(some, quiet, quiet)[0], embed(some.copy(), quiet, quiet)[0])


def test_the_length_of_features_changes_nothing(digits):
    some = digits[0][:60]
    np.testing.assert_allclose(reduce_dimensions(some * 7), reduce_dimensions(some), atol=1e-4)


def test_dimensions_are_reduced_to_principal_components(digits):
    unit = digits[0] / np.linalg.norm(digits[0], axis=1, keepdims=True)
    expected = decomposition.PCA(5, svd_solver="full").fit_transform(unit)
    found = reduce_dimensions(digits[0], 5)
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)


@pytest.mark.parametrize(("number", "most"), [(60, 50), (5, 50), (1, 50)])
def test_too_many_or_too_few_are_placed_by_principal_components(digits, monkeypatch, number, most):
    monkeypatch.setattr(embedding, "MOST_ARRANGED", most)
    places, method = embed(digits[0][:number], quiet, quiet)
    assert (places.shape, method) == ((number, 2), "PCA")
    assert np.isfinite(places).all()


def test_images_that_are_all_alike_lie_on_one_point():
    places, _ = embed(np.ones((30, 4), dtype=np.float32), quiet, quiet)
    assert np.isfinite(places).all()


def test_a_stop_is_heard_in_the_middle(digits):
    calls = []

    def stop():
        calls.append(1)
        if len(calls) == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        embed(digits[0][:60], quiet, stop)
