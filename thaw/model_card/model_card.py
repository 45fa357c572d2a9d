"""The model card of a run (Mitchell et al., "Model Cards for Model Reporting", 2019), written from its figures."""

from pathlib import Path

from thaw.model_card.card import fill_card
from thaw.model_card.render import write_html, write_markdown
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.errors import SettingsError
from tlcore.files import write_atomically

MARKDOWN_FILE, HTML_FILE = "model_card.md", "model_card.html"
BESIDE = "model_card_"
INTENDED_USE = "intended_use"
MOST_LETTERS = 5000


def write_model_card(store: Store, run: Run, folder: Path, pictures: bool = True) -> list[Path]:
    """Write the model card of a run's result into `folder`; return its files: Markdown, HTML, and the drawings and
    photos that the Markdown shows (the HTML holds its own).

    With `pictures` it holds small copies of photos, those that the model gets most wrong. Raises RunError while the run
    has no model.
    """
    files = render_model_card(store, run, pictures)
    for name, content in files.items():
        write_atomically(folder / name, content)
    return [folder / name for name in files]


def render_model_card(store: Store, run: Run, pictures: bool = True) -> dict[str, bytes]:
    """Return the files of `write_model_card` by their names."""
    card = fill_card(store, run, pictures)
    markdown, beside = write_markdown(card, BESIDE)
    return {MARKDOWN_FILE: markdown.encode(), HTML_FILE: write_html(card).encode(), **beside}


def keep_intended_use(store: Store, run_id: str, text: str) -> None:
    """Keep what a person says of a model's intended use with its run; nothing but blanks takes it away."""
    if len(text) > MOST_LETTERS:
        raise SettingsError(
            f"Expected at most {MOST_LETTERS:,} letters on the intended use. Received: {len(text):,}. Shorten it."
        )
    store.add_facts(run_id, {INTENDED_USE: text.strip()})
