"""The pictures of a model card: the surest of the wrong answers, as small copies."""

import io

from PIL import Image, ImageOps

from thaw.model_card.blocks import Photo
from thaw.storage.store import Store
from tlcore.evaluation.predictions import Predictions, find_mistakes

MOST_PHOTOS = 12
SIDE_PX = 200
QUALITY = 85


def pick_mistakes(store: Store, predictions: Predictions) -> tuple[list[Photo], int]:
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
        photos.append(Photo(f"mistake-{number:02}", packed.getvalue(), caption))
    return photos, len(mistakes)
