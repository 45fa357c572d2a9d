"""The script that Streamlit runs for every visit: it finds the page, and catches what goes wrong on it."""

from contextlib import suppress
from pathlib import Path

import streamlit as st

from pages.ui import entrance
from pages.ui.components.expert import expert
from pages.ui.page import choice_bar, failure, selection, shell, steps
from thaw.jobs import lifecycle
from thaw.jobs.standby import standby
from tlcore import environment
from tlcore.errors import ThawError

# A named icon would be fetched from a font server on the internet; a file of our own is not.
ICON = str(Path(__file__).with_name("icon.svg"))
st.set_page_config(page_title="Thaw", page_icon=ICON)
page = st.navigation(steps.pages(), position="top" if entrance.is_open() else "hidden")
wide = page.url_path in ("", steps.STUDIO.name)
title = f"{steps.find_title(page.url_path)} - Thaw"
st.set_page_config(page_title=title, page_icon=ICON, layout="wide" if wide else "centered")
entrance.admit()
selection.recall(page.url_path)
failure.turn_page(page.url_path)
expert.recall()
expert.draw()
pulse = None
try:
    store = selection.store()
    lifecycle.reconcile(store)
    pulse = store.pulse()
    datasets = store.datasets()
    bar = st.container()
    selection.check_address(store, datasets)
    with bar:
        choice_bar.draw(store, datasets)
    if datasets:
        standby.keep(store.workspace)
    with suppress(steps.PageEnds):
        steps.lead_to_boxes(page.url_path, store)
        page.run()
    shell.load_ahead()
    # Streamlit searches for garbage after every run of this script.
    environment.spare_modules()
except ThawError as problem:
    failure.show(problem)
finally:
    # Also around a page that ends early, for want of a model.
    shell.draw()
    selection.tell()
    shell.ask_for_news(pulse)
