"""A clock that goes by work: its second is as long as a machine takes for what that on which the limits were set does
in a second at rest. A limit told by it means the same on a slow machine, and on one that is busy with other tests.

It goes while this process works beside what it measures.
"""

import io
from collections.abc import Callable

from PIL import Image

from tests.support.pictures.corpus import jpeg

PIECES_A_SECOND = 200
PIECES_BETWEEN_LOOKS = 4


class WorkClock:
    """Counts the pieces of work that this process has got done."""

    def __init__(self) -> None:
        self._picture = jpeg(1, 640, 480)
        self._pieces = 0

    def tick(self) -> None:
        """Do one piece: read a picture of 640 by 480 pixels as an import does, and make it small."""
        with Image.open(io.BytesIO(self._picture)) as picture:
            picture.convert("RGB").resize((224, 168))
        self._pieces += 1

    def work_until(self, condition: Callable[[], object], what: str) -> None:
        """Work until a condition holds; fail where it does not within a minute of this clock."""
        begun = self.seconds
        while not condition():
            for _ in range(PIECES_BETWEEN_LOOKS):
                self.tick()
            assert self.seconds - begun < 60, f"{what} did not come"

    @property
    def seconds(self) -> float:
        """The seconds that the machine on which the limits were set would have taken, at rest."""
        return self._pieces / PIECES_A_SECOND
