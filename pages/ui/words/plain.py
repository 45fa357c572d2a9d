"""Plain words for a room: what a job is at, why photos cannot be taught as they are, and who was quicker."""

from collections.abc import Callable

from pages.ui.words import amounts
from pages.ui.words.glossary import plainly
from pages.ui.words.names import visible
from thaw.storage.edits import ClassGone, PhotosChanged
from thaw.storage.records import Dataset
from tlcore.progress import Stage

STAGES = {
    Stage.STARTING: "Getting ready",
    Stage.WAITING_FOR_DEVICE: "Waiting for another training to end",
    Stage.WAITING_FOR_IMPORT: "Waiting for other photos to be added",
    Stage.STARTING_TENSORFLOW: "Warming up",
    Stage.FINDING_FILES: "Finding your photos",
    Stage.UNPACKING_ZIP: "Unpacking",
    Stage.UNPACKING_TAR: "Unpacking",
    Stage.CHECKING_IMAGES: "Checking your photos",
    Stage.FINDING_NEAR_DUPLICATES: "Looking for copies",
    Stage.FETCHING_WEIGHTS: "Fetching the eye",
    Stage.DOWNLOADING_WEIGHTS: "Downloading the eye",
    Stage.BUILDING_BACKBONE: "Opening the eye",
    Stage.READING_FEATURES: "Looking at your photos",
    Stage.COMPUTING_FEATURES: "Looking at your photos",
    Stage.TRAINING_HEAD: "Learning, round",
    Stage.FINE_TUNING: "Adapting the eye, round",
    Stage.TRAINING_FROM_SCRATCH: "Learning, round",
}
"""What is said while a job is at a stage; other stages are covered by a general word."""

LOOK_AGAIN = "Someone was quicker: nothing was changed. Look again."


def plain_refusal(problem: str, dataset: Dataset | None = None) -> str:
    """Return why photos cannot be taught, in the words of the room where the reason is a common one."""
    if dataset is not None and not dataset.classes:
        return "None of these photos has a kind yet. Sort them, or drop a folder for each kind, such as cats and dogs."
    if dataset is not None and len(dataset.classes) == 1:
        (label,) = dataset.classes
        return f"I need two kinds of photos, such as cats and dogs. You gave me one: {visible(label)}."
    if dataset is not None:
        single = [visible(label) for label, number in dataset.classes.items() if number < 2]
        if single:
            named = ", ".join(single[:3]) + ("…" if len(single) > 3 else "")
            kinds = amounts.count(len(single), "kind has", "kinds have")
            return (
                f"I need at least two photos of each kind: one to learn from, one for the exam. {kinds} one: {named}."
            )
    return visible(plainly(problem))


def tell_quicker(problem: PhotosChanged | ClassGone, name: Callable[[str], str] = visible) -> str:
    """Say what others have done meanwhile to what the person wanted to change; `name` writes the name of a class."""
    if isinstance(problem, ClassGone):
        gone = name(problem.label)
        return f"{gone} is called {name(problem.renamed)} by now." if problem.renamed else f"There is no {gone} now."
    found = problem.found
    photos, are = ("1 of these photos", "is") if len(found) == 1 else (f"{len(found):,} of these photos", "are")
    labels = set(found.values())
    if len(labels) > 1:
        return f"{photos} were changed meanwhile."
    (label,) = labels
    if label is None:
        return f"{photos} {are} excluded by now."
    return f"{photos} {are} in {name(label)} by now." if label else f"{photos} {are} not sorted by now."
