"""What a browser sends when photos are dropped."""

import json

ORIGIN = {"origin": "http://testserver"}


def frame(files: dict[str, bytes], extra: list[dict[str, object]] | None = None, first: int = 0) -> bytes:
    """Frame files with numbers that count up from `first`, and after them `extra` items, which may bring their own."""
    items = [{"path": path, "size": len(content)} for path, content in files.items()] + (extra or [])
    items = [{"number": number} | item if isinstance(item, dict) else item for number, item in enumerate(items, first)]
    manifest = json.dumps(items).encode()
    return len(manifest).to_bytes(4, "big") + manifest + b"".join(files.values())
