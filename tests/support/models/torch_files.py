"""Files of tensors as PyTorch writes them, in both of its layouts, made without PyTorch."""

import collections
import io
import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
PREAMBLE = (MAGIC, 1001, {"protocol_version": 1001, "little_endian": True, "type_sizes": {}})


class Global:
    """Pickles as a bare reference to module.name, which need not exist here."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name


class Call:
    """Pickles as a call of a global with arguments."""

    def __init__(self, function: Global, *arguments: object):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return _placeholder, (self.function, self.arguments)


class StorageId:
    def __init__(self, *fields: object):
        self.fields = fields


def _placeholder(*_arguments: object) -> None:
    raise AssertionError("the pickle was run in the writer")


class Writer(pickle._Pickler):
    """Writes globals that need not exist, as PyTorch itself would."""

    def persistent_id(self, obj):
        return obj.fields if isinstance(obj, StorageId) else None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, Global):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Call):
            self.save(obj.function)
            self.save(tuple(obj.arguments))
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def pickled(obj: object) -> bytes:
    buffer = io.BytesIO()
    Writer(buffer, protocol=2).dump(obj)
    return buffer.getvalue()


def tensor(key, count, shape, strides, offset=0, storage="FloatStorage"):
    storage_id = StorageId("storage", Global("torch", storage), key, "cpu", count, None)
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    return Call(rebuild, storage_id, offset, shape, strides, False, collections.OrderedDict())


def checkpoint(path: Path, state: object, storages: dict[str, np.ndarray], preamble=PREAMBLE) -> Path:
    parts = [pickled(item) for item in (*preamble, state, list(storages))]
    parts += [struct.pack("<q", data.size) + data.tobytes() for data in storages.values()]
    path.write_bytes(b"".join(parts))
    return path


def zipped(path: Path, state: object, storages: Mapping[str, np.ndarray], root: str = "weights", **more: bytes) -> Path:
    """Write the layout that `torch.save` has had since PyTorch 1.6, with further members `more`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{root}/data.pkl", pickled(state))
        for key, data in storages.items():
            archive.writestr(f"{root}/data/{key}", data.tobytes())
        for name, content in ({"byteorder": b"little", "version": b"3\n"} | more).items():
            archive.writestr(f"{root}/{name}", content)
    return path


def zipped_tensor(key: str, count: int, shape: tuple, strides: tuple, offset: int = 0, storage: str = "FloatStorage"):
    """Return a tensor as a zip's pickle has it: its storage is named without the view of the older layout."""
    whole = tensor(key, count, shape, strides, offset, storage)
    return Call(whole.function, StorageId(*whole.arguments[0].fields[:-1]), *whole.arguments[1:])


def write_state(path: Path, tensors: Mapping[str, np.ndarray]) -> Path:
    """Write float32 arrays as a zip of one storage each, as a network's weights are published."""
    state: collections.OrderedDict = collections.OrderedDict()
    for place, (name, array) in enumerate(tensors.items()):
        strides = tuple(int(step) // 4 for step in np.empty(array.shape, "<f4").strides)
        state[name] = zipped_tensor(str(place), array.size, array.shape, strides)
    # A network's state has its layers' versions as an attribute beside its items.
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return zipped(path, state, {str(place): np.asarray(each, "<f4") for place, each in enumerate(tensors.values())})
