"""Pictures to try a model on: files and stills, in memory for as long as the page is open, and what the model says."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.ui.words import amounts
from thaw.prediction.answers import LIKELIEST, UNKNOWN, Verdict, judge
from thaw.prediction.client import Answer, predictor
from thaw.runs.decision import read_decision
from thaw.storage.records import Run
from thaw.storage.store import Store
from tlcore.images.pixels import MAX_FILE_BYTES

STILLS, CLOSEST = "stills", "picture looked at closely"
BATCH = 16
COLUMNS = ("file", "answer", *(f"{word}_{n}" for n in range(1, LIKELIEST + 1) for word in ("class", "share")), "reason")
FILES, FOLDER = "Pictures", "A folder"
MEBIBYTE = 1024**2
FIRST = " · the model is loaded first, which may take some seconds"


@dataclass(frozen=True)
class Picture:
    """A picture as it came: `id` is unique in the session, `name` the file's, `content` its bytes."""

    id: str
    name: str
    content: bytes


@dataclass(frozen=True)
class Tried:
    """A picture and what the model says of it; `notes` say what was changed to read it, `thumbnail` is a small JPEG."""

    picture: Picture
    verdict: Verdict
    notes: Sequence[str] = ()
    thumbnail: bytes | None = None


def ask_pictures(key: str) -> list[Picture]:
    """Draw the place to drop files on; return those that are there. `key` tells it from others."""
    kind = st.segmented_control("Choose", [FILES, FOLDER], default=FILES, required=True, key=f"kind of upload {key}")
    files = st.file_uploader(
        "A folder of pictures" if kind == FOLDER else "Drop pictures or a folder here, or choose pictures",
        accept_multiple_files="directory" if kind == FOLDER else True,
        max_upload_size=MAX_FILE_BYTES // MEBIBYTE + 1,
        key=f"upload of {kind} {key}",
    )
    st.caption("They stay in this machine's memory for as long as this page is open, and go into no data set.")
    return [Picture(file.file_id, file.name, file.getvalue()) for file in files]


def keep_still(content: bytes) -> None:
    """Keep a still of the webcam for as long as the page is open."""
    # An id of its own: answers are remembered by it, and the numbers begin again when the stills are forgotten.
    still = Picture(secrets.token_hex(8), f"still {len(stills()) + 1}.jpg", content)
    st.session_state[STILLS] = [*stills(), still]


def forget_stills() -> None:
    """Let go of all stills."""
    st.session_state.pop(STILLS, None)


def stills() -> list[Picture]:
    """Return the stills that are kept, the oldest first."""
    return st.session_state.get(STILLS, [])


def look_closer(picture_id: str | None) -> None:
    """Choose the one picture that is looked at closely; None for none."""
    st.session_state[CLOSEST] = picture_id


def closest() -> str | None:
    """Return the id of the picture that is looked at closely, if there is one."""
    return st.session_state.get(CLOSEST)


def try_pictures(store: Store, run: Run, pictures: Sequence[Picture]) -> list[Tried]:
    """Return what a run's model says of each picture, and show progress while it has to be asked.

    What it has said is kept through reruns, so that each picture is asked about once. Raises what
    `thaw.prediction.client.Predictor.classify` raises.
    """
    said: dict[str, Answer] = st.session_state.setdefault(f"answers of {run.id} {run.result_phase}", {})
    fresh = [picture for picture in pictures if picture.id not in said]
    if fresh:
        bar = st.progress(0.0, text=_tell(0, len(fresh)))
        for start in range(0, len(fresh), BATCH):
            batch = fresh[start : start + BATCH]
            told = predictor(store.workspace).classify(run.id, [picture.content for picture in batch], thumbnails=True)
            said |= dict(zip((picture.id for picture in batch), told, strict=True))
            bar.progress((start + len(batch)) / len(fresh), text=_tell(start + len(batch), len(fresh)))
        bar.empty()
    decision = read_decision(run)
    answers = [said[picture.id] for picture in pictures]
    return [
        Tried(picture, judge(answer, decision), answer.notes, answer.thumbnail)
        for picture, answer in zip(pictures, answers, strict=True)
    ]


def as_row(tried: Tried, labels: Sequence[str]) -> dict[str, object]:
    """Return a row of `COLUMNS` for a table; classes that the model lacks are empty, as are those of no picture."""
    likeliest = tried.verdict.likeliest(labels)
    row: dict[str, object] = dict.fromkeys(COLUMNS, "")
    row |= {"file": tried.picture.name, "reason": tried.verdict.reason or ""}
    for place, each in enumerate(likeliest, 1):
        row |= {f"class_{place}": each.label, f"share_{place}": round(each.share, 4)}
    if likeliest:
        row["answer"] = likeliest[0].label if tried.verdict.known else UNKNOWN
    return row


def _tell(done: int, total: int) -> str:
    return f"Looked at {done:,} of {amounts.count(total, 'picture')}" + (FIRST if not done else "")
