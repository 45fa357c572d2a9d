"""The frozen part on its engine: the same features on either, kept whole or made anew, and without TensorFlow."""

import json
import signal
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.models.backbones import PRETRAINED, built, row_of, size_of
from tests.support.pictures.corpus import photo
from tlcore.engines import runtime, writer
from tlcore.errors import RunError
from tlcore.features import frozen
from tlcore.features.compute import BATCH, list_views
from tlcore.features.frozen import ONNX, TENSORFLOW, freeze_up_to, pooled_features
from tlcore.models.classifier import crossing_tensors
from tlcore.models.keras_graph import name_tensor
from tlcore.models.loading import LoadedBackbone, load_backbone
from tlcore.models.plan import PIXELS, Cut, pooled_cut
from tlcore.models.weights import fetch
from tlcore.photos import Photo
from tlcore.progress import Keeping, ignore_progress, never_stop

SHA = "of the weights"
# So many of EfficientNet-Lite0's layers lie below, and one tensor crosses.
MIDDLE = 11


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, size = tmp_path_factory.mktemp("pictures"), size_of(PRETRAINED)
    made = []
    for number in range(6):
        file = folder / f"{number}.png"
        photo(number, size, size).save(file)
        made.append(Photo(f"{number}", "rose", file.name, f"{number:064x}", size, size, file=str(file)))
    return made


@pytest.fixture(scope="module")
def many(photos):
    """Return more than a batch of photos, which a look in a store is worth."""
    numbers = range(BATCH + 4)
    return [replace(photos[number % len(photos)], id=f"{number}", content=f"{number:064x}") for number in numbers]


@pytest.fixture
def loaded():
    row = row_of(PRETRAINED)
    return LoadedBackbone(row, lambda: built(PRETRAINED), fetch(row), size_of(PRETRAINED), SHA)


def part_of(caches, loaded):
    return freeze_up_to(caches, loaded, pooled_cut(loaded.row))


def lower_part_of(caches, loaded):
    """Return the part below a layer in the middle, which one tensor crosses."""
    (tensor,) = crossing_tensors(loaded.backbone, MIDDLE)
    cut = Cut(MIDDLE, (name_tensor(tensor),), (tuple(tensor.shape[1:]),), ("float32",))
    return freeze_up_to(caches, loaded, cut)


@pytest.fixture
def foreign():
    """A backbone whose layers Keras lists, and not Thaw."""
    network = "mobilenet-v2"
    return LoadedBackbone(row_of(network), lambda: built(network), Path("unread"), size_of(network), SHA)


@pytest.fixture
def lying(monkeypatch):
    """Have networks written down with one weight in a hundred too large."""
    honest = writer.write_network

    def lie(network):
        layers = [*network.layers]
        first = next(place for place, layer in enumerate(layers) if layer.kind == "Conv2D")
        wrong = layers[first].weights[0] * np.float32(1.01)
        layers[first] = replace(layers[first], weights=[wrong, *layers[first].weights[1:]])
        return honest(replace(network, layers=layers))

    monkeypatch.setattr(writer, "write_network", lie)


@pytest.fixture
def without_runtime(monkeypatch):
    monkeypatch.setattr(frozen, "_is_installed", lambda: False)


def test_both_engines_make_the_same_features_and_never_share_a_cache(tmp_path, loaded, photos, monkeypatch):
    fast, computed = pooled_features(loaded, photos, tmp_path)
    first = part_of(tmp_path, loaded)
    assert (first.engine, first.note, computed) == (ONNX, None, len(photos))
    assert runtime.read_record(first.cache.folder).apart is None, "nobody was to wait for Keras"
    first.verify(photos)
    assert runtime.read_record(first.cache.folder).apart < 1e-5
    monkeypatch.setattr(frozen, "on_gpu", lambda: True)
    slow, computed = pooled_features(loaded, photos, tmp_path)
    second = part_of(tmp_path, loaded)
    assert (second.engine, second.note, computed) == (TENSORFLOW, None, len(photos))
    assert first.cache.folder != second.cache.folder
    np.testing.assert_allclose(fast, slow, atol=1e-5 * np.abs(slow).max(), rtol=0)


@pytest.mark.parametrize("engine", [ONNX, TENSORFLOW])
def test_what_another_workspace_has_kept_is_not_computed_again(tmp_path, loaded, many, monkeypatch, engine):
    pytest.importorskip("fsspec", reason="pip install '.[cluster]', to keep features for other machines")
    monkeypatch.setattr(frozen, "_is_installed", lambda: engine == ONNX)
    sharing = replace(loaded, keeping=Keeping(f"memory://{uuid.uuid4().hex}", lambda _words: None))
    first, second, alone = (
        part_of(tmp_path / name, each) for name, each in (("one", sharing), ("two", sharing), ("three", loaded))
    )

    def fill(part, photos):
        return part.fill(list_views(photos, 1, "none", 0), "none", 0, ignore_progress, never_stop)[0]

    gone = [replace(each, file="gone.png") for each in many]
    assert (fill(first, many), fill(second, gone), fill(alone, many)) == (len(many), 0, len(many))
    files = [[file.read_bytes() for file in sorted(each.cache.folder.glob("[kt]*"))] for each in (first, second, alone)]
    assert files[0] == files[1] == files[2]
    assert len(files[0]) == 2, "keys and one tensor"
    if engine == ONNX:
        assert runtime.read_record(first.cache.folder).apart < 1e-5, "others rely on it"


@pytest.mark.parametrize("what", ["few photos", "pixels", "a random network"])
def test_nothing_is_asked_of_a_store_that_it_cannot_have(tmp_path, loaded, many, what):
    sha256 = "" if what == "a random network" else SHA
    size = loaded.image_size
    pixels = Cut(0, (PIXELS,), ((size, size, 3),), ("uint8",))
    sharing = replace(loaded, weights_sha256=sha256, keeping=Keeping("memory://lab", pytest.fail))
    part = freeze_up_to(tmp_path, sharing, pixels if what == "pixels" else pooled_cut(loaded.row))
    views = list_views(many[:BATCH] if what == "few photos" else many, 1, "none", 0)
    assert part.fill(views, "none", 0, ignore_progress, never_stop)[0] == len(views)


def test_where_the_runtime_is_missing_tensorflow_does_it(tmp_path, loaded, photos, without_runtime):
    features, _ = pooled_features(loaded, photos, tmp_path)
    assert features.shape == (len(photos), 1280)
    assert part_of(tmp_path, loaded).engine == TENSORFLOW


def test_a_network_is_written_once(tmp_path, loaded, photos, monkeypatch):
    pooled_features(loaded, photos[:4], tmp_path)
    monkeypatch.setattr(writer, "write_network", lambda _: pytest.fail("written again"))
    _, computed = pooled_features(loaded, photos, tmp_path)
    assert computed == 2


@pytest.mark.parametrize("damage", [lambda whole: whole[:-100], lambda whole: b"", lambda whole: b"x" + whole[1:]])
def test_a_damaged_network_is_made_anew(tmp_path, loaded, photos, damage):
    whole, _ = pooled_features(loaded, photos[:4], tmp_path)
    file = part_of(tmp_path, loaded).cache.folder / runtime.NETWORK
    content = file.read_bytes()
    file.write_bytes(damage(content))
    features, computed = pooled_features(loaded, photos, tmp_path)
    assert computed == 2
    assert file.read_bytes() == content
    np.testing.assert_array_equal(features[:4], whole)


def test_a_network_that_answers_otherwise_is_refused_and_that_is_said_and_remembered(tmp_path, foreign, photos, lying):
    part = lower_part_of(tmp_path, foreign)
    views = list_views(photos, 1, "none", 0)
    assert part.fill(views, "none", 0, ignore_progress, never_stop)[0] == len(photos)
    assert part.engine == TENSORFLOW
    part = lower_part_of(tmp_path, foreign)
    assert part.engine == TENSORFLOW
    assert "MobileNetV2" in part.note
    assert "from Keras's, which is more than 0.1%" in part.note
    assert part.cache.missing([view.key for view in views]) == []
    assert list(tmp_path.rglob(runtime.NETWORK)) == []


def test_a_network_that_keras_lists_is_compared_before_it_is_used(tmp_path, foreign, photos):
    part = lower_part_of(tmp_path, foreign)
    part.fill(list_views(photos, 1, "none", 0), "none", 0, ignore_progress, never_stop)
    assert part.engine == ONNX
    assert runtime.read_record(part.cache.folder).apart < 1e-4


def test_below_a_cut_the_comparison_is_put_off_too_and_found_once(tmp_path, loaded, photos, monkeypatch):
    part = lower_part_of(tmp_path, loaded)
    part.fill(list_views(photos, 1, "none", 0), "none", 0, ignore_progress, never_stop)
    assert (part.engine, runtime.read_record(part.cache.folder).apart) == (ONNX, None)
    part.verify(photos)
    assert runtime.read_record(part.cache.folder).apart < 1e-5
    monkeypatch.setattr(frozen.FrozenPart, "_compare", lambda *_: pytest.fail("compared again"))
    part.verify(photos)


def test_what_was_learnt_from_answers_that_prove_to_be_others_is_refused(tmp_path, loaded, photos, lying):
    wrong, _ = pooled_features(loaded, photos, tmp_path)
    with pytest.raises(RunError, match=r"within 0\.1% of Keras's.*Start again: TensorFlow"):
        part_of(tmp_path, loaded).verify(photos)
    assert part_of(tmp_path, loaded).engine == TENSORFLOW
    right, computed = pooled_features(loaded, photos, tmp_path)
    assert computed == len(photos)
    assert np.abs(right - wrong).max() > 1e-3 * np.abs(right).max()
    part_of(tmp_path, loaded).verify(photos)


def test_a_network_that_cannot_be_written_is_remembered_until_the_runtime_is_another(
    tmp_path, loaded, photos, monkeypatch
):
    def fail(_):
        raise KeyError("Fold")

    with monkeypatch.context() as failing:
        failing.setattr(writer, "write_network", fail)
        pooled_features(loaded, photos, tmp_path)
    part = part_of(tmp_path, loaded)
    assert part.engine == TENSORFLOW
    assert "Fold" in part.note
    (record,) = tmp_path.rglob(runtime.RECORD)
    record.write_text(json.dumps(json.loads(record.read_text()) | {"runtime": "0.1"}))
    assert part_of(tmp_path, loaded).engine == ONNX


def test_a_photo_that_cannot_be_read_is_no_fault_of_the_network(tmp_path, photos):
    row = row_of("mobilenet-v3-small")
    loaded = LoadedBackbone(row, lambda: built("mobilenet-v3-small"), tmp_path, size_of("mobilenet-v3-small"), SHA)
    gone = [replace(photos[0], file=str(tmp_path / "gone.png"))]
    with pytest.raises(OSError, match="gone"):
        part_of(tmp_path, loaded).forward(gone)
    assert part_of(tmp_path, loaded).engine == ONNX
    assert list(tmp_path.rglob(runtime.RECORD)) == []


WITHOUT_TENSORFLOW = """
import sys
from pathlib import Path
import numpy as np
from tlcore.features.frozen import pooled_features
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import load_backbone
from tlcore.photos import Photo

folder, caches, size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
photos = [Photo(str(n), "rose", "a", f"{n:064x}", size, size, file=str(folder / f"{n}.png")) for n in range(6)]
features, computed = pooled_features(load_backbone(find_backbone("efficientnet-lite0"), size), photos, caches)
assert computed == 6
np.save(f"{caches}.npy", features)
assert not {"tensorflow", "keras"} & set(sys.modules), "neither is to be imported"
"""


def test_features_need_neither_tensorflow_nor_keras_and_those_that_come_later_find_them(tmp_path, photos):
    caches = tmp_path / "caches"
    caches.mkdir()
    folder, size = str(Path(photos[0].file).parent), size_of(PRETRAINED)
    subprocess.run([sys.executable, "-c", WITHOUT_TENSORFLOW, folder, str(caches), str(size)], check=True)
    loaded = load_backbone(row_of(PRETRAINED), size)
    found, computed = pooled_features(loaded, photos, caches)
    assert computed == 0
    np.testing.assert_array_equal(found, np.load(f"{caches}.npy"))


KILLED = """
import os, signal, sys
from pathlib import Path
from tlcore.engines import runtime
from tlcore import files

replaced = 0
def replace(self, target, replace=Path.replace):
    global replaced
    replaced += 1
    if replaced == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(self, target)
Path.replace = replace
runtime.keep(Path(sys.argv[1]), b"a network", 0.0)
"""


@pytest.mark.parametrize("moment", [1, 2])
def test_a_kill_while_a_network_is_kept_leaves_nothing_that_is_taken_for_one(tmp_path, moment):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(moment)])
    assert killed.returncode == -signal.SIGKILL
    assert runtime.read_record(tmp_path).sha256 is None
    assert runtime.open_kept(tmp_path) is None
    runtime.keep(tmp_path, b"another", 0.0)
    assert {file.name for file in tmp_path.iterdir()} == {runtime.NETWORK, runtime.RECORD}


def test_the_cut_without_keras_is_that_of_keras():
    row = row_of(PRETRAINED)
    backbone = built(PRETRAINED)
    assert pooled_cut(row).boundary == len(backbone.layers)
    assert pooled_cut(row).shapes == (backbone.output.shape[-1:],)


def test_other_tensors_at_one_boundary_have_a_cache_of_their_own(tmp_path, loaded):
    def folder(channels, used_for):
        cut = Cut(MIDDLE, ("tap",), ((7, 7, channels),), ("float32",))
        source = frozen.Source(loaded.row, SHA, loaded.image_size, cut, None, None, True, used_for)
        return frozen.FrozenPart(tmp_path, source).cache.folder

    assert folder(320, "boxes") == folder(320, "boxes")
    assert len({folder(320, "boxes"), folder(192, "boxes"), folder(320, "")}) == 3
