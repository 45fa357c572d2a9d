"""The one family of errors that Thaw raises on purpose.

Every message says what was expected, what was received and what to do. The core raises them; the shell
(page, command line, route) shows them once. Anything else that escapes is a bug.
"""


class ThawError(Exception):
    """Base of every error whose message is meant for the person at the screen."""


class ImageRejected(ThawError):
    """One file cannot be used as an image; the message is the reason shown beside its name."""


class Undecoded(ImageRejected):
    """A file whose decoding died or took too long: on another machine, or with more time, it may not."""


class DatasetError(ThawError):
    """A data set cannot be imported, split or trained on as it is."""


class BackboneError(ThawError):
    """A backbone is unknown or cannot be built as asked."""


class WeightsError(ThawError):
    """Pretrained weights are missing, unreachable or not the file they should be."""


class SettingsError(ThawError):
    """A setting is outside its allowed range."""


class GuardError(ThawError):
    """A step was refused because it would spoil the model; the user may insist."""


class RunError(ThawError):
    """A run is unknown, busy, failed or not far enough for what was asked."""


class Stopped(Exception):
    """The person asked to stop; what was finished is kept. No ThawError: nothing is wrong."""
