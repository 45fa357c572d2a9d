"""The service described for programs, in the format of OpenAPI 3.1."""

from typing import Any

from thaw.serving.engine import Engine
from thaw.serving.tf_serving import VERSION

Schema = dict[str, Any]

_NUMBER: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_TEXT: Schema = {"type": "string"}
_PICTURE: Schema = {"type": "string", "format": "binary"}
_REASONS = {
    "400": "The body is damaged, empty, of another shape, or holds too many pictures",
    "404": "There is no such model or version",
    "408": "The body took too long to arrive",
    "413": "The body is too large",
    "415": "The content type is another one",
    "422": "A file cannot be read as a picture",
    "503": "Too much work at the moment; try again after the seconds in Retry-After",
}


def describe_api(name: str, engine: Engine) -> Schema:
    """Return the OpenAPI description of the service that serves `engine` as `name`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"Thaw: {name}",
            "version": VERSION,
            "description": f"Classifies pictures into {len(engine.labels)} classes. Model: the result of {engine.run}.",
        },
        "paths": _describe_paths(name, engine),
        "components": {"schemas": _describe_schemas(engine)},
    }


def _describe_paths(name: str, engine: Engine) -> Schema:
    model, version = f"/v1/models/{name}", f"/v1/models/{name}/versions/{VERSION}"
    paths: Schema = {
        "/predict": {"post": _describe_upload()},
        "/health": {"get": _describe_get("Whether the service answers; 503 while it does not", "Health", ("503",))},
        "/metrics": {"get": _describe_text("Counters in the text format of Prometheus", "text/plain")},
        "/openapi.json": {"get": _describe_get("This description", "Any")},
        "/": {"get": _describe_text("A page for people", "text/html")},
    }
    for base in (model, version):
        paths[f"{base}:predict"] = {"post": _describe_predict(engine)}
        paths[base] = {"get": _describe_get("The model's status, as in TensorFlow Serving", "Any", ("404",))}
        paths[f"{base}/metadata"] = {
            "get": _describe_get("The model's signature, as in TensorFlow Serving", "Any", ("404",))
        }
    return paths


def _describe_upload() -> Schema:
    form = {"type": "object", "properties": {"file": {"type": "array", "items": _PICTURE}}}
    answer = {"oneOf": [_refer("Answer"), _refer("Answers")]}
    return {
        "summary": "Classify the picture that is the body, or the pictures of a form",
        "requestBody": {
            "required": True,
            "content": {"image/*": {"schema": _PICTURE}, "multipart/form-data": {"schema": form}},
        },
        "responses": _respond("One answer for one picture, a list for several", answer)
        | _refuse("400", "408", "413", "415", "422", "503"),
    }


def _describe_predict(engine: Engine) -> Schema:
    side = engine.image_size
    return {
        "summary": f"Answer for pictures of {side} x {side} pixels, RGB, or for picture files in base64",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"oneOf": [_refer("Instances"), _refer("Inputs")]}}},
        },
        "responses": _respond(
            "Predictions by row, or outputs by column", {"oneOf": [_refer("Predictions"), _refer("Outputs")]}
        )
        | _refuse("400", "404", "408", "413", "415", "422", "503"),
    }


def _describe_get(summary: str, schema: str, refusals: tuple[str, ...] = ()) -> Schema:
    return {"summary": summary, "responses": _respond(summary, _refer(schema)) | _refuse(*refusals)}


def _describe_text(summary: str, kind: str) -> Schema:
    return {"summary": summary, "responses": {"200": {"description": summary, "content": {kind: {"schema": _TEXT}}}}}


def _describe_schemas(engine: Engine) -> Schema:
    label = {"type": "string", "enum": list(engine.labels)}
    top = {"type": "array", "maxItems": 5, "items": _object(label=label, probability=_NUMBER)}
    # None is for "I don't know".
    said = {"label": {"enum": [*engine.labels, None]}, "probability": _NUMBER, "top": top}
    about = {"model": _TEXT, "ms": {"type": "number", "description": "milliseconds inside the service"}}
    row = _list(_refer("Picture"))
    classes = {"minItems": len(engine.labels), "maxItems": len(engine.labels)}
    shares, names = _list(_NUMBER) | classes, _list(label) | classes
    choice = {"type": "integer", "minimum": -1, "maximum": len(engine.labels) - 1}
    return {
        "Any": {"type": "object"},
        "Error": _object(error=_TEXT),
        "Health": _object(live={"type": "boolean"}, ready={"type": "boolean"}, model=_TEXT, run=_TEXT),
        "Answer": _object(**said, **about),
        "Answers": _object(answers=_list(_object(file=_TEXT, **said)), **about),
        "Picture": {"oneOf": [_describe_pixels(engine.image_size), _object(b64=_TEXT)]},
        "Instances": _object(instances=row),
        "Inputs": _object(inputs={"oneOf": [row, _object(image=row)]}),
        "Predictions": _object(predictions=_list(_object(probabilities=shares, answer=choice, class_names=names))),
        "Outputs": _object(
            outputs=_object(probabilities=_list(shares), answer=_list(choice), class_names=_list(names))
        ),
    }


def _describe_pixels(side: int) -> Schema:
    value = {"type": "integer", "minimum": 0, "maximum": 255}
    pixel = _list(value) | {"minItems": 3, "maxItems": 3}
    row = _list(pixel) | {"minItems": side, "maxItems": side}
    return _list(row) | {"minItems": side, "maxItems": side}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _refer(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _respond(meaning: str, schema: Schema) -> Schema:
    return {"200": {"description": meaning, "content": {"application/json": {"schema": schema}}}}


def _refuse(*statuses: str) -> Schema:
    content = {"application/json": {"schema": _refer("Error")}}
    return {status: {"description": _REASONS[status], "content": content} for status in statuses}
