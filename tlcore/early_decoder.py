"""Decodes an upload's photos while the rest of it still arrives: `python -m tlcore.early_decoder FOLDER`."""

import argparse
import json
import time
from collections.abc import Iterator, Set
from pathlib import Path

from tlcore import early_copies
from tlcore.decoder import Decoded, DecodeJob, Decoder
from tlcore.errors import DatasetError
from tlcore.names import is_junk
from tlcore.sources import kind_of
from tlcore.space import require_space

IDLE_S = 20.0
_LOOK_EVERY_S = 0.1


def decode_arriving(staging: Path, idle_s: float = IDLE_S) -> None:
    """Decode the files that an upload's manifest lists as they come, until an import takes over.

    Also ends when the upload is gone, the disk is nearly full, or nothing has come for `idle_s` seconds. What is
    refused is left to the import, which tells the reason.
    """
    try:
        with early_copies.recording(staging) as record, Decoder() as decoder:
            for job, outcome in decoder.map(_arriving(staging, idle_s, record.known)):
                if isinstance(outcome, Decoded):
                    record.add(job, outcome)
    except (OSError, DatasetError):
        # Another does it already, the upload was given up, or the disk is full, which the import will tell.
        return


def _arriving(staging: Path, idle_s: float, known: Set[str]) -> Iterator[DecodeJob]:
    place, heard = 0, time.monotonic()
    while time.monotonic() - heard < idle_s:
        with (staging / "manifest.jsonl").open("rb") as manifest:
            manifest.seek(place)
            text = manifest.read()
        whole = text[: text.rfind(b"\n") + 1]
        place += len(whole)
        for line in whole.splitlines():
            row = json.loads(line)
            if early_copies.taken(staging):
                return
            if "file" in row and row["file"].isalnum() and row["file"] not in known and _is_picture(row["name"]):
                require_space(staging, int(row["size"]))
                yield early_copies.early_job(staging, row["file"])
        if whole:
            heard = time.monotonic()
        elif early_copies.taken(staging):
            return
        else:
            time.sleep(_LOOK_EVERY_S)


def _is_picture(name: str) -> bool:
    """Say whether a file may be one: archives and tables are for the import to read."""
    return kind_of(Path(name)) == "folder" and not is_junk(name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tlcore.early_decoder", description="Decode an upload as it arrives.")
    parser.add_argument("folder", type=Path)
    decode_arriving(parser.parse_args().folder)


if __name__ == "__main__":
    main()
