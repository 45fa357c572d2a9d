"""One decoding process for all imports of a file of tests: to start two took longer than a dozen photos."""

from collections.abc import Iterator

import pytest

from thaw.decoding import decoder
from thaw.decoding.child import Child


class WarmChild(Child):
    """A child that stays when its pool is closed, to be the only one of the next pool."""

    def __init__(self) -> None:
        super().__init__()
        self._told_ready = False

    def start(self) -> None:
        if self.process is None:
            super().start()
            self._told_ready = False

    def await_ready(self) -> None:
        if not self._told_ready:
            super().await_ready()
            self._told_ready = True

    def close(self) -> None:
        """Stay, unless an answer is still owed, which the next pool would take for its own."""
        if self._deadline != float("inf"):
            self._end()


@pytest.fixture(scope="module")
def warm_decoder() -> Iterator[None]:
    """Let every pool of decoders that this process opens be the same one child."""
    child = WarmChild()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "Child", lambda: child)
        patch.setattr(decoder, "MAX_CHILDREN", 1)
        yield
    Child.close(child)
