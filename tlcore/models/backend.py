"""Keras, set as Thaw needs it whatever `~/.keras/keras.json` says; every module takes it from here."""

import keras as keras

from tlcore.errors import SettingsError

FLOATX, EPSILON, DATA_FORMAT, BACKEND = "float32", 1e-7, "channels_last", "tensorflow"


def settle_keras() -> None:
    """Set what Keras has read from its file; raise SettingsError where it was imported with another backend before."""
    keras.config.set_floatx(FLOATX)
    keras.config.set_epsilon(EPSILON)
    keras.config.set_image_data_format(DATA_FORMAT)
    if keras.config.backend() != BACKEND:
        raise SettingsError(
            f"Expected Keras with the backend {BACKEND}. Received: {keras.config.backend()}, with which this "
            "program had imported it before Thaw. Import tlcore first."
        )


settle_keras()
