"""What the Studio shows, as JSON for its component: the photos by class, how the learning stands, and the eyes."""

from dataclasses import dataclass
from typing import Any

from pages.ui.server.addresses import address
from pages.ui.server.frame_route import frames_url
from pages.ui.words import amounts
from pages.ui.words.glossary import plainly
from pages.ui.words.names import visible
from pages.ui.words.plain import STAGES, plain_refusal
from thaw.backbones import device_report
from thaw.backbones.speeds import read_measuring, read_speeds
from thaw.jobs import lifecycle
from thaw.prediction.client import predictor
from thaw.runs.decision import read_decision
from thaw.storage.records import Dataset, Image, Job, Run
from thaw.storage.store import Store
from thaw.storage.workspace import Workspace
from thaw.summaries.summarise import show_first
from thaw.training import look_ahead, teach
from tlcore.errors import ThawError
from tlcore.models.backbone_table import Backbone
from tlcore.models.backbones import BACKBONES
from tlcore.models.weights import is_local
from tlcore.settings import HeadSettings

MOST_ON_A_WALL = 60
MOST_CLASSES = 200
IMPORTS = 20
# So many steps an epoch, of batches of 8 to 32 photos: of few photos a head would need a hundred epochs to settle.
ENOUGH_STEPS, BATCHES = 25, (32, 16, 8)
# More than by default: the head is to settle, which fine-tuning waits for.
MOST_EPOCHS = 60
# Below this share the answer is "I don't know", where the person has chosen no threshold of their own.
LEAST_SURE = 0.6
EYES = {"Quick": "efficientnet-lite0", "Balanced": "efficientnet-lite1", "Sharp": "efficientnet-lite2"}

Json = dict[str, Any]


def find_settings(eye: str | None, images: int) -> HeadSettings:
    """Return what the Studio teaches so many images with through a backbone; an unknown one is the default."""
    batch = next((size for size in BATCHES if images >= ENOUGH_STEPS * size), BATCHES[-1])
    name = eye if eye in BACKBONES else HeadSettings().backbone
    return HeadSettings(backbone=str(name), epochs=MOST_EPOCHS, batch_size=batch)


BOXED = "Boxes are drawn on these photos, so that things are found and counted on them."


@dataclass(frozen=True)
class Glance:
    """What the component looks at: a data set, an import that it follows, an eye, and a run whose model it shows unless
    there is a newer one than `newest`; `known` is the mark of the photos that it has, and with `learn` what can be
    taught and has not been is to be taught."""

    dataset: str | None = None
    importing: str | None = None
    eye: str | None = None
    run: str | None = None
    newest: str | None = None
    known: str | None = None
    learn: bool = False


def draw_state(store: Store, glance: Glance, token: str) -> Json:
    """Return all that the component shows of a data set; its photos only where they are not those that it has.

    Where it is to learn, a data set that can be taught and has not been, as it stands, is taught. `token` is that of
    the page that asks, which its camera's frames bring too.
    """
    lifecycle.reconcile(store)
    importing, dataset_id = _find_import(store, glance.importing), glance.dataset
    if importing is not None and importing.status == "finished" and importing.id == glance.importing:
        dataset_id = importing.dataset_id
    dataset = _find_dataset(store, dataset_id)
    settings = find_settings(glance.eye, dataset.included if dataset else 0)
    state: Json = {
        "import": None if importing is None else _tell_import(importing),
        "eyes": _list_eyes(store.workspace, settings.backbone),
        "measuring": bool((measuring := read_measuring(store.workspace)) and measuring.active),
        "dataset": None,
        "learning": {"stage": "empty"},
        "live": None,
    }
    if dataset is None:
        return state
    mark = f"{dataset.id}:{dataset.version}"
    state["dataset"] = {"id": dataset.id, "name": visible(dataset.name), "mark": mark, "pile": dataset.pile}
    state["dataset"] |= {
        "images": dataset.included,
        "set_aside": dataset.set_aside,
        "edit": [dataset.edit, dataset.undone],
    }
    boxed = not dataset.included and store.has_boxes(dataset.id)
    state["dataset"]["boxes"] = sum(store.count_boxes(dataset.id).values()) if boxed else None
    if mark != glance.known:
        state["dataset"]["classes"] = _list_classes(store, dataset)
    state["learning"] = _tell_learning(store, dataset, settings, glance)
    if state["learning"]["stage"] in ("ready", "refused") and not (importing and importing.active):
        state["learning"] |= _begin(store, dataset, settings, glance)
    state["live"] = _tell_live(store, state["learning"].get("best"), token)
    return state


def _find_import(store: Store, import_id: str | None) -> Job | None:
    jobs = store.jobs("import", "open", limit=IMPORTS)
    followed = next((job for job in jobs if job.id == import_id), None)
    return followed or next((job for job in jobs if job.active), None)


def _find_dataset(store: Store, dataset_id: str | None) -> Dataset | None:
    if dataset_id is None:
        return None
    try:
        return store.dataset(dataset_id)
    except ThawError:
        return None


def _tell_import(job: Job) -> Json:
    told: Json = {"id": job.id, "active": job.active, "status": job.status, "dataset": job.dataset_id}
    told |= {"words": STAGES.get(job.stage, "Checking your photos"), "done": job.done, "total": job.total}
    told |= {"left": amounts.roughly(job.seconds_left) if job.seconds_left is not None else ""}
    told["error"] = plain_refusal(job.error) if job.error and job.status == "failed" else ""
    if job.question is not None and job.active and job.answer is None:
        told["question"] = {"key": job.question.key, "text": visible(plainly(job.question.text))}
        told["question"]["options"] = [
            {"key": option.key, "label": visible(option.label), "preview": visible(plainly(option.preview))}
            for option in sorted(job.question.options, key=lambda each: each.key != job.question.default)  # type: ignore[union-attr]
        ]
    return told


def _list_eyes(workspace: Workspace, chosen: str) -> list[Json]:
    speeds = read_speeds(workspace)
    report = device_report.read_report(workspace)
    present = f"{report.device}: {report.name}" if report else ""
    measured = speeds.get(present) or speeds.get(next(reversed(speeds), ""), {})
    named = EYES if chosen in EYES.values() else {**EYES, "Your choice": chosen}
    return [_tell_eye(title, BACKBONES[name], measured.get(name), chosen) for title, name in named.items()]


def list_more_eyes() -> list[Json]:
    """Return the backbones that have no card of their own: name, title, and whether the weights are here."""
    return [
        {"name": row.name, "title": row.title, "here": is_local(row)}
        for row in BACKBONES.values()
        if row.name not in EYES.values()
    ]


def _tell_eye(title: str, row: Backbone, milliseconds: float | None, chosen: str) -> Json:
    told: Json = {"name": row.name, "title": title, "backbone": row.title, "chosen": row.name == chosen}
    told["here"] = is_local(row)
    told["right"] = f"{row.imagenet_top1:.0f} of 100 photos of the world's test right"
    told["speed"] = f"{1000 / milliseconds:,.0f} photos a second here" if milliseconds else ""
    return told


def _list_classes(store: Store, dataset: Dataset) -> list[Json]:
    return [
        {
            "name": label,
            "shown": visible(label),
            "count": number,
            "photos": [_address(image) for image in show_first(store, dataset, label, MOST_ON_A_WALL)],
        }
        for label, number in list(dataset.classes.items())[:MOST_CLASSES]
    ]


def _address(image: Image) -> str:
    return address(f"thaw/thumbnail/{image.folder}/{image.id}")


def _begin(store: Store, dataset: Dataset, settings: HeadSettings, glance: Glance) -> Json:
    """Teach a data set that is ready, or else look at its photos ahead; return what is new about the learning."""
    if glance.learn and teach.refuse(store, dataset, settings) is None:
        try:
            teach.teach(store, dataset, settings)
        except ThawError as problem:
            return {"stage": "failed", "error": plain_refusal(str(problem), dataset)}
        return _tell_learning(store, dataset, settings, glance)
    ahead = look_ahead.start(store, dataset, BACKBONES[settings.backbone])
    return {"looked": ahead.done, "to_look": ahead.total} if ahead is not None and ahead.active and ahead.total else {}


def _tell_learning(store: Store, dataset: Dataset, settings: HeadSettings, glance: Glance) -> Json:
    lessons = teach.find_lessons(store, dataset, settings)
    refusal = teach.refuse(store, dataset, settings)
    told: Json = {"stage": "ready", "refusal": plain_refusal(refusal, dataset) if refusal else "", "epochs": []}
    told["unfair"] = [visible(label) for label in teach.list_unfair(store, dataset, settings)]
    best = lessons.best
    if best is not None:
        told["newest"] = best.id
    best = _find_chosen(store, dataset, best, glance) or best
    if best is not None:
        exam = teach.grade(best)
        told["best"] = best.id
        told["exam"] = None if exam is None else {"right": exam.right, "total": exam.total}
        told["adapted"] = best.result_phase == 2
        told["epochs"] = _list_epochs(store, best)
    if refusal:
        told["stage"] = "refused"
        if not dataset.included and store.has_boxes(dataset.id):
            told["refusal"] = BOXED
    elif lessons.run is not None and lessons.job is not None:
        told |= _tell_job(store, lessons.run, lessons.job)
    elif not glance.learn and (earlier := teach.find_earlier(store, dataset, settings)):
        told |= _tell_job(store, *earlier)
    return told


def _find_chosen(store: Store, dataset: Dataset, newest: Run | None, glance: Glance) -> Run | None:
    """Return the run that the person has chosen, where it has a model and none has been taught since."""
    if glance.run is None or (glance.newest is not None and newest is not None and newest.id != glance.newest):
        return None
    try:
        chosen = store.run(glance.run)
    except ThawError:
        return None
    fits = chosen.dataset_id == dataset.id and chosen.head.task == "classify"
    return chosen if fits and chosen.result_phase is not None else None


def _tell_job(store: Store, run: Run, job: Job) -> Json:
    if job.active:
        shares, total = _list_epochs(store, run), run.facts.validation_images
        return {
            "stage": "learning",
            "job": job.id,
            "run": run.id,
            "stopping": job.stop_requested,
            "words": STAGES.get(job.stage, "Learning"),
            "done": job.done,
            "total": job.total,
            "looking": job.stage in ("computing_features", "reading_features"),
            "left": amounts.roughly(job.seconds_left) if job.seconds_left is not None and job.rate > 0 else "",
            "epochs": shares,
        } | ({"exam": {"right": round(shares[-1] * total), "total": total}} if shares and total else {})
    stage = "taught" if run.result_phase is not None else "failed" if job.status == "failed" else "stopped"
    return {"stage": stage, "run": run.id, "error": plain_refusal(job.error) if job.error and stage == "failed" else ""}


def _list_epochs(store: Store, run: Run) -> list[float]:
    return [epoch.val_accuracy for epoch in store.epochs(run.id)]


def _tell_live(store: Store, run_id: str | None, token: str) -> Json | None:
    """Return where frames for the newest model go, which is loaded before anyone asks."""
    if run_id is None:
        return None
    run = store.run(run_id)
    mark = (store.workspace.root, run_id, run.result_phase)
    if mark not in _warmed:
        _warmed.add(mark)
        predictor(store.workspace).warm(run_id, maps=False)
    decision = read_decision(run)
    return {
        "run": run_id,
        "url": frames_url(run_id),
        "token": token,
        "side": run.image_size,
        "least": None if decision else LEAST_SURE,
    }


_warmed: set[tuple[object, ...]] = set()
