import asyncio
import contextlib
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import psutil
import pytest

from tests.support.serving.request_time_app import LIMITS
from tests.support.serving.service_process import ROOT
from thaw.serving.request_time import LAST_WORD_S, timed

CROWD = 600
# What is never answered nor closed would trickle on for the better part of an hour.
BUSY_S = 120
# By so much a busy machine may be late.
LATE_S = 20
HEAD = "POST /{path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[psutil.Process]:
    """A real server in a process of its own; its port is its attribute `port`."""
    process = psutil.Popen(
        [sys.executable, "-m", "tests.support.serving.request_time_app"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    process.port = int(process.stdout.readline())
    yield process
    process.terminate()
    process.wait(60)


def connect(server: psutil.Process) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def read_all(connection: socket.socket) -> bytes:
    """Return what comes until the server closes the connection, which must not be by a reset."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


def connections(server: psutil.Process) -> int:
    return sum(each.status == psutil.CONN_ESTABLISHED for each in server.net_connections("tcp"))


def read_answer(connection: socket.socket) -> bytes:
    """Return one answer whole, with its head."""
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < told(answer):
        answer += connection.recv(65536)
    return answer


def told(answer: bytes) -> int:
    return next(int(line[15:]) for line in answer.split(b"\r\n") if line.startswith(b"content-length:"))


def status(answer: bytes) -> int:
    return int(answer.split()[1])


def send_until_cut(connection: socket.socket, piece: bytes, pause_s: float = 0.0) -> int:
    """Send a piece again and again until the server ends it, at most for a minute; return how many bytes went."""
    end, sent = time.monotonic() + 60, 0
    with contextlib.suppress(ConnectionError):
        while time.monotonic() < end:
            sent += connection.send(piece)
            time.sleep(pause_s)
    return sent


async def trickle(server: psutil.Process, head: bytes, pause_s: float) -> int:
    """Send a head, then a byte every `pause_s`, reading all the while, until the connection is closed; return the
    status of the answer, -1 where there is none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def read_status() -> int:
        try:
            told = status(await reader.readuntil(b"\r\n\r\n"))
        except (ConnectionError, asyncio.IncompleteReadError):
            return -1
        # Once it has answered, the server may close as it likes.
        with contextlib.suppress(ConnectionError):
            await reader.read()
        return told

    answer = asyncio.ensure_future(read_status())
    writer.write(head)
    while not answer.done():
        await asyncio.wait([answer], timeout=pause_s)
        writer.write(b"x")
    writer.close()
    return answer.result()


def crowd(server: psutil.Process, head: bytes, count: int, pause_s: float = 0.3) -> tuple[Counter[int], float]:
    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(trickle(server, head, pause_s) for _ in range(count)))

    started = time.monotonic()
    statuses = Counter(asyncio.run(asyncio.wait_for(all_at_once(), 2 * BUSY_S)))
    return statuses, time.monotonic() - started


def test_slow_bodies_are_answered_and_closed(server, wait_for):
    statuses, seconds = crowd(server, HEAD.format(path="read", length=10_000).encode(), CROWD)
    assert statuses == {408: CROWD}
    assert seconds < BUSY_S
    wait_for(lambda: connections(server) == 0, 10, "the end of all connections")


def test_slow_heads_are_answered_and_closed(server, wait_for):
    statuses, seconds = crowd(server, b"GET /read HTTP/1.1\r\nx-long: ", CROWD)
    assert statuses == {408: CROWD}
    assert seconds < BUSY_S
    wait_for(lambda: connections(server) == 0, 10, "the end of all connections")


def test_a_connection_without_a_word_is_closed_without_one(server):
    with connect(server) as connection:
        started = time.monotonic()
        assert read_all(connection) == b""
        assert LIMITS.head_s * 0.8 < time.monotonic() - started < LIMITS.head_s + LATE_S


def test_a_second_head_on_a_connection_is_timed_as_well(server):
    with connect(server) as connection:
        connection.sendall(b"GET /ignore HTTP/1.1\r\nhost: x\r\n\r\n")
        assert status(read_answer(connection)) == 200
        connection.sendall(b"GET /ignore HTTP/1.1\r\n")
        started = time.monotonic()
        assert read_all(connection) == b""
        assert time.monotonic() - started < LIMITS.head_s + LATE_S


def test_a_body_that_nobody_reads_ends_with_its_connection(server):
    statuses, seconds = crowd(server, HEAD.format(path="ignore", length=10_000).encode(), 20)
    assert statuses == {200: 20}
    assert seconds < BUSY_S


def test_a_body_that_comes_fast_enough_may_take_longer_than_the_grace(server):
    with connect(server) as connection:
        connection.sendall(HEAD.format(path="read", length=8000).encode())
        for _ in range(8):
            time.sleep(0.2)
            connection.sendall(b"x" * 1000)
        assert read_answer(connection).endswith(b"\r\n\r\n8000")


def test_no_body_may_take_longer_than_the_longest(server):
    with connect(server) as connection:
        connection.sendall(HEAD.format(path="read", length=1_000_000).encode())
        started = time.monotonic()
        send_until_cut(connection, b"x" * 500, 0.2)
        assert LIMITS.body_s * 0.8 < time.monotonic() - started < LIMITS.body_s + LAST_WORD_S + LATE_S


def test_a_refusal_reaches_a_client_that_sends_all_before_it_reads(server):
    with connect(server) as connection:
        length = 20_000
        connection.sendall(HEAD.format(path="refuse", length=length).encode())
        # For longer than the grace, and far shorter than a refused client is given for reading.
        for _ in range(10):
            time.sleep(0.15)
            connection.sendall(b"x" * (length // 10))
        answer = read_all(connection)
    assert status(answer) == 413
    assert answer.endswith(b"too large")


def test_what_is_thrown_away_of_a_refused_body_is_bounded(server):
    with connect(server) as connection:
        connection.sendall(HEAD.format(path="refuse", length=10**12).encode())
        assert 50_000_000 < send_until_cut(connection, bytes(2**20)) < 2**30


def test_refusing_a_request_without_a_body_keeps_the_connection(server):
    with connect(server) as connection:
        for _ in range(2):
            connection.sendall(b"GET /refuse HTTP/1.1\r\nhost: x\r\n\r\n")
            assert read_answer(connection).endswith(b"too large")


def test_what_a_connection_sends_does_not_wait_although_its_socket_was_made_without_naming_tcp():
    async def connect_once() -> int:
        made: list[asyncio.Transport] = []

        class Made(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                made.append(transport)

        listener = socket.create_server(("127.0.0.1", 0))
        assert listener.proto != socket.IPPROTO_TCP
        server = await asyncio.get_running_loop().create_server(timed(Made, LIMITS), sock=listener)
        async with server:
            _, writer = await asyncio.open_connection(*listener.getsockname())
            while not made:
                await asyncio.sleep(0)
            writer.close()
            return made[0].get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)

    assert asyncio.run(connect_once())
