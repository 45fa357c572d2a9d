"""Which backbones every test run builds, one of each way in which layers hang together, and which the slow ones do."""

import pytest

from tlcore.models.backbones import BACKBONES

LATER = (
    "efficientnet-lite1",
    "efficientnet-lite2",
    "mobilenet-v2-160",
    "mobilenet-v2-96",
    "mobilenet-v3-large",
    "inception-v3",
    "resnet50",
    "resnet50-v2",
    "mobilenet-v2-torch",
    "efficientnet-b0",
    "efficientnet-b4",
    "efficientnet-b7",
    "efficientnetv2-b0",
    "efficientnetv2-b3",
    "efficientnetv2-s",
    "xception",
    "nasnet-mobile",
    "dinov2-vits14",
    "dinov2-vitb14",
)


def each_backbone(*left_out: str, later: tuple[str, ...] = ()) -> list:
    """Return the names of the table as parameters of a test; those of `LATER` and `later` are marked slow."""
    return [
        pytest.param(name, marks=pytest.mark.slow if name in (*LATER, *later) else ())
        for name in BACKBONES
        if name not in left_out
    ]
