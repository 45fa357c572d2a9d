"""Behind nginx with the configuration of docs/remote.md: TLS, a path, sign-in, photos in, pictures and files out."""

import datetime
import os
import shutil
import socket
import subprocess
import zipfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Playwright, Response, WebSocket, expect

from tests.browser.harness import DESKTOP, PATIENCE_MS, QUIET, Server, drop, load_pictures, settle, wait_until
from tests.browser.journey import JOB_MS, open_page, see_page
from tests.browser.remote.provider import running_provider, write_secrets
from tests.browser.studio import FAKE_CAMERA
from tests.support.pages import add_dataset, add_run
from tests.support.serving.remote_guide import change, read_block
from thaw.exporting import exports
from thaw.storage.export_record import Export, export_folder, write_export
from thaw.storage.store import Store
from thaw.storage.workspace import open_workspace
from tlcore.exporting.formats import Signature, Tensor
from tlcore.exporting.model_files import Judged, ModelFile, Proof, measure_entry

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
NAME = "photos.example"
PHOTOS = 6
LARGE_PX = 800
CAMERA = "navigator.mediaDevices ? 'has a camera' : 'has none'"
# What the configuration that Debian brings has around /etc/nginx/conf.d.
AROUND = """daemon off; pid {folder}/nginx.pid; error_log stderr warn; {user}
events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types; access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
{site}}}
"""


def write_certificate(folder: Path) -> None:
    """Write a key and a certificate for NAME that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=2)
    ).add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    (folder / "thaw.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "thaw.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))


def add_export(store: Store, run_id: str) -> None:
    folder = export_folder(store.workspace, run_id)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"onnx" * 500_000)
    proof = Proof("onnxruntime 1", [Judged("validation", 15, 0, 1e-6, 13 / 15, 0.0)], 12.3, 240.0, 32)
    made = ModelFile("onnx", "model.onnx", "passed", "", *measure_entry(folder, "model.onnx"), proof)
    signature, mark = Signature([Tensor("image", [-1, 224, 224, 3], "uint8", "image:0")], []), store.run(run_id)
    write_export(
        folder,
        Export(
            *(run_id, 1, exports.mark_result(store, mark), 1.0, 224, ["a", "b"], 1.0, 0.0, signature, [made]),
            *("it", "CPU", 9.0),
        ),
    )


@pytest.fixture(scope="module")
def address(chromium: Playwright, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of nginx, in front of the server."""
    folder = tmp_path_factory.mktemp("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    write_certificate(folder)
    told = {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/ssl/photos.example.pem": str(folder / "thaw.pem"),
        "/etc/ssl/private/photos.example.key": str(folder / "thaw.key"),
        "http://127.0.0.1:8501": f"http://127.0.0.1:{server.port}",
    }
    user = "user root;" if os.geteuid() == 0 else ""
    text = AROUND.format(folder=folder, user=user, site=change(read_block("nginx"), told))
    (folder / "nginx.conf").write_text(text)
    assert NGINX
    told_to_browsers = f"https://{NAME}:{port}/thaw"
    with (
        subprocess.Popen([NGINX, "-e", "stderr", "-p", folder, "-c", folder / "nginx.conf"]) as process,
        running_provider() as provider,
    ):
        (server.workspace.parent / "secrets.toml").write_text(write_secrets(provider, told_to_browsers))
        try:
            server.start()
            yield told_to_browsers
            server.stop()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Server:
    """A server as the guide starts it, not started yet, for nginx to be in front of."""
    if NGINX is None:
        message = "Expected nginx for the tests behind a proxy. Install it (Debian: `apt install nginx`)."
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("behind-nginx")
    words = read_block("behind nginx").split()
    options = [f"{name}={value}" for name, value in pairwise(words) if "allowedHosts" in name]
    assert len(options) == 2
    assert words[-2:] == ["--server.baseUrlPath", "thaw"]
    made = Server(folder / "workspace", "thaw", options=[*options, f"--secrets.files={folder / 'secrets.toml'}"])
    store = Store(open_workspace(made.workspace))
    add_export(store, add_run(store, add_dataset(store)))
    return made


@pytest.fixture
def browser(chromium: Playwright, address: str) -> Iterator[BrowserContext]:
    """Chromium with a camera that is none, which takes the certificate and finds the name on this machine."""
    flags = [*QUIET, *FAKE_CAMERA, f"--host-resolver-rules=MAP {NAME} 127.0.0.1"]
    started = chromium.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
    context = started.new_context(viewport=DESKTOP, ignore_https_errors=True, accept_downloads=True)
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()
    started.close()


@pytest.fixture
def few_photos(tmp_path: Path) -> Path:
    for number in range(PHOTOS):
        path = tmp_path / "few" / ("red", "blue")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (40 * number, 90, 250 - 40 * number)).save(path)
    # More than nginx lets through unless it is told to.
    Image.frombytes("RGB", (LARGE_PX, LARGE_PX), os.urandom(3 * LARGE_PX**2)).save(path)
    assert path.stat().st_size > 1024**2
    return tmp_path / "few"


def download(page: Page, label: str, path: Path) -> Path:
    with page.expect_download() as begun:
        page.get_by_role("link", name=label).first.click()
    begun.value.save_as(path)
    return path


def test_all_of_it_works_behind_the_proxy_of_the_guide(
    address: str, server: Server, browser: BrowserContext, few_photos: Path, tmp_path: Path
) -> None:
    answers: list[Response] = []
    sockets: list[WebSocket] = []
    browser.on("response", lambda answer: answers.append(answer))
    page = browser.new_page()
    page.on("websocket", lambda opened: sockets.append(opened))
    # Without its last slash, as people type it.
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("link", name="anna", exact=True).click()
    expect(page.get_by_text("Signed in as anna@lab.example")).to_be_visible()
    assert page.url.startswith(f"{address}/")
    kept = {each["name"]: each for each in browser.cookies(address)}
    assert kept["_streamlit_user"]["secure"]
    assert kept["_streamlit_user"]["httpOnly"]
    page.goto(f"{address}/data")
    see_page(page, "data")
    drop(page, few_photos)
    expect(page.get_by_role("heading", name="few")).to_be_visible(timeout=JOB_MS)
    expect(page.locator(".thaw-strip img")).to_have_count(PHOTOS)
    load_pictures(page)
    store = Store(open_workspace(server.workspace))
    (run,) = store.runs()
    few = next(each for each in store.datasets() if each.name == "few")
    chosen = f"dataset={run.dataset_id}&run={run.id}&expert=1"
    page.goto(f"{address}/evaluation?{chosen}")
    see_page(page, "evaluation")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    settle(page)
    for name in ("mistakes", "try_it", "export"):
        open_page(page, name)
    with zipfile.ZipFile(download(page, "Download all", tmp_path / "all.zip")) as everything:
        assert any(name.endswith("model.onnx") for name in everything.namelist())
    # Each route of Thaw's own answers through the proxy: here with what it says of something that is not there.
    image = store.images(few.id)[0]
    ask = """([path, method]) => fetch(path, { method, body: method === "POST" ? "{}" : undefined })
        .then(async (answer) => [answer.status, (await answer.text()).slice(0, 20)])"""
    base = urlsplit(address).path
    for path, method, status in (
        (f"thaw/image/{image.folder}/{image.id}", "GET", 200),
        (f"thaw/heat/{run.id}/{image.folder}/img-000000000000/0", "GET", 404),
        ("thaw/dataset/data-000000000000?as=zip&token=x", "GET", 403),
        ("thaw/exporting/run-000000000000/all", "GET", 404),
        ("thaw/try/run-000000000000", "POST", 403),
        ("thaw/boxes/data-000000000000", "POST", 403),
        ("thaw/studio/state", "POST", 403),
        ("thaw/upload/upload-000000000000", "POST", 403),
    ):
        assert page.evaluate(ask, [f"{base}/{path}", method])[0] == status, path
    # The Studio asks for its state by a route, and has the camera.
    page.goto(f"{address}/?dataset={few.id}")
    expect(page.get_by_test_id("class-wall")).to_have_count(2)
    assert page.evaluate(CAMERA) == "has a camera"
    page.get_by_role("button", name="Start the camera").click()
    expect(page.locator("video")).to_have_js_property("paused", False)
    wait_until(lambda: page.locator("video").evaluate("(video) => video.videoWidth"), 60, "a picture of the camera")
    assert {urlsplit(each.url).scheme for each in sockets} == {"wss"}
    own = [each for each in answers if urlsplit(each.url).hostname == NAME]
    assert {urlsplit(each.url).scheme for each in own} == {"https"}
    assert [each.url for each in own if each.status >= 500] == []
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()


def test_without_tls_the_browser_gives_no_camera(address: str, server: Server, browser: BrowserContext) -> None:
    page = browser.new_page()
    page.goto(f"http://{NAME}:{server.port}/thaw")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert page.evaluate(CAMERA) == "has none"


def test_a_foreign_name_is_refused_behind_the_proxy_too(address: str) -> None:
    port = urlsplit(address).port
    answer = httpx.get(f"https://127.0.0.1:{port}/thaw/", headers={"host": "evil.example"}, verify=False)
    assert answer.status_code == 403
    assert "Expected a request to this machine by its own name" in answer.text
    sent = {"origin": "https://evil.example", "host": f"{NAME}:{port}"}
    answer = httpx.post(f"https://127.0.0.1:{port}/thaw/thaw/studio/state", headers=sent, verify=False)
    assert "Expected a request of Thaw's own page" in answer.text
