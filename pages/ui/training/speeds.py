"""The measured speed of the backbones on the Backbone page: the button, the wait, and the chart."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.components.figure.figure import figure
from pages.ui.figures.speed_figure import Point, accuracy_against_speed
from pages.ui.page.live import POLL_S
from pages.ui.words.names import sentence
from thaw.backbones import device_report
from thaw.backbones.speeds import BATCH, Measuring, read_measuring, read_speeds, start_measuring
from thaw.storage.workspace import Workspace
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import is_local

ALL = "Also those not downloaded yet"


def known(workspace: Workspace) -> tuple[str, dict[str, float]]:
    """Return the device and its milliseconds an image by backbone: the present device's, else those measured last."""
    speeds = read_speeds(workspace)
    report = device_report.read_report(workspace)
    present = f"{report.device}: {report.name}" if report else ""
    device = present if present in speeds else next(reversed(speeds), "")
    return device, {name: value for name, value in speeds.get(device, {}).items() if name in BACKBONES}


def draw_measuring(workspace: Workspace) -> None:
    """Draw the button that measures, or how far a measurement has come, and what went wrong with the last one."""
    measuring = read_measuring(workspace)
    if measuring and measuring.active:
        _follow(workspace)
        return
    if measuring and not measuring.finished:
        st.warning("The last measurement ended before it had finished.", icon=":material/warning:")
    elif measuring and measuring.error:
        st.error(sentence(measuring.error), icon=":material/error:")
    _draw_start(workspace)


def draw_speeds(workspace: Workspace, chosen: Backbone) -> None:
    """Draw accuracy against speed as measured here, once anything has been measured."""
    device, speeds = known(workspace)
    if speeds:
        st.header("How fast on this machine", anchor=False)
        _draw_chart(device, speeds, chosen)


def _draw_chart(device: str, speeds: dict[str, float], chosen: Backbone) -> None:
    points = [
        Point(BACKBONES[name].title, value, BACKBONES[name].imagenet_top1, name == chosen.name)
        for name, value in speeds.items()
    ]
    figure(
        accuracy_against_speed(points),
        key="speed figure",
        name="accuracy-against-speed",
        alt=expert.either("How often each measured eye (backbone) is right", "ImageNet accuracy")
        + " against milliseconds an image: "
        + "; ".join(f"{point.title} {point.accuracy:.1f}% at {point.milliseconds:.1f} ms" for point in points),
    )
    # A processor's name may hold marks such as (R) and @, which Markdown would read.
    how = expert.either("", f", in batches of {BATCH} at the backbone's own size")
    st.caption(sentence(f"Measured on the {device}: one image{how}."))


def _draw_start(workspace: Workspace) -> None:
    # Beside the button, though asked before it is drawn.
    with st.container(horizontal=True, vertical_alignment="center"):
        place = st.container(width="content")
        everything = st.checkbox(
            ALL,
            key="measure all",
            help=expert.either(
                "Nothing is downloaded for it.",
                "The arithmetic is the same whatever the weights are, so random ones do and nothing is downloaded.",
            ),
        )
    rows = [name for name, row in BACKBONES.items() if everything or is_local(row)]
    if place.button("Measure on this machine", icon=":material/speed:", disabled=not rows):
        start_measuring(workspace, rows)
        st.rerun()
    st.caption(
        f"How fast each is: about ten seconds for each of {len(rows)} {expert.either('eyes', 'backbones')}; "
        "the largest take longer on a machine "
        "without a GPU. Wait until no run is working."
    )


def _follow(workspace: Workspace) -> None:
    @st.fragment(run_every=POLL_S)
    def panel() -> None:
        present = read_measuring(workspace)
        if present is None or not present.active:
            st.rerun()
        else:
            _draw_progress(present)

    panel()


def _draw_progress(measuring: Measuring) -> None:
    title = BACKBONES[measuring.row].title if measuring.row in BACKBONES else measuring.row
    st.progress(measuring.done / measuring.total, text=f"Measuring {title} ({measuring.done + 1} of {measuring.total})")
