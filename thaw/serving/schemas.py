"""What the service says and hears as pydantic models, which name the classes and sizes of its one model for OpenAPI."""

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, create_model

from thaw.serving.detector_engine import DetectorEngine
from thaw.serving.engine import TOP, Engine
from tlcore.detection.suppression import MOST

Schema = dict[str, Any]
_REASONS = {
    400: "The body is damaged, empty, of another shape, or holds too many pictures",
    404: "There is no such model or version",
    408: "The body took too long to arrive",
    413: "The body is too large",
    415: "The content type is another one",
    422: "A file cannot be read as a picture",
    503: "Too much work at the moment; try again after the seconds in Retry-After",
}
_FILE = {"type": "string", "format": "binary"}
_FORM = {"type": "object", "properties": {"file": {"type": "array", "items": _FILE}}}
UPLOAD: Schema = {
    "required": True,
    "content": {"image/*": {"schema": _FILE}, "multipart/form-data": {"schema": _FORM}},
}
# The range is told, not checked: a sum of rounded numbers may lie a little beyond.
Share = Annotated[float, Field(allow_inf_nan=False, json_schema_extra={"minimum": 0, "maximum": 1})]


class Error(BaseModel):
    error: str


class Health(BaseModel):
    live: bool
    ready: bool
    model: str
    run: str


class Schemas(NamedTuple):
    """The models of both answers, and OpenAPI's words for what a predict request holds, with the parts they name."""

    upload: Any
    predict: Any
    question: Schema
    parts: Schema


def make_schemas(engine: Engine) -> Schemas:
    """Return the schemas for the labels and the image size of `engine`."""
    side = engine.image_size
    label = Annotated[str, Field(json_schema_extra={"enum": list(engine.labels)})]
    said, row = (_of_detector if isinstance(engine, DetectorEngine) else _of_classifier)(label, len(engine.labels))
    about: Schema = {"model": str, "ms": Annotated[float, Field(description="milliseconds inside the service")]}
    answer = create_model("Answer", **said, **about)
    answers = create_model("Answers", answers=_several(create_model("FileAnswer", file=str, **said)), **about)

    predictions = create_model("Predictions", predictions=_several(create_model("Prediction", **row)))
    columns = create_model("Columns", **{name: _several(kind) for name, kind in row.items()})
    outputs = create_model("Outputs", outputs=columns)

    pixels: Any = Annotated[int, Field(ge=0, le=255)]
    for size in (3, side, side):
        pixels = _several(pixels, size, size)
    pictures = _several(pixels | create_model("Encoded", b64=str))
    image = create_model("Image", image=pictures)
    asked: Any = create_model("Instances", instances=pictures) | create_model("Inputs", inputs=pictures | image)
    question = TypeAdapter(asked).json_schema(ref_template="#/components/schemas/{model}")
    return Schemas(answer | answers, predictions | outputs, question, question.pop("$defs"))


def _of_classifier(label: Any, classes: int) -> tuple[Schema, Schema]:
    """Return what is said of a picture, and the outputs of one."""
    likely = create_model("Likely", label=label, probability=Share)
    said: Schema = {"label": label | None, "probability": Share, "top": _several(likely, None, TOP)}
    row: Schema = {
        "probabilities": _several(Share, classes, classes),
        "answer": Annotated[int, Field(ge=-1, lt=classes)],
        "class_names": _several(label, classes, classes),
    }
    return said, row


def _of_detector(label: Any, classes: int) -> tuple[Schema, Schema]:
    box = _several(
        Annotated[float, Field(allow_inf_nan=False)], 4, 4, "x, y, width and height in pixels of the picture"
    )
    edges = _several(float, 4, 4, "left, upper, right and lower edge in pixels of the square that the model sees")
    found = create_model("Found", label=label, confidence=Share, box=box)
    side = Annotated[int, Field(gt=0, description="in pixels, upright")]
    said: Schema = {"width": side, "height": side, "boxes": _several(found, None, MOST)}
    row: Schema = {
        "boxes": _several(edges, MOST, MOST),
        "class_names": _several(label, classes, classes),
        "classes": _several(Annotated[int, Field(ge=-1, lt=classes)], MOST, MOST),
        "count": Annotated[int, Field(ge=0, le=MOST)],
        "scores": _several(Share, MOST, MOST),
    }
    return said, row


def refuse_with(*statuses: int) -> dict[int | str, Schema]:
    """Describe the refusals of a route."""
    return {status: {"model": Error, "description": _REASONS[status]} for status in statuses}


def _several(kind: Any, least: int | None = None, most: int | None = None, words: str | None = None) -> Any:
    return Annotated[list[kind], Field(min_length=least, max_length=most, description=words)]
