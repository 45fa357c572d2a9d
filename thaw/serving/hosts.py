"""Which names mean this machine, so that no foreign web page can reach a server on it, and the switch for others."""

from urllib.parse import urlsplit

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
OPEN_TO_ALL = "--everyone-who-reaches-it-may-use-it"
"""What starts the dashboard where other machines reach it and nobody signs in; it says what that means."""


def read_name(host: str) -> str | None:
    """Return the name in a Host header without its port, or None where it is no such header."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None
