"""What the features of many photos take on a number of machines: hours and money, from a speed that was measured here.

Photos are independent of one another, so that the time is the work of one processor for one photo, times the photos,
divided by the processors; what a cluster adds to that was measured (docs/scale.md).
"""

import os
from dataclasses import dataclass

from tlcore.errors import SettingsError

# Of one processor for a photo, beside the network: reading and decoding its copy (docs/architecture.md).
READ_S = 0.0022
# To join a cluster, ask its machines and load the network on each, whatever the number of photos.
JOIN_S = 20.0
# What handing shards to and fro may add at most, the goal that `python -m benchmarks.scale cluster` holds it to.
OVERHEAD = 0.15


@dataclass(frozen=True)
class Cost:
    """What a computation takes: photos a second, hours of the clock, hours of all machines, and their price."""

    photos_per_second: float
    hours: float
    machine_hours: float
    price: float


def estimate(photos: int, image_ms: float, machines: int, cpus: int, price_per_hour: float) -> Cost:
    """Expect the cost of the features of `photos` on `machines` of `cpus` processors each, at the price of a machine.

    `image_ms` is what this machine takes for an image with all its processors (`thaw.backbones.speeds.read_speeds`);
    the others are expected to be as fast, processor for processor. Raises SettingsError for amounts below the least.
    """
    least = {"photos": (photos, 1), "machines": (machines, 1), "cpus": (cpus, 1), "price": (price_per_hour, 0)}
    for name, (given, lowest) in least.items():
        if given < lowest:
            raise SettingsError(f"Expected {name} of at least {lowest}. Received: {given:g}.")
    photo_s = image_ms / 1000 * (os.cpu_count() or 1) + READ_S
    rate = machines * cpus / (photo_s * (1 + OVERHEAD))
    hours = (photos / rate + JOIN_S) / 3600
    return Cost(rate, hours, machines * hours, machines * hours * price_per_hour)
