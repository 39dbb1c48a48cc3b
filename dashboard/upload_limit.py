"""A bound on what all visitors together may hold in memory by uploads; Streamlit's own is per file."""

import re

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime import get_instance
from streamlit.runtime.stats import CacheStat

MOST_BYTES_OF_ALL = 512 << 20
_UPLOAD = re.compile(r"/_stcore/upload_file/")


class UploadLimit:
    """Refuses an upload, before it is read, where those held and on their way leave no room for it."""

    def __init__(self, app: ASGIApp, most_bytes: int = MOST_BYTES_OF_ALL) -> None:
        self.app, self.most_bytes = app, most_bytes
        self.arriving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the app does, or 413 for an upload that says no length, 503 for one that has no room."""
        if scope["type"] != "http" or scope["method"] != "PUT" or not _UPLOAD.search(scope["path"]):
            await self.app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"").decode("latin-1")
        if not length.isdecimal():
            await _refuse(413, "An upload must say how long it is.", scope, receive, send)
            return
        size = int(length)
        if size + self.arriving + held_bytes() > self.most_bytes:
            text = "Visitors have uploaded as much as this server holds: try again in a minute, or a smaller file."
            await _refuse(503, text, scope, receive, send)
            return
        self.arriving += size
        try:
            await self.app(scope, _at_most(receive, size), send)
        finally:
            self.arriving -= size


def held_bytes() -> int:
    """Return the bytes of all uploads that visitors hold at this moment."""
    stats = get_instance().uploaded_file_mgr.get_stats()
    return sum(stat.byte_length for family in stats.values() for stat in family if isinstance(stat, CacheStat))


async def _refuse(status: int, text: str, scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(text, status, headers={"connection": "close"})(scope, receive, send)


def _at_most(receive: Receive, size: int) -> Receive:
    """Pass on no more of the body than was announced."""
    left = size

    async def limited() -> Message:
        nonlocal left
        message = await receive()
        if message["type"] == "http.request":
            body = message.get("body", b"")
            if len(body) > left:
                return {"type": "http.disconnect"}
            left -= len(body)
        return message

    return limited
