"""Keeps rows of a feature cache in a folder that other machines see, on whatever file system or object store fsspec
knows: shards that are named by the sha256 of their bytes, so that what is torn, spoilt or foreign is told from them.

A shard is two objects: `SHA256.bin` has its tensors one after another, each as a file of the cache has its rows, and
`SHA256.keys` the name of the former and a key for each row. Any workspace finds rows in it by their keys.
"""

import errno
import hashlib
import json
import math
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

import numpy as np

from tlcore.errors import SettingsError
from tlcore.features.cache import FeatureCache
from tlcore.features.compute import View
from tlcore.features.shards import count_images
from tlcore.progress import CheckStop, Keeping, Progress, Stage

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

T = TypeVar("T")

# Of names and of what they stand for: a change of it starts a new folder.
FORMAT = 1
KEYS = re.compile(r"[0-9a-f]{64}\.keys")
# What comes before an at sign, also where a key of S3 has a slash; a port with a path behind it is none.
SECRET = re.compile(r"//(?:[^/@:]*:(?!\d+/)[^@]*@(?:[^/]*@)?|[^/]*@)")
LARGEST_KEYS_BYTES = 1_000_000
KEYS_AT_ONCE = 256
# Of shards that are asked for or sent at once: enough that a store far away is not waited for one by one.
SHARDS_AT_ONCE, BYTES_AT_ONCE = 8, 64_000_000
# Stores that show an object once it is whole; elsewhere it is written under another name first.
WHOLE_AT_ONCE = {"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "memory"}
# s3fs tries five times by itself, and a job waits meanwhile.
S3_OPTIONS = {"config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"total_max_attempts": 1}}}
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
INSTALL = "pip install 'thaw[cluster]'"


@dataclass(frozen=True)
class KeptShard:
    """A shard in the store: the sha256 of its tensors' bytes, and its keys, one a row."""

    sha256: str
    keys: tuple[str, ...]


def require_store(url: str) -> None:
    """Raise SettingsError for what names no store, or one that needs a package which is not here; asks nobody."""
    form = "Expected the URL of a folder for features, such as s3://bucket/features or file:///mnt/lab/features."
    protocol, found, place = url.rpartition("::")[2].partition("://")
    relative = protocol in ("file", "local") and not place.startswith("/")
    if not found or not place.strip("/") or relative:
        raise SettingsError(f"{form} Received: {tell_url(url)!r}.")
    try:
        import fsspec

        fsspec.get_filesystem_class(protocol)
    except ImportError as problem:
        raise SettingsError(
            f"Expected the packages that reach {tell_url(url)}. Received: {problem}. Install them: {INSTALL} has what "
            "folders and S3 need."
        ) from None
    except ValueError as problem:
        raise SettingsError(f"{form} Received: {tell_url(url)!r} ({problem}).") from None


def tell_url(url: str) -> str:
    """Return a URL as it may be shown: without a name and password in it, and without what follows a question mark."""
    return SECRET.sub("//", url).partition("?")[0]


def _tell_problem(problem: Exception, url: str) -> str:
    """Say what is wrong with the store at a URL; libraries name parts of that, and not all know a password."""
    words = " ".join(str(problem).split()) or type(problem).__name__
    secret = SECRET.search(url)
    # What S3 takes for its bucket ends at a slash.
    whole = secret.group()[2:-1] if secret else ""
    asked = url.partition("?")[2]
    pieces = {whole, whole.partition(":")[2], *whole.split("/"), asked, *dict(parse_qsl(asked)).values()} - {""}
    for piece in sorted(pieces, key=len, reverse=True):
        words = words.replace(piece, "...")
    return words


class ShardStore:
    """Shards of one cache in the store; `made_with` says what its rows depend on beside the cache's identity.

    Nothing that goes wrong with the store ends the work: it is told by `keeping`, and the store left alone.
    """

    def __init__(self, keeping: Keeping, cache: FeatureCache, made_with: Mapping[str, str]) -> None:
        self._cache, self._tell, self._url = cache, keeping.tell, keeping.url
        layout = [[shape, dtype.str] for shape, dtype in cache.layout]
        text = json.dumps([FORMAT, cache.folder.name, layout, dict(made_with)], sort_keys=True)
        self._place = hashlib.sha256(text.encode()).hexdigest()[:24]
        self._images = count_images(cache.row_bytes)
        self._at_once = max(1, min(SHARDS_AT_ONCE, BYTES_AT_ONCE // (self._images * cache.row_bytes)))
        self._contents: dict[str, str] = {}
        self._there, self._put_there = set[str](), set[str]()
        self._pending: list[str] = []
        self._wanted, self._found, self._spoilt, self._trouble = 0, 0, 0, ""

    def fetch(self, views: Sequence[View], progress: Progress, check_stop: CheckStop) -> None:
        """Add to the cache those rows of `views` that it lacks and the store has; raise RunError where this machine's
        disk is too full for them."""
        self._contents = {view.key: view.photo.content for view in views}
        missing = self._cache.missing(list(self._contents))
        shards = set(self._list(check_stop))
        while not self._trouble and (taken := _choose(shards, self._cache.missing(missing))):
            rows, done = sum(map(len, taken.values())), 0
            self._cache.require_space(rows)
            for group in _grouped(list(taken), self._at_once):
                check_stop()
                progress(Stage.READING_FEATURES, done, rows)
                contents = self._try(self._read, [f"{shard.sha256}.bin" for shard in group])
                for shard, content in zip(group, contents or [], strict=False):
                    done += len(taken[shard])
                    if not self._take(shard, taken[shard], content):
                        # What it was to have may be in another.
                        shards.remove(shard)
                        self._spoilt += 1
        self._there = {key for shard in shards for key in shard.keys}
        self._wanted = self._count(missing)
        self._found = self._wanted - self._count(self._cache.missing(missing))
        self._note()

    @contextmanager
    def keep(self, views: Sequence[View], check_stop: CheckStop) -> Iterator[None]:
        """Put what the body adds to the cache into the store as it comes, and afterwards whatever else of `views` is
        not there."""
        self._cache.on_append = self._hear
        try:
            yield
        finally:
            self._cache.on_append = None
        absent = [key for key in dict.fromkeys(view.key for view in views) if key not in self._there]
        for keys in _grouped(absent, self._at_once * self._images):
            check_stop()
            self._put(keys)
        self._note()

    def _list(self, check_stop: CheckStop) -> Iterator[KeptShard]:
        """Yield the shards with rows of these views of which the store has keys and, by its size, all tensors."""
        sizes = self._try(self._list_sizes) or {}
        names = [name for name, size in sizes.items() if KEYS.fullmatch(name) and size <= LARGEST_KEYS_BYTES]
        for group in _grouped(sorted(names), KEYS_AT_ONCE):
            check_stop()
            for name, content in zip(group, self._try(self._read, group) or [], strict=False):
                shard = _read_keys(name, content)
                if not shard or sizes.get(f"{shard.sha256}.bin") != len(shard.keys) * self._cache.row_bytes:
                    self._spoilt += 1
                elif not self._contents.keys().isdisjoint(shard.keys):
                    yield shard

    def _take(self, shard: KeptShard, keys: Sequence[str], content: bytes) -> bool:
        """Add rows of a shard to the cache; say whether its content is what its name tells."""
        if hashlib.sha256(content).hexdigest() != shard.sha256:
            return False
        tensors, at, rows = [], 0, len(shard.keys)
        for shape, dtype in self._cache.layout:
            count = rows * math.prod(shape)
            tensors.append(np.frombuffer(content, dtype, count, at).reshape(rows, *shape))
            at += count * dtype.itemsize
        if not all(np.isfinite(tensor).all() for tensor in tensors):
            return False
        row = {key: number for number, key in enumerate(shard.keys)}
        numbers = [row[key] for key in keys]
        self._cache.append(keys, [tensor[numbers] for tensor in tensors])
        return True

    def _hear(self, keys: Sequence[str]) -> None:
        self._pending += keys
        if len(self._pending) >= self._at_once * self._images:
            pending, self._pending = self._pending, []
            self._put(pending)

    def _put(self, keys: Sequence[str]) -> None:
        """Put rows of the cache into the store, tensors before the keys that name them."""
        if self._trouble:
            return
        tensors, indexes = dict[str, bytes](), dict[str, bytes]()
        for part in _grouped(keys, self._images):
            rows = self._cache.rows(part)
            content = b"".join(np.ascontiguousarray(tensor[rows]).tobytes() for tensor in self._cache.tensors())
            sha256 = hashlib.sha256(content).hexdigest()
            index = "\n".join([sha256, *part]).encode()
            tensors[f"{sha256}.bin"] = content
            indexes[f"{hashlib.sha256(index).hexdigest()}.keys"] = index
        self._try(self._write, tensors)
        self._try(self._write, indexes)
        if not self._trouble:
            self._there.update(keys)
            self._put_there.update(keys)

    def _list_sizes(self) -> dict[str, int]:
        files, root = self._connect()
        files.invalidate_cache()
        try:
            listed = files.ls(f"{root}/{self._place}", detail=True)
        except FileNotFoundError:
            # Nobody has put anything there yet.
            return {}
        return {each["name"].rpartition("/")[2]: each["size"] or 0 for each in listed}

    def _read(self, names: Sequence[str]) -> list[bytes]:
        """Return the content of objects, empty for one that is not there."""
        files, root = self._connect()
        contents = files.cat_ranges([f"{root}/{self._place}/{name}" for name in names], None, None)
        for content in contents:
            if isinstance(content, BaseException) and not isinstance(content, FileNotFoundError):
                raise content
        return [content if isinstance(content, bytes) else b"" for content in contents]

    def _write(self, contents: Mapping[str, bytes]) -> None:
        files, root = self._connect()
        place = f"{root}/{self._place}"
        called = {files.protocol} if isinstance(files.protocol, str) else {*files.protocol}
        if called & WHOLE_AT_ONCE:
            files.pipe({f"{place}/{name}": content for name, content in contents.items()})
            return
        if not files.exists(root):
            # Where a disk is not mounted, another is not to be filled in its place.
            raise FileNotFoundError(errno.ENOENT, "there is no such folder", root)
        files.makedirs(place, exist_ok=True)
        for name, content in contents.items():
            part = f"{place}/.{name}.{uuid.uuid4().hex}.part"
            try:
                files.pipe_file(part, content)
                files.mv(part, f"{place}/{name}")
            except BaseException:
                with suppress(Exception):
                    files.rm_file(part)
                raise

    def _connect(self) -> "tuple[AbstractFileSystem, str]":
        import fsspec

        protocol = self._url.partition("://")[0]
        options: dict[str, Any] = S3_OPTIONS if protocol in ("s3", "s3a") else {}
        files, root = fsspec.url_to_fs(self._url, **options)
        return files, root.rstrip("/")

    def _try(self, work: Callable[..., T], *given: Any) -> T | None:
        """Return what `work` does with the store, or None once anything has been wrong with that: nobody is to wait for
        it twice."""
        if self._trouble:
            return None
        try:
            return work(*given)
        except MemoryError:
            raise
        except Exception as problem:  # noqa: BLE001 - a file system of fsspec raises whatever its libraries do
            self._trouble = (
                f"Expected a store for features at {tell_url(self._url)}. Received: "
                f"{_tell_problem(problem, self._url)}. {_find_remedy(problem)} The job goes on without it."
            )
            return None

    def _count(self, keys: Iterable[str]) -> int:
        """Return of how many photos these keys are."""
        return len({self._contents[key] for key in keys if key in self._contents})

    def _note(self) -> None:
        words = []
        if self._found or self._put_there or not self._trouble:
            put = f", {self._count(self._put_there):,} put there" if self._put_there else ""
            found = f"{self._found:,} of {self._wanted:,} photos found there{put}"
            words.append(f"Features kept at {tell_url(self._url)}: {found}.")
        if self._spoilt:
            shards = "1 shard" if self._spoilt == 1 else f"{self._spoilt:,} shards"
            words.append(f"Expected in {shards} there the content that the name tells. Received: another, left unused.")
        self._tell(" ".join([*words, self._trouble]).strip())


def _choose(shards: Iterable[KeptShard], keys: Sequence[str]) -> dict[KeptShard, list[str]]:
    """Return which of `keys` are to be taken out of which shard, as few as may be, both in the order of `keys`: a cache
    that takes all rows from shards which were cut as its own would be has them in the same order."""
    places, taken = {key: place for place, key in enumerate(keys)}, set[str]()
    found = [(shard, places.keys() & {*shard.keys}) for shard in shards]
    chosen = dict[KeptShard, list[str]]()
    for shard, own in sorted(found, key=lambda each: (-len(each[1]), each[0].sha256)):
        new = sorted(own - taken, key=places.__getitem__)
        if new:
            chosen[shard] = new
            taken.update(new)
    return dict(sorted(chosen.items(), key=lambda each: places[each[1][0]]))


def _read_keys(name: str, content: bytes) -> KeptShard | None:
    """Return the shard that an object of keys tells of, or None where it is not what its name tells."""
    if hashlib.sha256(content).hexdigest() != name.partition(".")[0]:
        return None
    sha256, *keys = content.decode(errors="replace").split("\n")
    return KeptShard(sha256, tuple(keys)) if keys else None


def _find_remedy(problem: Exception) -> str:
    if isinstance(problem, FileNotFoundError):
        return "Make that folder or bucket first, or correct the URL."
    if isinstance(problem, PermissionError):
        return "Look at the credentials and what they allow."
    if isinstance(problem, OSError) and problem.errno in NO_ROOM:
        return "Free some space there."
    return "Look at the URL, the network and the credentials."


def _grouped(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (items[start : start + size] for start in range(0, len(items), size))
