"""A visitor without a browser: speaks to the dashboard as Streamlit's client does, one connection per person."""

import re
import uuid
from contextlib import ExitStack
from typing import Any

import httpx
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

_SECONDS = 120


class Visitor:
    """One open page; a context manager."""

    def __init__(self, url: str, page: str) -> None:
        self._open = ExitStack()
        self.http = self._open.enter_context(httpx.Client(base_url=url, timeout=_SECONDS))
        self.xsrf = self._xsrf_token()
        self.socket = self._open.enter_context(
            connect(
                f"{url.replace('http', 'ws', 1)}/_stcore/stream",
                subprotocols=["streamlit", self.xsrf],  # type: ignore[list-item]
                additional_headers={"Cookie": f"_streamlit_xsrf={self.xsrf}"},
                max_size=None,
                open_timeout=_SECONDS,
            )
        )
        self.page, self.page_hash, self.session_id = page, "", ""
        self.texts: list[str] = []
        self.uploader = ""

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the page; the server forgets what it held for it."""
        self._open.close()

    def open(self) -> list[str]:
        """Open the page; return the texts that it shows once its script has run."""
        return self._run(self._rerun())

    def upload(self, name: str, content: bytes) -> httpx.Response:
        """Upload one file to the page's uploader, without letting the page know of it."""
        message = BackMsg()
        message.file_urls_request.request_id = str(uuid.uuid4())
        message.file_urls_request.file_names.append(name)
        message.file_urls_request.session_id = self.session_id
        self.socket.send(message.SerializeToString())
        urls = self._until("file_urls_response").file_urls_response.file_urls[0]
        self.file = (urls, name, len(content))
        return self.http.put(urls.upload_url, files={"file": (name, content)}, headers={"X-Xsrftoken": self.xsrf})

    def ask(self) -> list[str]:
        """Let the page look at what was uploaded last; return the texts that it shows then."""
        urls, name, size = self.file
        message = self._rerun()
        state = message.rerun_script.widget_states.widgets.add(id=self.uploader)
        info = state.file_uploader_state_value.uploaded_file_info.add(name=name, size=size, file_id=urls.file_id)
        info.file_urls.CopyFrom(urls)
        return self._run(message)

    def _xsrf_token(self) -> str:
        self.http.get("/_stcore/health")
        found = self.http.cookies.get("_streamlit_xsrf")
        return str(found)

    def _rerun(self) -> BackMsg:
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_script_hash = self.page_hash
        message.rerun_script.page_name = "" if self.page_hash else self.page
        return message

    def _run(self, message: BackMsg) -> list[str]:
        self.texts = []
        self.socket.send(message.SerializeToString())
        self._until("script_finished")
        return self.texts

    def _until(self, kind: str) -> Any:
        while True:
            received = self.socket.recv(timeout=_SECONDS)
            message = ForwardMsg.FromString(received if isinstance(received, bytes) else received.encode())
            found = message.WhichOneof("type")
            if found == "new_session":
                self.session_id = message.new_session.initialize.session_id
            elif found == "navigation":
                self.page_hash = message.navigation.page_script_hash
            elif found == "delta" and message.delta.WhichOneof("type") == "new_element":
                self._note(message.delta.new_element)
            if found == kind:
                return message

    def _note(self, element: Any) -> None:
        kind = element.WhichOneof("type")
        if kind == "file_uploader":
            self.uploader = element.file_uploader.id
        elif kind in ("markdown", "alert", "heading", "exception"):
            shown = getattr(element, kind)
            text = shown.message if kind == "exception" else shown.body
            self.texts.append(re.sub(r"\s+", " ", f"EXCEPTION {text}" if kind == "exception" else text))
