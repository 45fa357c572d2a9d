"""Asks a service started with `python -m thaw serve` what it sees on pictures; needs nothing but Python 3.

    python client.py http://127.0.0.1:8600 photo.jpg [more.png ...]

It prints each picture's file, its class and the class's probability; where the model finds objects, a line for each
with its kind, how sure that is, and its box: x, y, width and height in pixels of the upright picture. It ends with 1
where one was not answered.
"""

import json
import mimetypes
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ANSWER_LIMIT_S = 60
TRIES = 5
BUSY = 503
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def ask(address: str, picture: Path) -> dict:
    """Send one picture file; return the answer: label (None for "I don't know"), probability, top, model, ms; of a
    model that finds objects width, height, boxes (each with label, confidence, box), model, ms.

    Raises urllib.error.HTTPError where the service refuses, and OSError where it or the file cannot be reached.
    """
    kind = mimetypes.guess_type(picture)[0] or ""
    request = urllib.request.Request(
        f"{address.rstrip('/')}/predict",
        picture.read_bytes(),
        # The service looks at the content; the type only has to say that it is a picture.
        {"content-type": kind if kind.startswith("image/") else "image/jpeg"},
    )
    for left in reversed(range(TRIES)):
        try:
            with opener_for(address).open(request, timeout=ANSWER_LIMIT_S) as response:
                return json.load(response)
        except urllib.error.HTTPError as problem:
            if problem.code != BUSY or not left:
                raise
            time.sleep(int(problem.headers.get("retry-after", 1)))
    raise AssertionError


def opener_for(address: str) -> urllib.request.OpenerDirector:
    """Return what opens addresses: by way of the proxy in the environment, but never to this machine itself."""
    here = urllib.parse.urlsplit(address).hostname in LOOPBACK
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if here else []))


def explain(problem: OSError) -> str:
    """Return the service's own reason, where it gave one."""
    if not isinstance(problem, urllib.error.HTTPError):
        return str(problem)
    try:
        return f"the service answered with status {problem.code}: {json.load(problem)['error']}"
    except (ValueError, KeyError, TypeError):
        return f"the service answered with status {problem.code}"


def tell(answer: dict) -> list[str]:
    """Return an answer as lines for a person."""
    if "boxes" not in answer:
        label = "I don't know" if answer["label"] is None else answer["label"]
        return [f"{label} {answer['probability']:.4f}"]
    told = []
    for found in answer["boxes"]:
        x, y, width, height = found["box"]
        told.append(f"{found['label']} {found['confidence']:.4f} at {x:.1f} {y:.1f}, {width:.1f} x {height:.1f}")
    return told or ["nothing found"]


def main(words: list[str]) -> int:
    """Ask about the pictures; return the exit status."""
    if len(words) < 2:
        print("Usage: python client.py http://127.0.0.1:8600 photo.jpg [more.png ...]", file=sys.stderr)
        return 2
    # Class names can be in any script; what the terminal's encoding lacks is written as an escape.
    sys.stdout.reconfigure(errors="backslashreplace")
    failed = 0
    for name in words[1:]:
        try:
            answer = ask(words[0], Path(name))
        except (OSError, ValueError) as problem:
            print(f"{name}: {explain(problem) if isinstance(problem, OSError) else problem}", file=sys.stderr)
            failed = 1
        else:
            for line in tell(answer):
                print(f"{name}: {line}")
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
