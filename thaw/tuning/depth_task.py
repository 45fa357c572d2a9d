"""One depth of a probe as a task for another machine, which sees the photos and the cache at the same paths."""

import time
from dataclasses import dataclass

from thaw.tuning.depth_probe import fit_heads, measure, prepare_trial, try_depth
from thaw.tuning.probe_record import Depth, ProbeSettings
from thaw.tuning.sent_materials import SentMaterials
from tlcore.features.inputs import Materials
from tlcore.models.backend import keras
from tlcore.training.phases import build_head


@dataclass(frozen=True)
class Depths(SentMaterials):
    """What the depths of one probe have in common: what was asked for, and how many epochs the head took to its best,
    None where nobody knows."""

    probe: ProbeSettings
    head_epochs: int | None

    @classmethod
    def of(cls, materials: Materials, probe: ProbeSettings, head_epochs: int | None) -> "Depths":
        """Take along what another machine needs of the materials of a run; its backbone has pretrained weights."""
        return cls(**vars(SentMaterials.pack(materials)), probe=probe, head_epochs=head_epochs)


def try_one(depths: Depths, top: int) -> Depth:
    """Try the top `top` layers, as `thaw.tuning.depth_probe.probe_depths` does where it tries them all.

    Raises WeightsError as `SentMaterials.gather` does.
    """
    started = time.perf_counter()
    materials = depths.gather()
    keras.utils.set_random_seed(materials.settings.seed)
    trial = prepare_trial(materials, depths.probe, depths.head_epochs)
    materials.backbone.trainable = False
    head = build_head(materials)
    heads = fit_heads(trial, head)
    held_out = try_depth(trial, head, heads, top, lambda share: None)
    keras.utils.clear_session()
    return measure(trial, top, held_out, time.perf_counter() - started)
