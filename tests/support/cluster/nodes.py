"""Ray clusters of a test's own on this machine: a node is a process, and a killed node is a killed process."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tlcore.environment import SOURCE_ROOT

HOST = "127.0.0.1"
STORE_BYTES = 100_000_000
STARTED_WITHIN_S = 120
START = "from ray.scripts.scripts import main; main()"


def free_port():
    with socket.create_server((HOST, 0)) as free:
        return free.getsockname()[1]


class Cluster:
    """A head and what joins it; `folder` has what Ray writes."""

    python_path = str(SOURCE_ROOT)

    def __init__(self, cpus=1, program=START):
        # Ray's sockets lie in it, whose paths have to be short.
        self.folder = Path(tempfile.mkdtemp(prefix="ray", dir="/tmp"))
        self.address = f"{HOST}:{free_port()}"
        self.nodes = []
        self.add("head", cpus, program)

    def add(self, name, cpus=1, program=START, **environment):
        """Start a node, and wait until it has joined; return its process."""
        head = not self.nodes
        port = self.address.partition(":")[2]
        where = ["--head", f"--port={port}", f"--temp-dir={self.folder}"] if head else [f"--address={self.address}"]
        options = [f"--num-cpus={cpus}", f"--node-name={name}", f"--node-ip-address={HOST}", "--disable-usage-stats"]
        quiet = [f"--object-store-memory={STORE_BYTES}", "--num-gpus=0", "--include-dashboard=false", "--block"]
        words = ["start", *where, *options, *(quiet if head else [each for each in quiet if "dashboard" not in each])]
        settings = {
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": self.python_path,
            "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1",
        }
        with (self.folder / f"{name}.log").open("wb") as log:
            node = subprocess.Popen(
                [sys.executable, "-c", program, *words],
                cwd=self.folder,
                env=os.environ | settings | environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.nodes.append(node)
        self._await(name, node)
        return node

    def kill(self, node):
        """End a node as a power cut would: all that it has started, at once."""
        for process in [*psutil.Process(node.pid).children(recursive=True), psutil.Process(node.pid)]:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        node.wait()

    def close(self):
        for node in reversed(self.nodes):
            if node.poll() is None:
                self.kill(node)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _await(self, name, node):
        log, deadline = self.folder / f"{name}.log", time.monotonic() + STARTED_WITHIN_S
        while "--block" not in log.read_text(errors="replace"):
            assert node.poll() is None, log.read_text(errors="replace")
            assert time.monotonic() < deadline, f"{name} did not start"
            time.sleep(0.1)


@contextmanager
def cluster(cpus=1, program=START):
    """Run a cluster of one node with `cpus` processors, to which others may be added."""
    made = Cluster(cpus, program)
    try:
        yield made
    finally:
        made.close()
