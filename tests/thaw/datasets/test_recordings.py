"""Recordings: of frames that hardly change few are kept, and of other pictures all."""

from thaw.datasets.recordings import MOST_LEFT_OUT, explain_thinned, thin
from thaw.storage.records import Image

STILL, MOVED = "0" * 64, "f" * 64


def frame(number, fingerprint, recording="recording-0123456789ab", label="cup"):
    name = f"{label}/{recording}-{number:04d}.jpg"
    return Image(f"img-{recording[-2:]}-{number}", label, name, str(number), 10, 10, fingerprint=fingerprint)


def test_of_a_still_scene_every_fifth_frame_is_kept():
    frames = [frame(number, STILL) for number in range(12)]
    kept, left_out = thin(frames)
    assert [image.id for image in kept] == ["img-ab-0", "img-ab-5", "img-ab-10"]
    assert len(left_out) == 12 - 3
    assert MOST_LEFT_OUT == 4


def test_frames_in_which_something_moves_are_all_kept():
    frames = [frame(number, STILL if number % 2 else MOVED) for number in range(6)]
    assert thin(frames) == (frames, [])


def test_two_recordings_and_photos_are_not_compared_with_one_another():
    other = [frame(0, STILL, "recording-ba9876543210")]
    photos = [Image(f"img-{number}", "cup", f"cup/{number}.jpg", "x", 10, 10, fingerprint=STILL) for number in (1, 2)]
    kept, left_out = thin([frame(0, STILL), *other, *photos])
    assert len(kept) == 4
    assert not left_out


def test_the_order_of_frames_is_that_of_their_numbers_and_what_comes_in_stays_in_order():
    frames = [frame(number, STILL) for number in (6, 0, 5, 1)]
    kept, _ = thin(frames)
    assert [image.id for image in kept] == ["img-ab-0"]
    said = explain_thinned(frames[0])
    assert said.name == frames[0].name
    assert "nearly the same" in said.reason
