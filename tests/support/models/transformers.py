"""A vision transformer small enough for every test run, with weights as its publishers name them, and what it answers
by the papers alone."""

import math
from dataclasses import replace

import numpy as np

from tlcore.models.backbone_table import Backbone, Transformer
from tlcore.models.backbones import BACKBONES

PATCH = 14


def shrink(name: str = "dinov2-vits14", depth: int = 2, width: int = 32, heads: int = 2, places: int = 5) -> Backbone:
    """Return the row of a transformer of the table with few and narrow blocks; its code is that of the whole one."""
    row = BACKBONES[name]
    sizes = Transformer(PATCH, width, depth, heads, places)
    tokens = (row.input_size // PATCH) ** 2 + 1
    block = 12 * width**2 + 15 * width
    parameters = PATCH**2 * 3 * width + tokens * width + depth * block + 2 * width
    layers = row.layers - 9 * (row.transformer.depth - depth)
    return replace(row, transformer=sizes, features=2 * width, layers=layers, parameters=parameters)


def invent_weights(sizes: Transformer, seed: int = 0) -> dict[str, np.ndarray]:
    """Return weights that have learnt nothing under the names that DINOv2's files have, float32."""
    chance, width = np.random.default_rng(seed), sizes.width
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + sizes.places**2, width),
        "mask_token": (1, width),
        "patch_embed.proj.weight": (width, 3, sizes.patch, sizes.patch),
        "patch_embed.proj.bias": (width,),
    }
    for block in (f"blocks.{number}" for number in range(sizes.depth)):
        for item, shape in (
            ("norm1", (width,)),
            ("attn.qkv", (3 * width, width)),
            ("attn.proj", (width, width)),
            ("ls1.gamma", (width,)),
            ("norm2", (width,)),
            ("mlp.fc1", (4 * width, width)),
            ("mlp.fc2", (width, 4 * width)),
            ("ls2.gamma", (width,)),
        ):
            if item.endswith("gamma"):
                shapes[f"{block}.{item}"] = shape
            else:
                shapes |= {f"{block}.{item}.weight": shape, f"{block}.{item}.bias": shape[:1]}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    return {
        name: chance.normal(0, 1 / math.sqrt(math.prod(shape[1:]) or 1), shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def answer_by_hand(weights: dict[str, np.ndarray], sizes: Transformer, picture: np.ndarray) -> np.ndarray:
    """Return the tokens after the last normalisation, (1 + patches, width), of one normalised picture (side, side, 3),
    whose grid is that of the positions; in float64, token by token, from the formulas of the papers."""
    given = {name: array.astype(np.float64) for name, array in weights.items()}
    patch, width = sizes.patch, sizes.width
    tokens = [given["cls_token"].ravel()]
    for row in range(0, len(picture), patch):
        for column in range(0, len(picture), patch):
            part = picture[row : row + patch, column : column + patch].transpose(2, 0, 1).astype(np.float64)
            kernel, bias = given["patch_embed.proj.weight"], given["patch_embed.proj.bias"]
            tokens.append(np.array([(kernel[each] * part).sum() + bias[each] for each in range(width)]))
    x = np.stack(tokens) + given["pos_embed"][0]
    for block in (f"blocks.{number}." for number in range(sizes.depth)):
        x = x + given[f"{block}ls1.gamma"] * _attend(given, block, _normalise(given, f"{block}norm1", x), sizes)
        hidden = _product(given, f"{block}mlp.fc1", _normalise(given, f"{block}norm2", x))
        hidden = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
        x = x + given[f"{block}ls2.gamma"] * _product(given, f"{block}mlp.fc2", hidden)
    return _normalise(given, "norm", x)


def _attend(given: dict[str, np.ndarray], block: str, x: np.ndarray, sizes: Transformer) -> np.ndarray:
    width = sizes.width // sizes.heads
    queries, keys, values = np.split(_product(given, f"{block}attn.qkv", x), 3, axis=1)
    heads = []
    for head in range(sizes.heads):
        own = slice(head * width, (head + 1) * width)
        scores = np.exp(queries[:, own] @ keys[:, own].T / math.sqrt(width))
        heads.append(scores / scores.sum(axis=1, keepdims=True) @ values[:, own])
    return _product(given, f"{block}attn.proj", np.concatenate(heads, axis=1))


def _product(given: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    return x @ given[f"{name}.weight"].T + given[f"{name}.bias"]


def _normalise(given: dict[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-6)
    return centred / deviation * given[f"{name}.weight"] + given[f"{name}.bias"]
