"""The images that judge a model beside validation, holdout and later ones: never trained on, each with its score."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image as Picture

from tests.support.pictures.corpus import photo
from thaw.datasets.ingest import ingest
from thaw.jobs import starts
from thaw.jobs.starts import waiting_job
from thaw.runs.results import accuracies, read_predictions
from thaw.sources.sources import Source
from thaw.storage.database import new_id
from thaw.storage.datasets import Arrival
from thaw.worker import work
from tlcore.errors import SettingsError
from tlcore.settings import HeadSettings
from tlcore.splits.class_weights import class_weights

pytestmark = pytest.mark.usefixtures("warm_decoder")

QUICK = HeadSettings(image_size=48, epochs=2, validation_split=0.25, patience=20)


def write_photos(folder, counts, first):
    for label, count in counts.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            photo(first + number + 50 * len(label), 64, 48).save(folder / label / f"{number}.png")
    return Source("folder", folder, "a test")


def train(store, dataset_id, settings):
    run_id = starts.add_head_job(store, dataset_id, settings)
    work(store, waiting_job(store, run_id))
    job = store.latest_job(run_id)
    assert job.status == "finished", job.error
    return store.run(run_id)


@pytest.fixture(scope="module")
def dataset_id(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("three sets")
    dataset_id = ingest(store, write_photos(folder / "main", {"ant": 12, "wasp": 12}, 3000), "Insects")
    ingest(store, write_photos(folder / "far", {"ant": 3, "wasp": 2}, 5000), "far", into=dataset_id, role="holdout")
    return dataset_id


def test_a_holdout_is_judged_and_never_trained_on(store, dataset_id):
    assert (store.dataset(dataset_id).holdout, store.dataset(dataset_id).included) == (5, 24)
    run = train(store, dataset_id, QUICK)
    parts = json.loads((store.workspace.run(run.id) / "split.json").read_text())
    holdout = {image.id for image in store.images(dataset_id, role="holdout")}
    assert {image_id for image_id, _ in parts["holdout"]} == holdout
    assert not holdout & {image_id for side in ("training", "validation") for image_id, _ in parts[side]}
    scores = accuracies(store, run)
    assert {side: count for side, (_, count) in scores.items()} == {"validation": 6, "holdout": 5}
    predictions = read_predictions(store, run, side="holdout")
    assert scores["holdout"][0] == predictions.accuracy
    assert run.facts.extra_images == {"holdout": 5}


def test_photos_of_the_holdout_cannot_come_into_training_nor_the_other_way(store, dataset_id, tmp_path):
    far = store.images(dataset_id, role="holdout")[0]
    near = store.images(dataset_id)[0]
    for image, role in ((far, "main"), (near, "holdout")):
        folder = tmp_path / role / image.label
        folder.mkdir(parents=True, exist_ok=True)
        # Another file with all but the same picture: its bytes are not known, its fingerprint is.
        copy = store.workspace.image(image.folder, image.id, image.suffix)
        Picture.open(copy).resize((80, 60)).save(folder / "again.jpg", quality=90)
        photo(7000 + len(role), 64, 48).save(folder / "new.png")
        before = store.dataset(dataset_id)
        ingest(store, Source("folder", tmp_path / role, "x"), "x", into=dataset_id, role=role)
        after = store.dataset(dataset_id)
        assert after.accepted == before.accepted + 1
        assert after.set_aside == before.set_aside + 1
        reason = next(each.reason for each in store.set_aside(dataset_id) if each.name.endswith("again.jpg"))
        assert "training" in reason


def test_the_newest_photos_are_judged_apart(store, dataset_id):
    dated = [
        dataclasses.replace(image, id=new_id("img"), taken_at=1e9 + number, folder=image.folder)
        for number, image in enumerate(store.images(dataset_id))
    ]
    for image in dated:
        original = next(each for each in store.images(dataset_id) if each.name == image.name)
        for place in (store.workspace.image,):
            place(image.folder, image.id, image.suffix).write_bytes(
                place(original.folder, original.id, original.suffix).read_bytes()
            )
    later_id = new_id("data")
    store.add_dataset(later_id, "Dated", "a test", Arrival(dated))
    run = train(store, later_id, dataclasses.replace(QUICK, later_share=0.25))
    later = read_predictions(store, run, side="later").images
    assert {image.label for image in later} == {"ant", "wasp"}
    oldest = {label: min(i.taken_at for i in later if i.label == label) for label in ("ant", "wasp")}
    parts = json.loads((store.workspace.run(run.id) / "split.json").read_text())
    kept = {image_id for side in ("training", "validation") for image_id, _ in parts[side]}
    assert all(image.taken_at < oldest[image.label] for image in dated if image.id in kept)


def test_a_support_vector_machine_is_a_head_like_any_other(store, dataset_id):
    run = train(store, dataset_id, dataclasses.replace(QUICK, method="svm"))
    epochs = store.epochs(run.id)
    assert [(epoch.epoch, epoch.phase) for epoch in epochs] == [(1, 1)]
    assert epochs[0].accuracy == 1.0, "1,280 features part 18 images"
    predictions = read_predictions(store, run)
    assert predictions.accuracy == pytest.approx(epochs[0].val_accuracy)
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, rtol=1e-5)
    with np.load(store.workspace.run(run.id) / "head.npz") as head:
        assert {name: head[name].shape for name in head.files} == {"head/0": (1280, 2), "head/1": (2,)}


def test_a_support_vector_machine_is_for_small_sets_and_plain_heads(store):
    big = new_id("data")
    image = store.images(next(each.id for each in store.datasets()))[0]
    images = [dataclasses.replace(image, id=f"{big}-{n}", label="ab"[n % 2], content=f"{n}") for n in range(1000)]
    store.add_dataset(big, "Big", "a test", Arrival(images))
    with pytest.raises(SettingsError, match=r"fewer than 1,000 images.*Received: 1,000"):
        starts.add_head_job(store, big, HeadSettings(method="svm"))
    with pytest.raises(SettingsError, match="without a hidden layer"):
        HeadSettings(method="svm", hidden_units=64)


def test_class_weights_make_up_for_unlike_sizes():
    labels = ["ant"] * 40 + ["wasp"] * 10
    weights = class_weights(labels, "auto")
    assert weights == {"ant": 0.625, "wasp": 2.5}
    assert np.mean([weights[label] for label in labels]) == pytest.approx(1)
    assert class_weights(labels, "off") is None
    assert class_weights(["ant"] * 30 + ["wasp"] * 10, "auto") is None, "three times is not more than three times"
    assert class_weights(["ant", "wasp"], "on") == {"ant": 1.0, "wasp": 1.0}


def test_a_run_records_the_weights_that_it_used(store, dataset_id):
    run = train(store, dataset_id, dataclasses.replace(QUICK, class_weights="on"))
    assert set(run.facts.class_weights) == {"ant", "wasp"}
    assert run.facts.dataset_version == store.dataset(dataset_id).version


def test_a_holdout_photo_that_a_backbone_finds_alike_judges_nothing(store, tmp_path):
    dataset_id = ingest(store, write_photos(tmp_path / "main", {"ant": 8, "wasp": 8}, 8000), "Insects")
    far = write_photos(tmp_path / "far", {"ant": 2, "wasp": 2}, 9000)
    ingest(store, far, "far", into=dataset_id, role="holdout")
    run = train(store, dataset_id, QUICK)
    assert run.facts.extra_images == {"holdout": 4}
    everyone = store.every_image(dataset_id)
    assert all(image.similar for image in everyone), "the holdout is compared too"
    keys = {image.id: image.similar for image in everyone}
    twin = store.images(dataset_id, role="holdout")[0]
    store.set_similar(dataset_id, keys | {twin.id: store.images(dataset_id)[0].similar})
    again = train(store, dataset_id, QUICK)
    assert again.facts.extra_images == {"holdout": 3}
    assert twin.id not in {image.id for image in read_predictions(store, again, side="holdout").images}
