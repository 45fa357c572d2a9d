"""An export on the page: what was proven of each file, what it costs, and the downloads."""

from collections.abc import Sequence

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.figures.export_figure import Cost, size_against_latency
from pages.ui.server.export_route import export_url
from pages.ui.words import amounts
from pages.ui.words.names import csv, sentence
from thaw.exporting.guide import show_program, show_signature
from thaw.storage.export_record import Export
from tlcore.exporting.formats import FLOAT_TOLERANCE, FORMATS, LARGEST_SHIFT_PX
from tlcore.exporting.model_files import ModelFile
from tlcore.exporting.verify_file import BATCH
from tlcore.settings import Task

VERDICTS = {"passed": "proven", "warned": "with care", "refused": "refused"}
COLUMNS = (
    "format",
    "verdict",
    "reason",
    "set",
    "images",
    "disagreements",
    "largest_difference",
    "largest_shift_px",
    "accuracy",
    "accuracy_change",
    "bytes",
    "latency_ms",
    "batch_ms",
    "batch",
    "runtime",
    "sha256",
)
NOTHING = "–"


def draw(export: Export, stale: str | None) -> None:
    """Draw an export; `stale` says why it is no longer what the run would give, if so."""
    if stale:
        st.warning(f"{sentence(stale)}: the files below are of before. Export again.", icon=":material/history:")
    draw_verdict(export)
    if expert.is_on():
        draw_table(export)
        draw_costs(export)
    st.header("Files and how to use them", anchor=False)
    for made in sorted(export.offered, key=lambda each: not FORMATS[each.name].fetched):
        draw_file(export, made)
    if not expert.is_on():
        return
    with st.expander("What goes in and comes out (signature)"):
        others = "ONNX has the same without the text; Keras and LiteRT give a box and scores for every place."
        if export.task == "classify":
            others = "the other formats have the same without the text."
        st.caption(f"As TensorFlow's own `saved_model_cli` prints it; {others}")
        st.code(show_signature(export.signature), language="text")


def draw_verdict(export: Export) -> None:
    """Say how many files were proven, why others were not, and draw the download of all."""
    passed = sum(made.verdict == "passed" for made in export.formats)
    st.markdown(
        f"**{passed} of {amounts.count(len(export.formats), 'file')}** answered as this model does when opened by a "
        f"fresh program ({amounts.moment(export.created_at)}, {amounts.duration(export.seconds)})."
    )
    for made in export.formats:
        words = f"**{FORMATS[made.name].title}**: {sentence(made.reason)}."
        if made.verdict == "warned":
            st.warning(f"{words} Try it on your own photos before you rely on it.", icon=":material/warning:")
        elif made.verdict == "refused":
            st.error(f"{words} It is not offered.", icon=":material/block:")
    if export.offered:
        total = sum(made.bytes or 0 for made in export.offered)
        st.link_button(
            f"Download all as one zip ({amounts.size(total)})",
            export_url(export),
            icon=":material/folder_zip:",
            type="primary",
        )


def draw_table(export: Export) -> None:
    """Draw what was measured of every file, and its download."""
    st.dataframe(
        [_row(made, export.task) for made in export.formats],
        hide_index=True,
        alt="Verdict, agreement, accuracy, size and speed of each exported file",
    )
    st.caption(
        f"Compared with {sentence(export.reference)}. Times are medians on {sentence(export.device)}, from pixels to "
        f"answer; a batch is {BATCH} images."
    )
    st.download_button(
        "Table as CSV",
        csv([row for made in export.formats for row in _records(made)], COLUMNS),
        file_name=f"{export.run}-export.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


def draw_costs(export: Export) -> None:
    """Draw size against speed."""
    costs = [
        Cost(FORMATS[made.name].title, made.proof.latency_ms, made.bytes / 1e6, made.verdict == "passed")
        for made in export.offered
        if made.proof and made.bytes
    ]
    if len(costs) > 1:
        figure(
            size_against_latency(costs),
            key=f"costs {export.run}",
            name=f"{export.run}-export",
            alt="; ".join(f"{cost.title}: {cost.milliseconds:.1f} ms, {cost.megabytes:.1f} MB" for cost in costs),
        )


def draw_file(export: Export, made: ModelFile) -> None:
    """Draw one file that may be used: its download, its checksum, a program that uses it."""
    row = FORMATS[made.name]
    with st.expander(f"{row.title}: `{made.file}`"):
        st.markdown(row.use)
        st.link_button(
            f"Download ({amounts.size(made.bytes)})", export_url(export, made.name), icon=":material/download:"
        )
        st.caption("SHA-256" if "." in made.file else "SHA-256 of its lines in `SHA256SUMS`")
        st.code(made.sha256 or NOTHING, language=None, wrap_lines=True)
        if row.fetched:
            st.caption(
                "Unpack it and open `index.html` by a double click; `README.md` tells how to put it on a website."
            )
            return
        beside = "`labels.json` and `read_photo.py`" if export.task == "classify" else "`find_objects.py`"
        st.caption(f"In Python, beside {beside} of the zip (`pip install {row.package} pillow`)")
        st.code(show_program(export, made), language="python")


def _row(made: ModelFile, task: Task) -> dict[str, str]:
    """Return a row of the table: over all sets for agreement, on the validation photos for accuracy."""
    same, accuracy = ("same class", "accuracy") if task == "classify" else ("same objects", "AP50")
    row = {"format": FORMATS[made.name].title, "verdict": VERDICTS[made.verdict]}
    if made.proof is None:
        columns = (same, "largest difference", accuracy, "change", "size", "one image", "batch")
        return row | dict.fromkeys(columns, NOTHING)
    judged = made.proof.judged
    images, other = sum(each.images for each in judged), sum(each.disagreements for each in judged)
    shifts = [each.largest_shift_px for each in judged if each.largest_shift_px is not None]
    return row | {
        same: amounts.percent(1 - other / images),
        "largest difference": _difference(max(each.largest_difference for each in judged)) + _shift(shifts),
        accuracy: amounts.percent(judged[0].accuracy),
        "change": f"{100 * judged[0].accuracy_change:+.1f} points",
        "size": amounts.size(made.bytes),
        "one image": f"{made.proof.latency_ms:.1f} ms",
        "batch": f"{made.proof.batch_ms:.0f} ms",
    }


def _shift(shifts: Sequence[float]) -> str:
    """Say how far edges of boxes are off at most, where there are any."""
    if not shifts:
        return ""
    largest = max(shifts)
    return f", edges {largest:.2f} px" if largest > LARGEST_SHIFT_PX else f", edges within {LARGEST_SHIFT_PX:g} px"


def _or_empty(value: float | None) -> float | str:
    return "" if value is None else value


def _difference(largest: float) -> str:
    return f"{largest:.3f}" if largest > FLOAT_TOLERANCE else f"within {FLOAT_TOLERANCE:g}"


def _records(made: ModelFile) -> list[dict[str, object]]:
    """Return the rows of the CSV, one for each set of photos."""
    row: dict[str, object] = dict.fromkeys(COLUMNS, "")
    row |= {"format": made.name, "verdict": made.verdict, "reason": made.reason}
    row |= {"bytes": made.bytes or "", "sha256": made.sha256 or ""}
    if made.proof is None:
        return [row]
    proof = made.proof
    row |= {name: getattr(proof, name) for name in ("latency_ms", "batch_ms", "batch", "runtime")}
    return [
        row
        | {"set": each.side}
        | {name: getattr(each, name) for name in ("images", "disagreements", "largest_difference", "accuracy")}
        | {"accuracy_change": each.accuracy_change, "largest_shift_px": _or_empty(each.largest_shift_px)}
        for each in proof.judged
    ]
