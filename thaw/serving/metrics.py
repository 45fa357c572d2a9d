"""What the service counts about itself, in the text format of Prometheus."""

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
ROUTES = ("/", "/predict", "/health", "/metrics", "/openapi.json", "/v1/models")
OTHER = "other"
_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16)


class Metrics:
    """Counters of one service, in a registry of their own so that two services in one process do not mix."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter("thaw_requests", "Requests answered", ["route", "status"], registry=registry)
        self._seconds = Histogram(
            "thaw_request_seconds",
            "From a request to its answer",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._batches = Histogram(
            "thaw_batch_pictures", "Pictures that the network took at a time", buckets=_SIZES, registry=registry
        )
        self._pictures = Counter("thaw_pictures", "Pictures answered, by what was said", ["answer"], registry=registry)
        ProcessCollector(registry=registry)

    def watch(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Show a number that is read when it is asked for."""
        Gauge(name, meaning, registry=self._registry).set_function(read)

    def count(self, path: str, status: int, seconds: float) -> None:
        """Count a request; its path is cut to the route, since each new label would stay in memory."""
        route = path if path in ROUTES else "/v1/models" if path.startswith("/v1/models/") else OTHER
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def observe_batch(self, pictures: int) -> None:
        """Count one run of the network."""
        self._batches.observe(pictures)

    def count_pictures(self, answers: Iterable[str]) -> None:
        """Count the pictures of a request, each by the word for what was said of it."""
        for answer in answers:
            self._pictures.labels(answer).inc()

    def write(self) -> bytes:
        """Return all of it as text."""
        return generate_latest(self._registry)
