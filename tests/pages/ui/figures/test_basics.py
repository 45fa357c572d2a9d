import numpy as np

from pages.ui.figures import basics
from thaw.storage.facts import Accuracy
from tlcore.training.history import Epoch


def epoch(number: int, phase: int) -> Epoch:
    return Epoch(number, phase, 1 / number, 1 - 1 / (number + 1), 1.1 / number, 0.9 - 0.5 / number, 0.2)


def layers() -> list[dict[str, object]]:
    """Six layers from input to output; the second and the fifth are BatchNormalization."""
    blocks = ("stem", "stem", "block 0", "block 1", "block 1", "head")
    return [{"block": block, "name": f"<{n}>", "batch_norm": n in (1, 4)} for n, block in enumerate(blocks)]


def test_learning_curve_draws_both_phases_and_marks_the_boundary():
    figure = basics.learning_curve([epoch(1, 1), epoch(2, 1), epoch(3, 2)])
    assert [list(trace.x) for trace in figure.data] == [[1, 2, 3]] * 4
    assert list(figure.data[1].y) == [0.9 - 0.5, 0.9 - 0.25, 0.9 - 0.5 / 3]
    boundaries = {shape.x0 for shape in figure.layout.shapes}
    assert boundaries == {2.5}
    assert figure.layout.annotations[0].text == "fine-tuning"


def test_learning_curve_of_phase_one_has_no_boundary_and_a_constant_revision():
    before, after = basics.learning_curve([epoch(1, 1)]), basics.learning_curve([epoch(1, 1), epoch(2, 1)])
    assert not before.layout.shapes
    assert before.layout.uirevision == after.layout.uirevision == "curve"


def test_class_counts_are_sorted_capped_and_escaped():
    many = {f"class {number}": number + 1 for number in range(60)} | {"<b>most</b>": 999}
    figure = basics.class_counts(many)
    assert len(figure.data[0].x) == basics.MOST_BARS
    assert figure.data[0].x[0] == 999
    assert figure.layout.yaxis.ticktext[0] == "&lt;b&gt;most&lt;/b&gt;"


def test_blocks_are_drawn_in_order_from_the_output_and_cut_where_the_slider_cuts_them():
    bars = [bar for bar in basics.blocks(layers(), top=2).data if bar.orientation == "h"]
    drawn = [(bar.text[0], bar.base, bar.x[0], bar.marker.color) for bar in bars]
    assert drawn == [
        ("head", 0, 1, basics.UNFROZEN),
        ("block 1", 1, 1, basics.UNFROZEN),
        ("block 1", 2, 1, basics.FROZEN),
        ("block 0", 3, 1, basics.FROZEN),
        ("stem", 4, 2, basics.FROZEN),
    ]


def test_the_layers_that_train_stand_tall_and_batch_norm_never_does():
    trains, frozen, norms = basics.blocks(layers(), top=3).data[:3]
    assert [list(bars.x) for bars in (trains, frozen, norms)] == [[0.5, 2.5], [3.5, 5.5], [1.5, 4.5]]
    assert set(trains.y) == {basics.TALL}
    assert set(frozen.y) == set(norms.y) == {basics.LOW}
    assert len({bars.marker.color for bars in (trains, frozen, norms)}) == 3
    assert "&lt;5&gt; trains" in trains.hovertext[0]


def test_every_layer_has_one_bar_at_every_depth():
    for top in range(len(layers()) + 1):
        figure = basics.blocks(layers(), top)
        places = [place for bars in figure.data[:3] for place in bars.x]
        assert sorted(places) == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
        assert {shape.x0 for shape in figure.layout.shapes} == {top}


def test_claims_show_both_accuracies_with_their_intervals():
    naive, grouped = Accuracy(0.97, 0.95, 0.98), Accuracy(0.91, 0.88, 0.93)
    drawn = basics.claims(naive, grouped)
    ends = [
        (trace.x[0], trace.x[0] - trace.error_x.arrayminus[0], trace.x[0] + trace.error_x.array[0])
        for trace in drawn.data
    ]
    np.testing.assert_allclose(ends, [(0.97, 0.95, 0.98), (0.91, 0.88, 0.93)])
    assert list(drawn.layout.yaxis.ticktext) == ["random split", "kept together"]
    # The first is above, as it is read first.
    assert drawn.layout.yaxis.range[0] > drawn.layout.yaxis.range[1]


def test_the_words_for_the_class_counts_name_the_smallest_and_the_largest():
    told = basics.describe_counts({"dog": 40, "cat": 12, "owl": 20})
    assert told == "Images of each of 3 kinds, from 12 (cat) to 40 (dog)"
    assert basics.describe_counts({}) == "Images of each of 0 kinds"
