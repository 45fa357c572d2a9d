"""What phase 2 is expected to cost: the cut is the one that will be chosen, and each part counts as it should."""

import functools
import json
import math

import pytest

from thaw.storage.facts import read_facts
from thaw.training import costs
from thaw.training.costs import CutPlan, expect_costs, expect_memory, plan_cut
from tlcore.models import classifier as models
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.layers import describe_layers
from tlcore.models.plan import kept_bytes
from tlcore.models.rematerialisation import find_rematerialised
from tlcore.settings import FineTuneSettings, HeadSettings

FACTS = {"seconds_per_image": 0.01, "training_images": 800, "validation_images": 200}
HEAD = HeadSettings()
LITE0 = BACKBONES["efficientnet-lite0"]
SIDE = 96


@functools.cache
def built(name):
    row = BACKBONES[name]
    side = max(SIDE, row.min_size)
    model = build_backbone(row, side, None)
    return row, model, side, describe_layers(row, model)


def layers():
    return built("efficientnet-lite0")[3]


def expect(head=HEAD, facts=FACTS, **settings):
    return expect_costs(read_facts(json.dumps(facts)), layers(), 12_810, head, FineTuneSettings(**settings))


@pytest.mark.parametrize(("name", "step"), [("efficientnet-lite0", 7), ("mobilenet-v2", 25)])
def test_the_planned_cut_is_the_one_that_training_chooses(name, step):
    row, model, side, described = built(name)
    for top in [*range(0, len(described), step), len(described)]:
        models.freeze_below_top(model, top)
        cut = models.find_cut(row, model, side)
        sizes = [
            math.prod(shape) * (4 if dtype == "float32" else 1)
            for shape, dtype in zip(cut.shapes, cut.dtypes, strict=True)
        ]
        assert plan_cut(described, top) == CutPlan(cut.boundary, sum(sizes)), top


def test_the_weighing_of_bytes_against_computing_is_that_of_the_model():
    assert (costs.SECONDS_PER_BYTE, costs.SECONDS_PER_FLOP) == (models.SECONDS_PER_BYTE, models.SECONDS_PER_FLOP)


def test_the_disk_holds_the_cut_of_every_cached_view():
    size = plan_cut(layers(), 38).bytes_per_image
    assert expect(layers=38).disk_bytes == 1000 * size
    assert expect(HeadSettings(augmentation="light", views=4), layers=38).disk_bytes == (4 * 800 + 200) * size
    assert expect(HeadSettings(augmentation="light", exact=True), layers=38).disk_bytes == 200 * size
    assert expect(facts=FACTS | {"extra_images": {"holdout": 50}}, layers=38).disk_bytes == 1050 * size


def test_memory_grows_with_depth_and_batch_by_what_is_kept_for_the_way_back():
    described, boundary = layers(), plan_cut(layers(), 38).boundary
    small, large = (expect_memory(described, 38, boundary, 0, batch) for batch in (8, 32))
    assert large.whole - small.whole == pytest.approx(24 * kept_bytes(described, [boundary]) * costs.KEPT_SHARE)
    depths = [expect(layers=top).memory.whole for top in (0, 20, 38, 74, 141)]
    assert depths == sorted(depths)
    # Each parameter of the head that trains has a gradient and two moments.
    assert expect_memory(described, 38, boundary, 1000, 8).whole - small.whole == 3 * 4 * 1000


def test_what_does_not_fit_is_expected_as_training_rematerialises_it():
    row, model, side, described = built("efficientnet-lite0")
    models.freeze_below_top(model, len(described))
    cut = models.find_cut(row, model, side)
    part = find_rematerialised(models.upper_model(row, model, cut, models.build_head(row.features, 3, HEAD)))
    memory = expect_memory(described, len(described), cut.boundary, 0, 32)
    whole = part.bytes_per_image
    assert part.rematerialise()
    saved = whole * costs.KEPT_SHARE - part.bytes_per_image * costs.REMATERIALISED_SHARE
    assert memory.whole - memory.rematerialised == pytest.approx(32 * saved)
    for top in (0, 3):
        nothing_to_save = expect(layers=top).memory
        assert nothing_to_save.whole == nothing_to_save.rematerialised


@pytest.mark.parametrize(
    ("name", "side", "top", "batch", "measured_mb", "rematerialised_mb"),
    [
        ("efficientnet-lite0", 96, 38, 32, 754 + 157, None),
        ("efficientnet-lite0", 96, 141, 32, 754 + 494, None),
        ("efficientnet-lite0", 224, 90, 32, 759 + 552, None),
        ("mobilenet-v2", 160, 60, 32, 766 + 224, None),
        ("resnet50", 224, 40, 16, 1038 + 283, None),
        # By benchmarks/memory.py.
        ("resnet50", 224, 0, 32, 2775, 2069),
        ("resnet50", 160, 0, 16, 1729, 1578),
        ("efficientnet-b0", 160, 0, 16, 1557, 1239),
        ("dinov2-vits14", 224, 0, 8, 2654, 1600),
        ("dinov2-vits14", 224, 34, 32, 2399, 1719),
        ("mobilenet-v2", 160, 0, 16, 1205, 1250),
        ("convnext-tiny", 128, 0, 16, 3199, None),
    ],
)
def test_memory_is_near_what_was_measured(name, side, top, batch, measured_mb, rematerialised_mb):
    row = BACKBONES[name]
    described = describe_layers(row, build_backbone(row, side, None))
    top = top or len(described)
    expected = expect_memory(described, top, plan_cut(described, top).boundary, 12_810, batch)
    assert expected.whole / 1e6 == pytest.approx(measured_mb, rel=0.25)
    if rematerialised_mb:
        assert expected.rematerialised / 1e6 == pytest.approx(rematerialised_mb, rel=0.25)


def test_time_in_all_is_that_of_the_epochs_and_of_what_is_computed_once():
    one, ten = expect(layers=38, epochs=1), expect(layers=38, epochs=10)
    assert one.epoch_s == ten.epoch_s
    assert ten.total_s - one.total_s == pytest.approx(9 * one.epoch_s)
    once = one.total_s - one.epoch_s
    assert expect(HeadSettings(augmentation="light", views=4), layers=38, epochs=1).total_s > one.total_s + once


def test_what_phase_1_took_to_get_ready_counts_once():
    head = {"features_computed": 1000, "seconds": {"total": 40.0, "training": 20.0, "features": 12.0}}
    ready = expect(facts=FACTS | {"head": head}, layers=38)
    assert ready.total_s - expect(layers=38).total_s == pytest.approx(40 - 20 - 1000 * 0.01)


def test_views_drawn_anew_cost_the_frozen_part_in_every_epoch():
    cached, fresh = expect(layers=38), expect(HeadSettings(augmentation="light", exact=True), layers=38)
    boundary, flops = plan_cut(layers(), 38).boundary, [layer["flops"] for layer in layers()]
    assert fresh.epoch_s - cached.epoch_s == pytest.approx(800 * 0.01 * sum(flops[:boundary]) / sum(flops))


def test_what_was_not_measured_is_not_guessed():
    unmeasured = expect(facts={"training_images": 800, "validation_images": 200}, layers=38)
    assert (unmeasured.epoch_s, unmeasured.total_s) == (None, None)
    assert unmeasured.disk_bytes > 0
    unknown = expect(facts={}, layers=38)
    assert (unknown.disk_bytes, unknown.epoch_s, unknown.total_s) == (None, None, None)


def test_a_run_of_an_earlier_version_has_all_but_the_size_on_disk():
    old = [{name: value for name, value in layer.items() if name != "cut_bytes"} for layer in layers()]
    assert plan_cut(old, 38) is None
    expected = expect_costs(read_facts(json.dumps(FACTS)), old, 12_810, HEAD, FineTuneSettings(layers=38))
    assert expected.disk_bytes is None
    assert expected.total_s > 0
