import io

import pytest
from PIL import Image

from tests.corpus import encoded, photo
from tlcore.jpeg import find_encoding

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
