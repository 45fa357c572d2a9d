"""Where the server's own routes lie: below `server.baseUrlPath`, as Streamlit's pages do."""

from pathlib import Path

import plotly
from streamlit import config

LIBRARY = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
"""The script that draws figures."""


def base_path() -> str:
    """Return the path below which everything is served: "" for the root, else "/thaw" or "/a/b"."""
    base = (config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def address(path: str) -> str:
    """Return the address of `path`, such as "thaw/plotly.js", for a browser and for a route: the one place that knows
    where everything lies."""
    return f"{base_path()}/{path}"


def library_url() -> str:
    """Return the address of the script that draws figures; a new release of it has a new one."""
    return address(f"thaw/plotly.js?version={plotly.__version__}")
