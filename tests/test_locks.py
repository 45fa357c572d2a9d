"""The lock files: every pin at the same version, every package with the hashes of its files, and no host named."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = ["requirements.lock", "serving.lock", "gpu.lock", "signin.lock", "tests/requirements.lock"]
PIN = re.compile(r"^([a-z0-9._-]+)(?:\[[a-z-]+\])?==([0-9a-z.]+)", re.M)
MARKER = r"[a-z_]+ [!=<>]+ '[A-Za-z0-9.]+'"
SHA256 = re.compile(r"--hash=sha256:[0-9a-f]{64}( \\)?")


def read_pins(name):
    return PIN.findall((ROOT / name).read_text())


@pytest.mark.parametrize(
    ("pins", "lock"),
    [
        ("requirements.txt", "requirements.lock"),
        ("requirements/export.txt", "requirements.lock"),
        ("requirements/signin.txt", "signin.lock"),
        ("requirements/signin.txt", "tests/requirements.lock"),
        ("tests/requirements.txt", "tests/requirements.lock"),
    ],
)
def test_each_pin_is_locked_at_its_version(pins, lock):
    asked = read_pins(pins)
    assert asked
    assert set(asked) <= set(read_pins(lock))


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_hashes_and_nothing_else_is_told(lock):
    package, hashes = "", dict[str, int]()
    for line in (ROOT / lock).read_text().splitlines():
        if PIN.match(line):
            package = line
            hashes[package] = 0
            # A marker for a system or a release of Python may follow, and nothing else.
            assert re.fullmatch(rf"[a-z0-9._-]+==[0-9a-z.]+( ; {MARKER}( and {MARKER})*)? \\", line), line
        else:
            assert SHA256.fullmatch(line.strip()), line
            hashes[package] += 1
    assert len(hashes) > (3 if lock == "signin.lock" else 20)
    assert [package for package, count in hashes.items() if not count] == []


def test_the_locks_agree_where_they_name_the_same_package():
    versions = {}
    for lock in LOCKS:
        for package, version in read_pins(lock):
            versions.setdefault(package, {}).setdefault(version, []).append(lock)
    # Of SciPy two releases serve different releases of Python.
    assert [package for package, found in versions.items() if len(found) > 1 and package != "scipy"] == []
