"""Reads tensors from PyTorch's old (pre-zip) checkpoint files, without PyTorch and without running their code."""

import collections
import math
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from tlcore.errors import WeightsError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
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
        kind, storage_type, key, _device, count, view = pid
        valid = kind == "storage" and storage_type in _STORAGE_DTYPES and view is None
        if not (valid and isinstance(key, str) and isinstance(count, int) and count >= 0):
            raise ValueError(f"storage id {pid!r}")
        return _Storage(key, _STORAGE_DTYPES[storage_type], count)


def read_checkpoint(path: Path | str) -> dict[str, np.ndarray]:
    """Read every tensor of a state dict, in the file's order.

    Returns arrays of the stored shape and dtype (little-endian). Nothing named in the file is imported or
    called. Raises WeightsError for a missing, truncated, damaged or foreign file, or one that asks for more
    than tensors. Layout: `torch.save(..., _use_new_zipfile_serialization=False)`, protocol 1001.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            return _read_tensors(file, path.stat().st_size)
    except OSError as error:
        raise WeightsError(f"Cannot read the checkpoint '{path}': {error.strerror}. Install it again.") from error
    except _PICKLE_FAILURES as error:
        raise WeightsError(
            f"Expected a PyTorch checkpoint in the old pickle layout. Received '{path.name}', which is cut short, "
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
