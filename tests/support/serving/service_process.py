"""A real `python -m thaw serve` for tests, and what they ask it that an ordinary client would not."""

import asyncio
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).parents[3]


class ServiceProcess:
    """Serves in a process of its own at `url` while in a `with`; `words` are the command's arguments."""

    def __init__(self, *words: object, environment: dict[str, str] | None = None):
        line = [sys.executable, "-m", "thaw", "serve", *map(str, words), "--port", "0", "--json"]
        environment = (environment or dict(os.environ)) | {"PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=environment
        )
        self.said: list[str] = []

    def __enter__(self) -> "ServiceProcess":
        for line in iter(self.process.stderr.readline, ""):
            self.said.append(line)
            if line.startswith("Serving "):
                self.url = line.split(" at ")[1].split(" (")[0]
                self.port = int(self.url.rpartition(":")[2])
                self.client = httpx.Client(base_url=self.url, timeout=60)
                # A pipe that nobody empties would stop the service once parsers had warned of enough damaged pictures.
                self._draining = threading.Thread(target=self.process.stderr.read, daemon=True)
                self._draining.start()
                return self
        raise AssertionError(f"the service ended with {self.process.wait()}: {''.join(self.said)}")

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self.process.terminate()
        self.process.wait(60)
        self._draining.join(60)

    def stop(self) -> tuple[int, dict]:
        """Ask it to stop as a container's host would; return its exit status and what it printed."""
        self.process.terminate()
        status = self.process.wait(60)
        return status, json.loads(self.process.stdout.read())

    @property
    def memory_bytes(self) -> int:
        """Return what it holds in memory, its decoding children included."""
        process = psutil.Process(self.process.pid)
        return sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))

    def metric(self, name: str) -> float:
        """Return a number at /metrics that has no labels."""
        lines = self.client.get("/metrics").text.splitlines()
        return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def send_slowly(port: int, body: bytes, pieces: int, pause_s: float) -> int:
    """Send a picture piece by piece and read all the while, as a client behind a slow line; return the status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n"))
    writer.write(head(len(body)))
    step = -(-len(body) // pieces)
    for start in range(0, len(body), step):
        if answer.done():
            break
        writer.write(body[start : start + step])
        await asyncio.sleep(pause_s)
    status = int((await answer).split()[1])
    writer.close()
    return status


async def send_then_read(port: int, content: bytes, length: int, pieces: int, pause_s: float) -> int:
    """Send a body of `length` bytes whole before reading a byte, as most libraries do; return the status, or -1 where
    the connection was reset under it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head(length))
        step = -(-length // pieces)
        for start in range(0, length, step):
            part = content[start : start + step]
            writer.write(part + bytes(min(step, length - start) - len(part)))
            await writer.drain()
            await asyncio.sleep(pause_s)
        return int((await reader.readuntil(b"\r\n\r\n")).split()[1])
    except (ConnectionError, asyncio.IncompleteReadError):
        return -1
    finally:
        writer.close()


def head(length: int, path: str = "/predict", kind: str = "image/png") -> bytes:
    """Return the head of a request whose body has `length` bytes."""
    return (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    ).encode()
