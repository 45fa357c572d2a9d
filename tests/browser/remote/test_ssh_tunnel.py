"""Through an SSH tunnel, by the command of docs/remote.md: another port on the laptop, photos in, pictures out."""

import getpass
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, expect

from tests.browser.harness import Server, Watch, drop, load_pictures, wait_until
from tests.browser.journey import JOB_MS, see_page
from tests.support.serving.remote_guide import change, read_block

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
PHOTOS = 4


def find_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def tunnel(server: Server, tmp_path: Path) -> Iterator[int]:
    """A server for SSH on this machine, with keys of its own, and the guide's command; yield the laptop's port."""
    if SSHD is None or shutil.which("ssh") is None:
        message = "Expected sshd and ssh for the test of the tunnel. Install them (Debian: openssh-server)."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    if os.geteuid() == 0:
        # Where Debian's sshd shuts its children in; its service makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    for name in ("host", "person"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    door, port = find_port(), find_port()
    (tmp_path / "sshd.conf").write_text(
        f"Port {door}\nListenAddress 127.0.0.1\nHostKey {tmp_path / 'host'}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {tmp_path / 'person.pub'}\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
    )
    (tmp_path / "ssh.conf").write_text(
        f"Host gpu.lab.example\n HostName 127.0.0.1\n Port {door}\n User {getpass.getuser()}\n"
        f" IdentityFile {tmp_path / 'person'}\n IdentitiesOnly yes\n StrictHostKeyChecking no\n"
        f" UserKnownHostsFile {tmp_path / 'known'}\n ExitOnForwardFailure yes\n LogLevel ERROR\n"
    )
    command = change(read_block("tunnel"), {"9000:": f"{port}:", ":8501": f":{server.port}"}).split()
    assert command[0] == "ssh"
    remote = subprocess.Popen([SSHD, "-D", "-e", "-f", tmp_path / "sshd.conf"])
    wait_until(lambda: answers(door), 30, "sshd")
    laptop = subprocess.Popen(["ssh", "-F", tmp_path / "ssh.conf", *command[1:]])
    wait_until(lambda: answers(port) or laptop.poll() is not None, 30, "the tunnel")
    assert laptop.poll() is None
    yield port
    for process in (laptop, remote):
        process.terminate()
        process.wait(20)


def answers(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def test_all_of_it_works_at_another_port_of_the_laptop(
    tunnel: int, server: Server, browser: BrowserContext, tmp_path: Path
) -> None:
    assert tunnel != server.port
    for number in range(PHOTOS):
        path = tmp_path / "tunnelled" / ("red", "blue")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (60 * number, 90, 250 - 60 * number)).save(path)
    watch, page = Watch(browser), browser.pages[0]
    for name in ("127.0.0.1", "localhost"):
        page.goto(f"http://{name}:{tunnel}/data")
        see_page(page, "data")
        # Browsers trust this machine's own name, and so give the page a camera.
        assert page.evaluate("isSecureContext && 'getUserMedia' in navigator.mediaDevices")
    drop(page, tmp_path / "tunnelled")
    expect(page.get_by_role("heading", name="tunnelled")).to_be_visible(timeout=JOB_MS)
    load_pictures(page)
    assert not watch.errors
    assert httpx.get(f"http://127.0.0.1:{tunnel}/data", headers={"host": "gpu.lab.example"}).status_code == 403
