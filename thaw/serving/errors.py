"""Requests that the service refuses: the status of each, and its reason in the words of every error here."""

from tlcore.errors import ThawError

RETRY_AFTER_S = 1


class Refused(ThawError):
    """A request is answered with `status` and its reason as {"error": ...}; `headers` go with it."""

    def __init__(self, status: int, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}


def overloaded(received: str) -> Refused:
    """Word the refusal of work that would have to wait too long: 503, try again soon."""
    return Refused(
        503,
        f"Expected room for this request. Received: {received}. Send it again in a moment, or send fewer at a time.",
        {"retry-after": str(RETRY_AFTER_S)},
    )


def stopping() -> Refused:
    """Word the refusal of work that came after the service was told to stop."""
    return Refused(
        503,
        "Expected a service that goes on. Received: one that is stopping. Send the request to the next one.",
        {"retry-after": str(RETRY_AFTER_S)},
    )


def too_large(received: str, limit: int) -> Refused:
    """Word the refusal of a body over `limit` bytes."""
    return Refused(
        413,
        f"Expected a body of at most {limit / 1e6:g} MB. Received: {received}. Send smaller or fewer pictures.",
    )
