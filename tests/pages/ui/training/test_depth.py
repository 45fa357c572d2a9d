"""The choice of the depth: presets that set the slider and name their source, and what each position costs."""

import json

import numpy as np
import pytest

from pages.ui.training.depth import list_presets
from pages.ui.words import amounts
from tests.support.pages import DATASET, add_dataset, add_run, press, visit, words
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from thaw.training.costs import expect_memory, plan_cut
from thaw.tuning.probe_record import Depth, Plan, Probe, write_probe
from thaw.tuning.rate_curve import RateCurve, write_curve
from tlcore.settings import FineTuneSettings


def layers(blocks: int = 10, each: int = 5) -> list[dict]:
    return [
        {
            "name": f"layer_{number}",
            "kind": "BatchNormalization" if number % 2 else "Conv2D",
            "block": f"block {number // each}",
            "parameters": 10,
            "trainable_parameters": 0 if number % 2 else 10,
            "batch_norm": number % 2 == 1,
            "flops": 10,
            "activation_bytes": 4000,
            "channels": 8,
            "cut_bytes": 5_000_000,
        }
        for number in range(blocks * each)
    ]


@pytest.fixture
def run_id(store):
    """A run whose layers say what crosses below them."""
    made = add_run(store, add_dataset(store))
    (store.workspace.run(made) / "layers.json").write_text(json.dumps(layers()))
    store.add_facts(made, {"training_images": 500, "validation_images": 100})
    return made


def shown(page):
    return {metric.label: metric.value for metric in page.metric}


def test_presets_go_from_nothing_to_everything_and_name_their_source():
    presets = list_presets(layers())
    assert [preset.top for preset in presets] == [0, 5, 15, 30, 50]
    assert all(len(preset.source) > 20 for preset in presets)
    assert [preset.top for preset in list_presets(layers(blocks=2))][3:] == [10, 10]


@pytest.mark.usefixtures("expert")
def test_a_preset_sets_the_slider_and_the_slider_leaves_the_preset(store, run_id):
    page = visit("finetune")
    control = page.get("button_group")[0]
    control.set_value("Last 30 layers").run()
    assert page.number_input[0].value == 30
    assert "a habit of many notebooks" in words(page)
    page.number_input[0].set_value(12).run()
    assert page.number_input[0].value == 12
    assert "a habit of many notebooks" not in words(page)


@pytest.mark.usefixtures("expert")
def test_what_happens_where_the_memory_does_not_suffice_is_told_with_its_figure(store, run_id):
    told = "If it does not fit, Thaw computes part of the network again instead of keeping it: slower, and about "
    assert told not in words(visit("finetune"))
    heavy = [layer | {"activation_bytes": 4_000_000, "cut_bytes": 400_000} for layer in layers()]
    (store.workspace.run(run_id) / "layers.json").write_text(json.dumps(heavy))
    memory = expect_memory(heavy, 15, plan_cut(heavy, 15).boundary, 10, 32)
    page = visit("finetune")
    assert shown(page)["Memory, about"] == amounts.size(memory.whole)
    assert f"{told}{amounts.size(memory.rematerialised)}." in words(page)


@pytest.mark.usefixtures("expert")
def test_of_batch_normalization_nothing_is_said_where_there_is_none(store, run_id):
    assert "BatchNorm kept frozen" in shown(visit("finetune"))
    plain = [layer | {"batch_norm": False, "kind": "LayerNormalization"} for layer in layers()]
    (store.workspace.run(run_id) / "layers.json").write_text(json.dumps(plain))
    page = visit("finetune")
    assert "Memory, about" in shown(page)
    assert "BatchNorm" not in " ".join([*shown(page), words(page)])


def ice_of(page):
    sent = [json.loads(component.proto.json) for component in page.get("bidi_component") if component.proto.json]
    return next(data for data in sent if "slabs" in data)


@pytest.mark.usefixtures("expert")
def test_the_ice_shows_the_blocks_from_the_photo_up_and_what_is_chosen(store, run_id):
    page = visit("finetune")
    drawn = ice_of(page)
    assert [slab["name"] for slab in drawn["slabs"]] == [f"block {number}" for number in range(10)]
    assert {slab["layers"] for slab in drawn["slabs"]} == {5}
    assert (drawn["top"], drawn["enabled"]) == (15, True)
    page.number_input[0].set_value(12).run()
    assert ice_of(page)["top"] == 12
    page.get("button_group")[0].set_value("Everything").run()
    assert ice_of(page)["top"] == 50


def test_while_a_run_is_at_work_its_ice_stands_still(store, run_id):
    store.set_fine_tune(run_id, FineTuneSettings(7, learning_rate=1e-5).to_json())
    store.add_job("fine_tune", {}, DATASET, run_id)
    page = visit("finetune")
    assert (ice_of(page)["top"], ice_of(page)["enabled"]) == (7, False)
    assert not [button for button in page.button if button.label == "Let the eye adapt (fine-tune)"]


@pytest.mark.usefixtures("expert")
def test_what_a_probe_and_a_search_found_is_taken_over_by_the_page(store, run_id):
    folder = store.workspace.run(run_id)
    tried = [Depth(top, [right / 100] * 3, right, 100, 100, 2.0) for top, right in ((0, 80), (10, 90), (50, 90))]
    write_probe(folder, Probe(Plan([0, 10, 50], 100, 3, 2, 16, 1e-5, 7, 0, "halves"), tried))
    rates, losses = np.geomspace(1e-7, 1e-3, 40).tolist(), np.linspace(2, 1, 40).tolist()
    write_curve(folder, RateCurve(2, 9, 32, rates, losses, 1e-4, 2.5e-5, 0.0))
    page = press(visit("finetune"), "Use the top 10 layers")
    assert not page.exception
    assert (page.number_input[0].value, ice_of(page)["top"]) == (10, 10)
    page = press(page, "Use 2.5e-05")
    assert page.select_slider[0].value == 2.5e-5
    assert page.number_input[0].value == 10


@pytest.mark.usefixtures("expert")
def test_the_time_stands_beside_start(store, run_id):
    page = visit("finetune")
    (told,) = [each.value for each in page.markdown if "at most, mostly less" in each.value]
    assert told == f"**{shown(page)['Time in all, at most']}** at most, mostly less"


@pytest.mark.usefixtures("expert")
def test_each_position_tells_memory_disk_and_time(store, run_id):
    page = visit("finetune")
    page.number_input[0].set_value(0).run()
    nothing = shown(page)
    page.number_input[0].set_value(50).run()
    everything = shown(page)
    assert list(nothing)[-3:] == ["Time in all, at most", "Memory, about", "Cache on disk"]
    # Eight pooled numbers of 600 images, and the lowest layer's image.
    assert (nothing["Cache on disk"], everything["Cache on disk"]) == ("under 1 MB", "3.0 GB")
    assert nothing["Memory, about"].endswith("MB")
    assert nothing["Time in all, at most"] != everything["Time in all, at most"]


@pytest.mark.usefixtures("expert")
def test_at_the_full_depth_nothing_is_said_to_lie_below(store, run_id):
    page = visit("finetune")
    page.number_input[0].set_value(50).run()
    assert "Nothing lies below: the whole backbone trains" in words(page)
    assert "Everything below" not in words(page)
    page.number_input[0].set_value(49).run()
    assert "Everything below stays as it is." in words(page)


@pytest.mark.usefixtures("expert")
def test_the_time_in_all_follows_the_number_of_epochs(store, run_id):
    page = visit("finetune")
    page.number_input[0].set_value(50).run()
    before = shown(page)["Time in all, at most"]
    next(field for field in page.number_input if field.label.startswith("Epochs")).set_value(400).run()
    assert shown(page)["Time in all, at most"] != before


@pytest.mark.usefixtures("expert")
def test_a_run_of_an_earlier_version_shows_dashes_for_what_it_cannot_tell(store):
    add_run(store, add_dataset(store))
    page = visit("finetune")
    assert not page.exception
    assert (shown(page)["Cache on disk"], shown(page)["Time in all, at most"]) == ("–", "–")


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "–"), (0.2, "under 1 s"), (45, "45 s"), (880, "15 min"), (7560, "2.1 h")]
)
def test_an_estimate_is_told_roughly(seconds, said):
    assert amounts.roughly(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"), [(None, "–"), (400, "under 1 MB"), (34e6, "34 MB"), (942_300_000, "942 MB"), (1.24e9, "1.2 GB")]
)
def test_sizes_are_told_in_the_unit_that_suits(number, said):
    assert amounts.size(number) == said
