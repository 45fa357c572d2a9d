"""The word list: each term has one plain word, and the document says what the pages say."""

from pathlib import Path

import pytest

from pages.ui.words import glossary

DOCUMENT = Path(__file__).parents[4] / "docs" / "words.md"


def test_the_document_is_the_table_of_the_pages():
    assert DOCUMENT.read_text(encoding="utf-8") == glossary.as_document(), "Write it anew: python docs/draw_words.py"


def test_no_term_and_no_plain_word_stands_for_two_things():
    terms = [term.casefold() for word in glossary.WORDS for term in (word.term, *word.forms)]
    plain = [word.plain for word in glossary.WORDS]
    assert sorted(set(terms)) == sorted(terms)
    assert sorted(set(plain)) == sorted(plain)
    assert not set(plain) & set(terms)


def test_no_plain_word_and_no_meaning_needs_another_term():
    alone = glossary.find_alone()
    assert [word.term for word in glossary.WORDS if alone.search(word.plain)] == []
    assert [word.term for word in glossary.WORDS if alone.search(glossary.PARENTHESES.sub("", word.meaning))] == []


def test_the_term_stands_beside_the_plain_word():
    assert glossary.teach("epochs") == "rounds (epochs)"
    assert glossary.teach("backbone") == "ready-made eye (backbone)"
    with pytest.raises(KeyError):
        glossary.teach("gradient descent")


@pytest.mark.parametrize(
    "said", ["val_loss 0.3", "After phase 1.", "8 epochs", "an epoch", "McNemar's test", "Arranged by t-SNE", "Epochs"]
)
def test_a_term_that_stands_alone_is_found(said):
    assert glossary.list_alone(said)


@pytest.mark.parametrize(
    "said",
    [
        "8 rounds (epochs)",
        "your ready-made eye (backbone)",
        "the error (loss, val_loss) rose",
        "a losing streak",
        "Keep",
    ],
)
def test_a_term_beside_its_word_is_none_that_stands_alone(said):
    assert glossary.list_alone(said) == []
