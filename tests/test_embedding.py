"""The arrangement of a map: true to real digits, the forces against a sum over all pairs, and the way back to PCA."""

import numpy as np
import pytest
from sklearn import decomposition
from sklearn.datasets import load_digits
from sklearn.manifold import trustworthiness

from tlcore import embedding
from tlcore.embedding import (
    ARRANGING,
    GATHERING,
    SPREADING,
    embed,
    find_nearest,
    reduce_dimensions,
    repel_by_grid,
    repel_by_pairs,
)

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
    # scikit-learn's t-SNE has 0.985 on them, two principal components have 0.83.
    assert trustworthiness(digits[0], places, n_neighbors=10) > 0.97
    nearest = find_nearest(places, 1, quiet, quiet)[:, 0]
    assert (digits[1][nearest] == digits[1]).mean() > 0.93


def test_progress_is_told_step_by_step(arranged):
    steps = [(done, total) for stage, done, total in arranged[2] if stage == ARRANGING]
    assert steps == [(done, GATHERING + SPREADING) for done in range(GATHERING + SPREADING)]


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


@pytest.mark.parametrize("spread", [1e-3, 5.0, 30.0])
def test_the_grid_gives_the_force_of_all_pairs(spread):
    places = (np.random.default_rng(1).normal(size=(400, 2)) * spread) @ (1, 1j)
    apart = places[:, None] - places
    q = 1 / (1 + np.abs(apart) ** 2)
    exact = (q**2 * apart).sum(axis=1) / (q.sum() - len(places))
    np.testing.assert_allclose(repel_by_pairs(places), exact, rtol=1e-6)
    found = repel_by_grid(places.astype(np.complex64))
    assert np.linalg.norm(found - exact) < 0.08 * np.linalg.norm(exact)


def test_the_nearest_are_those_of_all_distances(digits, monkeypatch):
    monkeypatch.setattr(embedding, "ROWS_AT_A_TIME", 64)
    some = digits[0][:200]
    distances = np.linalg.norm(some[:, None] - some, axis=2)
    np.fill_diagonal(distances, np.inf)
    found = find_nearest(some, 4, quiet, quiet)
    chosen = np.sort(np.take_along_axis(distances, found, axis=1), axis=1)
    np.testing.assert_allclose(chosen, np.sort(distances, axis=1)[:, :4], rtol=1e-3)


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
        if len(calls) == 20:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        embed(digits[0][:60], quiet, stop)
