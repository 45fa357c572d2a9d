import io
import random

import pytest
from PIL import Image

from tests.support.pictures.corpus import encoded, photo
from thaw.pictures.decode import normalise
from thaw.pictures.jpeg import find_encoding, strip
from tlcore.errors import ImageRejected

FLAT = {0: [3] * 64, 1: [5] * 64}


def encoding_of(content):
    with Image.open(io.BytesIO(content)) as image:
        return find_encoding(image)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_a_common_jpeg_tells_its_tables_and_sampling(subsampling):
    found = encoding_of(encoded(photo(1), "JPEG", qtables=FLAT, subsampling=subsampling))
    assert (found.tables, found.subsampling) == (FLAT, subsampling)


def test_one_table_for_all_is_common_too():
    content = encoded(photo(1), "JPEG", qtables=FLAT)
    # The components that used table 1 are told to use table 0.
    frame = content.index(b"\xff\xc0")
    one = bytearray(content)
    for at in (frame + 15, frame + 18):
        assert one[at] == 1
        one[at] = 0
    assert encoding_of(bytes(one)).tables == {0: FLAT[0]}


@pytest.mark.parametrize(
    "content",
    [
        encoded(photo(1), "PNG"),
        encoded(photo(1).convert("L"), "JPEG"),
        encoded(photo(1).convert("CMYK"), "JPEG"),
        encoded(photo(1), "JPEG", qtables=FLAT).replace(bytes([3] * 64), bytes([0] + [3] * 63)),
    ],
    ids=["png", "grey", "cmyk", "zero in a table"],
)
def test_uncommon_ones_tell_nothing(content):
    assert encoding_of(content) is None


def test_a_table_that_is_missing_tells_nothing():
    content = encoded(photo(1), "JPEG", qtables=FLAT)
    frame = content.index(b"\xff\xc0")
    spoilt = bytearray(content)
    spoilt[frame + 15] = spoilt[frame + 18] = 3
    assert encoding_of(bytes(spoilt)) is None


def pixels(content):
    with Image.open(io.BytesIO(content)) as image:
        return image.convert("RGB").tobytes()


@pytest.mark.parametrize("options", [{}, {"subsampling": 2}, {"quality": 100}, {"restart_marker_rows": 1}], ids=str)
def test_stripping_leaves_the_pixels_and_takes_the_rest(options):
    content = encoded(photo(1, 64, 48), "JPEG", comment=b"a secret", icc_profile=b"a profile", **options)
    bare = strip(content)
    assert pixels(bare) == pixels(content)
    assert b"secret" in content
    assert b"secret" not in bare
    assert b"profile" in content
    assert b"profile" not in bare
    assert strip(bare) == bare


def test_three_colours_that_are_told_to_be_rgb_stay_rgb():
    content = encoded(photo(1, 64, 48), "JPEG", keep_rgb=True)
    assert pixels(strip(content)) == pixels(content)


@pytest.mark.parametrize(
    "content",
    [
        encoded(photo(1), "JPEG", progressive=True),
        encoded(photo(1).convert("L"), "JPEG"),
        encoded(photo(1).convert("CMYK"), "JPEG"),
        encoded(photo(1), "JPEG") + b"PK",
        encoded(photo(1), "JPEG")[:-2],
        encoded(photo(1), "JPEG")[:300],
        encoded(photo(1), "PNG"),
        b"",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xda\x00\x08\x03\xff\xd9",
    ],
    ids=["progressive", "grey", "cmyk", "tail", "no end", "cut", "png", "empty", "three bytes", "no frame"],
)
def test_only_the_plainest_kind_is_stripped(content):
    assert strip(content) is None


def test_a_spoilt_jpeg_that_is_stripped_keeps_the_very_pixels_that_were_accepted(tmp_path):
    chance, whole = random.Random(0), encoded(photo(1, 500, 380), "JPEG", quality=90)
    path, stripped = tmp_path / "spoilt.jpg", 0
    for _ in range(300):
        spoilt = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        path.write_bytes(spoilt)
        try:
            normalised = normalise(path)
        except ImageRejected:
            continue
        if normalised.bare is not None:
            stripped += 1
            # They are all there, although half as many were decoded to look at them.
            assert normalised.image.size == (250, 190)
            assert pixels(normalised.bare) == pixels(bytes(spoilt))
    assert stripped > 50
