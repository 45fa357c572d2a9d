import dataclasses

import pytest

from tlcore.errors import SettingsError
from tlcore.settings import FineTuneSettings, HeadSettings


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
        ("epochs", "3", 3),
        ("epochs", True, 3),
        ("dropout", float("nan"), 0.5),
    ],
)
def test_a_value_out_of_range_is_named_with_what_is_allowed(name, bad, good):
    assert getattr(HeadSettings(**{name: good}), name) == good
    with pytest.raises(SettingsError, match=f"Expected .*Received: {name}={bad!r}"):
        HeadSettings(**{name: bad})


@pytest.mark.parametrize(("name", "bad"), [("layers", -1), ("epochs", 0), ("learning_rate", 2.0), ("patience", 0)])
def test_fine_tuning_is_checked_too(name, bad):
    with pytest.raises(SettingsError, match=f"Received: {name}="):
        FineTuneSettings(**{name: bad})


def test_they_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        HeadSettings().epochs = 5
