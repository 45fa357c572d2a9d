"""The loop on the Mistakes page: the head learns from the fixes at a press or as the person goes, in place."""

from collections.abc import Callable, Mapping

import streamlit as st

from pages.ui.mistakes import fix_rounds
from pages.ui.page import live, selection, steps
from pages.ui.words.names import sentence
from thaw.jobs import lifecycle
from thaw.retraining.fix_history import find_retraining, list_chain
from thaw.retraining.fixes import retrain
from thaw.storage.records import Job, Run
from thaw.storage.store import Store
from tlcore.errors import RunError
from tlcore.models.backbones import find_backbone

POLL_S = 0.3
BAR = "retrain-bar"
# The rest is behind a tap; a phone has one line of the words and the button below it.
SLIM = """<style>
.st-key-retrain-row > .st-key-retrain-told { flex: 1 1 12rem; width: auto; min-width: 0; }
@media (max-width: 640px) {
  .st-key-retrain-bar { padding: 0.1rem 0; }
  .st-key-retrain-row { gap: 0.1rem 0.5rem; }
  .st-key-retrain-row [data-testid="stPopover"] button { min-height: 1.5rem; padding-block: 0; }
  .st-key-retrain-told p { overflow: hidden; text-overflow: ellipsis; line-height: 1.4; white-space: nowrap; }
  .st-key-retrain-hint { display: none; }
}
</style><span></span>"""


def draw(store: Store, run: Run, fixes_since: Callable[[Run], Mapping[str, str | None]], told: str) -> None:
    """Draw what the retrainings so far brought, and a slim bar that stays in sight with what is `told`, in Markdown,
    how to learn from the fixes, and a retraining that goes on.

    `fixes_since` returns what has become of the images since a run saw them. The page stays with its own run: what is
    retrained is the newest head that came of it.
    """
    chain = list_chain(store, run)
    newest = chain[-1]
    version = store.dataset(run.dataset_id).version
    job = find_retraining(store, run)
    changed = newest.facts.dataset_version not in (None, version)
    if not changed and job is None and len(chain) == 1:
        # A run that never said what it had seen.
        if told:
            st.markdown(told)
        return
    fixes = fixes_since(newest)
    effect = fix_rounds.tell_effect(store, chain)
    rounds = st.container()
    with st.container(key=BAR, gap=None):
        steps.stay(BAR)
        st.html(SLIM)
        place = st.container()
        row = st.container(key="retrain-row", horizontal=True, vertical_alignment="center")
        with row:
            line = st.container(key="retrain-told")
            more = st.popover("More", type="tertiary")
            with more:
                for words in filter(None, (told, effect)):
                    st.markdown(words)
                as_i_go = not find_backbone(run.backbone).fresh and ask_as_i_go(run)
            if as_i_go and fixes and not tried(store, job, version):
                start(store, newest)
                job = find_retraining(store, run)
            if job is not None and job.active:
                with line:
                    draw_progress(store, run, job)
            else:
                with place:
                    draw_failure(newest, changed, job)
                line.markdown(told if changed and told else effect or told)
                draw_start(store, newest, changed, len(fixes))
        with more if changed else row:
            draw_newer(run, newest)
    with rounds:
        fix_rounds.draw(store, chain)


def ask_as_i_go(run: Run) -> bool:
    """Draw the switch that retrains after every fix, and return how it stands; it outlives a visit to other pages."""
    kept = f"retrain {run.dataset_id} as I go"
    return st.toggle(
        "As I go: retrain after every fix",
        value=st.session_state.get(kept, False),
        key=f"switch {kept}",
        on_change=lambda: st.session_state.update({kept: st.session_state[f"switch {kept}"]}),
        help="One retraining at a time; what is fixed while it goes on is learnt right after it.",
    )


def tried(store: Store, job: Job | None, version: int) -> bool:
    """Say whether the data set as it stands, its `version`, is being learnt from or has been: what failed or was
    stopped is not begun again by itself."""
    if job is None or job.run_id is None:
        return False
    return job.active or store.run(job.run_id).facts.asked_at_version == version


def start(store: Store, newest: Run) -> None:
    """Retrain the newest head; where a second tab was quicker, say so."""
    try:
        retrain(store, newest.id)
    except RunError as problem:
        st.toast(sentence(str(problem)), icon=":material/error:", duration="long")


def draw_progress(store: Store, run: Run, job: Job) -> None:
    """Draw a retraining as it goes on, and the new score once it has ended; after that the page is drawn again."""
    told = False

    @st.fragment(run_every=POLL_S)
    def panel() -> None:
        nonlocal told
        lifecycle.reconcile(store)
        present = store.job(job.id)
        if present.active:
            who = "The network" if find_backbone(run.backbone).fresh else "The head"
            with st.container(key="retrain-hint"):
                st.markdown(f"**{who} learns from your fixes.** Go on meanwhile: the new score appears here.")
            with st.container(horizontal=True, vertical_alignment="center"):
                with st.container():
                    live.progress(present, "images")
                live.pause(store, present)
        elif not told:
            # At once, for the whole page takes longer where there are very many photos.
            told = True
            st.markdown(fix_rounds.tell_effect(store, list_chain(store, store.run(run.id))))
        else:
            st.rerun()

    panel()


def draw_failure(newest: Run, changed: bool, job: Job | None) -> None:
    """Say how the latest retraining ended, where it left nothing and there is still something to learn from."""
    if changed and job is not None and job.run_id != newest.id:
        live.ending(job)


def draw_start(store: Store, newest: Run, changed: bool, fixes: int) -> None:
    """Draw the button that retrains, where something has changed since the newest head learnt."""
    if not changed:
        return
    fresh = find_backbone(newest.backbone).fresh
    what = "Train it again" if fresh else "Retrain the head"
    label = f"{what} with these fixes" if fixes else f"{what} on the data as they are now"
    st.button(
        label,
        type="primary" if fixes else "secondary",
        icon=":material/refresh:",
        help="With the settings of this run, all of it from nothing: it takes as long as the first time."
        if fresh
        else "With the settings of this run, from the weights that its head has now.",
        on_click=start,
        args=(store, newest),
    )


def draw_newer(run: Run, newest: Run) -> None:
    """Draw the way to the mistakes of the newest head, where the page shows those of an earlier one."""
    if newest.id != run.id and st.button("See the mistakes of the new head", icon=":material/arrow_forward:"):
        selection.choose("run", newest.id)
        st.rerun()
