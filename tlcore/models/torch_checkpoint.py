"""Reads tensors from PyTorch's checkpoint files, the older of one piece and the newer of a zip, without PyTorch and
without running their code."""

import collections
import io
import math
import pickle
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tlcore.errors import WeightsError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_ZIP_MAGIC = b"PK\x03\x04"
_STORAGE_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "<i1",
    "ByteStorage": "<u1",
    "BoolStorage": "|b1",
}
# What a damaged or hostile pickle can make the unpickler raise; MemoryError comes from absurd lengths.
_PICKLE_FAILURES = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
    OverflowError,
    # Of an encrypted or otherwise odd member of a zip.
    zipfile.BadZipFile,
    RuntimeError,
)


@dataclass(frozen=True)
class _Storage:
    """A flat run of numbers whose bytes follow later in the file."""

    key: str
    dtype: str
    count: int


@dataclass(frozen=True)
class _TensorView:
    """A strided window on a storage, counted in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _RestrictedUnpickler(pickle.Unpickler):
    """Admits the four kinds of object a state dict is made of; every other global is refused by name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _view_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return name
        raise WeightsError(
            f"The checkpoint asks for '{module}.{name}'. Expected only tensors in an OrderedDict. "
            "The file was not read any further; use a state dict from a source you trust."
        )

    def persistent_load(self, pid: Any) -> _Storage:
        kind, storage_type, key, _device, count, *view = pid
        valid = kind == "storage" and storage_type in _STORAGE_DTYPES and view in ([], [None])
        if not (valid and isinstance(key, str) and isinstance(count, int) and count >= 0):
            raise ValueError(f"storage id {pid!r}")
        return _Storage(key, _STORAGE_DTYPES[storage_type], count)


def read_checkpoint(path: Path | str) -> dict[str, np.ndarray]:
    """Read every tensor of a state dict, in the file's order.

    Returns arrays of the stored shape and dtype (little-endian). Nothing named in the file is imported or
    called. Raises WeightsError for a missing, truncated, damaged or foreign file, or one that asks for more
    than tensors. Layouts: that of `torch.save`, a zip, and the one before it, protocol 1001.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            zipped = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
            file.seek(0)
            return _read_zip(file) if zipped else _read_tensors(file, path.stat().st_size)
    except OSError as error:
        raise WeightsError(f"Cannot read the checkpoint '{path}': {error.strerror}. Install it again.") from error
    except _PICKLE_FAILURES as error:
        raise WeightsError(
            f"Expected a PyTorch checkpoint of tensors alone. Received '{path.name}', which is cut short, "
            f"damaged or of another kind ({type(error).__name__}: {error}). Install it again."
        ) from error


def _read_tensors(file: BinaryIO, file_bytes: int) -> dict[str, np.ndarray]:
    _check_preamble(file)
    views = _load(file)
    keys = _load(file)
    if not isinstance(views, dict) or not all(_is_named_tensor(item) for item in views.items()):
        raise ValueError("its content is not a flat dict of named tensors")
    storages = {view.storage.key: view.storage for view in views.values()}
    if not isinstance(keys, list) or set(keys) != set(storages) or len(keys) != len(storages):
        raise ValueError("its list of storages does not match its tensors")
    data = {key: _read_storage(file, storages[key], file_bytes) for key in keys}
    if file.read(1):
        raise ValueError("bytes follow the last storage")
    return {name: _materialise(view, data[view.storage.key]) for name, view in views.items()}


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    """Read what `torch.save` writes: one folder with a pickle of views, and each storage in a file of its own."""
    with zipfile.ZipFile(file) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ValueError(f"a zip with {len(pickles)} files 'data.pkl' instead of one")
        root = pickles[0].removesuffix("data.pkl")
        views = _load(io.BytesIO(_read_member(archive, pickles[0])))
        if not isinstance(views, dict) or not all(_is_named_tensor(item) for item in views.items()):
            raise ValueError("its content is not a flat dict of named tensors")
        if f"{root}byteorder" in archive.namelist() and _read_member(archive, f"{root}byteorder") != b"little":
            raise ValueError("big-endian storages")
        data: dict[str, np.ndarray] = {}
        for storage in {view.storage.key: view.storage for view in views.values()}.values():
            data[storage.key] = np.frombuffer(_read_member(archive, f"{root}data/{storage.key}"), storage.dtype)
            if len(data[storage.key]) != storage.count:
                raise ValueError(f"storage {storage.key} has other than the {storage.count} elements announced")
    return {name: _materialise(view, data[view.storage.key]) for name, view in views.items()}


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    # PyTorch compresses nothing; so no small file can ask for unlimited memory.
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"'{name}' is compressed")
    return archive.read(name)


def take_tensor(tensors: dict[str, np.ndarray], key: str, layer: str) -> np.ndarray:
    """Remove the tensor `key`, which a layer needs, from those of a checkpoint; raise WeightsError where it lacks."""
    if key not in tensors:
        raise WeightsError(
            f"Expected a tensor '{key}' for layer '{layer}'. Received a checkpoint without it. "
            "Use the checkpoint made for this variant."
        )
    return tensors.pop(key)


def check_shape(array: np.ndarray, shape: tuple[int, ...], key: str, layer: str) -> np.ndarray:
    """Return a tensor that has the shape which a layer needs; raise WeightsError for another."""
    if array.shape != shape:
        raise WeightsError(
            f"Expected '{key}' of shape {shape} for layer '{layer}'. Received: {array.shape}. "
            "Use the checkpoint made for this variant."
        )
    return array


def check_rest(left: Sequence[str], variant: str, path: Path) -> None:
    """Raise WeightsError where tensors of the checkpoint at `path` are `left` that no layer needs."""
    if left:
        raise WeightsError(
            f"Expected a checkpoint of '{variant}'. Received '{path.name}', which has {len(left)} tensors more, "
            f"such as '{left[0]}'. Use the file made for this variant."
        )


def _load(file: BinaryIO) -> Any:
    return _RestrictedUnpickler(file).load()


def _check_preamble(file: BinaryIO) -> None:
    if _load(file) != _MAGIC:
        raise ValueError("wrong magic number")
    if _load(file) != _PROTOCOL:
        raise ValueError("unknown protocol version")
    if not _load(file)["little_endian"]:
        raise ValueError("big-endian storages")


def _is_named_tensor(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], _TensorView)


def _view_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_gradient_and_hooks: Any
) -> _TensorView:
    """Check that the window lies inside its storage; PyTorch itself does this when it rebuilds a tensor."""
    if not isinstance(storage, _Storage) or len(shape) != len(strides):
        raise ValueError("a tensor without a storage")
    if not all(isinstance(number, int) and number >= 0 for number in (offset, *shape, *strides)):
        raise ValueError("a tensor with an impossible shape")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    elements = math.prod(shape)
    # A stride of 0 repeats elements, which would let a small file ask for unlimited memory.
    if elements > storage.count or (elements > 0 and last >= storage.count):
        raise ValueError("a tensor that reaches outside its storage")
    return _TensorView(storage, offset, tuple(shape), tuple(strides))


def _read_storage(file: BinaryIO, storage: _Storage, file_bytes: int) -> np.ndarray:
    dtype = np.dtype(storage.dtype)
    count = int.from_bytes(_read_exactly(file, 8, file_bytes), "little", signed=True)
    if count != storage.count:
        raise ValueError(f"storage {storage.key} holds {count} elements where {storage.count} were announced")
    return np.frombuffer(_read_exactly(file, count * dtype.itemsize, file_bytes), dtype)


def _read_exactly(file: BinaryIO, size: int, file_bytes: int) -> bytes:
    # Compared before reading, so that an absurd length costs no memory.
    if file.tell() + size > file_bytes:
        raise EOFError("the file ends inside a storage")
    return file.read(size)


def _materialise(view: _TensorView, data: np.ndarray) -> np.ndarray:
    if 0 in view.shape:
        return np.empty(view.shape, data.dtype)
    byte_strides = [stride * data.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(data[view.offset :], view.shape, byte_strides).copy()
