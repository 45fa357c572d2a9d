import numpy as np

from pages.ui.components.figure.lasso import inside, read_marking

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def test_a_mark_is_read_as_the_browser_tells_it():
    said = {"numbers": [3, 4.0], "outlines": [[[0, 0], [1, 0], [1, 1]], []], "hidden": ["rose", "rose"]}
    marking = read_marking(said)
    assert marking.numbers == [3, 4]
    assert [outline.shape for outline in marking.outlines] == [(3, 2), (0, 2)]
    assert marking.hidden == {"rose"}


def test_places_are_inside_an_outline_whichever_way_it_runs():
    places = np.array([[0.5, 0.5], [0.01, 0.99], [-0.1, 0.5], [1.1, 0.5], [0.5, 1.1], [0.5, -0.1]])
    for outline in (SQUARE, SQUARE[::-1], np.roll(SQUARE, 2, axis=0)):
        assert inside(places, [outline]).tolist() == [True, True, False, False, False, False]


def test_a_bay_of_an_outline_is_outside():
    bay = np.array([[0, 0], [3, 0], [3, 3], [2, 3], [2, 1], [1, 1], [1, 3], [0, 3]], dtype=float)
    places = np.array([[0.5, 2], [1.5, 2], [2.5, 2], [1.5, 0.5]])
    assert inside(places, [bay]).tolist() == [True, False, True, True]


def test_a_place_counts_that_is_in_one_of_several_outlines():
    places = np.array([[0.5, 0.5], [5.5, 0.5], [3, 0.5]])
    assert inside(places, [SQUARE, SQUARE + np.array([5, 0])]).tolist() == [True, True, False]
    assert not inside(places, []).any()
    assert inside(np.empty((0, 2)), [SQUARE]).shape == (0,)


def test_a_circle_of_many_corners_holds_what_lies_within_its_radius():
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    places = np.random.default_rng(0).uniform(-1.2, 1.2, (5000, 2))
    radius = np.hypot(*places.T)
    clear = np.abs(radius - 1) > 1e-3
    assert (inside(places, [circle]) == (radius < 1))[clear].all()
