"""A phase that is watched as a notebook does it and ended where a test wants it, and the photos of a folder for it."""

import hashlib

import pytest
from PIL import Image

from tlcore.errors import Stopped
from tlcore.features.inputs import Materials
from tlcore.models.backbones import find_backbone
from tlcore.models.loading import load_backbone
from tlcore.photos import Photo
from tlcore.splits.groups import GroupRules
from tlcore.splits.splits import split
from tlcore.training.results import Observer


@pytest.fixture
def every_epoch(monkeypatch):
    """Each epoch is kept, as those that take long are."""
    monkeypatch.setattr("tlcore.training.early_stopping.KEEP_EVERY_S", -1.0)


@pytest.fixture(scope="module")
def prepare(tiny_photos, tmp_path_factory):
    """Return a function of a head's settings that loads the network anew and divides the tiny photos, a quarter for
    validation; what is computed of them is cached for all."""
    photos, caches = list_photos(tiny_photos), tmp_path_factory.mktemp("caches")

    def materials(settings):
        loaded = load_backbone(find_backbone(settings.backbone), settings.image_size)
        parts = split(photos, 0.25, settings.seed)
        return Materials(**vars(loaded), settings=settings, split=parts, rules=GroupRules(), caches=caches)

    return materials


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class Watcher(Observer):
    """Keeps the epochs and the stages that it hears of; ends the training after `last`, by being killed or by asking it
    to stop."""

    def __init__(self, last=None, error=Killed):
        self.epochs, self.stages, self._last, self._error = [], set(), last, error

    def progress(self, stage, done, total):
        self.stages.add(stage)

    def go_on_after(self, epoch):
        self.epochs = [each for each in self.epochs if each.epoch <= epoch]

    def finish_epochs(self, epochs):
        self.epochs += epochs
        if self._error is Killed and self._last in [each.epoch for each in epochs]:
            raise Killed

    def check_stop(self):
        if self._error is Stopped and self._last in [each.epoch for each in self.epochs]:
            raise Stopped


def list_photos(folder):
    """Return the photos of a folder of class folders, as whoever has a table of them would list them."""
    found = []
    for file in sorted(folder.rglob("*.*")):
        with Image.open(file) as picture:
            width, height = picture.size
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        name, label = f"{file.parent.name}/{file.name}", file.parent.name
        found.append(Photo(name, label, name, content, width, height, file=str(file)))
    return found
