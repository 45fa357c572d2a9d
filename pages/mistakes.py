"""The Mistakes page: the images that the model gets wrong, surest errors first, what is taken for what, and fixes."""

from functools import partial

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.lazy_cards import CardListing
from pages.ui.components.pictures import Card
from pages.ui.data import findings
from pages.ui.evaluation import accuracy, confusion_panel
from pages.ui.mistakes import close_up, fixing, pager
from pages.ui.mistakes.fixing import Fixes
from pages.ui.page import live, prediction_cache, selection, steps
from pages.ui.words import amounts
from pages.ui.words.names import csv, emphasised, sentence, visible
from pages.ui.words.options import distinct
from thaw.runs.gallery import GalleryCard, draw_gallery
from thaw.storage.records import Dataset, Job, Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.evaluation import predictions as evaluation
from tlcore.evaluation.metrics import most_confused
from tlcore.evaluation.predictions import VALIDATION, Predictions

MOST_IN_GALLERY = 200
MOST_PAIRS = 5
OTHERS = "Choose other classes."
ANY = "any class"
WORST, UNCERTAIN, DOUBTED = LISTS = ("Worst mistakes first", "Most uncertain", "Likely label errors")
PLAIN_ABOUT = {
    WORST: "The surest mistakes first.",
    UNCERTAIN: "Right and wrong ones alike, those first between whose two likeliest kinds the model hardly decides. "
    "Photos like these teach the most, so it pays to check their kinds and to add more of them.",
}
ABOUT = {
    WORST: "Largest gap first: p(predicted) minus p(true), the confidence gap.",
    UNCERTAIN: "Right and wrong ones alike, by how little lies between the two likeliest classes (the margin), the "
    "least first. Photos like these teach the most, so it pays to check their classes and to add more of their kind.",
}
NOUNS = {VALIDATION: "validation image", "later": "later image", "holdout": "holdout image"}
PLAIN_NOUNS = {VALIDATION: "exam photo", "later": "newest photo", "holdout": "extra exam photo"}
COLUMNS = ("image", "true", "predicted", "confidence", "true_confidence", "confidence_gap")


def name_photo(side: str) -> str:
    """Return what a photo of a set that judges the model is called."""
    return expert.either(PLAIN_NOUNS[side], NOUNS[side])


def list_rows(predictions: Predictions, listed: str, true: str | None, predicted: str | None) -> list[int]:
    """List what the filters leave; where both filters name one class, the images of it that the model gets right."""
    if listed == UNCERTAIN:
        return evaluation.list_uncertain(predictions, true, predicted)
    if true is not None and true == predicted:
        return evaluation.list_right(predictions, true)
    return evaluation.list_worst(predictions, true, predicted)


def ask_list(run: Run) -> str:
    """Draw the choice of what is listed and in which order."""
    return st.segmented_control("List", LISTS, default=WORST, required=True, key=_keys(run)["list"])


def open_cell(run: Run, true: str, predicted: str) -> None:
    """Show the photos of one class that are taken for another, and have the browser go to them."""
    keys = _keys(run)
    st.session_state[keys["true"]], st.session_state[keys["predicted"]] = true, predicted
    listed = st.session_state.get(keys["list"])
    if listed == DOUBTED or (true != predicted and listed == UNCERTAIN):
        st.session_state[keys["list"]] = WORST
    st.session_state[keys["reveal"]] = st.session_state.get(keys["reveal"], 0) + 1


def show_all(run: Run) -> None:
    """Show the photos of all classes again."""
    keys = _keys(run)
    st.session_state[keys["true"]] = st.session_state[keys["predicted"]] = None


def draw_pairs(run: Run, predictions: Predictions) -> None:
    """Draw the classes that are mixed up most often, ranked; a click shows their photos."""
    pairs = most_confused(predictions.true, predictions.predicted, MOST_PAIRS)
    if not pairs:
        return
    labels = predictions.labels
    st.header("Mixed up most often", anchor=False)
    with st.container(gap=None):
        for pair in pairs:
            true, predicted = labels[pair.true], labels[pair.predicted]
            times = "once" if pair.images == 1 else f"{pair.images:,} times"
            st.button(
                f"{emphasised(true)} taken for {emphasised(predicted)}: {times}",
                type="tertiary",
                key=f"pair {run.id} {pair.true} {pair.predicted}",
                on_click=open_cell,
                args=(run, true, predicted),
            )


def draw_confusion(run: Run, predictions: Predictions) -> None:
    """Draw what is taken for what in a drawer, once that is open; a click sets both filters."""
    drawer = st.expander(
        "Everything that is taken for something else: the "
        + expert.either("mix-up table (confusion matrix)", "confusion matrix"),
        icon=":material/grid_on:",
        key=f"confusion drawer of {run.id}",
        on_change="rerun",
    )
    if drawer.open:
        keys = _keys(run)
        shown = st.session_state.get(keys["true"]), st.session_state.get(keys["predicted"])
        with drawer:
            confusion_panel.draw(run, predictions, partial(open_cell, run), shown)


def ask_shown(run: Run, labels: list[str]) -> tuple[str, str | None, str | None]:
    """Draw, folded, the choice of what is listed and of the classes; return both, None standing for any class."""
    title = expert.kinds("Other photos: the uncertain, the doubtful, those of one class")
    with st.expander(title, icon=":material/filter_list:"):
        listed = ask_list(run)
        # A list of the whole data set, in which every class is meant.
        true, predicted = (None, None) if listed == DOUBTED else ask_filters(run, labels)
        about = PLAIN_ABOUT if not expert.is_on() else ABOUT
        if listed in about:
            st.caption(about[listed])
    return listed, true, predicted


def ask_filters(run: Run, labels: list[str]) -> tuple[str | None, str | None]:
    """Draw the filters by class and return them; None stands for any class."""
    left, right = st.columns(2)
    names = distinct([None, *labels], lambda each: expert.kinds(ANY) if each is None else visible(each), ascii)
    true = left.selectbox(
        expert.kinds("True class"),
        [None, *labels],
        format_func=names,
        key=_keys(run)["true"],
    )
    predicted = right.selectbox(
        expert.kinds("Predicted class"),
        [None, *labels],
        format_func=names,
        key=_keys(run)["predicted"],
    )
    return true, predicted


def draw_label_errors(store: Store, dataset: Dataset) -> None:
    """Draw the pictures that are perhaps in the wrong class, the surest first, with what can be done about them."""
    check = store.latest_check(dataset.id)
    if check is None or check.facts.label_errors is None:
        st.info(
            "Not looked for yet: it takes a measurement in which every photo is judged by a model that has not seen "
            f"it. It is on the Data page, under {expert.either('Look-alikes (near-duplicates)', 'Near-duplicates')}; "
            "the result is listed there under Health, and here.",
            icon=":material/label_off:",
        )
        steps.onward("data", "Measure it on the Data page")
        return
    finding = findings.mislabelled(store, dataset)
    if findings.count(store, dataset) is None:
        st.caption("They are shown here once all photos have been looked through.")
    elif finding is None:
        st.success(
            expert.kinds("No picture is left whose class the latest measurement doubts."),
            icon=":material/check_circle:",
        )
    else:
        st.markdown(f"**{sentence(expert.said(finding.title))}**, among all photos of the data set, the surest first.")
        findings.draw_finding(store, dataset, finding)
    if check.version != dataset.version:
        st.caption("The data set has changed since it was measured. Measure again to look at what is new.")


def draw_downloads(store: Store, run: Run, cards: CardListing) -> None:
    """Draw the downloads of what is shown: a picture with the labels burned in, and a table."""
    with st.container(horizontal=True):
        st.download_button(
            "Gallery as PNG",
            lambda: _gallery(store, run, cards[:MOST_IN_GALLERY]),
            file_name=f"{run.id}-mistakes.png",
            mime="image/png",
            icon=":material/image:",
            on_click="ignore",
        )
        st.download_button(
            "Table as CSV",
            lambda: csv([_row(card) for card in cards], COLUMNS),
            file_name=f"{run.id}-mistakes.csv",
            mime="text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
    if len(cards) > MOST_IN_GALLERY:
        st.caption(f"The PNG holds the first {MOST_IN_GALLERY} of {len(cards):,}; the CSV holds all.")


def _keys(run: Run) -> dict[str, str]:
    return {name: f"{name} of {run.id}" for name in ("list", "true", "predicted", "reveal")}


def _row(card: Card) -> dict[str, object]:
    return {
        "image": card.image.name,
        "true": card.true,
        "predicted": card.predicted,
        "confidence": round(card.confidence, 4),
        "true_confidence": round(card.true_confidence, 4),
        "confidence_gap": round(card.confidence - card.true_confidence, 4),
    }


def _gallery(store: Store, run: Run, cards: list[Card]) -> bytes:
    return draw_gallery(
        f"{store.dataset(run.dataset_id).name}: {amounts.count(len(cards), 'image')}",
        [
            GalleryCard(
                store.workspace.image(card.image.folder, card.image.id, card.image.suffix),
                card.true,
                card.predicted,
                f"{card.confidence:.0%} against {card.true_confidence:.0%}",
            )
            for card in cards
        ],
    )


def arrive(run: Run) -> None:
    """Choose what was clicked in the confusion matrix of another page, before anything here asks for it."""
    wanted = confusion_panel.take_wanted(run)
    if wanted:
        keys = _keys(run)
        st.session_state[accuracy.side_key(run)] = wanted["side"]
        st.session_state[keys["list"]] = WORST
        st.session_state[keys["true"]], st.session_state[keys["predicted"]] = wanted["true"], wanted["predicted"]


def draw_run(store: Store, run: Run) -> None:
    """Draw the whole page for a run that has a model."""
    arrive(run)
    side = accuracy.ask_side(store, run)
    predictions = prediction_cache.predictions(store, run, side=side)
    wrong = int((predictions.true != predictions.predicted).sum())
    words = accuracy.name_model(run)
    dataset = store.dataset(run.dataset_id)
    st.markdown(
        f"On {emphasised(dataset.name)} the {words} gets "
        f"**{amounts.percent(predictions.accuracy)}** of {amounts.count(len(predictions.images), name_photo(side))} "
        f"right and **{wrong:,}** wrong."
    )
    fixes = fixing.fixes_since(store, run)
    listed, true, predicted = ask_shown(run, predictions.labels)
    cards = CardListing(predictions, list_rows(predictions, listed, true, predicted))
    key = f"{run.id} {side} {listed} {true} {predicted}"
    if listed == DOUBTED:
        draw_label_errors(store, dataset)
    else:
        draw_cards(run, side, cards, fixes, listed, (true, predicted), key)
    draw_pairs(run, predictions)
    draw_confusion(run, predictions)
    if listed != DOUBTED and cards:
        fixing.draw_several(store, run, cards, fixes)
        draw_downloads(store, run, cards)
    # In a place that stays: what a fix adds here must not move what is above.
    with st.container():
        accuracy.draw_age(dataset, run)
    fixing.draw_fixes(store, run, fixes)
    if listed != DOUBTED:
        close_up.draw_overlay(store, run, side, cards, key)


def draw_cards(
    run: Run,
    side: str,
    cards: CardListing,
    fixes: Fixes,
    listed: str,
    classes: tuple[str | None, str | None],
    key: str,
) -> None:
    """Draw the gallery of the list, with the way back to all classes where it is of some."""
    true, predicted = classes
    right = listed == WORST and true is not None and true == predicted
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("These it gets right" if right else listed, anchor=False)
        if true is not None or predicted is not None:
            st.button("Show all", icon=":material/close:", type="tertiary", on_click=show_all, args=(run,))
    if not cards:
        st.info(
            f"No image here. {expert.kinds(OTHERS)}"
            if true or predicted
            else f"Not one mistake on the {name_photo(side)}s."
        )
        return
    if right:
        st.caption("The least sure first.")
    pager.draw(run, cards, fixes, key, st.session_state.get(_keys(run)["reveal"], 0))


def draw_waiting(store: Store, run: Run) -> None:
    """Draw how the training of a run without a model stands, or where to start it."""
    job = store.latest_job(run.id)
    if job is None or not job.active:
        if job:
            live.ending(job)
        steps.missing("head", "This run has no model yet.", "Go to step 3: teach the head")
        return

    def draw(present: Job) -> None:
        if present.active:
            live.progress(present, "images")
            live.pause(store, present)

    st.markdown("The head is in training, or waits its turn. Its mistakes appear here when it is done.")
    live.follow(store, job, draw)


steps.heading("mistakes")
kept = selection.store()
present_run = selection.run(kept)
if present_run is None:
    steps.missing("head", "Mistakes are made by a trained model.", "First teach the head (phase 1)")
else:
    try:
        draw_run(kept, present_run)
    except RunError:
        draw_waiting(kept, present_run)
