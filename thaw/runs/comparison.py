"""Compares runs: which settings differ, which one is better, and how far chance alone would have got.

Runs between which photos were fixed are judged by the same labels, on the same images.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from thaw.runs.significance import Difference, judge, same_images
from thaw.storage.records import Run
from tlcore.errors import RunError
from tlcore.evaluation.predictions import Predictions, relabel

LETTERS = "ABCDEFGH"
MOST_RUNS = len(LETTERS)
TITLES = {
    "data": "Data set",
    "version": "Version of the data set",
    "backbone": "Backbone",
    "image_size": "Image size (pixels)",
    "method": "How the head learns",
    "augmentation": "Augmentation",
    "seed": "Seed",
    "validation_split": "Share for validation",
    "later_share": "Share of the newest, for later",
    "parts": "Whose validation photos",
    "layers": "Unfrozen layers",
    "phase": "Phase of the model that is judged",
    "device": "Device",
}
# Facts that are no setting, and yet explain why two runs differ.
FACTS = {"version": "dataset_version", "image_size": "image_size", "device": "device"}
NAMED = 3
# Runs of one split share nearly all images, however much was fixed; those of two splits share few.
SHARED = 0.9


@dataclass(frozen=True)
class ComparedRun:
    """One run to compare: `letter` is its name on the page, `dataset` that of its data set, and `judged` what its
    model said of the validation images, or None before it has a model. `told` is the accuracy that it was told to have,
    where `judged` goes by other labels than it saw (see `level`)."""

    letter: str
    run: Run
    dataset: str
    judged: Predictions | None
    told: float | None = None


@dataclass(frozen=True)
class SettingRow:
    """One setting of all runs, in their order; None stands for a setting that a run does not have, or not yet."""

    name: str
    values: list[Any]

    @property
    def differs(self) -> bool:
        present = [value for value in self.values if value is not None]
        return any(value != present[0] for value in present)


def settings_of(entry: ComparedRun) -> dict[str, Any]:
    """Return all that was chosen for a run, both phases', and the facts that stand for a choice left to Thaw."""
    run = entry.run
    head = asdict(run.head.detector if run.head.task == "detect" else run.head)
    tuned = asdict(run.fine_tune) if run.fine_tune else {}
    facts = {name: getattr(run.facts, fact) for name, fact in FACTS.items()}
    # An id tells two data sets of one name apart.
    own = {"data": (entry.dataset, run.dataset_id), "backbone": run.backbone, **head, **facts}
    own["layers"] = tuned.pop("layers", 0)
    own["phase"] = run.result_phase
    own["image_size"] = facts["image_size"] or head["image_size"]
    return own | {f"fine_tune_{name}": value for name, value in tuned.items()}


def compare_settings(entries: Sequence[ComparedRun]) -> list[SettingRow]:
    """List every setting of the runs as a row, those that differ first."""
    settings = [settings_of(entry) for entry in entries]
    names = dict.fromkeys(name for each in settings for name in each)
    rows = [SettingRow(title(name), [each.get(name) for each in settings]) for name in names]
    return sorted(rows, key=lambda row: not row.differs)


def title(name: str) -> str:
    """Put a setting's name into words."""
    if name.startswith("fine_tune_"):
        return f"Fine-tuning: {title(name.removeprefix('fine_tune_')).lower()}"
    return TITLES.get(name, name.replace("_", " ").capitalize())


def differences(first: ComparedRun, second: ComparedRun) -> list[str]:
    """Name the settings in which the models that two runs are judged by differ: of a fine-tuning that brought nothing,
    so that phase 1 is the result, none counts."""
    models = [
        replace(entry, run=replace(entry.run, fine_tune=None)) if entry.run.result_phase == 1 else entry
        for entry in (first, second)
    ]
    return [row.name for row in compare_settings(models) if row.differs]


def level(entries: Sequence[ComparedRun]) -> list[ComparedRun]:
    """Return the runs as the newest of them would be judged: on the images that judged both, by the labels it saw.

    That is done where two runs of a data set share `SHARED` of their images at least; `told` then is the accuracy that
    a run has by its own images and labels. All others stay as they are.
    """
    levelled: dict[str, ComparedRun] = {}
    for group in _group(entries):
        shared = set.intersection(*(_ids(judged) for _, judged in group))
        labels = {image.id: image.label for image in group[0][1].images if image.id in shared}
        for entry, judged in group:
            now = relabel(judged, labels)
            if now.images != judged.images:
                levelled[entry.letter] = replace(entry, judged=now, told=judged.accuracy)
    return [levelled.get(entry.letter, entry) for entry in entries]


def rank(entries: Sequence[ComparedRun]) -> list[ComparedRun]:
    """Return the runs that have a model, the most accurate on validation first."""
    judged = [entry for entry in entries if entry.judged]
    return sorted(judged, key=lambda entry: -entry.judged.accuracy if entry.judged else 0)


def summarise(entries: Sequence[ComparedRun]) -> list[str]:
    """Tell in plain words how the best run compares with each other one, and what chance has to do with it."""
    ranked = rank(entries)
    told = []
    for other in ranked[1:]:
        best = ranked[0]
        if best.judged and other.judged:
            verdict = judge(best.judged, other.judged, len(ranked) - 1)
            told.append(f"{tell_lead(best, other, verdict.points)} {_chance(best, other, verdict)}")
    return told + tell_waiting([entry.letter for entry in entries if not entry.judged])


def tell_waiting(letters: Sequence[str]) -> list[str]:
    """Say of the runs of some letters that they have no model yet; nothing of none."""
    return [f"{_listed(letters)} {'has' if len(letters) == 1 else 'have'} no model yet."] if letters else []


def warn(entries: Sequence[ComparedRun]) -> str | None:
    """Say which runs were judged on different images, and why; None where all were judged on the same."""
    return warn_of_groups(group_alike([entry for entry in entries if entry.judged], _same))


def group_alike(
    entries: Sequence[ComparedRun], alike: Callable[[ComparedRun, ComparedRun], bool]
) -> list[list[ComparedRun]]:
    """Gather the runs that are alike, in their order."""
    groups: list[list[ComparedRun]] = []
    for entry in entries:
        group = next((each for each in groups if alike(each[0], entry)), None)
        if group is None:
            groups.append([entry])
        else:
            group.append(entry)
    return groups


def warn_of_groups(groups: Sequence[Sequence[ComparedRun]]) -> str | None:
    """Say which runs were judged on other images than the first, and why; None where all are one group."""
    if len(groups) < 2:
        return None
    first, *others = ((group[0], _listed([entry.letter for entry in group])) for group in groups)
    named = "; ".join(f"{letters} on others ({_why_different(first[0], entry)})" for entry, letters in others)
    return (
        f"Not all were judged on the same validation images: {first[1]} on some; {named}. "
        "A part of the difference may be luck of the draw."
    )


def tell_lead(best: ComparedRun, other: ComparedRun, points: float, by: str = "") -> str:
    """Say by how many percentage points a run is better than another, and in which settings they differ."""
    changed = differences(best, other)
    words = [name[:1].lower() + name[1:] for name in changed[:NAMED]]
    if len(changed) > NAMED:
        words.append(f"{len(changed) - NAMED} more")
    why = f"They differ in {_listed(words)}." if changed else "Their settings are the same."
    lead = (
        f"{best.letter} and {other.letter} are equally good{by}"
        if points == 0
        else f"{best.letter} is {points:.1f} points better than {other.letter}{by}"
    )
    return f"{lead}. {why}"


def require_one_task(runs: Sequence[Run]) -> None:
    """Raise RunError where some runs tell classes apart and others find objects: no figure of the two is one."""
    tasks = {run.head.task: run.id for run in runs}
    if len(tasks) > 1:
        raise RunError(
            "Expected runs that do the same: tell classes apart, or find objects. Received both: "
            f"{tasks['classify']!r} tells classes apart, and {tasks['detect']!r} finds objects. Compare each with its "
            "like."
        )


def _chance(best: ComparedRun, other: ComparedRun, verdict: Difference) -> str:
    first, second = verdict.images
    if not verdict.paired:
        over = f"With {first:,} and {second:,} validation images"
    else:
        disagreed = verdict.first_alone + verdict.second_alone
        over = (
            f"On the same {first:,} validation images, {best.letter} alone is right on {verdict.first_alone:,} and "
            f"{other.letter} alone on {verdict.second_alone:,};"
        )
        if verdict.margin is None:
            return f"{over} {disagreed:,} that differ are too few to tell the better one: this is within chance."
        over += " with so many that differ"
    standing = "this one is beyond it" if verdict.clear else "so is this one"
    return f"{over}, a difference under {verdict.margin:.1f} points is within chance, and {standing}."


def _why_different(first: ComparedRun, second: ComparedRun) -> str:
    names = ("data", "version", "seed", "validation_split", "later_share", "parts")
    one, other = settings_of(first), settings_of(second)
    reasons = [title(name).lower() for name in names if one.get(name) != other.get(name)]
    return f"another {_listed(reasons)}" if reasons else "another split"


def _same(first: ComparedRun, second: ComparedRun) -> bool:
    return first.judged is not None and second.judged is not None and same_images(first.judged, second.judged)


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _group(entries: Sequence[ComparedRun]) -> list[list[tuple[ComparedRun, Predictions]]]:
    """Gather the runs that share nearly all images, the newest of each group first."""
    groups: list[list[tuple[ComparedRun, Predictions]]] = []
    for entry in sorted(entries, key=lambda entry: -entry.run.number):
        if entry.judged is None:
            continue
        own = _ids(entry.judged)
        for group in groups:
            newest, judged = group[0]
            common = len(own & _ids(judged))
            if newest.run.dataset_id == entry.run.dataset_id and common >= SHARED * max(len(own), len(judged.images)):
                group.append((entry, entry.judged))
                break
        else:
            groups.append([(entry, entry.judged)])
    return groups


def _ids(predictions: Predictions) -> set[str]:
    return {image.id for image in predictions.images}
