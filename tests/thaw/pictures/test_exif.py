import io
import time
from datetime import UTC, datetime

import pytest
from PIL import Image

from tests.support.pictures.corpus import encoded, photo
from thaw.pictures.decode import normalise
from thaw.pictures.exif import find_date, find_turn

TAKEN = datetime(2021, 5, 4, 12, 30, 15, tzinfo=UTC).timestamp()
WRITTEN = "2021:05:04 12:30:15"


def tagged(camera=(), main=()):
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    exif[0x8769] = dict(camera)
    for tag, value in main:
        exif[tag] = value
    # Pillow writes a TIFF's tags only from such that were read.
    read = Image.Exif()
    read.load(exif.tobytes())
    return read


def date_of(camera=(), main=()):
    with Image.open(io.BytesIO(encoded(photo(1), "JPEG", exif=tagged(camera, main)))) as image:
        return find_date(image)


@pytest.mark.parametrize("encoding", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_the_camera_date_is_read_in_every_format_that_has_one(encoding, tmp_path):
    (tmp_path / "file").write_bytes(encoded(photo(1), encoding, exif=tagged({0x9003: WRITTEN})))
    assert normalise(tmp_path / "file").taken_at == TAKEN


def test_the_first_date_that_makes_sense_counts():
    others = {0x9004: "2021:05:05 00:00:00"}
    changed = [(0x0132, "2022:01:01 00:00:00")]
    assert date_of({0x9003: WRITTEN} | others, changed) == TAKEN
    assert date_of({0x9003: "0000:00:00 00:00:00"} | others, changed) == TAKEN + 11.5 * 3600 - 15
    assert date_of((), changed) == datetime(2022, 1, 1, tzinfo=UTC).timestamp()
    assert date_of() is None


@pytest.mark.parametrize(
    ("offset", "hours"), [("+02:00", -2), ("-05:30", 5.5), ("Z", 0), ("", 0), ("+99:00", 0), ("nonsense", 0)]
)
def test_an_offset_counts_where_it_makes_sense(offset, hours):
    assert date_of({0x9003: WRITTEN, 0x9011: offset}) == TAKEN + hours * 3600


@pytest.mark.parametrize(
    "nonsense",
    ["", "yesterday", "2021:13:04 12:30:15", "1969:12:31 23:59:59", "9999:01:01 00:00:00", "2021:05:04", "\0" * 19],
)
def test_nonsense_is_no_date(nonsense):
    assert date_of({0x9003: nonsense}) is None


def test_a_clock_may_be_fast_by_a_zone_but_not_by_a_week():
    def in_days(days):
        return datetime.fromtimestamp(time.time() + days * 86400, UTC).strftime("%Y:%m:%d %H:%M:%S")

    assert date_of({0x9003: in_days(1)}) is not None
    assert date_of({0x9003: in_days(7)}) is None


def test_spoilt_camera_data_tells_nothing():
    content = encoded(photo(1), "JPEG", exif=tagged({0x9003: WRITTEN}, [(0x0112, 6)]))
    spoilt = content.replace(b"Exif\0\0", b"Exif\0\0\xff\xff\xff", 1)
    with Image.open(io.BytesIO(spoilt)) as image:
        assert find_date(image) is None
        assert find_turn(image) is None
