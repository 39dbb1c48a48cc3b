"""The health page: GET /health answers 200 when the service is well and 503 when it is not, as HTML or JSON."""

import threading
import time
from dataclasses import asdict
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from modality_assets.defs.health import Health, look
from modality_assets.defs.workspace import Workspace

_KEPT_SECONDS = 10.0
_MARKS = {True: "✓", False: "✗", None: "·"}
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:16px/1.5 system-ui;margin:2rem;max-width:60rem}}td{{padding-right:1rem;vertical-align:top}}</style>
<h1>{title}</h1><p>{archive}, {data}, looked at {looked}</p><table>{rows}</table></html>"""


def health_app(workspace: Workspace) -> Starlette:
    """Return the app; it looks at most once in ten seconds, however often it is asked."""
    lock = threading.Lock()
    kept: list[tuple[float, Health]] = []

    def answer(request: Request) -> Response:
        with lock:
            if not kept or time.monotonic() - kept[0][0] > _KEPT_SECONDS:
                kept[:] = [(time.monotonic(), look(workspace))]
            health = kept[0][1]
        status = 200 if health.well else 503
        if "text/html" in request.headers.get("accept", ""):
            return HTMLResponse(health_page(health), status)
        return JSONResponse({"well": health.well, **asdict(health)}, status)

    return Starlette(routes=[Route("/", answer), Route("/health", answer)])


def health_page(health: Health) -> str:
    """Return what was found as a page for a person."""
    rows = "".join(
        f"<tr><td>{_MARKS[one.ok]}</td><td>{escape(one.name)}</td><td>{escape(one.detail)}</td></tr>"
        for one in health.findings
    )
    title = "All is well" if health.well else "Not well"
    return _PAGE.format(
        title=title, archive=escape(health.archive), data=escape(health.data), looked=health.looked_utc, rows=rows
    )
