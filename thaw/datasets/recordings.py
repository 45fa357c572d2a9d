"""Recordings of a camera or a video: which of their frames are kept, since most look like the frame before them."""

from collections import defaultdict
from collections.abc import Sequence

from thaw.storage.records import Image
from tlcore.photos import SetAside, natural
from tlcore.splits.near_duplicates import MAX_BITS

# Of a still scene so many frames in a row are left out: two a second are kept of ten.
MOST_LEFT_OUT = 4
NEARLY_THE_SAME = "nearly the same as the frame before it in this recording"


def thin(images: Sequence[Image]) -> tuple[list[Image], list[Image]]:
    """Part images into those to keep, in their order, and frames that are nearly the same as the one kept before.

    Two frames are that where their fingerprints differ in at most MAX_BITS bits, as near-duplicates do.
    """
    recordings: dict[tuple[str, str], list[Image]] = defaultdict(list)
    for image in images:
        if image.recording:
            recordings[image.recording, image.label].append(image)
    left_out: set[str] = set()
    for frames in recordings.values():
        ordered = sorted(frames, key=lambda frame: natural(frame.name))
        kept, in_a_row = ordered[0], 0
        for frame in ordered[1:]:
            if in_a_row < MOST_LEFT_OUT and _differing_bits(kept, frame) <= MAX_BITS:
                left_out.add(frame.id)
                in_a_row += 1
            else:
                kept, in_a_row = frame, 0
    return [image for image in images if image.id not in left_out], [image for image in images if image.id in left_out]


def explain_thinned(image: Image) -> SetAside:
    """Return the reason why a frame is left out."""
    return SetAside(image.name, NEARLY_THE_SAME)


def _differing_bits(one: Image, other: Image) -> int:
    """Count the bits in which two fingerprints differ; nearly uniform pictures, which have none, are the same."""
    return (int(one.fingerprint or "0", 16) ^ int(other.fingerprint or "0", 16)).bit_count()
