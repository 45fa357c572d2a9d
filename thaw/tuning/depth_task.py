"""One depth of a probe as a task for another machine, which sees the photos and the cache at the same paths."""

import time
from dataclasses import dataclass
from pathlib import Path

from thaw.tuning.depth_probe import fit_heads, measure, prepare_trial, try_depth
from thaw.tuning.probe_record import Depth, ProbeSettings
from tlcore.errors import WeightsError
from tlcore.features.inputs import Materials
from tlcore.models.backbones import find_backbone
from tlcore.models.backend import keras
from tlcore.models.loading import load_backbone
from tlcore.models.weights import is_local, sha256_of
from tlcore.settings import HeadSettings
from tlcore.splits.groups import GroupRules
from tlcore.splits.splits import Split
from tlcore.training.phases import build_head


@dataclass(frozen=True)
class Depths:
    """What the depths of one probe have in common (`tlcore.features.inputs.Materials`, which cannot be sent, as it
    holds a network); `weights` is where this machine has the backbone's."""

    backbone: str
    image_size: int
    weights: Path
    weights_sha256: str
    settings: HeadSettings
    split: Split
    rules: GroupRules
    caches: Path
    probe: ProbeSettings
    head_epochs: int | None

    @classmethod
    def of(cls, materials: Materials, probe: ProbeSettings, head_epochs: int | None) -> "Depths":
        """Take along what another machine needs of the materials of a run; its backbone has pretrained weights."""
        assert materials.weights is not None
        return cls(
            materials.row.name,
            materials.image_size,
            materials.weights,
            materials.weights_sha256,
            materials.settings,
            materials.split,
            materials.rules,
            materials.caches,
            probe,
            head_epochs,
        )

    def gather(self) -> Materials:
        """Load the backbone as this machine has it; raises WeightsError where it has it not, or another."""
        row = find_backbone(self.backbone)
        shared = self.weights.is_file() and sha256_of(self.weights) == self.weights_sha256
        if not shared and not is_local(row):
            raise WeightsError(
                f"the weights of {row.title} are not there. Copy {self.weights.name} to its ~/.keras/models, or have "
                "`python -m thaw weights` take them from a file"
            )
        if shared:
            loaded = load_backbone(row, self.image_size, fetch=lambda _row, _tell: self.weights)
        else:
            loaded = load_backbone(row, self.image_size, expected_sha256=self.weights_sha256)
        return Materials(**vars(loaded), settings=self.settings, split=self.split, rules=self.rules, caches=self.caches)


def try_one(depths: Depths, top: int) -> Depth:
    """Try the top `top` layers, as `thaw.tuning.depth_probe.probe_depths` does where it tries them all."""
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
