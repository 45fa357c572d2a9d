"""Compares runs: which settings differ, which one is better, and how far chance alone would have got."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from statistics import NormalDist
from typing import Any

from thaw.storage.records import Run
from tlcore.evaluation.predictions import Predictions

LETTERS = "ABCDEFGH"
MOST_RUNS = len(LETTERS)
LEVEL = 0.05
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


@dataclass(frozen=True)
class Entry:
    """One run to compare: `letter` is its name on the page, `dataset` that of its data set, and `judged` what its
    model said of the validation images, or None before it has a model. `told` is the accuracy that it was told to have,
    where `judged` goes by other labels than it saw (see `tlcore.evaluation.alignment`)."""

    letter: str
    run: Run
    dataset: str
    judged: Predictions | None
    told: float | None = None


@dataclass(frozen=True)
class Row:
    """One setting of all runs, in their order; None stands for a setting that a run does not have, or not yet."""

    name: str
    values: list[Any]

    @property
    def differs(self) -> bool:
        present = [value for value in self.values if value is not None]
        return any(value != present[0] for value in present)


@dataclass(frozen=True)
class Verdict:
    """How two runs compare on validation images. `points` is how much better the first is, in percentage points;
    `margin` the difference that chance alone reaches in one comparison of twenty, or None where no difference on so
    few would do; `paired` says that both were judged on the same images, on which `first_alone` and `second_alone`
    were right where the other was wrong."""

    points: float
    margin: float | None
    images: tuple[int, int]
    paired: bool
    first_alone: int = 0
    second_alone: int = 0

    @property
    def clear(self) -> bool:
        """Say whether the difference is beyond chance."""
        return self.margin is not None and abs(self.points) >= self.margin - 1e-9


def settings_of(entry: Entry) -> dict[str, Any]:
    """Return all that was chosen for a run, both phases', and the facts that stand for a choice left to Thaw."""
    run = entry.run
    head = asdict(run.head)
    tuned = asdict(run.fine_tune) if run.fine_tune else {}
    facts = {name: getattr(run.facts, fact) for name, fact in FACTS.items()}
    # An id tells two data sets of one name apart.
    own = {"data": (entry.dataset, run.dataset_id), "backbone": run.backbone, **head, **facts}
    own["layers"] = tuned.pop("layers", 0)
    own["phase"] = run.result_phase
    own["image_size"] = facts["image_size"] or head["image_size"]
    return own | {f"fine_tune_{name}": value for name, value in tuned.items()}


def compare_settings(entries: Sequence[Entry]) -> list[Row]:
    """List every setting of the runs as a row, those that differ first."""
    settings = [settings_of(entry) for entry in entries]
    names = dict.fromkeys(name for each in settings for name in each)
    rows = [Row(title(name), [each.get(name) for each in settings]) for name in names]
    return sorted(rows, key=lambda row: not row.differs)


def title(name: str) -> str:
    """Put a setting's name into words."""
    if name.startswith("fine_tune_"):
        return f"Fine-tuning: {title(name.removeprefix('fine_tune_')).lower()}"
    return TITLES.get(name, name.replace("_", " ").capitalize())


def differences(first: Entry, second: Entry) -> list[str]:
    """Name the settings in which the models that two runs are judged by differ: of a fine-tuning that brought nothing,
    so that phase 1 is the result, none counts."""
    models = [
        replace(entry, run=replace(entry.run, fine_tune=None)) if entry.run.result_phase == 1 else entry
        for entry in (first, second)
    ]
    return [row.name for row in compare_settings(models) if row.differs]


def same_images(first: Predictions, second: Predictions) -> bool:
    """Say whether two models were judged on the same images with the same labels."""
    return _labels(first) == _labels(second)


def judge(first: Predictions, second: Predictions, comparisons: int = 1) -> Verdict:
    """Compare two models' accuracy; of several `comparisons` each has to be the surer (Bonferroni's correction).

    On the same images only those tell on which one is right and the other wrong; by chance either is right on half of
    them (McNemar, Psychometrika 12, 1947, in its exact form; advised for a single split by Dietterich, Neural
    Computation 10, 1998). On different images the margin is that of two independent shares (Agresti and Caffo,
    The American Statistician 54, 2000).
    """
    images, level = (len(first.images), len(second.images)), LEVEL / comparisons
    points = 100 * (first.accuracy - second.accuracy)
    if not same_images(first, second):
        return Verdict(points, 100 * _independent_margin(first, second, level), images, paired=False)
    one, other = _right(first), _right(second)
    first_alone = sum(one[id] and not other[id] for id in one)
    second_alone = sum(other[id] and not one[id] for id in one)
    lead = least_clear_lead(first_alone + second_alone, level)
    margin = None if lead is None else 100 * lead / images[0]
    return Verdict(points, margin, images, True, first_alone, second_alone)


def bound_difference(first: tuple[int, int], second: tuple[int, int], level: float = LEVEL) -> tuple[float, float]:
    """Return between which bounds the first share less the second lies, each as (count, of), but for chance `level`.

    Agresti and Caffo, The American Statistician 54, 2000: one success and one failure more in each, so that a model
    without a mistake is not taken for a perfect one.
    """
    shares = [(count + 1) / (of + 2) for count, of in (first, second)]
    sizes = [of + 2 for _, of in (first, second)]
    variance = sum(share * (1 - share) / size for share, size in zip(shares, sizes, strict=True))
    middle, half = shares[0] - shares[1], NormalDist().inv_cdf(1 - level / 2) * math.sqrt(variance)
    return middle - half, middle + half


def least_clear_lead(disagreed: int, level: float = LEVEL) -> int | None:
    """Return by how many of `disagreed` images a model must lead for the two-sided sign test to reach `level`."""
    tail, clear = 0.0, None
    for behind in range((disagreed + 1) // 2):
        tail += math.exp(_log_choose(disagreed, behind) - disagreed * math.log(2))
        if 2 * tail > level:
            break
        clear = disagreed - 2 * behind
    return clear


def rank(entries: Sequence[Entry]) -> list[Entry]:
    """Return the runs that have a model, the most accurate on validation first."""
    judged = [entry for entry in entries if entry.judged]
    return sorted(judged, key=lambda entry: -entry.judged.accuracy if entry.judged else 0)


def summarise(entries: Sequence[Entry]) -> list[str]:
    """Tell in plain words how the best run compares with each other one, and what chance has to do with it."""
    ranked = rank(entries)
    told = []
    for other in ranked[1:]:
        best = ranked[0]
        if best.judged and other.judged:
            told.append(_tell(best, other, judge(best.judged, other.judged, len(ranked) - 1)))
    waiting = [entry.letter for entry in entries if not entry.judged]
    if waiting:
        told.append(f"{_listed(waiting)} {'has' if len(waiting) == 1 else 'have'} no model yet.")
    return told


def warn(entries: Sequence[Entry]) -> str | None:
    """Say which runs were judged on different images, and why; None where all were judged on the same."""
    groups: list[list[Entry]] = []
    for entry in entries:
        if entry.judged:
            alike = next((each for each in groups if _same(each[0], entry)), None)
            if alike is None:
                groups.append([entry])
            else:
                alike.append(entry)
    if len(groups) < 2:
        return None
    first, *others = ((group[0], _listed([entry.letter for entry in group])) for group in groups)
    named = "; ".join(f"{letters} on others ({_why_different(first[0], entry)})" for entry, letters in others)
    return (
        f"Not all were judged on the same validation images: {first[1]} on some; {named}. "
        "A part of the difference may be luck of the draw."
    )


def _tell(best: Entry, other: Entry, verdict: Verdict) -> str:
    changed = differences(best, other)
    words = [name[:1].lower() + name[1:] for name in changed[:NAMED]]
    if len(changed) > NAMED:
        words.append(f"{len(changed) - NAMED} more")
    why = f"They differ in {_listed(words)}." if changed else "Their settings are the same."
    lead = (
        f"{best.letter} and {other.letter} are equally good"
        if verdict.points == 0
        else f"{best.letter} is {verdict.points:.1f} points better than {other.letter}"
    )
    return f"{lead}. {why} {_chance(best, other, verdict)}"


def _chance(best: Entry, other: Entry, verdict: Verdict) -> str:
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


def _why_different(first: Entry, second: Entry) -> str:
    names = ("data", "version", "seed", "validation_split", "later_share", "parts")
    one, other = settings_of(first), settings_of(second)
    reasons = [title(name).lower() for name in names if one[name] != other[name]]
    return f"another {_listed(reasons)}" if reasons else "another split"


def _same(first: Entry, second: Entry) -> bool:
    return first.judged is not None and second.judged is not None and same_images(first.judged, second.judged)


def _right(predictions: Predictions) -> dict[str, bool]:
    right = predictions.predicted == predictions.true
    return {image.id: bool(each) for image, each in zip(predictions.images, right, strict=True)}


def _labels(predictions: Predictions) -> dict[str, str]:
    return {image.id: image.label for image in predictions.images}


def _independent_margin(first: Predictions, second: Predictions, level: float) -> float:
    one, other = ((int((each.true == each.predicted).sum()), len(each.images)) for each in (first, second))
    low, high = bound_difference(one, other, level)
    return (high - low) / 2


def _log_choose(count: int, chosen: int) -> float:
    return math.lgamma(count + 1) - math.lgamma(chosen + 1) - math.lgamma(count - chosen + 1)


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
