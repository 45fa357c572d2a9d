"""Shards of features: the same files as the cache has without them, whatever fails and whoever computes them."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.support.pictures.corpus import photo
from tlcore.engines.runtime import OnnxNetwork
from tlcore.errors import Stopped
from tlcore.features.cache import FeatureCache
from tlcore.features.compute import BATCH, compute_features, list_views
from tlcore.features.shards import (
    SHARD_IMAGES,
    NetworkFile,
    carry_photos,
    compute_shard,
    count_images,
    spread_features,
)
from tlcore.photos import Photo
from tlcore.progress import ignore_progress, never_stop

SIDE, CHANNELS = 24, 5
PHOTOS = 2 * SHARD_IMAGES + 37


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("pictures"), []
    for number in range(PHOTOS):
        file = folder / f"{number}.png"
        photo(number, SIDE, SIDE).save(file)
        made.append(Photo(f"{number}", "rose", file.name, f"{number:064x}", SIDE, SIDE, file=str(file)))
    return made


@pytest.fixture(scope="module")
def network():
    """A convolution over the whole of a picture and its mean, as a file."""
    kernel = np.random.default_rng(0).normal(size=(CHANNELS, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["first", "kernel"], ["mapped"]),
        helper.make_node("ReduceMean", ["mapped"], ["pooled"], axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["n", CHANNELS])],
        [numpy_helper.from_array(kernel, "kernel")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content = model.SerializeToString()
    return NetworkFile(np.frombuffer(content, np.uint8), hashlib.sha256(content).hexdigest())


class Elsewhere:
    """Does tasks as another machine would: what goes there and comes back has been pickled. Task number `failing` is
    never done, and after `ends` of them nothing is."""

    def __init__(self, failing=None, ends=None):
        self.failing, self.ends, self.tasks, self.closed = failing, ends, [], False

    def __call__(self, function, common, tasks, carry, witness, check_stop):
        assert witness.exists()
        try:
            for number, task in enumerate(tasks):
                if number == self.ends:
                    return
                check_stop()
                self.tasks.append(task)
                sent = pickle.loads(pickle.dumps((function, common, carry(task))))  # noqa: S301
                yield None if number == self.failing else sent[0](*sent[1:])
        finally:
            self.closed = True

    def decline(self, reason):
        raise AssertionError(reason)


def open_cache(folder):
    return FeatureCache(folder, {"of": "the test"}, [(CHANNELS,)], ["float32"])


def spread(cache, views, network, elsewhere, augmentation="none", progress=ignore_progress, check_stop=never_stop):
    spread_features(cache, views, network, SIDE, augmentation, 0, progress, check_stop, elsewhere)


def compute(cache, views, network, augmentation="none"):
    forward = OnnxNetwork(network.content.tobytes())
    compute_features(cache, views, forward, SIDE, augmentation, 0, ignore_progress, never_stop)


def contents(cache):
    return {file.name: file.read_bytes() for file in cache.folder.iterdir() if file.name != "facts.json"}


@pytest.mark.parametrize(("augmentation", "count"), [("none", 1), ("light", 2)])
def test_the_files_of_the_cache_are_those_that_this_process_would_have_written(
    tmp_path, photos, network, augmentation, count
):
    views = list_views(photos, count, augmentation, 0)
    there, here, told = open_cache(tmp_path / "there"), open_cache(tmp_path / "here"), []
    spread(there, views, network, Elsewhere(), augmentation, lambda _stage, done, total: told.append((done, total)))
    compute(here, views, network, augmentation)
    assert contents(there) == contents(here)
    assert told[0] == (0, len(views))
    assert told[-1] == (len(views), len(views))


def test_only_what_is_missing_is_cut_into_whole_batches(tmp_path, photos, network):
    cache, elsewhere = open_cache(tmp_path), Elsewhere()
    views = list_views(photos, 1, "none", 0)
    compute(cache, views[:50], network)
    spread(cache, views, network, elsewhere)
    assert [len(each) for each in elsewhere.tasks] == [SHARD_IMAGES, PHOTOS - 50 - SHARD_IMAGES]
    assert elsewhere.tasks[0].photos[0] == photos[50].file
    assert cache.missing([view.key for view in views]) == []


@pytest.mark.parametrize(("row_bytes", "images"), [(1, SHARD_IMAGES), (400_000, 2 * BATCH), (9_000_000, BATCH)])
def test_a_shard_of_large_tensors_has_fewer_images(row_bytes, images):
    assert count_images(row_bytes) == images


def test_what_could_not_be_done_is_still_missing_and_the_rest_is_there(tmp_path, photos, network):
    cache, elsewhere = open_cache(tmp_path), Elsewhere(failing=1)
    views = list_views(photos, 1, "none", 0)
    spread(cache, views, network, elsewhere)
    lost = [view.key for view in views[SHARD_IMAGES : 2 * SHARD_IMAGES]]
    assert cache.missing([view.key for view in views]) == lost
    compute(cache, views, network)
    here = open_cache(tmp_path / "here")
    compute(here, views, network)
    rows, expected = (each.tensors()[0][each.rows([view.key for view in views])] for each in (cache, here))
    assert np.array_equal(rows, expected)


def test_an_end_before_the_tasks_keeps_what_was_done(tmp_path, photos, network):
    cache, elsewhere = open_cache(tmp_path), Elsewhere(ends=1)
    views = list_views(photos, 1, "none", 0)
    spread(cache, views, network, elsewhere)
    assert len(cache.missing([view.key for view in views])) == PHOTOS - SHARD_IMAGES


def test_a_stop_keeps_what_was_done_and_ends_the_rest(tmp_path, photos, network):
    cache, elsewhere, asked = open_cache(tmp_path), Elsewhere(), []

    def check_stop():
        asked.append(1)
        if len(asked) == 2:
            raise Stopped

    views = list_views(photos, 1, "none", 0)
    with pytest.raises(Stopped):
        spread(cache, views, network, elsewhere, check_stop=check_stop)
    assert elsewhere.closed
    assert len(cache.missing([view.key for view in views])) == PHOTOS - SHARD_IMAGES


def test_a_shard_takes_each_photo_along_once(tmp_path, photos, network):
    elsewhere = Elsewhere()
    spread(open_cache(tmp_path), list_views(photos[:40], 3, "light", 0), network, elsewhere, "light")
    shard = elsewhere.tasks[0]
    carried = carry_photos(shard)
    assert carried.photos[0] is carried.photos[1] is carried.photos[2]
    assert carried.photos[0] == Path(photos[0].file).read_bytes()
    assert carry_photos(carried) == carried
    assert np.array_equal(compute_shard(network, carried)[0], compute_shard(network, shard)[0])
    with pytest.raises(FileNotFoundError):
        carry_photos(replace(shard, photos=("/nowhere/a.png", *shard.photos[1:])))
