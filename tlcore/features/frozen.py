"""The frozen part of a backbone up to a cut: what runs it, and the cache of what it makes of photos.

On a processor ONNX Runtime runs it, from a file that is written once, lies with the cached tensors and was compared
with Keras on photos; on a GPU, and where the file's answers are others, TensorFlow does. What one has cached is never
mixed with what the other has. TensorFlow and Keras are imported only where a file has to be written or compared.
"""

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlcore.errors import RunError
from tlcore.features.cache import FeatureCache, trim_caches
from tlcore.features.compute import BATCH, Draw, Load, View, compute_features, list_views
from tlcore.features.shard_store import ShardStore
from tlcore.features.shards import NetworkFile, spread_features
from tlcore.images.pixels import load_pixels
from tlcore.models.backbone_table import Backbone
from tlcore.models.inverted_residuals import plan_pooled
from tlcore.models.loading import LoadedBackbone
from tlcore.models.plan import PIXELS, POOLED, Cut, Forward, Network, pooled_cut
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Keeping, Progress, Spread, ignore_progress, never_stop

if TYPE_CHECKING:
    from tlcore.engines.runtime import OnnxNetwork
    from tlcore.models.backend import keras

# Where ONNX Runtime does not run it Keras does, which is by TensorFlow unless `tlcore.environment` was told otherwise.
ONNX, TENSORFLOW = "onnxruntime", os.environ.get("KERAS_BACKEND", "tensorflow")
PRECISION = "float32"
# Of a cache's files: where two processes had computed the same photos, rows of the first layout were out of step.
LAYOUT = 2
# How far a file's answers may be from Keras's, as a share of the largest; rounding alone makes 1e-6.
TOLERANCE = 1e-3
COMPARED = 4
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Source:
    """A frozen network: what it is, and how to get it.

    `plan` returns it as plain layers and `lower` as a Keras model. Of a network that Thaw writes itself (`plain`) the
    comparison of the two is put off until `FrozenPart.verify`: nobody is to wait for it before the curve. `used_for`
    tells apart networks that are cut at one layer and leave other tensors; "" is what a classifier learns from.
    """

    row: Backbone
    weights_sha256: str
    image_size: int
    cut: Cut
    plan: Callable[[], Network]
    lower: "Callable[[], keras.Model]"
    plain: bool
    used_for: str = ""


class FrozenPart:
    """A frozen network with the cache of what it makes of photos.

    `cache` is that of the engine in use, `engine` its name; `note` says why TensorFlow has to do what ONNX Runtime
    would do faster, or is None. Shards of what it makes of many photos are computed by `spread`, if there is one, and
    looked for and put where `keeping` says.
    """

    def __init__(
        self, caches: Path, source: Source, spread: Spread | None = None, keeping: Keeping | None = None
    ) -> None:
        self._caches, self._source, self._spread, self._keeping = caches, source, spread, keeping
        self._forward: Forward | None = None
        self.note: str | None = None
        self.engine = ONNX if uses_onnx() else TENSORFLOW
        self.cache = self._open_cache()
        if self.engine == ONNX:
            from tlcore.engines.runtime import read_record

            refused = read_record(self.cache.folder).refused
            if refused:
                self._fall_back(refused)

    def fill(
        self,
        views: Sequence[View],
        augmentation: str,
        seed: int,
        progress: Progress,
        check_stop: CheckStop,
        load: Load = load_pixels,
        draw: Draw | None = None,
    ) -> tuple[int, int]:
        """Compute what the cache lacks of the tensors of `views` and nobody has kept; return how many that were, and
        how many at once.

        Raises what `compute_features` does and, where features are kept for others, `verify`.
        """
        keys = [view.key for view in views]
        if not self.cache.missing(keys):
            return 0, BATCH
        forward = self.forward([view.photo for view in views[:COMPARED]])
        size = self._source.image_size
        with self._share(views, progress, check_stop):
            missing = len(self.cache.missing(keys))
            # What somebody draws or reads in a way of their own only this process can.
            if self._spread and missing > BATCH and load is load_pixels and draw is None:
                self._spread_shards(self._spread, views, augmentation, seed, progress, check_stop)
            return missing, compute_features(
                self.cache, views, forward, size, augmentation, seed, progress, check_stop, load, draw
            )

    def _share(self, views: Sequence[View], progress: Progress, check_stop: CheckStop) -> AbstractContextManager[None]:
        """Add to the cache what others have kept of `views`; keep for them what is added while this is open."""
        source, keys = self._source, [view.key for view in views]
        # A look there takes longer than a batch. Pixels are photos, and random weights no other machine has.
        known = bool(source.weights_sha256) and source.cut.names != (PIXELS,)
        if self._keeping is None or not known or len(self.cache.missing(keys)) <= BATCH:
            return nullcontext()
        versions = {name: importlib.metadata.version(name) for name in (self.engine, "pillow")}
        store = ShardStore(self._keeping, self.cache, versions | {"machine": platform.machine()})
        store.fetch(views, progress, check_stop)
        if self.cache.missing(keys):
            # Others will rely on it.
            self.verify([view.photo for view in views[:COMPARED]])
        return store.keep(views, check_stop)

    def _spread_shards(
        self,
        spread: Spread,
        views: Sequence[View],
        augmentation: str,
        seed: int,
        progress: Progress,
        check_stop: CheckStop,
    ) -> None:
        if self._source.cut.names == (PIXELS,):
            return
        if self.engine != ONNX:
            spread.decline(self.note or "TensorFlow runs the network, on this machine's GPU")
            return
        from tlcore.engines.runtime import NETWORK, read_record

        sha256 = str(read_record(self.cache.folder).sha256)
        network = NetworkFile(np.fromfile(self.cache.folder / NETWORK, np.uint8), sha256)
        size = self._source.image_size
        spread_features(self.cache, views, network, size, augmentation, seed, progress, check_stop, spread)

    def forward(self, photos: Sequence[Photo]) -> Forward:
        """Return the network as a function, compared on some of `photos` where it has not been yet."""
        if self._forward is None:
            self._forward = self._find_forward(photos)
        return self._forward

    def verify(self, photos: Sequence[Photo]) -> None:
        """Compare the network's file with Keras on some of `photos` where that was put off; once for each file.

        Raises RunError where its answers are others: what was learnt from them is of no use.
        """
        if self.engine != ONNX or self._source.cut.names == (PIXELS,):
            return
        from tlcore.engines.runtime import NETWORK, keep, open_kept, read_record

        folder = self.cache.folder
        network = open_kept(folder) if read_record(folder).apart is None else None
        if network is None:
            return
        apart = self._compare(network, photos)
        if apart <= TOLERANCE:
            keep(folder, (folder / NETWORK).read_bytes(), apart)
            return
        self._refuse(_tell_apart(apart))
        raise RunError(
            f"Expected ONNX Runtime's features within {TOLERANCE:.1%} of Keras's. Received: {apart:.1%} from them, so "
            "what was learnt from them is not kept. Start again: TensorFlow will compute them."
        )

    def _find_forward(self, photos: Sequence[Photo]) -> Forward:
        if self._source.cut.names == (PIXELS,):
            return lambda pixels: [pixels]
        if self.engine == ONNX:
            network = self._prepare(photos)
            if network:
                return network
        from tlcore.models.backend import freeze

        return freeze(self._source.lower())

    def _prepare(self, photos: Sequence[Photo]) -> "OnnxNetwork | None":
        """Return the network from its file, written and compared as far as that is still to be done.

        Where it cannot be used, that is recorded and None is returned.
        """
        from tlcore.engines.runtime import NETWORK, OnnxNetwork, keep, open_kept, read_record

        folder, source = self.cache.folder, self._source
        network, content = open_kept(folder), None
        if network and (read_record(folder).apart is not None or source.plain):
            return network
        try:
            if not network:
                from tlcore.engines.writer import write_network

                content = write_network(source.plan())
                network = OnnxNetwork(content)
            apart = None if source.plain else self._compare(network, photos)
        except (MemoryError, OSError):
            # A photo or the weights that cannot be read say nothing of the conversion.
            raise
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with a conversion, TensorFlow can do without it
            self._refuse(f"it cannot be written for ONNX Runtime: {problem}")
            return None
        if apart is not None and not apart <= TOLERANCE:
            self._refuse(_tell_apart(apart))
            return None
        keep(folder, content or (folder / NETWORK).read_bytes(), apart)
        return network

    def _compare(self, network: "OnnxNetwork", photos: Sequence[Photo]) -> float:
        """Return the largest difference from Keras's answers for some photos, or for noise where there are none, as a
        share of the largest answer."""
        from tlcore.models.backend import answer_once

        size = self._source.image_size
        pixels = np.random.default_rng(0).integers(0, 256, (COMPARED, size, size, 3), np.uint8)
        if photos:
            pixels = np.stack([load_pixels(Path(photo.file), size) for photo in photos[:COMPARED]])
        expected = answer_once(self._source.lower(), pixels)
        return max(
            float(np.abs(one - other).max() / max(np.abs(other).max(), np.finfo(np.float32).tiny))
            for one, other in zip(network(pixels), expected, strict=True)
        )

    def _refuse(self, reason: str) -> None:
        from tlcore.engines.runtime import refuse

        refuse(self.cache.folder, reason)
        self._fall_back(reason)

    def _fall_back(self, reason: str) -> None:
        self.note = f"TensorFlow runs the frozen part of {self._source.row.title}, more slowly: {reason}"
        self.engine = TENSORFLOW
        self.cache = self._open_cache()

    def _open_cache(self) -> FeatureCache:
        """Open the cache of the engine in use; those not used for long make room."""
        source = self._source
        identity = {
            "backbone": source.row.name,
            "weights": source.weights_sha256,
            "image_size": source.image_size,
            "boundary": source.cut.boundary,
            "pixels": source.cut.names == (PIXELS,),
            "keras": importlib.metadata.version("keras"),
            "engine": self.engine,
            "precision": PRECISION,
            "layout": LAYOUT,
        }
        if source.used_for:
            # Which tensors those are, the boundary does not tell.
            identity |= {"used_for": source.used_for, "shapes": source.cut.shapes}
        cache = FeatureCache(self._caches, identity, source.cut.shapes, source.cut.dtypes)
        trim_caches(self._caches, keep=cache.folder)
        return cache


def freeze_up_to(caches: Path, loaded: LoadedBackbone, cut: Cut) -> FrozenPart:
    """Return the part of a backbone below `cut`, with its cache, a folder in `caches`."""
    weights = loaded.weights if loaded.row.plain else None

    def plan() -> Network:
        if weights is not None and cut.names == (POOLED,):
            return plan_pooled(loaded.row, loaded.image_size, weights)
        from tlcore.engines.from_keras import plan_cut

        return plan_cut(loaded.row, loaded.backbone, cut, loaded.image_size)

    def lower() -> "keras.Model":
        from tlcore.models.classifier import lower_model

        return lower_model(loaded.row, loaded.backbone, cut, loaded.image_size)

    source = Source(loaded.row, loaded.weights_sha256, loaded.image_size, cut, plan, lower, weights is not None)
    return FrozenPart(caches, source, loaded.spread, loaded.keeping)


def pooled_features(
    loaded: LoadedBackbone,
    photos: Sequence[Photo],
    caches: Path,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
    load: Load = load_pixels,
) -> tuple[np.ndarray, int]:
    """Return the pooled features of photos, float32 (n, channels), and how many of them were not cached yet.

    What `load` reads is cached by the photos' content: another `load` needs another content.
    """
    frozen, views = freeze_up_to(caches, loaded, pooled_cut(loaded.row)), list_views(photos, 1, "none", 0)
    computed, _ = frozen.fill(views, "none", 0, progress, check_stop, load)
    return np.asarray(frozen.cache.tensors()[0][frozen.cache.rows([view.key for view in views])]), computed


def _tell_apart(apart: float) -> str:
    return f"its answers were {apart:.1%} from Keras's, which is more than {TOLERANCE:.1%}"


def uses_onnx() -> bool:
    """Say whether ONNX Runtime runs what is frozen on this machine: it is installed and there is no GPU in use."""
    return not on_gpu() and _is_installed()


def _is_installed() -> bool:
    return all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnx"))


def on_gpu() -> bool:
    """Say whether TensorFlow would compute on a GPU; without TensorFlow, whether there is one that it might."""
    if sys.modules.get("tensorflow"):
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    return NVIDIA_DRIVER.exists() and os.environ.get("CUDA_VISIBLE_DEVICES") != "-1"
