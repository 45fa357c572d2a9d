"""Training from scratch: all of a network without pretrained weights learns from the photos alone, in one phase.

What the rates, the warm-up and the decay follow is named where each is set. Nothing is frozen, and no features are
cached but the pixels: every epoch sees other views of the photos.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tlcore.errors import SettingsError
from tlcore.features.inputs import Materials, prepare_feed
from tlcore.models.backend import keras
from tlcore.models.classifier import assemble, share_out
from tlcore.models.plan import PIXELS, Cut
from tlcore.progress import Stage
from tlcore.training import phases
from tlcore.training.early_stopping import EpochKeeper
from tlcore.training.history import Epoch
from tlcore.training.recovery import Incidents
from tlcore.training.results import HeadResult, Observer
from tlcore.training.sanity_checks import examine_head
from tlcore.training.snapshots import Variables, name_variables

# The rate grows over the first epochs, so that random weights are not thrown far (Goyal et al. 2017, arXiv 1706.02677,
# section 2.2), and then falls along a cosine (Loshchilov and Hutter 2017, arXiv 1608.03983), here to nearly nothing.
WARM_UP_SHARE = 0.1
# Of ImageNet's networks trained anew, and of small ones (He et al. 2015, section 4.2; Zagoruyko and Komodakis 2016,
# arXiv 1605.07146, section 3).
MOMENTUM = 0.9
WEIGHT_DECAY = 5e-4
# BatchNormalization's averages have to keep up in a small set: with Keras's 0.99 and 23 batches an epoch they lag
# behind weights that change, and for epochs validation says nothing. 0.9 is PyTorch's default.
STATISTICS_MOMENTUM = 0.9
# How often a training that ran away is taken up again at a tenth of the rate.
MOST_RETRIES = 2


def rate_at(epoch: int, epochs: int, highest: float) -> float:
    """Return the learning rate of epoch number `epoch`, 1 to `epochs`, of a training that reaches the rate `highest`.

    It grows in equal steps over a tenth of the epochs and falls along half a cosine over the rest.
    """
    rising = max(1, round(epochs * WARM_UP_SHARE))
    if epoch <= rising:
        return highest * epoch / rising
    return highest * (1 + math.cos(math.pi * (epoch - rising) / (epochs - rising + 1))) / 2


class RateSchedule(keras.callbacks.Callback):
    """Sets the rate of each epoch by its number alone, so that a resumed training has the rates of an undisturbed one;
    `incidents` tell what of the highest rate is left after a training that ran away, and `first` is the number of the
    training's first epoch."""

    def __init__(self, highest: float, epochs: int, incidents: Incidents, first: int = 1) -> None:
        super().__init__()
        self._highest, self._epochs, self._incidents, self._first = highest, epochs, incidents, first

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        rate = rate_at(epoch + 2 - self._first, self._epochs, self._incidents.learning_rate(self._highest))
        self.model.optimizer.learning_rate = rate


def train_from_scratch(
    materials: Materials,
    folder: Path,
    observer: Observer | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    incidents: Incidents | None = None,
    history: Sequence[Epoch] = (),
) -> HeadResult:
    """Train all of a network that has no pretrained weights, with its head; BatchNormalization learns too.

    The materials are of a `fresh` row; `tlcore.settings.scratch_settings` makes settings that suit. Stops early,
    resumes and stops on request as `tlcore.training.phases.train_head` does, and its epochs are of phase 1. Where the
    loss is no number any more, training goes back to the last finished epoch and on at a tenth of the rate. `weights`
    of the result are all that the network and the head have. Raises SettingsError for a row with pretrained weights,
    and for a support vector machine.
    """
    observer, incidents = observer or Observer(), incidents or Incidents()
    settings, row = materials.settings, materials.row
    if not row.fresh or settings.method == "svm":
        raise SettingsError(
            f"Expected a network without pretrained weights that learns by gradient steps. Received: {row.name!r}, "
            f"method={settings.method!r}. Take a name that ends in '-from-scratch', or train a head on this one."
        )

    # 1. The network and its head, with weights that the seed alone decides.
    keras.utils.set_random_seed(settings.seed)
    backbone = materials.backbone
    _unfreeze(backbone)
    head = phases.build_head(materials)
    size = materials.image_size
    pixels = keras.Input((size, size, 3), dtype="uint8")
    model = keras.Model([pixels], assemble(row, backbone, head, size, frozen=False)(pixels))
    phases.compile_model(model, settings.output, settings.learning_rate, make_optimizer)

    # 2. The pixels.
    cut = Cut(0, (PIXELS,), ((size, size, 3),), ("uint8",))
    batch_size = incidents.batch_size(settings.batch_size)
    feed = prepare_feed(materials, cut, batch_size, 1, observer.progress, observer.check_stop)
    observer.measure_features(feed, cut)

    # 3. Training.
    keeper = EpochKeeper(
        observer,
        1,
        1,
        settings.epochs,
        settings.patience,
        folder / phases.HEAD_SNAPSHOT,
        _learnt(name_variables(backbone, head)),
        history,
        smashes=lambda accuracy: accuracy is None and len(incidents.retries) < MOST_RETRIES,
        always=True,
        stage=Stage.TRAINING_FROM_SCRATCH,
    )
    schedule = RateSchedule(settings.learning_rate, settings.epochs, incidents)
    rate = incidents.learning_rate(settings.learning_rate)
    heard = [schedule, *callbacks]
    seconds, stopped = phases.fit(model, keeper, feed, materials, incidents, rate, heard, make=make_optimizer)

    # 4. The result: the best epoch's weights, and what they say of the photos that judge them.
    keeper.restore_best()
    judged = {"validation": feed.validation, **feed.extra}
    said = {name: model.predict(each, verbose=0) for name, each in judged.items()}
    return HeadResult(
        head=head,
        weights=keeper.best,
        epochs=keeper.epochs,
        kept=next(epoch for epoch in keeper.epochs if epoch.epoch == keeper.standing.best_epoch),
        probabilities={name: share_out(each, settings.output) for name, each in said.items()},
        cut=cut,
        feed=feed,
        epochs_trained=keeper.epochs_trained,
        training_s=seconds,
        stopped=stopped,
        checks=examine_head(materials, settings.batch_size, 0),
    )


def make_optimizer(rate: float) -> keras.optimizers.Optimizer:
    """Make stochastic gradient descent with Nesterov's momentum and decoupled weight decay."""
    optimizer = keras.optimizers.SGD(rate, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY)
    # Scales, shifts and biases are left alone, as is usual (Goyal et al. 2017, section 5.3, of BatchNormalization).
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


def _unfreeze(backbone: keras.Model) -> None:
    backbone.trainable = True
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = STATISTICS_MOMENTUM


def _learnt(named: Variables) -> Variables:
    """Keep what training changes: the weights that train, and BatchNormalization's averages."""
    return {name: each for name, each in named.items() if each.trainable or "moving_" in each.path}
