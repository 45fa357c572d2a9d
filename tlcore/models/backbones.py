"""Finds a backbone by its name, and names the blocks that its layers form."""

import difflib
import re
from collections.abc import Sequence

from tlcore.errors import BackboneError
from tlcore.models.backbone_table import FRESH_ROWS, FROM_SCRATCH, ROWS, Backbone, Rules

BACKBONES: dict[str, Backbone] = {row.name: row for row in ROWS}
FRESH: dict[str, Backbone] = {row.name: row for row in FRESH_ROWS}
"""The same networks and one made for small sets, without pretrained weights; the one for small sets comes first."""


def find_backbone(name: str) -> Backbone:
    """Return the row of that name, of `BACKBONES` or `FRESH`; raises BackboneError, which lists the names of those with
    pretrained weights, the nearest one first."""
    if name in FRESH:
        return FRESH[name]
    if name not in BACKBONES:
        known = ", ".join(BACKBONES)
        near = difflib.get_close_matches(_simplify(name), _NAMES, n=1)
        advice = f"Did you mean '{_NAMES[near[0]]}'?" if near else "Choose one of them."
        raise BackboneError(f"Expected a backbone out of {known}. Received: '{name}'. {advice}")
    return BACKBONES[name]


def read_backbone(text: str) -> Backbone:
    """Return the row that a person means who writes its name or title in any case, with or without spaces, dashes and
    underscores: "ResNet50", "MobileNet V2". Raises BackboneError as `find_backbone` does."""
    return find_backbone(_NAMES.get(_simplify(text), text))


def _simplify(text: str) -> str:
    return re.sub(r"[\W_]", "", text).casefold()


def find_pretrained(name: str) -> Backbone:
    """Return the row of that name, for work that needs pretrained weights; raises BackboneError for a row without any,
    and as `find_backbone` does."""
    row = find_backbone(name)
    if row.fresh:
        raise BackboneError(
            f"Expected a backbone that has learnt from photos. Received: '{name}', which knows nothing before it is "
            f"trained. Choose one such as '{next(iter(BACKBONES))}'."
        )
    return row


def title_of(name: str) -> str:
    """Return what the backbone of that name is called, or the name itself where there is none in the table any more."""
    row = BACKBONES.get(name) or FRESH.get(name)
    return row.title if row else name


def without_pretrained(name: str) -> Backbone:
    """Return the row without pretrained weights of a network: of a name as `read_backbone` reads it, of a row with
    weights or without. Raises BackboneError as that does."""
    row = read_backbone(name)
    return row if row.fresh else FRESH[row.name + FROM_SCRATCH]


_NAMES = {_simplify(each): row.name for row in (*FRESH_ROWS, *ROWS) for each in (row.title, row.name)}
# No row with weights has its name.
_NAMES |= {_simplify(FRESH_ROWS[0].network): FRESH_ROWS[0].name}


def block_names(backbone: Backbone, layer_names: Sequence[str]) -> list[str]:
    """Name the block of each layer, for people: 'stem', 'block 12', 'mixed 7', 'head'.

    `layer_names` are those of `tlcore.models.architectures.build_backbone`, in the model's order.
    """
    if backbone.block_ends:
        return _names_by_end(backbone.block_ends, layer_names)
    names: list[str] = []
    for layer_name in layer_names:
        previous = names[-1] if names else "stem"
        names.append(_label(backbone.block_starts, layer_name) or previous)
    return names


def _names_by_end(rules: Rules, layer_names: Sequence[str]) -> list[str]:
    names: list[str] = []
    for position, layer_name in enumerate(layer_names):
        label = _label(rules, layer_name)
        if label:
            names += [label] * (position + 1 - len(names))
    return names + ["head"] * (len(layer_names) - len(names))


def _label(rules: Rules, layer_name: str) -> str | None:
    for pattern, label in rules:
        found = re.match(pattern, layer_name)
        if found:
            return found.expand(label)
    return None
