"""The frozen part of a backbone up to a cut: what runs it, and the cache of what it makes of photos.

On a processor ONNX Runtime runs it, from a file that is written once, lies with the cached tensors and was compared
with Keras on photos; on a GPU, and where the file's answers are others, TensorFlow does. What one has cached is never
mixed with what the other has. TensorFlow and Keras are imported only where a file has to be written or compared.
"""

import importlib.metadata
import importlib.util
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlcore.features.cache import FeatureCache, trim_caches
from tlcore.features.compute import BATCH, View, compute_features, list_views
from tlcore.images.decode import load_pixels
from tlcore.models.backbone_table import Backbone
from tlcore.models.efficientnet_lite import plan_pooled
from tlcore.models.plan import PIXELS, Cut, Forward, Network, pooled_cut
from tlcore.models.weights import fetch, is_local
from tlcore.photos import Photo
from tlcore.progress import CheckStop, Progress, ignore_progress, never_stop

if TYPE_CHECKING:
    from tlcore.engines.runtime import OnnxNetwork
    from tlcore.models.loading import LoadedBackbone

ONNX, TENSORFLOW = "onnxruntime", "tensorflow"
PRECISION = "float32"
# How far a file's answers may be from Keras's, as a share of the largest; rounding alone makes 1e-6.
TOLERANCE = 1e-3
COMPARED = 4
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True)
class Source:
    """A frozen network: what it is, and how to get it. `plan` returns it as plain layers and `lower` as a Keras model;
    each is None where that cannot be had without more than is there."""

    row: Backbone
    weights_sha256: str
    image_size: int
    cut: Cut
    plan: Callable[[], Network] | None
    lower: Callable[[], Callable[..., object]] | None


class FrozenPart:
    """A frozen network with the cache of what it makes of photos.

    `cache` is that of the engine in use, `engine` its name; `note` says why TensorFlow has to do what ONNX Runtime
    would do faster, or is None.
    """

    def __init__(self, caches: Path, source: Source) -> None:
        self._caches, self._source = caches, source
        self._forward: Forward | None = None
        self.note: str | None = None
        self.engine = ONNX if not _on_gpu() and _is_installed() else TENSORFLOW
        self.cache = self._open_cache()
        if self.engine == ONNX:
            from tlcore.engines.kept import read_record

            refused = read_record(self.cache.folder).refused
            if refused:
                self._fall_back(refused)

    @property
    def is_ready(self) -> bool:
        """Whether it can be run without Keras: its file is there, or can be written without."""
        if self.engine != ONNX:
            return False
        from tlcore.engines.kept import open_kept

        return self._source.plan is not None or open_kept(self.cache.folder) is not None

    def fill(
        self, views: Sequence[View], augmentation: str, seed: int, progress: Progress, check_stop: CheckStop
    ) -> tuple[int, int]:
        """Compute what the cache lacks of the tensors of `views`; return how many that were, and how many at once.

        Raises what `compute_features` does.
        """
        keys = [view.key for view in views]
        if not self.cache.missing(keys):
            return 0, BATCH
        forward = self.forward([view.photo for view in views[:COMPARED]])
        missing = len(self.cache.missing(keys))
        size = self._source.image_size
        return missing, compute_features(self.cache, views, forward, size, augmentation, seed, progress, check_stop)

    def forward(self, photos: Sequence[Photo]) -> Forward:
        """Return the network as a function, compared on some of `photos` where it has not been yet."""
        if self._forward is None:
            self._forward = self._find_forward(photos)
        return self._forward

    def _find_forward(self, photos: Sequence[Photo]) -> Forward:
        if self._source.cut.names == (PIXELS,):
            return lambda pixels: [pixels]
        if self.engine == ONNX:
            network = self._prepare(photos)
            if network:
                return network
        from tlcore.models.inference import freeze

        assert self._source.lower, "what falls back has Keras"
        return freeze(self._source.lower())

    def _prepare(self, photos: Sequence[Photo]) -> "OnnxNetwork | None":
        """Return the network from its file, written and compared as far as that is still to be done.

        Where it cannot be used, that is recorded and None is returned.
        """
        from tlcore.engines.kept import keep, open_kept, read_record
        from tlcore.engines.runtime import OnnxNetwork

        folder, source = self.cache.folder, self._source
        network, content = open_kept(folder), None
        if network and (read_record(folder).apart is not None or not source.lower):
            return network
        try:
            if not network:
                from tlcore.engines.writer import write_network

                assert source.plan, "asked for only where it is ready"
                content = write_network(source.plan())
                network = OnnxNetwork(content)
            apart = self._compare(network, photos) if source.lower else None
        except MemoryError:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with a conversion, TensorFlow can do without it
            self._refuse(f"it cannot be written for ONNX Runtime: {problem}")
            return None
        if apart is not None and not apart <= TOLERANCE:
            self._refuse(f"its answers were {apart:.1%} from Keras's, which is more than {TOLERANCE:.1%}")
            return None
        keep(folder, content or (folder / "network.onnx").read_bytes(), apart)
        return network

    def _compare(self, network: "OnnxNetwork", photos: Sequence[Photo]) -> float:
        """Return the largest difference from Keras's answers for some photos, as a share of the largest answer."""
        assert self._source.lower
        size = self._source.image_size
        pixels = np.stack([load_pixels(Path(photo.file), size) for photo in photos[:COMPARED]])
        answers = self._source.lower()(pixels, training=False)
        expected = [np.asarray(each) for each in (answers if isinstance(answers, list | tuple) else [answers])]
        return max(
            float(np.abs(one - other).max() / max(np.abs(other).max(), np.finfo(np.float32).tiny))
            for one, other in zip(network(pixels), expected, strict=True)
        )

    def _refuse(self, reason: str) -> None:
        from tlcore.engines.kept import refuse

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
        }
        cache = FeatureCache(self._caches, identity, source.cut.shapes, source.cut.dtypes)
        trim_caches(self._caches, keep=cache.folder)
        return cache


def freeze_up_to(caches: Path, loaded: "LoadedBackbone", cut: Cut) -> FrozenPart:
    """Return the part of a backbone below `cut`, with its cache, a folder in `caches`."""
    from tlcore.engines.from_keras import plan_cut
    from tlcore.models.classifier import lower_model

    source = Source(
        loaded.row,
        loaded.weights_sha256,
        loaded.image_size,
        cut,
        lambda: plan_cut(loaded.row, loaded.backbone, cut, loaded.image_size),
        lambda: lower_model(loaded.row, loaded.backbone, cut, loaded.image_size),
    )
    return FrozenPart(caches, source)


def pooled_features(
    loaded: "LoadedBackbone",
    photos: Sequence[Photo],
    caches: Path,
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
) -> tuple[np.ndarray, int]:
    """Return the pooled features of photos, float32 (n, channels), and how many of them were not cached yet."""
    return _pooled(freeze_up_to(caches, loaded, pooled_cut(loaded.row)), photos, progress, check_stop)


def compute_ready_features(
    caches: Path,
    row: Backbone,
    weights_sha256: str,
    image_size: int,
    photos: Sequence[Photo],
    progress: Progress = ignore_progress,
    check_stop: CheckStop = never_stop,
) -> np.ndarray | None:
    """Return what `pooled_features` returns, float32 (n, channels), by ONNX Runtime, without TensorFlow and Keras.

    None where that cannot be: on a GPU, or where no file of that network is in `caches` and none can be written
    without Keras, as it can for EfficientNet-Lite. Files that are written here are compared with Keras by the first
    process that has it. Raises as `compute_features` does.
    """
    cut = pooled_cut(row)
    plan: Callable[[], Network] | None = None
    if row.application is None and is_local(row):
        plan = lambda: plan_pooled(row, image_size, fetch(row))  # noqa: E731
    frozen = FrozenPart(caches, Source(row, weights_sha256, image_size, cut, plan, None))
    return _pooled(frozen, photos, progress, check_stop)[0] if frozen.is_ready else None


def _pooled(
    frozen: FrozenPart, photos: Sequence[Photo], progress: Progress, check_stop: CheckStop
) -> tuple[np.ndarray, int]:
    views = list_views(photos, 1, "none", 0)
    computed, _ = frozen.fill(views, "none", 0, progress, check_stop)
    return np.asarray(frozen.cache.tensors()[0][frozen.cache.rows([view.key for view in views])]), computed


def _is_installed() -> bool:
    return all(importlib.util.find_spec(name) for name in ("onnxruntime", "onnx"))


def _on_gpu() -> bool:
    """Say whether TensorFlow would compute on a GPU; without TensorFlow, whether there is one that it might."""
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    return NVIDIA_DRIVER.exists()
