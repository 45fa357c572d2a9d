"""Dockerfiles as instructions, and their steps taken without a container engine: in an environment and a folder."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]


class Dockerfile:
    """The instructions of a file at the root of the repository, in order."""

    def __init__(self, name: str) -> None:
        text = re.sub(r"^#.*\n", "", (ROOT / name).read_text("utf-8"), flags=re.M).replace("\\\n", "")
        lines = (line.partition(" ") for line in text.splitlines() if line.strip())
        self.instructions = [(instruction, value) for instruction, _, value in lines]

    def all(self, name: str) -> list[str]:
        """Return what stands after each instruction of a name."""
        return [value for instruction, value in self.instructions if instruction == name]

    def only(self, name: str) -> str:
        """Return what stands after the one instruction of a name."""
        (value,) = self.all(name)
        return value

    def copied(self) -> list[str]:
        """Return the files and folders that are copied, as paths in the repository."""
        return [source for value in self.all("COPY") for source in value.split()[:-1]]

    def take_steps(self, folder: Path, args: dict[str, str]) -> dict[str, str]:
        """Copy the files into `folder / "work"` and install the packages into `folder / "venv"`; return the environment
        that the image has. `args` are the values of the build's arguments, which its shell sees."""
        work = folder / "work"
        work.mkdir()
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        environment = {"PATH": f"{folder / 'venv' / 'bin'}:/usr/bin:/bin", "HOME": str(folder)}
        environment |= {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        for instruction, value in self.instructions:
            if instruction == "COPY":
                *sources, target = value.split()
                for source in sources:
                    place = work / (source if target == "./" else target)
                    place.parent.mkdir(parents=True, exist_ok=True)
                    ignored = shutil.ignore_patterns("__pycache__")
                    copy: Any = shutil.copy if (ROOT / source).is_file() else shutil.copytree
                    copy(ROOT / source, place, **({} if (ROOT / source).is_file() else {"ignore": ignored}))
            elif instruction == "RUN" and "pip install" in value:
                subprocess.run(["sh", "-c", value], cwd=work, env=environment | args, check=True)
        return environment | dict(pair.split("=", 1) for pair in self.only("ENV").split())


def as_nobody(folder: Path, writable: Path) -> dict[str, Any]:
    """Return the options of a process that is nobody's and may write below `writable` alone, where this one may say
    so; otherwise none."""
    base = Path(sys.base_prefix).resolve()
    writable.mkdir(exist_ok=True)
    # Another user can run the interpreter only where the folders that lead to it are open to all.
    if os.geteuid() or not all(each.stat().st_mode & 0o001 for each in (base, *base.parents)):
        return {}
    for path in (folder, *folder.parents):
        path.chmod(path.stat().st_mode | 0o711)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
    for path in (writable, *writable.rglob("*")):
        shutil.chown(path, "nobody", "nogroup")
    return {"user": "nobody", "group": "nogroup"}
