"""Let browsers fetch the code that draws figures while they wait for the page's script to run."""

from pathlib import Path

import streamlit
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_STATIC = Path(streamlit.__file__).parent / "static" / "static" / "js"


class EarlyPlotly:
    """Adds a ``Link: rel=modulepreload`` of Streamlit's module of plotly to every HTML page.

    Streamlit asks for it only when the first figure arrives, after its own start and the script's run; it is the
    largest module of all. Where Streamlit names it otherwise, nothing is added, and figures come as they always did.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        names = sorted(path.name for path in _STATIC.glob("PlotlyChart.*.js"))
        self.links = ", ".join(f"</static/js/{name}>; rel=modulepreload" for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, with the header where the answer is a page."""

        async def with_link(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html") and self.links:
                    headers.append("link", self.links)
            await send(message)

        await self.app(scope, receive, with_link if scope["type"] == "http" else send)
