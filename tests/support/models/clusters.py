"""Points in clusters, one for each class."""

import numpy as np


def clusters(count, number, noise=1.0, channels=20, seed=0):
    chance = np.random.default_rng(seed)
    classes = np.arange(count) % number
    centres = 3 * chance.normal(size=(number, channels))
    return (centres[classes] + noise * chance.normal(size=(count, channels))).astype(np.float32), classes
