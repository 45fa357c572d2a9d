"""Puts amounts into words: durations, sizes, percentages, counts."""

from datetime import datetime


def duration(seconds: float | None) -> str:
    """Return a duration as "8 s", "3 min 20 s" or "2 h 5 min"; an unknown one as a dash."""
    if seconds is None:
        return "–"
    if seconds < 1:
        return "under 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def roughly(seconds: float | None) -> str:
    """Return an estimated duration as "40 s", "14 min" or "2.1 h"; an unknown one as a dash."""
    if seconds is None or seconds < 60:
        return duration(seconds)
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def percent(fraction: float) -> str:
    """Return a fraction in 0..1 as "97.2%"."""
    return f"{fraction:.1%}"


def count(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its noun: "1 image", "1,020 images"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def millions(number: int) -> str:
    """Return a parameter count as "4.6 M", "12.3 k" or "640"."""
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} M"
    return f"{number / 1e3:.1f} k" if number >= 1000 else str(number)


def moment(seconds: float) -> str:
    """Return a time (seconds since 1970) as the local date and time."""
    return datetime.fromtimestamp(seconds).strftime("%d %b %Y, %H:%M")


def time_of_day(seconds: float) -> str:
    """Return a time (seconds since 1970) as the local time of day, to the second."""
    return datetime.fromtimestamp(seconds).strftime("%H:%M:%S")


def size(number: float | None) -> str:
    """Return bytes as "34 MB" or "1.2 GB"; an unknown number as a dash."""
    if number is None:
        return "–"
    if number < 1e6:
        return "under 1 MB"
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"
