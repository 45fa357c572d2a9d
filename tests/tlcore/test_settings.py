import dataclasses

import pytest

from tlcore.errors import SettingsError
from tlcore.images.recipes import PRESETS
from tlcore.settings import DetectorSettings, FineTuneSettings, HeadSettings, detection_settings


def test_they_go_to_json_and_back():
    head = HeadSettings(backbone="resnet50", image_size=96, epochs=3, output="sigmoid", augmentation="light")
    assert HeadSettings.from_json(head.to_json()) == head
    tuned = FineTuneSettings(layers=12, learning_rate=1e-6, insist=True)
    assert FineTuneSettings.from_json(tuned.to_json()) == tuned
    assert HeadSettings.from_json(HeadSettings().to_json()) == HeadSettings()


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("image_size", 31, 32),
        ("epochs", 0, 1000),
        ("batch_size", 1025, 1),
        ("learning_rate", 0.0, 1.0),
        ("dropout", 0.95, 0.0),
        ("hidden_units", -1, 4096),
        ("seed", -1, 0),
        ("validation_split", 0.6, 0.5),
        ("patience", 0, 1),
        ("output", "relu", "sigmoid"),
        ("augmentation", "wild", "light"),
        ("augmentation", "twist=3", "mirror,crop=0.2"),
        ("views", 17, 16),
        ("views", 0, 1),
        ("exact", 1.5, True),
        ("epochs", "3", 3),
        ("epochs", True, 3),
        ("dropout", float("nan"), 0.5),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_allowed(name, bad, good):
    assert getattr(HeadSettings(**{name: good}), name) == good
    with pytest.raises(SettingsError, match=f"Expected .*Received: {name}={bad!r}"):
        HeadSettings(**{name: bad})


@pytest.mark.parametrize(
    ("name", "bad"), [("layers", -1), ("epochs", 0), ("learning_rate", 2.0), ("patience", 0), ("largest_drop", 1.1)]
)
def test_fine_tuning_is_checked_too(name, bad):
    with pytest.raises(SettingsError, match=f"Received: {name}="):
        FineTuneSettings(**{name: bad})


def test_runs_of_earlier_versions_are_read_and_their_augmentation_is_known():
    for name in ("none", "light", "light-unmirrored"):
        head = HeadSettings.from_json(f'{{"backbone": "resnet50", "augmentation": "{name}"}}')
        assert head.recipe == PRESETS[name]
        assert (head.views, head.exact) == (4, False)


def test_how_many_views_are_cached_and_whether_they_are_drawn_anew():
    assert HeadSettings().cached_views == 1
    assert HeadSettings(augmentation="light", views=7).cached_views == 7
    fresh = HeadSettings(augmentation="light", views=7, exact=True)
    assert (fresh.cached_views, fresh.draws_anew) == (1, True)
    assert not HeadSettings(exact=True).draws_anew
    machine = HeadSettings(augmentation="light", exact=True, method="svm")
    assert (machine.cached_views, machine.draws_anew) == (1, False)


def test_they_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        HeadSettings().epochs = 5


def test_a_detectors_settings_are_checked_and_read_back():
    settings = DetectorSettings(image_size=416, epochs=20)
    assert DetectorSettings.from_json(settings.to_json()) == settings
    with pytest.raises(
        SettingsError, match=r"multiple of 32 pixels. Received: image_size=300. Choose one of: 320, 416"
    ):
        DetectorSettings(image_size=300)
    with pytest.raises(SettingsError, match=r"Expected views between 1 and 16. Received: views=0"):
        DetectorSettings(views=0)


def test_few_photos_with_boxes_are_gone_through_more_often():
    assert [detection_settings("efficientnet-lite0", photos).epochs for photos in (5, 20, 60, 200, 5000)] == [
        150,
        150,
        67,
        30,
        30,
    ]
    assert detection_settings("efficientnet-lite0").epochs == 30
    assert detection_settings("efficientnet-lite0", 20, epochs=3).epochs == 3
