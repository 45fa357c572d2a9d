"""What to do where memory runs out: take half as many images at a time."""

from tlcore.errors import RunError


def halve(batch_size: int) -> int:
    """Return half of `batch_size`, rounded down; raise RunError where a single image was already too much."""
    if batch_size <= 1:
        raise RunError(
            "Expected enough memory for one image at a time. Received: a computer or GPU that ran out of it even "
            "then. Close other programs and resume, or start again with fewer unfrozen layers, a smaller image size or "
            "a smaller backbone."
        )
    return batch_size // 2
