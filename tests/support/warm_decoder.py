"""One decoding process for all imports of a worker of tests: to start two took longer than a dozen photos."""

from collections.abc import Iterator

import pytest

from thaw.decoding import decoder
from thaw.decoding.child import Child


class WarmChild(Child):
    """A child that stays when its pool is closed, to be the only one of the next pool; a pool beside it gets others."""

    def __init__(self) -> None:
        super().__init__()
        self._told_ready = False
        self._lent = False

    def lend(self) -> Child:
        """Return this child, or another while it is in use."""
        if self._lent:
            return Child()
        self._lent = True
        return self

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
        self._lent = False


@pytest.fixture(scope="session")
def warm_child() -> Iterator[WarmChild]:
    child = WarmChild()
    yield child
    Child.close(child)


@pytest.fixture(scope="module")
def warm_decoder(warm_child: WarmChild) -> Iterator[None]:
    """Let every pool of decoders that this process opens be the same one child."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoder, "Child", warm_child.lend)
        patch.setattr(decoder, "MAX_CHILDREN", 1)
        yield
