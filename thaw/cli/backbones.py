"""The commands about backbones: list them, take their weights from a file, measure their speed."""

from collections.abc import Sequence
from pathlib import Path

import click

from thaw.backbones.known_weights import note_weights
from thaw.backbones.speeds import measure_all, read_speeds
from thaw.backbones.weights import adopt
from thaw.cli.commands import BackboneName, command
from thaw.cli.output import Output, quieten_tensorflow
from thaw.storage.store import Store
from tlcore.models.backbones import BACKBONES, find_pretrained
from tlcore.models.weights import is_local, sha256_of


@command("backbones")
def run_backbones(store: Store) -> Output:
    """List the backbones."""
    return [
        {
            "backbone": row.name,
            "input_size": row.input_size,
            "parameters": row.parameters,
            "layers": row.layers,
            "imagenet_top1": row.imagenet_top1,
            "accuracy_source": row.accuracy_source,
            "weights_from": row.weights_source,
            "weights_licence": row.licence.name,
            "weights_on_this_machine": is_local(row),
        }
        for row in BACKBONES.values()
    ]


@command("weights")
@click.argument("backbone", type=BackboneName())
@click.argument("file")
def run_weights(store: Store, backbone: str, file: str) -> Output:
    """Check a file of pretrained weights and put it where a download would have put it."""
    quieten_tensorflow()
    row = find_pretrained(backbone)
    path = adopt(row, Path(file).expanduser())
    note_weights(store.workspace, row, sha256_of(path))
    return {"backbone": row.name, "weights": str(path)}


@command("speed", "Without BACKBONE, those whose weights are here are measured.")
@click.argument("backbones", type=BackboneName(), metavar="[BACKBONE...]", nargs=-1)
def run_speed(store: Store, backbones: Sequence[str]) -> Output:
    """Measure the milliseconds an image of the named backbones, or of those whose weights are here, in this process."""
    quieten_tensorflow()
    named = backbones or [row.name for row in BACKBONES.values() if is_local(row)]
    measure_all(store.workspace, named)
    return [
        {"device": device, "milliseconds_an_image": speeds} for device, speeds in read_speeds(store.workspace).items()
    ]
