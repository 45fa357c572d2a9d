"""A long list of judged images, each made into a card only when it is shown."""

from collections.abc import Sequence
from typing import overload

from pages.ui.components.pictures import Card
from tlcore.evaluation.predictions import Predictions


class CardListing(Sequence[Card]):
    """The images of `rows` of the predictions, in that order."""

    def __init__(self, predictions: Predictions, rows: Sequence[int]) -> None:
        self.predictions, self.rows = predictions, rows

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> Card: ...

    @overload
    def __getitem__(self, place: slice) -> list[Card]: ...

    def __getitem__(self, place: int | slice) -> Card | list[Card]:
        if isinstance(place, slice):
            return [self._card(row) for row in self.rows[place]]
        return self._card(self.rows[place])

    def _card(self, row: int) -> Card:
        told = self.predictions
        shares, true, predicted = told.probabilities[row], int(told.true[row]), int(told.predicted[row])
        return Card(
            told.images[row], told.labels[true], told.labels[predicted], float(shares[predicted]), float(shares[true])
        )
