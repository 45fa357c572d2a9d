"""Half as many images at a time, down to one, and then a plain failure."""

import pytest
import tensorflow as tf

from tlcore.errors import RunError
from tlcore.models.inference import OUT_OF_MEMORY
from tlcore.models.memory import halve


def test_a_batch_is_halved_down_to_one_image():
    assert [halve(32), halve(5), halve(2)] == [16, 2, 1]
    with pytest.raises(RunError, match=r"memory for one image at a time.*fewer unfrozen layers"):
        halve(1)


def test_a_full_gpu_and_a_full_computer_are_both_known():
    assert isinstance(tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"), OUT_OF_MEMORY)
    assert isinstance(MemoryError(), OUT_OF_MEMORY)
    assert not isinstance(tf.errors.InvalidArgumentError(None, None, "shapes"), OUT_OF_MEMORY)
