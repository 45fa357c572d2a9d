"""The pictures of a model card: learning curves, confidence against accuracy, and the surest of the wrong answers."""

import io
from collections.abc import Sequence

from PIL import Image, ImageOps

from thaw.model_card.blocks import CardPhoto, Chart
from thaw.model_card.line_chart import Series, draw_lines
from thaw.storage.store import Store
from tlcore.evaluation.calibration import calibration_error, choose_temperature, list_bins, temper
from tlcore.evaluation.predictions import Predictions, find_mistakes
from tlcore.training.history import Epoch

HEADROOM = 1.15
MOST_PHOTOS = 12
SIDE_PX = 200
QUALITY = 85


def draw_phases(epochs: Sequence[Epoch], score: str = "accuracy") -> list[Chart]:
    """Draw the score and the loss by epoch, with a line where phase 2 begins; it takes at least one epoch. `score` says
    what the accuracy of the epochs is called."""
    first = next((epoch.epoch for epoch in epochs if epoch.phase == 2), None)
    mark = None if first is None else (first - 0.5, "phase 2")
    last = epochs[-1]
    accuracy = _curve(epochs, "val_accuracy"), _curve(epochs, "accuracy")
    loss = _curve(epochs, "val_loss"), _curve(epochs, "loss")
    lowest = min(y for each in accuracy for _, y in each.points)
    highest = max(y for each in loss for _, y in each.points)
    bottom = max(0.0, int(10 * lowest) / 10 - 0.1)
    told = (
        f"{score[:1].upper()}{score[1:]} over {len(epochs)} epochs, on validation {last.val_accuracy:.1%} in the last"
    )
    lost = f"Loss over {len(epochs)} epochs, on validation {last.val_loss:.3f} in the last"
    return [
        Chart(
            "accuracy",
            draw_lines(accuracy, told, ("epoch", score), (bottom, 1.0), "{:.0%}".format, mark=mark),
            told,
        ),
        Chart(
            "loss",
            draw_lines(loss, lost, ("epoch", "loss"), (0.0, HEADROOM * highest or 1.0), "{:.2f}".format, mark=mark),
            lost,
        ),
    ]


def draw_reliability(predictions: Predictions) -> tuple[tuple[str, str], float, float, float]:
    """Return the chart of confidence against accuracy (SVG and what is seen), the expected calibration error before
    and after the temperature, and that temperature, fitted on these predictions."""
    temperature = choose_temperature(predictions.probabilities, predictions.true)
    told = list_bins(predictions.probabilities, predictions.true)
    mended = list_bins(temper(predictions.probabilities, temperature), predictions.true)
    series = [
        Series("corrected", [(each.confidence, each.accuracy) for each in mended]),
        Series("as it says", [(each.confidence, each.accuracy) for each in told]),
        Series("as it should be", [(0.0, 0.0), (1.0, 1.0)]),
    ]
    error, left = calibration_error(told), calibration_error(mended)
    about = f"Accuracy against confidence; expected calibration error {error:.3f}, corrected {left:.3f}"
    axes = ("how sure (confidence)", "right")
    svg = draw_lines(series, about, axes, (0.0, 1.0), "{:.0%}".format, "{:.0%}".format, (0.0, 1.0))
    return (svg, about), error, left, temperature


def pick_mistakes(store: Store, predictions: Predictions) -> tuple[list[CardPhoto], int]:
    """Return small copies of the `MOST_PHOTOS` worst mistakes, and how many mistakes there are."""
    mistakes = find_mistakes(predictions)
    images = {image.id: image for image in predictions.images}
    photos = []
    for number, mistake in enumerate(mistakes[:MOST_PHOTOS], 1):
        image = images[mistake.image_id]
        path = store.workspace.image(image.folder, image.id, image.suffix)
        if not path.exists():
            continue
        with Image.open(path) as picture:
            small = ImageOps.contain(picture.convert("RGB"), (SIDE_PX, SIDE_PX))
        packed = io.BytesIO()
        # A copy drawn anew carries nothing of what the file said of its camera or place.
        small.save(packed, "JPEG", quality=QUALITY)
        caption = (
            f"is {mistake.true}, taken for {mistake.predicted} ({mistake.confidence:.0%} sure; "
            f"{mistake.true_confidence:.0%} for {mistake.true})"
        )
        photos.append(CardPhoto(f"mistake-{number:02}", packed.getvalue(), caption))
    return photos, len(mistakes)


def _curve(epochs: Sequence[Epoch], field: str) -> Series:
    name = "validation" if field.startswith("val_") else "training"
    return Series(name, [(float(epoch.epoch), getattr(epoch, field)) for epoch in epochs])
