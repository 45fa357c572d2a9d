"""The word list: what each term of the field is called on a page that is no expert's, and what it means."""

import re
from dataclasses import dataclass
from functools import cache

PARENTHESES = re.compile(r"\([^()]*\)")
# What a message has from outside: quoted names are data.
QUOTED = r"(?<!\w)'[^'\n]*'(?!\w)|`[^`\n]*`"
SPARED = re.compile(rf"{PARENTHESES.pattern}|{QUOTED}")
KIND = {"class": "kind", "classes": "kinds", "Class": "Kind", "Classes": "Kinds"}
CLASS = re.compile(rf"\b({'|'.join(KIND)})\b")
HEADING = """# The words on the pages

The dashboard speaks plainly, and the field's term stands small beside a word where it teaches: "rounds (epochs)". The
switch **Expert** at the top of every page brings the field's terms, tables and figures, and the browser remembers it;
`?expert=1` in an address switches it on, `?expert=0` off. **Words**, beside the switch, shows this list, which is the
table of `pages.ui.words.glossary`: after a change of it run `python docs/draw_words.py`.

| on the pages | the term | what it means |
|---|---|---|
"""


@dataclass(frozen=True)
class Word:
    """A plain word, the field's term for it, and one sentence on what that is.

    `forms` are other ways to say or write the term; `known` says that the term may stand alone for anyone.
    """

    plain: str
    term: str
    meaning: str
    forms: tuple[str, ...] = ()
    known: bool = False


WORDS = (
    Word("kinds", "classes", "What you want told apart, such as cats and dogs.", ("class",)),
    Word(
        "exam photos",
        "validation images",
        "Photos that are not learnt from: the model is examined on them.",
        ("validation photos", "validation image", "validation", "val_acc", "val_accuracy"),
    ),
    Word(
        "extra exam photos",
        "holdout",
        "Exam photos from other days or places, which you set apart yourself.",
        ("test set",),
    ),
    Word("rounds", "epochs", "In one round every photo to learn from is looked at once.", ("epoch",)),
    Word(
        "ready-made eye",
        "backbone",
        "A network that has learnt from 1.3 million photos what edges, fur, wheels and petals look like.",
        ("backbones", "pretrained network", "pretrained"),
    ),
    Word("head", "classifier", "The small part behind the eye: it decides which kind a photo is of.", known=True),
    Word("teach the head", "phase 1", "The head learns; the eye stays frozen, as it is."),
    Word(
        "let the eye adapt",
        "fine-tune",
        "The top layers of the eye learn a little too, so that they see what matters in your photos.",
        ("fine-tuning", "fine-tuned", "phase 2"),
    ),
    Word("free to adapt", "unfrozen", "Layers that learn too; the others stay frozen, as they are.", ("unfreeze",)),
    Word("score", "accuracy", "The share of the exam photos that the model gets right.", known=True),
    Word(
        "error",
        "loss",
        "How far the answers are from right; it falls while the model learns.",
        ("losses", "cross-entropy"),
    ),
    Word(
        "error on the exam photos",
        "val_loss",
        "Where it rises again, photos are being learnt by heart.",
        ("validation loss",),
    ),
    Word(
        "size of the steps",
        "learning rate",
        "How much is changed at once while it learns: small steps are slow, large ones forget.",
        ("learning rates",),
    ),
    Word(
        "photos at a time",
        "batch size",
        "How many photos are looked at before anything is changed.",
        ("batch", "batches"),
    ),
    Word(
        "rounds without gain",
        "patience",
        "After so many rounds that bring nothing better, the learning ends by itself (early stopping).",
        ("early stopping",),
    ),
    Word(
        "varied photos",
        "augmentation",
        "Each photo is also learnt from mirrored, turned or cropped, as other photos might show it.",
    ),
    Word("random forgetting", "dropout", "Part of the head is left out at times, so that it does not learn by heart."),
    Word("equal weight for each kind", "class weights", "Kinds with few photos count as much as those with many."),
    Word("start number", "seed", "The same number gives the same division of the photos and the same result."),
    Word("shares of all kinds", "softmax", "How sure the model is of each kind; all together are 100%.", ("sigmoid",)),
    Word("raw answers", "logits", "The model's answers before they become shares.", ("logit",)),
    Word(
        "correction of how sure it is",
        "temperature",
        "One number that makes a model say 80% where it is right 80 times of 100.",
        ("softmax temperature", "calibration", "calibrated"),
    ),
    Word(
        "least sureness for an answer",
        "threshold",
        "If it is less sure, the model says “I don't know”.",
    ),
    Word(
        "mix-up table",
        "confusion matrix",
        "How many photos of each kind are taken for which.",
    ),
    Word("how many it finds", "recall", "Of all photos of a kind, the share that the model names so.", ("ROC",)),
    Word(
        "how often its word is right",
        "precision",
        "Of all photos that the model names so, the share that is of that kind.",
        ("F1",),
    ),
    Word(
        "more than chance does",
        "significance",
        "Tests say whether a difference might as well be luck.",
        ("McNemar", "McNemar's test", "bootstrap", "95% interval", "standard error", "p-value"),
    ),
    Word("where it looks", "Grad-CAM", "A heat map of the places that speak most for the answer."),
    Word(
        "map of look-alikes",
        "t-SNE",
        "Photos that the eye finds alike lie side by side.",
        ("PCA", "principal components", "embedding", "perplexity"),
    ),
    Word("impressions", "features", "What the eye notes of a photo, as numbers.", ("feature",)),
    Word(
        "running averages",
        "BatchNormalization",
        "Averages that layers of the eye keep from their first schooling; they stay as they are.",
        ("batch norm",),
    ),
    Word("numbers in the network", "parameters", "What learning changes; more of them see more and take longer."),
    Word("look-alikes", "near-duplicates", "Photos of nearly the same scene, such as two of one second."),
    Word(
        "well-known contest",
        "ImageNet",
        "1.3 million photos of 1,000 kinds, on which networks are compared.",
        ("top-1",),
    ),
    Word("division into parts", "folds", "Each part is the exam once, while the others are learnt from.", ("fold",)),
)


def teach(term: str) -> str:
    """Return the plain word with the term beside it, as in "rounds (epochs)".

    Raises KeyError where the list does not have the term, which a test would find.
    """
    word = _by_term()[term]
    return f"{word.plain} ({term})"


def list_alone(text: str) -> list[str]:
    """Return the terms that stand alone in what a page says: neither known to anyone nor in brackets beside a word."""
    return find_alone().findall(PARENTHESES.sub("", text))


def plainly(text: str) -> str:
    """Return a message in which every term that stands alone has its plain word before it: "exam photos (validation
    images)". Classes are kinds and nothing else; what stands in brackets or quotes stays as it is."""
    kept = SPARED.split(text)
    spared = [*SPARED.findall(text), ""]
    return "".join(find_alone().sub(_beside, piece) + same for piece, same in zip(kept, spared, strict=True))


def kinds(text: str) -> str:
    """Return Thaw's own words about classes with kinds in their place."""
    return CLASS.sub(lambda word: KIND[word[0]], text)


def _beside(found: re.Match[str]) -> str:
    said = found[0]
    if said in KIND:
        return KIND[said]
    word = _by_form()[said.casefold()]
    plain = word.plain[:1].upper() + word.plain[1:] if said[0].isupper() and word.term[0].islower() else word.plain
    return f"{plain} ({said[:1].lower() + said[1:] if plain != word.plain else said})"


@cache
def find_alone() -> re.Pattern[str]:
    """Return the pattern of all terms that may not stand alone on a page that is no expert's."""
    terms = [term for word in WORDS if not word.known for term in (word.term, *word.forms)]
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-])", re.IGNORECASE)


def as_list() -> str:
    """Return the words as a Markdown list, each with its term and what that is."""
    return "\n".join(f"- **{word.plain}** ({word.term}): {word.meaning}" for word in WORDS)


def in_markdown() -> str:
    """Return the rows of the list as a Markdown table's."""
    return "".join(f"| **{word.plain}** | {', '.join((word.term, *word.forms))} | {word.meaning} |\n" for word in WORDS)


def as_document() -> str:
    """Return docs/words.md."""
    return HEADING + in_markdown()


@cache
def _by_form() -> dict[str, Word]:
    return {term.casefold(): word for word in WORDS for term in (word.term, *word.forms)}


@cache
def _by_term() -> dict[str, Word]:
    return {term: word for word in WORDS for term in (word.term, *word.forms)}
