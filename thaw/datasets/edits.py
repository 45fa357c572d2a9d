"""What a person can change in a data set. Originals and copies stay as they are; every change can be undone.

Where `seen` is given, the data set as it was when the person decided, what others have changed since is not written
over: PhotosChanged or ClassGone (`thaw.storage.edits`) is raised, and nothing is done.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from thaw.names import check_class_name
from thaw.storage.edits import ALIAS, ClassGone
from thaw.storage.journal.rows import Change
from thaw.storage.records import Dataset, Edit, EditKind, Image
from thaw.storage.store import Store
from tlcore.errors import DatasetError
from tlcore.photos import natural
from tlcore.splits.groups import GroupRules

IGNORED, GROUPING, PILE_GROUP = "ignored", "grouping", "pile group"


def rename_class(store: Store, dataset_id: str, old: str, new: str) -> int:
    """Rename a class; return how many images it holds. Raises DatasetError where `new` is empty or there already."""
    wanted, seen = check_class_name(new), store.dataset(dataset_id)
    _require_class(store, dataset_id, old)
    if wanted in store.dataset(dataset_id).classes:
        raise DatasetError(
            f"Expected a new name. Received: {wanted!r}, which is a class already. Merge the two instead."
        )
    if wanted in {image.label for image in store.every_image(dataset_id)}:
        raise DatasetError(
            f"Expected a new name. Received: {wanted!r}, the class of images that are excluded or held out. "
            "Choose another name, or restore those images and merge the two."
        )
    return _relabel(store, seen, "rename", [old], wanted)


def merge_classes(
    store: Store, dataset_id: str, sources: Sequence[str], target: str, seen: Dataset | None = None
) -> int:
    """Give the images of the classes `sources` the class `target`; return how many images moved."""
    seen = seen or store.dataset(dataset_id)
    for label in (*sources, target):
        _require_class(store, dataset_id, label)
    return _relabel(store, seen, "merge", [label for label in sources if label != target], target)


def delete_class(store: Store, dataset_id: str, label: str, seen: Dataset | None = None) -> int:
    """Exclude every image of a class; return how many."""
    seen = seen or store.dataset(dataset_id)
    _require_class(store, dataset_id, label)
    images = [image for image in store.every_image(dataset_id) if image.label == label and not image.excluded]
    detail = {"class": label, "images": len(images)}
    changes = [Change("excluded", image.id, "1") for image in images]
    return store.add_edit(dataset_id, "delete", detail, changes, seen)


def move_images(store: Store, dataset_id: str, ids: Iterable[str], label: str, seen: Dataset | None = None) -> int:
    """Give images another class, which may be new; return how many changed. Those of the pile are learnt from then."""
    # A folder's name may be one that nobody could type: the class is meant, and no other.
    wanted = label if label in (seen or store.dataset(dataset_id)).classes else check_class_name(label)
    chosen = list(dict.fromkeys(ids))
    detail = {"class": wanted, "images": len(chosen)}
    pile = [image.id for image in store.images_by_id(chosen).values() if image.role == "pile"]
    changes = [Change("label", image_id, wanted) for image_id in chosen]
    changes += [Change("role", image_id, "main") for image_id in pile]
    return store.add_edit(dataset_id, "move", detail, changes, seen, wanted) - len(pile)


def name_images(store: Store, dataset_id: str, labels: Mapping[str, str], seen: Dataset | None = None) -> int:
    """Give each image of `labels`, id to class, its class in one change; return how many changed.

    Classes may be new, and images of the pile are learnt from then. Raises DatasetError for what can be no class.
    """
    present = (seen or store.dataset(dataset_id)).classes
    classes = {
        label: label if label in present else check_class_name(label) for label in dict.fromkeys(labels.values())
    }
    images = store.images_by_id(list(labels))
    changes = [Change("label", image_id, classes[label]) for image_id, label in labels.items()]
    pile = [Change("role", image_id, "main") for image_id in labels if image_id in images and _waits(images[image_id])]
    named = sorted(set(classes.values()), key=natural)
    detail = {"classes": named, "images": len(labels)}
    return store.add_edit(dataset_id, "name", detail, [*changes, *pile], seen, *named) - len(pile)


def arrange_pile(store: Store, dataset_id: str, groups: Mapping[str, str], seen: Dataset | None = None) -> int:
    """Put images of the pile into groups, by id the key of each; return how many changed."""
    changes = [Change(PILE_GROUP, image_id, group) for image_id, group in groups.items()]
    return store.add_edit(dataset_id, "arrange", {"images": len(changes)}, changes, seen)


def exclude_images(store: Store, dataset_id: str, ids: Iterable[str], seen: Dataset | None = None) -> int:
    """Take images out of training and evaluation; return how many changed."""
    chosen = list(dict.fromkeys(ids))
    changes = [Change("excluded", image_id, "1") for image_id in chosen]
    return store.add_edit(dataset_id, "exclude", {"images": len(chosen)}, changes, seen)


def restore_images(store: Store, dataset_id: str, ids: Iterable[str], seen: Dataset | None = None) -> int:
    """Take excluded images in again; return how many changed.

    Raises DatasetError where the same picture, or nearly the same, has come since in the other role: a drop that was
    undone may come again as holdout.
    """
    chosen = list(dict.fromkeys(ids))
    _require_unseen(store.every_image(dataset_id), set(chosen))
    changes = [Change("excluded", image_id, "0") for image_id in chosen]
    return store.add_edit(dataset_id, "restore", {"images": len(chosen)}, changes, seen)


def ignore_finding(store: Store, dataset_id: str, finding: str, subjects: Iterable[str]) -> int:
    """Say that a finding of the health report is no fault of these subjects (image ids, classes, group keys)."""
    chosen = list(dict.fromkeys(subjects))
    changes = [Change(IGNORED, f"{finding}:{subject}", "1") for subject in chosen]
    return store.add_edit(dataset_id, "ignore", {"finding": finding, "subjects": len(chosen)}, changes)


def ignored(store: Store, dataset_id: str) -> set[str]:
    """Return what was ignored, each as "finding:subject"."""
    return set(store.marks(dataset_id, IGNORED))


def set_grouping(store: Store, dataset_id: str, rules: GroupRules) -> int:
    """Set the rules by which photos of one subject or burst are kept on one side of the split."""
    value = None if rules == GroupRules() else rules.to_json()
    return store.add_edit(dataset_id, "group", {"pattern": rules.pattern}, [Change(GROUPING, "", value)])


def grouping(store: Store, dataset_id: str) -> GroupRules:
    """Return the rules that `set_grouping` set, or the default ones."""
    kept = store.marks(dataset_id, GROUPING).get("")
    return GroupRules.from_json(kept) if kept else GroupRules()


def undo(store: Store, dataset_id: str) -> Edit:
    """Undo the latest change that stands and return it; raise DatasetError where there is none."""
    latest = next((edit for edit in store.edits(dataset_id) if edit.undone_at is None), None)
    if latest is None:
        raise DatasetError("Expected a change to undo. Received: none, the data set is as it was imported.")
    store.undo_edit(dataset_id, latest.number)
    return latest


def _relabel(store: Store, seen: Dataset, kind: EditKind, sources: Sequence[str], target: str) -> int:
    images = [image for image in store.every_image(seen.id) if image.label in sources]
    # Photos that come later from a folder of the old name belong to the new class too.
    earlier = {folder for folder, label in store.marks(seen.id, ALIAS).items() if label in sources}
    detail = {"classes": list(sources), "class": target, "images": len(images)}
    changes = [Change("label", image.id, target) for image in images]
    folders = sorted(earlier.union(sources, {target}))
    changes += [Change(ALIAS, folder, None if folder == target else target) for folder in folders]
    store.add_edit(seen.id, kind, detail, changes, seen, target)
    return len(images)


def _waits(image: Image) -> bool:
    return image.role == "pile"


def _require_unseen(images: Sequence[Image], restored: set[str]) -> None:
    """Refuse to restore what would be learnt from and held out at once."""
    included = [image for image in images if image.id in restored or not image.excluded]
    roles: defaultdict[str, set[str]] = defaultdict(set)
    for image in included:
        for key in {image.content, image.lookalike} - {""}:
            roles[key] |= {image.role} - {"pile"}
    unfit = sum(image.id in restored and len(roles[image.content] | roles[image.lookalike]) > 1 for image in included)
    if unfit:
        raise DatasetError(
            f"Expected images that are not both learnt from and in the holdout. Received: {unfit:,} that would be, "
            "since they came again in the other role. Exclude those first."
        )


def _require_class(store: Store, dataset_id: str, label: str) -> None:
    if label not in store.dataset(dataset_id).classes:
        raise ClassGone(label, store.marks(dataset_id, ALIAS).get(label))
