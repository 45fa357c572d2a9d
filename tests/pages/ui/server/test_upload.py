import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pages.ui.server import items, upload
from pages.ui.server.items import UploadRefused
from pages.ui.server.routes import ROUTES, refuse
from tests.support.pictures.uploads import ORIGIN, frame
from thaw.jobs import lifecycle
from thaw.jobs.sweeper import sweep
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace, open_workspace


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    return open_workspace()


@pytest.fixture
def client(workspace: Workspace) -> TestClient:
    return TestClient(Starlette(routes=ROUTES, exception_handlers={UploadRefused: refuse}))


@pytest.fixture
def ticket(workspace: Workspace) -> upload.Ticket:
    return upload.open_upload(workspace)


def send(client: TestClient, ticket: upload.Ticket, body: bytes, **headers: str):
    sent = ORIGIN | {"x-thaw-token": ticket.token} | headers
    return client.post(f"/thaw/upload/{ticket.upload_id}", content=body, headers=sent)


def manifest(workspace: Workspace, ticket: upload.Ticket) -> list[dict[str, object]]:
    path = workspace.staging(ticket.upload_id) / "manifest.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def stored(workspace: Workspace, ticket: upload.Ticket) -> dict[object, bytes]:
    folder = workspace.staging(ticket.upload_id) / "files"
    return {
        row["name"]: (folder / str(row["file"])).read_bytes() for row in manifest(workspace, ticket) if "file" in row
    }


def test_files_arrive_under_generated_names_with_their_content(client, workspace, ticket):
    files = {"photos/a/1.jpg": b"one", "photos/b/2.jpg": b"", "photos/b/3.jpg": os.urandom(300_000)}
    answer = send(client, ticket, frame(files))
    assert (answer.status_code, answer.json()) == (200, {"accepted": 3})
    assert stored(workspace, ticket) == files


def test_the_frame_may_be_cut_anywhere(workspace, ticket):
    files = {"a/1": b"first", "a/2": b"", "b/3": b"third"}
    folder = workspace.staging(ticket.upload_id)
    with upload.Unpacker(folder) as unpacker:
        for byte in frame(files):
            unpacker.feed([bytes([byte])])
        assert unpacker.finish() == 3
    assert stored(workspace, ticket) == files


def test_unreadable_files_are_noted_with_their_reason(client, workspace, ticket):
    body = frame({"a/1.jpg": b"x"}, [{"path": "a/2.jpg", "reason": "the browser could not read it"}])
    assert send(client, ticket, body).status_code == 200
    assert manifest(workspace, ticket)[1] == {
        "number": 1,
        "name": "a/2.jpg",
        "reason": "the browser could not read it",
    }


def test_names_never_become_paths(client, workspace, ticket, tmp_path):
    hostile = {"../../evil.jpg": b"1", "/etc/evil": b"2", "C:\\evil": b"3", "a/\0/b": b"4", "x" * 4000: b"5"}
    before = {path for path in tmp_path.rglob("*") if workspace.staging(ticket.upload_id) not in path.parents}
    assert send(client, ticket, frame(hostile)).status_code == 200
    after = {path for path in tmp_path.rglob("*") if workspace.staging(ticket.upload_id) not in path.parents}
    assert after == before
    assert stored(workspace, ticket) == hostile
    assert all(path.name.isalnum() for path in (workspace.staging(ticket.upload_id) / "files").iterdir())


@pytest.mark.parametrize("headers", [{"x-thaw-token": ""}, {"x-thaw-token": "guess"}])
def test_without_the_token_nothing_is_taken(client, workspace, ticket, headers):
    answer = send(client, ticket, frame({"a/1": b"x"}), **headers)
    assert answer.status_code == 403
    assert "error" in answer.json()
    assert stored(workspace, ticket) == {}


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://testserver.evil.example", "http://testserver:81"]
)
def test_a_foreign_page_is_refused(client, workspace, ticket, origin):
    assert send(client, ticket, frame({"a/1": b"x"}), origin=origin).status_code == 403
    assert stored(workspace, ticket) == {}


def test_a_request_without_origin_is_refused(client, ticket):
    headers = {"x-thaw-token": ticket.token}
    answer = client.post(f"/thaw/upload/{ticket.upload_id}", content=frame({"a/1": b"x"}), headers=headers)
    assert answer.status_code == 403


@pytest.mark.parametrize("upload_id", ["upload-000000000000", "..", "upload-zz", "staging"])
def test_an_unknown_upload_is_refused(client, ticket, upload_id):
    headers = ORIGIN | {"x-thaw-token": ticket.token}
    assert client.post(f"/thaw/upload/{upload_id}", content=b"", headers=headers).status_code in (403, 404)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0",
        b"\xff\xff\xff\xff[]",
        b"\0\0\0\x02{}",
        b"\0\0\0\x02[",
        b"\0\0\0\x04nope",
        frame({"a/1": b"xyz"})[:-1],
        frame({"a/1": b"xyz"}) + b"more",
        frame({}, [{"path": "a"}]),
        frame({}, [{"path": "a", "size": -1}]),
        frame({}, [{"path": "a", "size": True}]),
        frame({}, [{"path": "", "size": 0}]),
        frame({}, [{"path": "x" * 5000, "size": 0}]),
        frame({}, [["a", 1]]),  # type: ignore[list-item]
        frame({}, [{"path": "a", "size": 0, "number": None}]),
        frame({}, [{"path": "a", "size": 0, "number": -1}]),
        frame({}, [{"path": "a", "size": 0, "number": True}]),
        frame({"a/1": b"x", "a/2": b"y"}, [{"path": "a/3", "size": 0, "number": 1}]),
    ],
)
def test_bad_framing_is_told_in_plain_words(client, ticket, body):
    answer = send(client, ticket, body)
    assert answer.status_code == 400
    assert answer.json()["error"].endswith(".")


STRANGE_NUMBERS = (
    "1" + "0" * 400,
    "9" * 5000,
    "1e400",
    "-1",
    "NaN",
    "-Infinity",
    "1.5",
    "true",
    '"7"',
    "null",
    "[]",
    "{}",
)


@pytest.mark.parametrize("number", STRANGE_NUMBERS)
@pytest.mark.parametrize("field", ["size", "number"])
def test_a_number_that_is_no_count_is_refused_wherever_it_stands(client, workspace, ticket, field, number):
    item = {"path": '"a/1.jpg"', "size": "1", "number": "0"} | {field: number}
    listed = ("[{" + ", ".join(f'"{key}": {value}' for key, value in item.items()) + "}]").encode()
    answer = send(client, ticket, len(listed).to_bytes(4, "big") + listed + b"x")
    assert (answer.status_code, answer.json()["error"][:8]) == (400, "Expected")
    assert manifest(workspace, ticket) == []


@pytest.mark.parametrize("number", STRANGE_NUMBERS)
@pytest.mark.parametrize("field", ["dataset", "role"])
def test_finish_takes_no_number_for_a_place(client, ticket, field, number):
    send(client, ticket, frame({"a/1.jpg": b"x"}))
    headers = ORIGIN | {"x-thaw-token": ticket.token}
    body = f'{{"{field}": {number}}}'
    answer = client.post(f"/thaw/upload/{ticket.upload_id}/finish", content=body, headers=headers)
    assert answer.status_code == 400


def on_disk(workspace: Workspace, ticket: upload.Ticket) -> int:
    return len(list((workspace.staging(ticket.upload_id) / "files").iterdir()))


def test_a_cut_request_leaves_nothing_and_may_be_sent_again(client, workspace, ticket):
    body = frame({"a/1": b"whole", "a/2": b"cut the first time"}, [{"path": "a/3", "reason": "unreadable"}])
    assert send(client, ticket, body[:-3]).status_code == 400
    assert manifest(workspace, ticket) == []
    assert on_disk(workspace, ticket) == 0
    assert send(client, ticket, body).status_code == 200
    assert [row["name"] for row in manifest(workspace, ticket)] == ["a/1", "a/2", "a/3"]


def test_a_file_sent_twice_is_listed_once_even_across_a_restart(client, workspace, ticket):
    files = {"a/1": b"one", "a/2": b"two"}
    assert send(client, ticket, frame(files)).json() == {"accepted": 2}
    assert send(client, ticket, frame(files)).json() == {"accepted": 2}
    upload.MANIFESTS.forget(workspace.staging(ticket.upload_id))
    assert send(client, ticket, frame({"a/2": b"two", "a/3": b"three"}, first=1)).json() == {"accepted": 2}
    assert [row["name"] for row in manifest(workspace, ticket)] == ["a/1", "a/2", "a/3"]
    assert on_disk(workspace, ticket) == 3


def test_two_files_of_one_path_are_both_kept(client, workspace, ticket):
    same = [{"path": "a/1.jpg", "size": 0}, {"path": "a/1.jpg", "size": 0}]
    assert send(client, ticket, frame({}, same)).json() == {"accepted": 2}
    assert [row["name"] for row in manifest(workspace, ticket)] == ["a/1.jpg", "a/1.jpg"]


def test_a_line_that_a_kill_cut_is_dropped_and_its_file_taken_again(client, workspace, ticket):
    send(client, ticket, frame({"a/1": b"one"}))
    path = workspace.staging(ticket.upload_id) / "manifest.jsonl"
    with path.open("ab") as lines:
        lines.write(b'{"number": 1, "file": "00", "na')
    upload.MANIFESTS.forget(path.parent)
    assert send(client, ticket, frame({"a/2": b"two"}, first=1)).status_code == 200
    assert stored(workspace, ticket) == {"a/1": b"one", "a/2": b"two"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a limit on the size of files")
def test_a_disk_that_fills_up_during_the_list_leaves_none_of_it(tmp_path):
    """A limit on file sizes makes the system write a part of the lines only, as a disk that fills up does."""
    program = (
        "import resource, signal, sys; from pathlib import Path; from pages.ui.server import upload;"
        "folder = Path(sys.argv[1]); lines = lambda first: [{'number': first + n, 'name': 'a'} for n in range(10)];"
        "upload.MANIFESTS.append(folder, lines(0)); size = (folder / 'manifest.jsonl').stat().st_size;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, size + 50))\n"
        "try: upload.MANIFESTS.append(folder, lines(10))\n"
        "except OSError: print(upload.explain_disk(sys.exception()))"
    )
    told = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    assert told.stdout.startswith("The disk is full")
    kept = [json.loads(line)["number"] for line in (tmp_path / "manifest.jsonl").read_text().splitlines()]
    assert kept == list(range(10))


def test_sizes_are_capped_before_a_byte_is_written(client, workspace, ticket):
    too_large = frame({}, [{"path": "a/1.jpg", "size": items.MAX_IMAGE_BYTES + 1}])
    assert send(client, ticket, too_large).status_code == 413
    for name in ("a.zip", "b/C.TAR.GZ"):
        assert send(client, ticket, frame({}, [{"path": name, "size": items.MAX_ARCHIVE_BYTES + 1}])).status_code == 413
    assert stored(workspace, ticket) == {}


def test_the_count_of_files_is_capped_over_all_requests(client, ticket, monkeypatch):
    monkeypatch.setattr(items, "MAX_FILES", 5)
    assert send(client, ticket, frame({f"a/{n}": b"" for n in range(4)})).status_code == 200
    assert send(client, ticket, frame({f"a/{n}": b"" for n in range(4)})).status_code == 200
    assert send(client, ticket, frame({"b/4": b""}, first=4)).status_code == 200
    assert send(client, ticket, frame({"b/5": b""}, first=5)).status_code == 413


def test_a_full_disk_is_told_before_the_work(client, ticket, monkeypatch):
    monkeypatch.setattr(upload, "DISK_RESERVE_BYTES", 1 << 60)
    answer = send(client, ticket, frame({"a/1": b"x"}))
    assert answer.status_code == 507
    assert "disk" in answer.json()["error"]


def test_a_thousand_files_go_up_in_a_few_seconds(client, workspace, ticket):
    started = time.process_time()
    for batch in range(5):
        files = {f"photos/c{n % 7}/{batch}-{n}.jpg": b"x" * 2000 for n in range(200)}
        assert send(client, ticket, frame(files, first=200 * batch)).status_code == 200
    assert time.process_time() - started < 5
    assert len(stored(workspace, ticket)) == 1000


def test_finish_starts_the_import_and_closes_the_upload(client, workspace, ticket):
    send(client, ticket, frame({"photos/a/1.jpg": b"not an image"}))
    headers = ORIGIN | {"x-thaw-token": ticket.token}
    answer = client.post(f"/thaw/upload/{ticket.upload_id}/finish", json={"name": "photos"}, headers=headers)
    job = Store(workspace).job(answer.json()["job"])
    assert job.kind == "import"
    assert job.request == {
        "kind": "staged",
        "path": str(workspace.staging(ticket.upload_id)),
        "ask": True,
        "upload": hashlib.sha256(ticket.token.encode()).hexdigest(),
        "name": "photos",
    }
    assert not upload.is_open(workspace, ticket.upload_id)
    assert send(client, ticket, frame({"photos/a/2.jpg": b""})).status_code in (403, 409)


def add_dataset(workspace: Workspace) -> str:
    dataset_id = "data-0123456789ab"
    image = Image("img-0123456789ab", "a", "a/1.png", "0" * 64, 1, 1, suffix=".png", folder=dataset_id)
    Store(workspace).add_dataset(dataset_id, "photos", "folder", Arrival([image]))
    return dataset_id


@pytest.fixture
def nothing_started(monkeypatch):
    monkeypatch.setattr(lifecycle, "launch", lambda *_: None)


@pytest.mark.usefixtures("nothing_started")
@pytest.mark.parametrize("role", ["main", "holdout"])
def test_finish_hands_on_where_the_photos_go(client, workspace, ticket, role):
    dataset_id = add_dataset(workspace)
    send(client, ticket, frame({"photos/a/1.jpg": b"not an image"}))
    answer = finish(client, ticket, {"name": "more", "dataset": dataset_id, "role": role})
    request = Store(workspace).job(answer.json()["job"]).request
    assert (request["name"], request["dataset"], request["role"]) == ("more", dataset_id, role)


@pytest.mark.usefixtures("nothing_started")
@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"dataset": "data-0123456789ab"}, 400),
        ({"role": "holdout"}, 400),
        ({"dataset": "data-0123456789ab", "role": "validation"}, 400),
        ({"dataset": "data-0123456789ab", "role": ["main"]}, 400),
        ({"dataset": "../staging", "role": "main"}, 400),
        ({"dataset": 7, "role": "main"}, 400),
        ({"dataset": None, "role": "main"}, 400),
        ({"dataset": "data-ffffffffffff", "role": "main"}, 404),
        (["name"], 400),
    ],
)
def test_finish_refuses_a_place_that_is_none_and_can_be_asked_again(client, workspace, ticket, asked, status):
    add_dataset(workspace)
    send(client, ticket, frame({"photos/a/1.jpg": b"not an image"}))
    answer = finish(client, ticket, asked)
    assert answer.status_code == status
    assert answer.json()["error"].startswith("Expected")
    assert not Store(workspace).jobs("import")
    assert finish(client, ticket).status_code == 200


def test_finish_without_files_says_so(client, ticket):
    headers = ORIGIN | {"x-thaw-token": ticket.token}
    answer = client.post(f"/thaw/upload/{ticket.upload_id}/finish", json={"name": "x"}, headers=headers)
    assert answer.status_code == 400
    assert "at least one file" in answer.json()["error"]


def test_finish_after_a_broken_request_has_no_files_either(client, ticket):
    send(client, ticket, frame({"a/1.jpg": b"xyz"})[:-1])
    assert finish(client, ticket).status_code == 400


def finish(client: TestClient, ticket: upload.Ticket, asked: object = None):
    headers = ORIGIN | {"x-thaw-token": ticket.token}
    return client.post(f"/thaw/upload/{ticket.upload_id}/finish", json=asked or {"name": "x"}, headers=headers)


def test_finish_asked_again_gives_the_same_import_even_when_that_is_over(client, workspace, ticket, wait_for):
    send(client, ticket, frame({"photos/a/1.jpg": b"not an image"}))
    first = finish(client, ticket).json()["job"]
    wait_for(lambda: not workspace.staging(ticket.upload_id).exists(), what="the end of the import")
    assert finish(client, ticket).json()["job"] == first
    stranger = upload.Ticket(ticket.upload_id, "guess")
    assert finish(client, stranger).status_code == 403
    assert [job.id for job in Store(workspace).jobs("import")] == [first]


def test_an_upload_that_a_killed_server_closed_is_imported_when_the_browser_asks_again(client, workspace, ticket):
    send(client, ticket, frame({"photos/a/1.jpg": b"not an image"}))
    upload.close(workspace.staging(ticket.upload_id))
    job_id = finish(client, ticket).json()["job"]
    # Nothing of it is remembered in the server's memory.
    assert finish(client, ticket).json()["job"] == job_id
    assert [job.id for job in Store(workspace).jobs("import")] == [job_id]


def test_giving_up_leaves_an_upload_to_the_import_that_reads_it(client, workspace, ticket):
    send(client, ticket, frame({"a/1.jpg": b"x"}))
    folder = workspace.staging(ticket.upload_id)
    upload.close(folder)
    upload.discard(workspace, ticket.upload_id)
    assert stored(workspace, ticket) == {"a/1.jpg": b"x"}


def test_finish_wants_the_token_too(client, ticket):
    send(client, ticket, frame({"a/1.jpg": b""}))
    answer = client.post(f"/thaw/upload/{ticket.upload_id}/finish", json={"name": "x"}, headers=ORIGIN)
    assert answer.status_code == 403


def test_a_discarded_upload_takes_nothing_more(client, workspace, ticket):
    send(client, ticket, frame({"a/1.jpg": b"x"}))
    upload.discard(workspace, ticket.upload_id)
    assert not workspace.staging(ticket.upload_id).exists()
    assert send(client, ticket, frame({"a/2.jpg": b"x"})).status_code == 403
    assert not workspace.staging(ticket.upload_id).exists()


def test_sweep_removes_forgotten_uploads_and_spares_those_in_use(workspace):
    store = Store(workspace)
    forgotten, in_use, fresh = (upload.open_upload(workspace).upload_id for _ in range(3))
    store.add_job("import", {"kind": "staged", "path": str(workspace.staging(in_use)), "name": ""})
    for upload_id in (forgotten, in_use):
        os.utime(workspace.staging(upload_id), (0, 0))
    sweep(store)
    assert {path.name for path in (workspace.root / "staging").iterdir()} == {in_use, fresh}


def test_pictures_are_served_by_generated_ids_only(client, workspace):
    image = Image("img-0123456789ab", "a", "a/1.png", "0" * 64, 1, 1, suffix=".png")
    path = workspace.image("data-0123456789ab", image.id, image.suffix)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\x89PNG picture")
    answer = client.get(f"/thaw/image/data-0123456789ab/{image.id}")
    assert answer.content == b"\x89PNG picture"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "private, no-store"
    for wrong in (
        "image/data-0123456789ab/img-000000000000",
        "image/..%2f/img-0123456789ab",
        "secret/data-0123456789ab/img-0123456789ab",
    ):
        assert client.get(f"/thaw/{wrong}").status_code == 404
