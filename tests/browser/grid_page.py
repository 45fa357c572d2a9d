"""The page of `grid_app`: `?tiles=` says how many pictures it holds."""

import json

import streamlit as st

from pages.ui.components.grid.grid import Action, Tile, grid

HOSTILE = "<img src=x onerror=alert(1)>\u202egpj.**bold**"
CLASSES = ("berry", "café", HOSTILE, *(f"class {number:03}" for number in range(300)))
ACTIONS = (Action("exclude", "Exclude", "x"), Action("keep", "Keep", "k"), Action("move", "Move to", "m", CLASSES))

state = st.session_state
log, gone = state.setdefault("log", []), state.setdefault("gone", set())
state.runs = state.get("runs", 0) + 1


def act(action: str, ids: list[str], choice: str | None) -> None:
    log.append([action, ids, choice])
    if action != "keep":
        gone.update(ids)


def tile(number: int) -> Tile:
    name = HOSTILE if number == 1 else f"IMG_{number:04}.jpg"
    caption = f"sharpness {(number * 37) % 100}" if number % 3 else ""
    return Tile(
        f"image-{number}",
        f"/picture/small/{number}",
        f"/picture/large/{number}",
        name,
        caption,
        "blurred" if number % 5 == 2 else "",
    )


st.title("Photos to look at")
if st.button("Bring all back"):
    gone.clear()
pictures = [tile(number) for number in range(int(st.query_params.get("tiles", 24)))]
grid("photos", [picture for picture in pictures if picture.id not in gone], ACTIONS, "Blurred photos", act)
st.text_input("Somewhere else to type")
st.text(json.dumps({"log": log, "runs": state.runs}))
