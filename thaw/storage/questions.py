"""What an import asks the person where photos can be understood in several ways: one sentence, a few answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tlcore.errors import SettingsError


@dataclass(frozen=True)
class Option:
    """One answer: `key` is its short name for programs, `label` its words, `preview` shows what would come of it."""

    key: str
    label: str
    preview: str = ""


@dataclass(frozen=True)
class Question:
    """A choice between `options`; `key` names it, such as "levels"; `default` is the key of the advised option, or ""
    where none can be advised."""

    key: str
    text: str
    options: tuple[Option, ...]
    default: str

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Question":
        """Read what `asdict` made of a question."""
        options = tuple(Option(**option) for option in value["options"])
        return cls(value["key"], value["text"], options, value["default"])

    @property
    def answers(self) -> list[str]:
        """Return the keys of the options."""
        return [option.key for option in self.options]

    def tell_default(self) -> str:
        """Put into words what is asked, what is taken without an answer, and how to answer beforehand."""
        labels = {option.key: option.label for option in self.options}
        others = ", ".join(f"{self.key}={key} ({label})" for key, label in labels.items() if key != self.default)
        return f"{self.text} Taken: {labels[self.default]} ({self.key}={self.default}). Else --answer {others}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


Ask = Callable[[Question], str]
"""Called with a question; returns the key of the option that was chosen."""


def take_default(question: Question) -> str:
    """Choose what is advised, where there is nobody to ask; raise SettingsError where nothing is."""
    if not question.default:
        options = " or ".join(f"{question.key}={option.key} ({option.label})" for option in question.options)
        raise SettingsError(
            f"Expected an answer to a question that nobody but you can answer. Received: none. {question.text} Answer "
            f"beforehand with --answer {options}."
        )
    return question.default


def require_answer(question: Question, answer: str) -> str:
    """Return an answer that was given beforehand; raise SettingsError where it is none of the question's options."""
    if answer not in question.answers:
        raise SettingsError(
            f"Expected one of {', '.join(question.answers)} as the answer {question.key!r}. Received: {answer!r}. "
            f"The question is: {question.text}"
        )
    return answer


def read_answers(given: Sequence[str]) -> dict[str, str]:
    """Return the answers by their question's key from texts like "levels=outer"; raise SettingsError for others."""
    answers = {}
    for text in given:
        key, mark, option = text.partition("=")
        if not (key and mark and option):
            raise SettingsError(f"Expected an answer like levels=outer. Received: {text!r}.")
        answers[key] = option
    return answers
