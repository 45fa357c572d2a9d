"""A phase that is watched as a notebook does it and ended where a test wants it, and the photos of a folder for it."""

import hashlib

from PIL import Image

from tlcore.errors import Stopped
from tlcore.photos import Photo
from tlcore.training.results import Observer


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
