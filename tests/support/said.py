"""All that a page says: every word that a person can read on it, in labels, help, tables, figures and components."""

import json
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf.json_format import MessageToDict
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block, Node

from pages.ui.words import glossary

# What a widget shows; its other fields are ids, addresses and settings.
READ = {"label", "body", "help", "options", "placeholder", "text", "value", "title", "caption", "content", "alt"}
# Of a figure of Plotly, the keys whose texts are drawn.
DRAWN = {"text", "name", "hovertext", "ticktext"}
UNREAD = {"key", "id", "url", "src", "drawing", "library", "modules", "token", "name", "story", "page", "value"}
STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
TAG = re.compile(r"<[^<>]*>")
# What a tag says to those who hover over it or cannot see it.
HTML_SAID = re.compile(r'(?:alt|title|aria-label)="([^"]*)"')


def everything(page: AppTest) -> list[str]:
    """Return each text of a page, the texts of panels that are closed included."""
    return [text for node in _nodes(page._tree) for text in _texts(node) if text.strip()]


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Block):
        for child in node.children.values():
            yield from _nodes(child)


def _texts(node: Node) -> Iterator[str]:
    if getattr(node, "proto", None) is None:
        return
    if node.type == "bidi_component":
        yield from _component(json.loads(node.proto.json or "{}"))
    elif node.type == "html":
        yield from HTML_SAID.findall(node.proto.body)
        yield TAG.sub(" ", STYLE.sub("", node.proto.body))
    elif node.type == "dataframe":
        frame = node.value
        yield from map(str, [*frame.columns, *frame.to_numpy().ravel()])
    else:
        yield from _keyed(MessageToDict(node.proto), READ)


def _component(data: Any) -> Iterator[str]:
    if isinstance(data, dict) and "drawing" in data:
        yield from _keyed(json.loads(data["drawing"]), DRAWN)
        yield str(data.get("alt", ""))
    else:
        yield from _strings(data)


def _keyed(said: Any, keys: set[str], read: bool = False) -> Iterator[str]:
    """Yield the texts that stand under one of these keys; a figure's template holds none that is drawn."""
    if isinstance(said, str) and read:
        yield said
    elif isinstance(said, list):
        for each in said:
            yield from _keyed(each, keys, read)
    elif isinstance(said, dict):
        for key, each in said.items():
            if key != "template":
                yield from _keyed(each, keys, key in keys)


def _strings(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, list):
        for each in data:
            yield from _strings(each)
    elif isinstance(data, dict):
        for key, each in data.items():
            if key not in UNREAD:
                yield from _strings(each)


def alone(page: AppTest) -> list[str]:
    """Return what a page says with a term that stands alone; the title is the page's place in the menu."""
    titles = [each.value for each in page.title]
    return [text for text in everything(page) if glossary.list_alone(text) and text not in titles]
