import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.ui.data import browse, edit_history, sources, split_choice
from pages.ui.data.browse import Shelf
from tests.support.pages import (
    BAR,
    BOLD,
    CLASS_SIZE,
    DATASET,
    TAG,
    add_dataset,
    add_many_classes,
    drawn_html,
    press,
    visit,
    words,
)
from tests.support.pages import expert as expert
from tests.support.pages import store as store
from tests.support.pictures.corpus import write_classes
from thaw.datasets import edits
from thaw.sources.samples import FLOWERS
from thaw.storage.datasets import Arrival
from thaw.storage.records import Image
from thaw.storage.store import Store
from thaw.worker import work
from tlcore.boxes import Box
from tlcore.photos import JUNK, SetAside
from tlcore.splits.groups import GroupRules

LARGE = 32_000
OPENS_WITHIN_S = 1.0


def open_editor(page: AppTest, shelf: Shelf | None = None) -> AppTest:
    page.session_state["way to look"] = browse.EDIT
    if shelf:
        page.session_state[f"shelf of {DATASET}"] = shelf
    return page.run()


def tiles(page: AppTest) -> list[dict[str, str]]:
    (component,) = [each for each in page.get("bidi_component") if "tiles" in each.proto.json]
    return json.loads(component.proto.json)["tiles"]


def metrics(page: AppTest) -> dict[str, str]:
    return {metric.label: metric.value for metric in page.metric}


def ask_for_path(page: AppTest, path: Path) -> AppTest:
    page.text_input[0].set_value(str(path))
    return press(page, "Import this path")


def test_with_no_data_set_there_is_no_choice_of_where_photos_go(store):
    page = visit("data")
    assert not page.radio
    assert drop_zone_data(page)["target"] == {}
    assert not drop_zone_data(page)["small"]


def test_the_drop_zone_is_one_line_once_there_are_photos(store):
    store.add_dataset(DATASET, "empty", "folder", Arrival([]))
    assert not drop_zone_data(visit("data"))["small"]
    add_many_classes(store, 12)
    assert drop_zone_data(visit("data"))["small"]


def test_photos_without_a_class_lead_to_where_they_are_sorted(store):
    images = add_dataset(store)
    assert links(visit("data")) == ["On to step 2: choose an eye (backbone)"]
    waiting = [replace(image, id=f"img-f{n:011x}", label="", role="pile") for n, image in enumerate(images[:3])]
    store.add_to_dataset(DATASET, "folder", Arrival(waiting))
    page = visit("data")
    assert links(page) == ["Sort them: 3 photos have no kind yet", "On to step 2: choose an eye (backbone)"]
    assert "**Without a kind** · 3 images" in words(page)
    flat = "data-fedcba987654"
    store.add_dataset(flat, "flat", "folder", Arrival([replace(waiting[0], id="img-e00000000000", folder=flat)]))
    page = visit("data", dataset=flat)
    assert links(page) == ["Sort them: 1 photo has no kind yet", "Find and count things in these photos"]
    assert page.warning[0].value.startswith("None of these photos has a kind yet")


def links(page: AppTest) -> list[str]:
    assert not page.exception
    return [each.proto.label for each in page.get("page_link") if each.proto.label not in BAR]


def drop_zone_data(page: AppTest) -> dict[str, object]:
    (component,) = [each for each in page.get("bidi_component") if "token" in each.proto.json]
    return json.loads(component.proto.json)


@pytest.mark.parametrize("role", ["main", "holdout"])
def test_the_choice_of_where_photos_go_reaches_the_drop_zone_and_a_typed_path(store, tmp_path, role):
    add_dataset(store)
    page = visit("data")
    assert page.radio[0].value == sources.NEW
    assert drop_zone_data(page)["target"] == {}
    page.radio[0].set_value(role).run()
    assert drop_zone_data(page)["target"] == {"dataset": DATASET, "role": role}
    ask_for_path(page, tmp_path / "more")
    (job,) = store.jobs("import")
    assert (job.request["dataset"], job.request["role"]) == (DATASET, role)


def test_samples_are_new_data_sets_but_the_flower_photos_go_where_is_chosen(store, monkeypatch):
    add_dataset(store)
    asked = []
    monkeypatch.setattr(sources, "begin", lambda _, request: asked.append(request))
    page = visit("data")
    page.radio[0].set_value("main").run()
    press(page, "Use the sample digits")
    press(page, "Use the sample to find and count")
    press(page, "Download and import (229 MB)")
    digits, objects, flowers = asked
    assert "dataset" not in digits
    assert "dataset" not in objects
    assert (digits["kind"], objects["kind"]) == ("digits", "objects")
    assert (flowers["kind"], flowers["dataset"], flowers["role"]) == ("flowers", DATASET, "main")
    for word in ("229 MB", f"{FLOWERS.photos:,}", "CC BY 2.0", "internet"):
        assert word in words(page)


@pytest.mark.parametrize(
    ("name", "kind"), [("photos", "folder"), ("a.zip", "zip"), ("a.tgz", "tar"), ("a.tar.gz", "tar"), ("a.CSV", "csv")]
)
def test_a_path_is_read_by_its_ending_and_below_the_allowed_roots_only(store, tmp_path, name, kind):
    ask_for_path(visit("data"), tmp_path / name)
    (job,) = store.jobs("import")
    assert (job.request["kind"], job.request["roots"]) == (kind, [str(tmp_path.resolve())])


def test_a_path_outside_the_allowed_roots_is_refused_with_the_way_to_allow_it(store, tmp_path):
    page = visit("data")
    assert str(tmp_path) in words(page)
    assert "--root" in words(page)
    ask_for_path(page, tmp_path.parent)
    assert "to allow another folder" in page.error[0].value
    assert not store.jobs("import")


def import_folder(store: Store, folder: Path, **target: str) -> str:
    job_id = store.add_job("import", {"kind": "folder", "path": str(folder), "name": "garden"} | target)
    work(store, job_id)
    assert store.job(job_id).status == "finished", store.job(job_id).error
    return job_id


def test_an_addition_is_told_and_can_be_undone(store, tmp_path):
    import_folder(store, write_classes(tmp_path / "first", {"rose": 4, "tulip": 4}))
    (dataset,) = store.datasets()
    more = write_classes(tmp_path / "more", {"rose": 3, "lily": 2}, seed=5000)
    job_id = import_folder(store, more, dataset=dataset.id, role="main")
    page = visit("data", **{"import": job_id})
    assert [toast.value for toast in page.toast] == ["Added 5 images."]
    assert metrics(page)["Images accepted"] == "13"
    press(page, "Undo")
    assert metrics(page)["Excluded"] == "5"
    assert "Last change" not in words(page)
    page = visit("data", **{"import": import_folder(store, more, dataset=dataset.id, role="main")})
    assert "Nothing new" in page.toast[0].value


@pytest.mark.usefixtures("expert")
def test_a_holdout_has_a_number_and_a_shelf_of_its_own(store, tmp_path):
    import_folder(store, write_classes(tmp_path / "first", {"rose": 4, "tulip": 4}))
    (dataset,) = store.datasets()
    import_folder(store, write_classes(tmp_path / "out", {"rose": 3}, seed=7000), dataset=dataset.id, role="holdout")
    page = visit("data")
    assert metrics(page)["Holdout"] == "3"
    page.session_state["way to look"] = browse.EDIT
    page.session_state[f"shelf of {dataset.id}"] = Shelf("holdout")
    assert len(tiles(page.run())) == 3


def test_photos_without_a_class_have_a_shelf_from_which_they_move_to_one(store, tmp_path):
    counts = {"train/rose": 4, "train/tulip": 4, "unlabelled": 3}
    import_folder(store, write_classes(tmp_path / "photos", counts))
    (dataset,) = store.datasets()
    page = visit("data")
    assert metrics(page)["Without a kind"] == "3"
    page.session_state["way to look"] = browse.EDIT
    page.session_state[f"shelf of {dataset.id}"] = Shelf("pile")
    shown = tiles(page.run())
    assert [tile["caption"] for tile in shown] == ["no kind"] * 3
    browse.act(store, dataset, "move", [shown[0]["id"]], "rose")
    page = page.run()
    assert metrics(page)["Without a kind"] == "2"
    assert metrics(page)["Images accepted"] == "11"
    press(page, "Undo")
    assert metrics(page)["Without a kind"] == "3"


@pytest.mark.usefixtures("expert")
def test_a_ready_made_split_is_kept_until_the_person_chooses_thaws_own(store, tmp_path):
    folder = write_classes(tmp_path / "photos", {f"{part}/{label}": 6 for part in ("train", "val") for label in "ab"})
    (folder / "val" / "a" / "again.jpg").write_bytes((folder / "train" / "a" / "0.jpg").read_bytes())
    import_folder(store, folder)
    page = visit("data")
    whose = next(each for each in page.radio if each.label == "Whose validation photos?")
    assert whose.value == "theirs"
    assert "**12** held out for validation, as they came" in words(page)
    assert "**1** of them is a near-duplicate" in words(page)
    assert next(each for each in page.slider if each.label == "Validation share").disabled
    whose.set_value("own").run()
    assert "about the same share of every class" in words(page)
    assert page.query_params["parts"] in ("own", ["own"])


def test_no_ready_made_split_no_choice_of_one(store):
    add_dataset(store)
    assert "Whose validation photos?" not in [each.label for each in visit("data").radio]


def test_the_drop_zone_knows_what_is_hidden(store):
    assert drop_zone_data(visit("data"))["junk"] == JUNK


@pytest.mark.usefixtures("expert")
def test_the_account_adds_up_and_is_told(store):
    images = add_dataset(store)
    store.add_to_dataset(DATASET, "folder", Arrival([], [SetAside("b.jpg", "it is empty")], ignored=1, known=2))
    edits.exclude_images(store, DATASET, [images[0].id])
    page = visit("data")
    told = {metric.label: metric.help for metric in page.metric}
    assert told["Files found"] == "20 accepted + 2 set aside + 4 ignored + 2 there already = 28 found"
    assert told["Images accepted"] == "19 in classes + 1 excluded + 0 holdout"
    assert metrics(page)["Files found"] == "28"


def test_the_strips_of_the_classes_follow_an_edit_and_are_not_read_again_without_one(store, monkeypatch):
    image = add_dataset(store)[0]
    assert f"/{image.id}" in drawn_html(visit("data"))
    with monkeypatch.context() as watched:
        watched.setattr(Store, "_of_class", lambda *_: pytest.fail("the names of a class were read again"))
        assert f"/{image.id}" in drawn_html(visit("data"))
    edits.exclude_images(store, DATASET, [image.id])
    assert f"/{image.id}" not in drawn_html(visit("data"))


def test_pictures_are_excluded_found_again_and_restored(store):
    images = add_dataset(store)
    browse.act(store, store.dataset(DATASET), "exclude", [images[0].id, images[1].id], None)
    page = open_editor(visit("data"))
    assert len(tiles(page)) == 2 * CLASS_SIZE - 2
    page = open_editor(page, Shelf("excluded"))
    assert {tile["id"] for tile in tiles(page)} == {images[0].id, images[1].id}
    assert {tile["name"] for tile in tiles(page)} == {"=cmd()-0.png", "=cmd()-1.png"}
    browse.act(store, store.dataset(DATASET), "restore", [images[0].id], None)
    assert [tile["id"] for tile in tiles(page.run())] == [images[1].id]
    browse.act(store, store.dataset(DATASET), "restore", [images[1].id], None)
    assert len(tiles(page.run())) == 2 * CLASS_SIZE


def test_pictures_that_were_excluded_from_the_holdout_are_on_the_excluded_shelf_too(store, monkeypatch):
    images = add_dataset(store)
    held_out = [
        Image(f"img-f{n:011x}", TAG, f"h/{n}.png", f"f{n:063x}", 9, 9, suffix=".png", role="holdout") for n in range(5)
    ]
    store.add_to_dataset(DATASET, "folder", Arrival(held_out))
    ids = [image.id for image in (*images[:4], *held_out[:3])]
    edits.exclude_images(store, DATASET, ids)
    monkeypatch.setattr(browse, "TILES_A_PAGE", 3)
    dataset, shelf = store.dataset(DATASET), Shelf("excluded")
    assert shelf.count(dataset) == 7
    pages = [[image.id for image in shelf.read(store, dataset, offset)] for offset in (0, 3, 6)]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert sorted(image_id for page in pages for image_id in page) == sorted(ids)


def test_pictures_can_be_moved_to_a_class_that_is_not_there_yet(store):
    images = add_dataset(store)
    page = open_editor(visit("data"))
    field = next(field for field in page.text_input if field.label.startswith("New kind"))
    field.set_value("  third ").run()
    (component,) = [each for each in page.get("bidi_component") if "tiles" in each.proto.json]
    move = next(action for action in json.loads(component.proto.json)["actions"] if action["name"] == "move")
    assert [choice["value"] for choice in move["choices"]] == ["third", *sorted([TAG, BOLD])]
    browse.act(store, store.dataset(DATASET), "move", [images[0].id], "third")
    assert store.dataset(DATASET).classes["third"] == 1
    held_out = browse.offer_actions(Shelf("holdout"), store.dataset(DATASET), "fourth")
    assert "fourth" not in held_out[-1].choices


def test_a_class_is_renamed_merged_and_deleted_and_each_is_undone(store):
    add_dataset(store)
    page = open_editor(visit("data"), Shelf("class", TAG))
    next(field for field in page.text_input if field.label == "New name").set_value("sky")
    press(page, "Rename this kind")
    assert store.dataset(DATASET).classes == {BOLD: CLASS_SIZE, "sky": CLASS_SIZE}
    assert {tile["caption"] for tile in tiles(page)} == {"sky"}
    press(page, "Merge")
    assert store.dataset(DATASET).classes == {BOLD: 2 * CLASS_SIZE}
    assert len(tiles(page)) == 2 * CLASS_SIZE
    press(page, "Delete this kind")
    assert store.dataset(DATASET).classes == {}
    assert metrics(page)["Excluded"] == str(2 * CLASS_SIZE)
    assert not page.exception
    for _ in range(3):
        press(page, "Undo")
    assert store.dataset(DATASET).classes == {TAG: CLASS_SIZE, BOLD: CLASS_SIZE}
    assert "Undo" not in [button.label for button in page.button]


def test_what_another_person_has_changed_is_not_written_over_unseen(store):
    images = add_dataset(store)
    first, second = open_editor(visit("data"), Shelf("class", TAG)), open_editor(visit("data"), Shelf("class", TAG))
    seen = store.dataset(DATASET)
    browse.act(store, seen, "move", [image.id for image in images[:2]], BOLD)
    came = [image.id for image in images if image.label == BOLD][:1]
    browse.act(store, seen, "move", came, TAG)
    press(first, "Delete this kind")
    assert first.toast[0].value.startswith("1 of these photos is in ")
    assert "nothing was changed. Look again" in first.toast[0].value
    assert store.dataset(DATASET).classes == {TAG: CLASS_SIZE - 1, BOLD: CLASS_SIZE + 1}
    # By now the page shows what is there.
    press(first, "Delete this kind")
    assert store.dataset(DATASET).classes == {BOLD: CLASS_SIZE + 1}
    edits.undo(store, DATASET)
    edits.rename_class(store, DATASET, TAG, "sky")
    next(field for field in second.text_input if field.label == "New name").set_value("cloud")
    press(second, "Rename this kind")
    assert "is called `sky` by now" in second.toast[0].value
    assert set(store.dataset(DATASET).classes) == {BOLD, "sky"}
    assert not second.exception


def test_a_name_that_cannot_be_is_refused_in_words(store):
    add_dataset(store)
    page = open_editor(visit("data"), Shelf("class", TAG))
    next(field for field in page.text_input if field.label == "New name").set_value(BOLD)
    press(page, "Rename this kind")
    assert r"\*\*bold\*\*" in page.toast[0].value
    assert "which is a class already" in page.toast[0].value
    assert set(store.dataset(DATASET).classes) == {TAG, BOLD}


def test_undo_takes_back_the_change_on_show_and_no_later_one(store):
    images = add_dataset(store)
    edits.exclude_images(store, DATASET, [images[0].id])
    page = visit("data")
    edits.exclude_images(store, DATASET, [images[1].id])
    press(page, "Undo")
    assert "Expected the latest change" in page.toast[0].value
    assert store.dataset(DATASET).excluded == 2


def test_history_tells_every_kind_of_change_and_keeps_the_undone(store):
    images = add_dataset(store)
    ids = [image.id for image in images]
    edits.exclude_images(store, DATASET, ids[:2])
    edits.restore_images(store, DATASET, ids[:1])
    edits.move_images(store, DATASET, ids[2:3], "third")
    edits.rename_class(store, DATASET, "third", "fourth")
    edits.merge_classes(store, DATASET, ["fourth"], BOLD)
    edits.ignore_finding(store, DATASET, "blurry", ids[3:4])
    edits.set_grouping(store, DATASET, GroupRules(pattern="{group}_*.png"))
    edits.delete_class(store, DATASET, TAG)
    edits.undo(store, DATASET)
    store.set_boxes(DATASET, ids[0], [Box("apple", 0, 0, 1, 1)], None)
    store.set_boxes(DATASET, ids[0], [], [Box("apple", 0, 0, 1, 1)])
    store.set_boxes(DATASET, ids[0], None, [])
    assert [edit_history.tell(edit) for edit in store.edits(DATASET)[:3]] == [
        "put 1 image back to those not drawn on",
        "marked 1 image as without an object",
        "drew 1 box on 1 image",
    ]
    for _ in range(3):
        edits.undo(store, DATASET)
    assert [edit_history.tell(edit, str) for edit in store.edits(DATASET)][3:] == [
        f"deleted the kind {TAG}, 8 images",
        "set the grouping by {group}_*.png",
        "ignored a finding: blurred pictures",
        f"merged fourth into {BOLD}, 1 image",
        "renamed third to fourth",
        "moved 1 image to third",
        "restored 1 image",
        "excluded 2 images",
    ]
    page = visit("data")
    page.session_state[f"tabs of {DATASET}"] = "History"
    told = page.run().markdown
    (history,) = [each.value for each in told if "imported from" in each.value]
    lines = history.splitlines()
    assert len(lines) == 12
    assert "~~" in lines[0]
    assert "undone" in lines[0]
    assert "~~" not in "".join(lines[4:])
    assert "imported from `folder`" in lines[-1]


def test_the_open_tab_stays_open_when_its_number_changes(store):
    add_dataset(store)
    page = visit("data")
    page.session_state[f"tabs of {DATASET}"] = "Set aside (1)"
    page.run()
    store.add_to_dataset(DATASET, "folder", Arrival([], [SetAside("b.jpg", "it is empty")]))
    page.run()
    assert page.session_state[f"tabs of {DATASET}"] == "Set aside (2)"
    assert len(page.dataframe[0].value) == 2


# Beside other tests it would measure them too; benchmarks/data_gate.py measures the same in a browser.
@pytest.mark.slow
def test_the_page_opens_quickly_on_a_large_data_set(store, monkeypatch):
    images = [
        Image(
            f"img-{n:012x}",
            f"class {n % 40:02}",
            f"photos/class {n % 40:02}/{n}.jpg",
            f"{n:064x}",
            640,
            480,
            suffix=".jpg",
            folder=DATASET,
            brightness=100.0,
            contrast=50.0,
            sharpness=400.0,
        )
        for n in range(LARGE)
    ]
    store.add_dataset(DATASET, "large", "folder", Arrival(images))
    drawn_at = []
    choose = split_choice.choose

    def note(*arguments) -> None:
        drawn_at.append(time.perf_counter())
        choose(*arguments)

    monkeypatch.setattr(split_choice, "choose", note)
    started = time.perf_counter()
    page = visit("data")
    # Nothing is cached yet: the numbers, the tabs and the pictures are there before all images are looked through.
    assert drawn_at[0] - started < OPENS_WITHIN_S
    assert drawn_html(page).count("/thaw/thumbnail/") == browse.CLASSES_A_PAGE * browse.PICTURES_A_CLASS
    assert "Health (" in " ".join(tab.label for tab in page.tabs)
    started = time.perf_counter()
    page = open_editor(page)
    assert time.perf_counter() - started < OPENS_WITHIN_S
    assert len(tiles(page)) == browse.TILES_A_PAGE


def test_a_change_that_did_nothing_is_not_offered_for_undoing(store):
    add_dataset(store)
    # As in a second tab, after a page was drawn.
    edits.delete_class(store, DATASET, TAG)

    def exclude_again() -> None:
        from pages.ui.data import curation
        from thaw.storage.store import Store
        from thaw.storage.workspace import open_workspace

        kept = Store(open_workspace())
        (dataset,) = kept.datasets()
        curation.exclude(kept, dataset, [image.id for image in kept.every_image(dataset.id) if image.excluded])

    (toast,) = AppTest.from_function(exclude_again, default_timeout=60).run().toast
    assert toast.value == "Nothing changed: it is so already."
    assert len(store.edits(DATASET)) == 1


def test_what_is_suggested_for_photos_of_several_classes_is_told_in_one_word(store, tiny_photos):
    work(store, store.add_job("import", {"kind": "folder", "path": str(tiny_photos), "name": "Tiny photos"}))

    def agree() -> None:
        from pages.ui.data import curation
        from thaw.storage.store import Store
        from thaw.storage.workspace import open_workspace

        kept = Store(open_workspace())
        (dataset,) = kept.datasets()
        first, second, *_ = dataset.classes
        images = {label: kept.images(dataset.id, label)[:2] for label in (first, second)}
        suggested = {image.id: second for image in images[first]} | {image.id: first for image in images[second]}
        curation.agree(kept, dataset, suggested, suggested)

    (toast,) = AppTest.from_function(agree, default_timeout=60).run().toast
    assert toast.value == "4 images moved to what is suggested, 2 kinds. It can be undone."
    assert [edit.kind for edit in store.edits(store.datasets()[0].id)[:2]] == ["move", "move"]
