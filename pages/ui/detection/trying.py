"""Pictures from anywhere, and what a detector finds on them: boxes, counts, and all as a table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.runs.tried_pictures import Picture, ask_pictures
from pages.ui.words import amounts
from pages.ui.words.names import csv, emphasised, literal, sentence, visible
from thaw.datasets.run_split import read_labels
from thaw.detection.pictures import Mark, Standing, burn_boxes
from thaw.prediction.client import Sighting, predictor
from thaw.storage.records import Run
from thaw.storage.store import Store

BATCH = 8
COLUMNS = 2
SHOWN = 8
BOX_COLUMNS = ("file", "label", "confidence", "x", "y", "width", "height")


@dataclass(frozen=True)
class Searched:
    """A picture and what was found on it."""

    picture: Picture
    seen: Sighting


def draw(store: Store, run: Run, confidence: float) -> None:
    """Draw the place to drop pictures on, what is counted on each of them, and the downloads."""
    pictures = ask_pictures(f"find {run.id}")
    if not pictures:
        return
    labels = read_labels(store, run)
    searched = search(store, run, pictures)
    read = [each for each in searched if each.seen.found is not None]
    total = Counter[str]()
    for each in read:
        total.update(count(each.seen, labels, confidence))
    told = ", ".join(f"{emphasised(label)} {number:,}" for label, number in total.most_common())
    st.markdown(f"On {amounts.count(len(read), 'picture')}: {told or 'nothing that it is sure of'}.")
    refused = [each for each in searched if each.seen.found is None]
    if refused:
        lines = [f"- {literal(each.picture.name)}: {sentence(each.seen.rejected or '')}" for each in refused]
        st.warning("\n".join(lines), icon=":material/image_not_supported:")
    for start in range(0, min(SHOWN, len(read)), COLUMNS):
        for column, each in zip(st.columns(COLUMNS), read[start : start + COLUMNS], strict=False):
            draw_picture(column, each, labels, confidence)
    if len(read) > SHOWN:
        st.caption(f"The first {SHOWN} are shown; all {len(read):,} are in the tables.")
    draw_downloads(run, labels, read, confidence)


def search(store: Store, run: Run, pictures: Sequence[Picture]) -> list[Searched]:
    """Return what is found on each picture, asked about once; show progress while there are some to be asked about."""
    said: dict[str, Sighting] = st.session_state.setdefault(f"found of {run.id} {run.result_phase}", {})
    fresh = [picture for picture in pictures if picture.id not in said]
    if fresh:
        first = " · the model is loaded first, which may take some seconds"
        bar = st.progress(0.0, text=f"Looking at {amounts.count(len(fresh), 'picture')}{first}")
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            seen = predictor(store.workspace).find(run.id, [picture.content for picture in batch])
            said |= dict(zip((picture.id for picture in batch), seen, strict=True))
            done = start + len(batch)
            bar.progress(done / len(fresh), text=f"Looked at {done:,} of {amounts.count(len(fresh), 'picture')}")
        bar.empty()
    return [Searched(picture, said[picture.id]) for picture in pictures]


def count(seen: Sighting, labels: Sequence[str], confidence: float) -> Counter[str]:
    """Count what was found on a picture with at least this confidence, by kind."""
    assert seen.found is not None
    return Counter(labels[kind] for kind in seen.found.above(confidence).kinds.tolist())


def draw_picture(place: DeltaGenerator, each: Searched, labels: Sequence[str], confidence: float) -> None:
    """Draw one picture with its boxes, and its counts below."""
    assert each.seen.found is not None
    found = each.seen.found.above(confidence)
    marks = [
        Mark(edges, f"{labels[kind]} {score:.0%}", Standing.FOUND)
        for edges, score, kind in zip(found.edges, found.scores, found.kinds, strict=True)
    ]
    counted = count(each.seen, labels, confidence)
    told = ", ".join(f"{label} {number}" for label, number in counted.most_common()) or "nothing found"
    alt = f"{visible(each.picture.name)}: {visible(told)}"
    place.image(burn_boxes(each.picture.content, marks), width="stretch", alt=alt)
    place.caption(f"{literal(each.picture.name)}: {literal(told)}")


def draw_downloads(run: Run, labels: Sequence[str], read: Sequence[Searched], confidence: float) -> None:
    """Draw the downloads of all counts and of all boxes."""
    counts = [
        {"file": each.picture.name, **{label: count(each.seen, labels, confidence)[label] for label in labels}}
        for each in read
    ]
    boxes = [row for each in read for row in list_boxes(each, labels, confidence)]
    with st.container(horizontal=True):
        for words, rows, columns, name in (
            ("Counts as CSV", counts, ("file", *labels), "counts"),
            ("Boxes as CSV", boxes, BOX_COLUMNS, "boxes"),
        ):
            st.download_button(
                words,
                csv(rows, columns),
                file_name=f"{run.id}-{name}.csv",
                mime="text/csv",
                icon=":material/download:",
                on_click="ignore",
            )


def list_boxes(each: Searched, labels: Sequence[str], confidence: float) -> list[dict[str, object]]:
    """Return a row of `BOX_COLUMNS` for each box: pixels of the upright picture."""
    assert each.seen.found is not None
    found, rows = each.seen.found.above(confidence), []
    for edges, score, kind in zip(found.edges, found.scores, found.kinds, strict=True):
        left, top, right, bottom = (
            float(edge) * side for edge, side in zip(edges, (each.seen.width, each.seen.height) * 2, strict=True)
        )
        sides = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        told = {"file": visible(each.picture.name), "label": labels[kind], "confidence": round(float(score), 4)}
        rows.append({**told, **{name: round(value, 1) for name, value in sides.items()}})
    return rows
