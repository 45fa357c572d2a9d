"""A stand-in for `tlcore.exporting.converters`, without TensorFlow: of LiteRT's formats one crashes it, one fails and
one, if the threshold says so, is killed as it is converted; what it writes of all others is no model."""

import argparse
import os
import signal
import sys
from pathlib import Path

from tlcore.exporting.formats import CONVERTED

KILLED_FROM = 0.9


def main() -> None:
    """Do as the converters do with what they are told."""
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("targets", nargs="+")
    for name in ("--calibration", "--labels"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--threshold", type=float)
    arguments = parser.parse_args()
    for name, _, target in (words.partition("=") for words in arguments.targets):
        failure = ""
        if name == "litert":
            os.abort()
        elif name == "litert-float16":
            failure = "ValueError: no such operation"
        elif name == "litert-int8" and arguments.threshold >= KILLED_FROM:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            Path(target).write_bytes(b"no model")
        sys.stdout.write(f"a line of its own\n{CONVERTED} {name} {failure}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
