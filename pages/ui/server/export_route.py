"""The route that hands an export on: one file, or all of it as a zip, of what has been proven and nothing else."""

import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from pages.ui.server.addresses import address
from pages.ui.server.headers import NOT_KEPT
from thaw.exporting.zip_stream import stream_zip
from thaw.storage.export_record import Export, export_folder, handed_on, read_export
from thaw.storage.workspace import open_workspace
from tlcore.exporting.model_files import list_files

RUN_ID = re.compile(r"run-[0-9a-f]{12}")
ALL = "all"


async def send_export(request: Request) -> Response:
    """Send what the address names: a format of a run's export, or "all"; 404 for what is not offered."""
    run_id, wanted = request.path_params["run_id"], request.path_params["wanted"]
    folder = export_folder(open_workspace(), run_id)
    export = read_export(folder) if RUN_ID.fullmatch(run_id) else None
    if export is None:
        return JSONResponse({"error": "There is no such export in this workspace."}, status_code=404)
    if wanted == ALL:
        return _zip(folder, list(handed_on(folder, export)), f"{run_id}-export")
    made = next((each for each in export.offered if each.name == wanted), None)
    if made is None:
        return JSONResponse({"error": "This export offers no such format."}, status_code=404)
    if (folder / made.file).is_dir():
        return _zip(folder, list_files(folder, made.file), f"{run_id}-{made.name}")
    return FileResponse(folder / made.file, filename=f"{run_id}-{made.file}", headers={"cache-control": NOT_KEPT})


def export_url(export: Export, wanted: str = ALL) -> str:
    """Return the address of a format of an export, or of all of it."""
    return address(f"thaw/exporting/{export.run}/{wanted}")


def _zip(folder: Path, names: list[str], root: str) -> StreamingResponse:
    headers = {"content-disposition": f'attachment; filename="{root}.zip"', "cache-control": NOT_KEPT}
    return StreamingResponse(stream_zip(folder, names, root), media_type="application/zip", headers=headers)


EXPORT_ROUTE = Route(address("thaw/exporting/{run_id}/{wanted}"), send_export, methods=["GET"])
