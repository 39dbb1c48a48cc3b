"""The dashboard's server: the app, imports done before the first visitor comes, and a bound on what uploads may hold.

`streamlit run dashboard/server.py` serves it, as `modality ui` does.
"""

import importlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.middleware import Middleware
from streamlit.starlette import App

from dashboard.first_figure import EarlyPlotly
from dashboard.upload_limit import UploadLimit

# pandas: plotly looks for it in what is imported, and two visitors at once would find one of them half of it.
_NEEDED_BY_EVERY_PAGE = (
    "pandas",
    "polars",
    "plotly.graph_objects",
    "plotly.io",
    "dashboard.charts",
    "dashboard.results",
)


@asynccontextmanager
async def ready(_app: App) -> AsyncIterator[None]:
    """Import what every page needs, so that the first visitor waits for as little as the next."""
    for module in _NEEDED_BY_EVERY_PAGE:
        importlib.import_module(module)
    yield


app = App(
    Path(__file__).parent / "app.py", lifespan=ready, middleware=[Middleware(UploadLimit), Middleware(EarlyPlotly)]
)
