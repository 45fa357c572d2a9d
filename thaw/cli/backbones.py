"""What the commands about backbones do: list them, take their weights from a file, measure their speed."""

import argparse
from pathlib import Path

from thaw.cli.output import Answer, quieten_tensorflow
from thaw.storage.store import Store
from tlcore.models import speed
from tlcore.models.backbones import BACKBONES, find_backbone
from tlcore.models.weights import adopt, fingerprint, is_local, note_weights


def run_backbones(store: Store, arguments: argparse.Namespace) -> Answer:
    """List the backbones."""
    return [
        {
            "backbone": row.name,
            "input_size": row.input_size,
            "parameters": row.parameters,
            "layers": row.layers,
            "imagenet_top1": row.imagenet_top1,
            "accuracy_source": row.accuracy_source,
            "weights_on_this_machine": is_local(row),
        }
        for row in BACKBONES.values()
    ]


def run_weights(store: Store, arguments: argparse.Namespace) -> Answer:
    """Check a file of pretrained weights and put it where a download would have put it."""
    quieten_tensorflow()
    row = find_backbone(arguments.backbone)
    path = adopt(row, Path(arguments.file).expanduser())
    note_weights(store.workspace, row, fingerprint(path))
    return {"backbone": row.name, "weights": str(path)}


def run_speed(store: Store, arguments: argparse.Namespace) -> Answer:
    """Measure the milliseconds an image of the named backbones, or of those whose weights are here, in this process."""
    quieten_tensorflow()
    named = arguments.backbones or [row.name for row in BACKBONES.values() if is_local(row)]
    speed.measure_all(store.workspace, [find_backbone(name).name for name in named])
    return [
        {"device": device, "milliseconds_an_image": speeds}
        for device, speeds in speed.read_speeds(store.workspace).items()
    ]
