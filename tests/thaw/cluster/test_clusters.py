"""Features of photos on real Ray clusters: the files of the cache are those of this machine, whatever dies."""

import pytest

from tests.support.cluster.nodes import cluster
from tests.support.cluster.tasks import Logged
from tests.support.models.backbones import PRETRAINED, built, row_of, size_of
from tests.support.pictures.corpus import photo, write_classes
from thaw.cluster.spreading import ClusterSpread
from thaw.datasets.ingest import ingest
from thaw.decoding import many
from thaw.jobs.reporter import Reporter
from thaw.sources.sources import Source
from tlcore.errors import RunError
from tlcore.features.compute import list_views
from tlcore.features.frozen import freeze_up_to
from tlcore.features.shards import SHARD_IMAGES
from tlcore.models.loading import LoadedBackbone
from tlcore.models.plan import pooled_cut
from tlcore.models.weights import fetch
from tlcore.photos import Photo
from tlcore.progress import ignore_progress, never_stop

pytest.importorskip("ray", reason="pip install '.[cluster]', to compute features on a real Ray cluster")

SHARDS = 6
PHOTOS = SHARDS * SHARD_IMAGES - 31


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, size = tmp_path_factory.mktemp("pictures"), size_of(PRETRAINED)
    made = []
    for number in range(PHOTOS):
        file = folder / f"{number}.jpg"
        photo(number, size, size).save(file)
        made.append(Photo(f"{number}", "rose", file.name, f"{number:064x}", size, size, file=str(file)))
    return made


@pytest.fixture
def reporter(store):
    return Reporter(store, store.add_job("import", {}))


def fill(caches, photos, spread=None, progress=ignore_progress):
    """Compute the features of photos; return the files of their cache but what was measured."""
    row = row_of(PRETRAINED)
    loaded = LoadedBackbone(row, lambda: built(PRETRAINED), fetch(row), size_of(PRETRAINED), "sha", spread=spread)
    part = freeze_up_to(caches, loaded, pooled_cut(row))
    part.fill(list_views(photos, 1, "none", 0), "none", 0, progress, never_stop)
    return {file.name: file.read_bytes() for file in part.cache.folder.iterdir() if file.name != "facts.json"}


@pytest.fixture(scope="module")
def here(tmp_path_factory, photos):
    return fill(tmp_path_factory.mktemp("here"), photos)


def told(reporter):
    return reporter.store.job(reporter.job_id).note


def test_the_cache_of_a_cluster_is_that_of_this_machine(tmp_path, photos, here, reporter):
    with cluster() as lab:
        assert fill(tmp_path, photos, ClusterSpread(lab.address, reporter)) == here
        assert f"On 1 machine of the cluster at {lab.address}" in told(reporter)


@pytest.mark.slow
def test_a_node_killed_at_half_costs_less_than_a_shard_a_worker(tmp_path, photos, here, reporter):
    with cluster() as lab:
        other = lab.add("other")
        spread = Logged(ClusterSpread(lab.address, reporter), tmp_path / "log")

        def progress(_stage, done, total):
            if done >= total / 2 and other.poll() is None:
                lab.kill(other)

        assert fill(tmp_path / "caches", photos, spread, progress) == here
    assert other.returncode is not None
    assert spread.count("ended") >= SHARDS
    assert spread.count("began") - spread.count("ended") <= 1, "it had one worker"
    assert f"of the cluster at {lab.address}" in told(reporter)


@pytest.mark.slow
def test_the_loss_of_the_cluster_leaves_the_rest_to_this_machine(tmp_path, photos, here, reporter):
    with cluster() as lab:
        head = lab.nodes[0]

        def progress(_stage, done, total):
            if done >= total / 2 and head.poll() is None:
                lab.kill(head)

        spread = Logged(ClusterSpread(lab.address, reporter), tmp_path / "log")
        assert fill(tmp_path / "caches", photos, spread, progress) == here
    words = f"The cluster at {lab.address} was lost. What is not done yet is computed on this machine. On this machine,"
    assert words in told(reporter)


OTHER_RAY = "import ray; ray.__version__ = '2.0.0'; from ray.scripts.scripts import main; main()"


@pytest.mark.slow
def test_a_cluster_of_another_ray_is_told_and_all_is_computed_here(tmp_path, photos, here, reporter):
    with cluster(program=OTHER_RAY) as lab:
        assert fill(tmp_path, photos, ClusterSpread(lab.address, reporter)) == here
    assert "Version mismatch" in told(reporter)
    assert "Ray: 2.0.0" in told(reporter)
    assert "Install the same versions on every machine" in told(reporter)


@pytest.mark.slow
def test_a_node_without_the_packages_is_left_out_and_the_other_does_all(tmp_path, photos, here, reporter):
    blind = tmp_path / "blind"
    blind.mkdir()
    # Found first on that node: a package that hides what it is asked for.
    (blind / "sitecustomize.py").write_text(
        "import importlib.metadata as m\n"
        "found = m.version\n"
        "def version(name):\n"
        "    if name == 'onnxruntime':\n"
        "        raise m.PackageNotFoundError(name)\n"
        "    return found(name)\n"
        "m.version = version\n"
    )
    with cluster() as lab:
        lab.add("bare", PYTHONPATH=f"{blind}:{lab.python_path}")
        assert fill(tmp_path / "caches", photos, ClusterSpread(lab.address, reporter)) == here
    assert "bare is left out: it lacks onnxruntime. Install what this machine has there" in told(reporter)
    assert f"On 1 machine of the cluster at {lab.address}" in told(reporter)


def test_a_photo_that_nobody_can_read_is_told_of_as_ever(tmp_path, photos, reporter):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    wrong = Photo("x", "rose", "broken.jpg", "f" * 64, 9, 9, file=str(broken))
    with cluster() as lab, pytest.raises((OSError, RunError), match="broken"):
        fill(tmp_path / "caches", [*photos[:200], wrong], ClusterSpread(lab.address, reporter))
    assert "73 photos failed three times, lastly on head (UnidentifiedImageError" in told(reporter)


def test_an_import_on_a_cluster_is_that_of_this_machine(tmp_path, store, reporter, monkeypatch):
    monkeypatch.setattr(many, "FEW", many.SHARD_FILES)
    folder = write_classes(tmp_path / "photos", {"rose": 90, "tulip": 60})
    (folder / "rose" / "torn.jpg").write_bytes(b"no picture")
    source = Source("folder", folder, str(folder))
    here = ingest(store, source, "here")
    with cluster() as lab:
        there = ingest(store, source, "there", spread=ClusterSpread(lab.address, reporter))
        assert f"On 1 machine of the cluster at {lab.address}" in told(reporter)
    rows = [
        [(each.label, each.name, each.content, each.original, each.sharpness) for each in store.images(dataset)]
        for dataset in (here, there)
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 150
    assert store.dataset(here).set_aside == store.dataset(there).set_aside
    files = [{path.read_bytes() for path in store.workspace.dataset(each).glob("*/*")} for each in (here, there)]
    assert files[0] == files[1]
