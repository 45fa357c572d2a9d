"""The Studio: from photos or a camera to a model that answers, on one screen, with nothing to press on the way."""

from pages.ui.components.studio.studio import studio
from pages.ui.page import deleting, rebuilding, selection
from thaw.jobs.standby import is_unasked_allowed, standby
from thaw.prediction.client import predictor


def show(dataset_id: str, run_id: str | None) -> None:
    """Choose what the Studio has come to show."""
    selection.choose("dataset", dataset_id)
    if run_id:
        selection.choose("run", run_id)


kept = selection.store()
rebuilding.draw(kept)
# Before there are any photos: it takes longer to get ready than to drop them.
standby.keep(kept.workspace)
if is_unasked_allowed():
    predictor(kept.workspace).open()
deleting.undo_bar(kept)
studio(selection.chosen("dataset"), selection.chosen("run"), show)
