"""Trains a model until it is over, whatever comes between: memory that runs out, an epoch that is given up, a stop."""

import time
from collections.abc import Callable, Sequence

from tlcore.errors import Stopped
from tlcore.features.batches import CachedBatches, FreshBatches
from tlcore.models.backend import OUT_OF_MEMORY, keras
from tlcore.models.rematerialisation import find_rematerialised
from tlcore.training.early_stopping import EpochKeeper
from tlcore.training.history import Epoch
from tlcore.training.recovery import Incidents
from tlcore.training.snapshots import read_start, write_start


def train_through(
    model: keras.Model,
    keeper: EpochKeeper,
    batches: Sequence[CachedBatches | FreshBatches],
    incidents: Incidents,
    learning_rate: float,
    compile_at: Callable[[float], None],
    run: Callable[[], None],
    before: Epoch | None = None,
) -> tuple[float, bool]:
    """Train until the keeper says it is over; return the seconds spent and whether the person stopped it.

    `run` trains from the keeper's last finished epoch on until the keeper ends that; `batches` are what it learns from,
    then what judges it; `compile_at` compiles the model anew for a rate. Where memory runs out, training goes on from
    the last finished epoch with less kept of a batch, and then with batches half as large; where the keeper condemns an
    epoch, it goes on at a tenth of the rate, from the last finished one. `before` is the measure of the first epoch of
    phase 2. A stop before the first finished epoch leaves nothing to keep, so Stopped is raised on.
    """
    start = read_start(model)
    keeper.restore(model)
    started, stopped = time.perf_counter(), False
    training = batches[0]
    while not keeper.over:
        training.start_at(keeper.standing.epoch + 1)
        try:
            run()
        except Stopped:
            if not keeper.best:
                raise
            stopped = True
            break
        except OUT_OF_MEMORY:
            part, size = find_rematerialised(model), training.batch_size
            smaller = incidents.make_room(part, size, keeper.standing.epoch + 1)
            for each in batches:
                each.resize(smaller)
        else:
            if not keeper.smashed:
                break
            # Without any, nothing had been learnt.
            earlier = before.val_accuracy if before else keeper.standing.epoch and keeper.epochs[-1].val_accuracy
            learning_rate = incidents.lower_rate(learning_rate, earlier, keeper.smashed_accuracy)
        # Compiled anew, so that nothing of the given-up steps is left in the optimizer.
        write_start(model, start)
        compile_at(learning_rate)
        keeper.restore(model)
    return time.perf_counter() - started, stopped
