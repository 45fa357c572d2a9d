"""What phase 1 starts from, as it is sent to another machine, which sees the photos and the cache at the same paths."""

from dataclasses import dataclass
from pathlib import Path

from tlcore.errors import WeightsError
from tlcore.features.inputs import Materials
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import load_backbone
from tlcore.models.weights import is_local, sha256_of
from tlcore.settings import HeadSettings
from tlcore.splits.groups import GroupRules
from tlcore.splits.splits import Split


@dataclass(frozen=True)
class SentMaterials:
    """`tlcore.features.inputs.Materials`, which cannot be sent, as it holds a network; `weights` is where the sender
    has the backbone's."""

    backbone: str
    image_size: int
    weights: Path
    weights_sha256: str
    settings: HeadSettings
    split: Split
    rules: GroupRules
    caches: Path

    @classmethod
    def pack(cls, materials: Materials) -> "SentMaterials":
        """Take along what another machine needs of materials, whose backbone has pretrained weights."""
        assert materials.weights is not None
        return SentMaterials(
            materials.row.name,
            materials.image_size,
            materials.weights,
            materials.weights_sha256,
            materials.settings,
            materials.split,
            materials.rules,
            materials.caches,
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
