"""A finished run's classifier in Keras, put together again for what needs more than its answers."""

from thaw.datasets.run_split import read_labels
from thaw.prediction.network import HEAD, TUNED, check_weights
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.files import load_arrays
from tlcore.images.pixels import WIDEST
from tlcore.models import classifier as models
from tlcore.models.architectures import build_backbone
from tlcore.models.backbones import find_backbone
from tlcore.models.classifier import Classifier
from tlcore.training.snapshots import name_variables, write_variables


def load_classifier(store: Store, run: Run) -> Classifier:
    """Assemble the model that is the result of `run`; raise RunError if it has none.

    Raises WeightsError if the backbone's weights on this machine are not those the run was trained with.
    """
    weights = check_weights(run)
    row, settings = find_backbone(run.backbone), run.head
    labels, image_size = read_labels(store, run), run.image_size
    backbone = build_backbone(row, image_size, weights)
    head = models.build_head(models.row_channels(backbone), len(labels), settings)
    result = TUNED if run.result_phase == 2 else HEAD
    write_variables(name_variables(backbone, head), load_arrays(store.workspace.run(run.id) / result))
    assembled = models.assemble(row, backbone, head, image_size)
    grey_range = run.facts.grey_range or WIDEST
    return Classifier(assembled, row, backbone, head, labels, image_size, settings.output, grey_range)
