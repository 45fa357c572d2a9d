"""Near-duplicates are found by fingerprint, and sets in which all resemble all are not chained."""

import io
import itertools
import time

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from tlcore.splits.near_duplicates import (
    MAX_BITS,
    NARROW_BITS,
    find_near_duplicates,
    group,
)


def fingerprint(picture):
    grey = picture.convert("L")
    if np.asarray(grey, float).std() < 4:
        return ""
    small = np.asarray(grey.resize((17, 16), Image.Resampling.BILINEAR))
    return np.packbits(small[:, :-1] < small[:, 1:]).tobytes().hex()


def flip(text, bits):
    return f"{int(text, 16) ^ sum(1 << bit for bit in bits):064x}"


def random_fingerprints(count, seed=0):
    chance = np.random.default_rng(seed)
    return [chance.bytes(32).hex() for _ in range(count)]


def sizes(groups):
    counts = np.bincount(groups)
    return sorted(counts[counts > 1].tolist(), reverse=True)


@pytest.fixture(scope="module")
def photographs():
    from sklearn.datasets import load_sample_images

    pictures = []
    for pixels in load_sample_images().images:
        whole = Image.fromarray(pixels)
        pictures += [whole, *(whole.crop((x, y, x + 160, y + 140)) for x in (0, 160, 320, 480) for y in (0, 140, 280))]
    return pictures


def alterations(picture):
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=70)
    return [
        Image.open(encoded).convert("RGB"),
        picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BICUBIC),
        picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BICUBIC),
        ImageEnhance.Contrast(picture).enhance(1.15),
        ImageEnhance.Brightness(picture).enhance(0.85),
    ]


def test_altered_photographs_are_found_and_different_ones_never_linked(photographs):
    pictures = [[picture, *alterations(picture)] for picture in photographs]
    prints = [fingerprint(picture) for picture in itertools.chain(*pictures)]
    groups = group(len(prints), find_near_duplicates(prints))
    kept = np.array([index - groups[index] < 6 and groups[index] // 6 == index // 6 for index in range(len(prints))])
    assert kept.all(), "two different pictures are in one group"
    wholes = (0, len(prints) // 2)
    assert [groups[whole : whole + 6] for whole in wholes] == [[whole] * 6 for whole in wholes]
    judged = [(index, index - index % 6) for index in range(len(prints)) if index % 6 and prints[index]]
    # The pieces of plain sky are the ones that are lost.
    assert np.mean([groups[index] == groups[original] for index, original in judged]) > 0.8


def test_the_limit_is_met_to_the_bit():
    prints = random_fingerprints(60)
    near, far = flip(prints[7], range(100, 100 + MAX_BITS)), flip(prints[9], range(0, 2 * MAX_BITS + 2, 2))
    assert find_near_duplicates([*prints, near, far]) == [(7, 60)]


def test_bits_of_every_part_of_the_picture_count():
    prints = random_fingerprints(60)
    for start in (0, 64, 128, 192):
        assert find_near_duplicates([*prints, flip(prints[3], range(start, start + MAX_BITS + 1))]) == []
        assert find_near_duplicates([*prints, flip(prints[3], range(start, start + MAX_BITS))]) == [(3, 60)]


def test_opposite_fingerprints_do_not_match():
    assert find_near_duplicates(["f" * 64, "0" * 64, *random_fingerprints(60)]) == []


def test_an_empty_fingerprint_matches_nothing():
    prints = ["", *random_fingerprints(40), ""]
    assert find_near_duplicates([*prints, prints[5]]) == [(5, 42)]
    assert find_near_duplicates(["", ""]) == []
    assert find_near_duplicates([]) == []


def test_only_new_images_are_compared_with_all():
    old = random_fingerprints(80)
    old[30] = old[20]
    new = [old[20], flip(old[44], range(9)), random_fingerprints(1, seed=9)[0], ""]
    pairs = find_near_duplicates([*old, *new], earlier=80)
    assert all(later >= 80 for _, later in pairs)
    everything = find_near_duplicates([*old, *new])
    assert group(84, [*pairs, (20, 30)]) == group(84, everything)
    assert sizes(group(84, everything)) == [3, 2]


def test_bursts_of_a_few_images_are_found_in_a_small_set():
    prints = [flip(text, range(start, start + 5)) for text in random_fingerprints(10) for start in (0, 40, 90, 200)]
    assert sizes(group(40, find_near_duplicates(prints))) == [4] * 10


def test_real_digits_are_not_chained_nor_do_they_hide_among_photographs(tmp_path, photographs):
    from thaw.sources.samples import write_digits

    files = sorted(write_digits(tmp_path).rglob("*.png"))
    prints = []
    for file in files:
        with Image.open(file) as picture:
            prints.append(fingerprint(picture))
    alone = sizes(group(len(prints), find_near_duplicates(prints)))
    assert sum(alone) < 0.03 * len(prints)
    assert alone[0] <= 20
    others = [fingerprint(picture) for picture in photographs * 40]
    mixed = group(len(prints) + len(others), find_near_duplicates([*prints, *others]))
    assert sum(sizes(mixed[: len(prints)])) < 0.1 * len(prints)
    assert 0 < NARROW_BITS < MAX_BITS


def test_any_number_of_equal_images_costs_no_more_than_different_ones():
    started = time.process_time()
    pairs = find_near_duplicates(random_fingerprints(1) * 20_000)
    assert time.process_time() - started < 5
    assert len(pairs) == 19_999
    assert set(group(20_000, pairs)) == {0}


def test_progress_counts_every_image():
    seen = []
    find_near_duplicates(random_fingerprints(300), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (300, 300)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_groups_are_chains_named_by_their_first_image():
    assert group(7, [(4, 5), (2, 4), (6, 1)]) == [0, 1, 2, 3, 2, 2, 1]
    assert group(3, []) == [0, 1, 2]
    assert group(0, []) == []
