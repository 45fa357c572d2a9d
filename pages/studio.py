"""The Studio: from photos or a camera to a model that answers, on one screen, with nothing to press on the way."""

from pages.ui.components.studio.studio import studio
from pages.ui.page import deleting, rebuilding, selection

kept = selection.store()
rebuilding.draw(kept)
deleting.undo_bar(kept)
present = selection.dataset(kept)
shown = studio(present.id if present else None)
if shown is not None and (present is None or shown != present.id):
    selection.choose("dataset", shown)
    selection.choose("run", None)
