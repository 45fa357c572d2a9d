"""Whether a ready-made eye is of use for these pictures: the test of it, and the advice in words."""

import streamlit as st

from pages.ui.components.expert import expert
from pages.ui.data import leakage
from pages.ui.page import live, selection
from pages.ui.words import amounts
from pages.ui.words.names import capital
from thaw.datasets.start_advice import ENOUGH, Start, StartAdvice, advise_start
from thaw.storage.records import Dataset
from thaw.storage.store import Store
from tlcore.models.backbones import title_of

ICONS = {
    Start.BACKBONE: ":material/visibility:",
    Start.BOTH: ":material/compare_arrows:",
    Start.SCRATCH: ":material/potted_plant:",
}


def draw(store: Store, dataset: Dataset) -> None:
    """Draw the advice of the latest test of a data set, the way to a first one, or the progress of one that goes on."""
    check, job = store.latest_check(dataset.id), leakage.latest_job(store, dataset)
    if check and dataset.classes:
        found = advise_start(check.facts, dataset.classes)
        st.info(tell(found), icon=ICONS[found.start])
        figures = leakage.interval(found.right)
        old = "" if check.version == dataset.version else " The pictures have changed since."
        st.caption(
            f"Tested through {title_of(check.backbone)}: {figures}, by cross-validation; always naming the largest "
            f"{expert.either('kind', 'class')} gives {amounts.percent(found.chance)}.{old}"
        )
    if job and job.active:
        live.follow(store, job, lambda present: leakage.draw_progress(store, present))
        return
    if job and job.status == "failed":
        live.ending(job)
    if not check or check.version != dataset.version:
        st.button(
            "Test again" if check else "Which one? Test an eye on your pictures",
            icon=":material/science:",
            on_click=leakage.start,
            args=(store, dataset),
            key=f"test eyes on {dataset.id}",
            disabled=len(dataset.classes) < 2,
            help=f"Does {selection.eye().title} see in them what you sort them by? It takes seconds to minutes.",
        )


def tell(found: StartAdvice) -> str:
    """Say in plain words what to begin with, and why."""
    eye = expert.either("the ready-made eye", "the frozen backbone")
    right, chance = amounts.percent(found.right.mean), amounts.percent(found.chance)
    looks = ""
    if found.unlike is not None:
        looks = (
            f"Your pictures look unlike photos: {_listed(found.unlike)}. "
            if found.unlike
            else "Your pictures look like photos. "
        )
    if found.start is Start.SCRATCH:
        few = f" With {found.fewest:,} of the rarest kind, add pictures first." if found.fewest < ENOUGH else ""
        return (
            f"{looks}{capital(eye)} gets {right} of them right, no better than chance ({chance}): "
            f"**learn from scratch**.{few}"
        )
    still = "still gets" if found.unlike else "gets"
    told = f"{looks}{capital(eye)} {still} {right} of them right (chance: {chance})"
    if found.start is Start.BOTH:
        return f"{told}. **Try both**: with so many pictures, learning from scratch may get further."
    return f"{told}: **keep it**."


def _listed(words: tuple[str, ...]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
