"""Small DICOM files, small archives, and HTTP servers that do as they are told."""

import http.server
import io
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

from modality_assets.archives.http import Patience
from modality_assets.archives.memory import MemoryArchive


@dataclass(frozen=True)
class Answer:
    """What a handler wants sent. ``declared`` is a Content-Length that may lie; ``drop`` closes without a word."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    declared: int | None = None
    drop: bool = False


Handler = Callable[[str, dict[str, str]], Answer]


@pytest.fixture
def patience() -> Patience:
    """Four attempts without waiting."""
    return Patience(attempts=4, first_wait=0.001, longest_wait=0.002, longest_retry_after=0.05)


@pytest.fixture(scope="session")
def make_dicom() -> Callable[..., bytes]:
    """Return a function that makes a valid DICOM file of one 16 x 16 image; keywords set further attributes."""

    def make(series_uid: str, number: int = 1, **attributes: Any) -> bytes:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = f"{series_uid}.{number}"
        dataset.Modality = "CT"
        dataset.PatientID = f"patient-{series_uid}"
        dataset.StudyInstanceUID = f"{series_uid}.0"
        dataset.SeriesInstanceUID = series_uid
        dataset.InstanceNumber = number
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows = dataset.Columns = 16
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit, dataset.PixelRepresentation = 15, 0
        dataset.PixelData = np.random.default_rng(number).integers(0, 4096, (16, 16), np.uint16).tobytes()
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value)
        buffer = io.BytesIO()
        dataset.save_as(buffer, enforce_file_format=True)
        return buffer.getvalue()

    return make


@pytest.fixture
def memory_archive(make_dicom: Callable[..., bytes]) -> Callable[..., MemoryArchive]:
    """Return a function that makes an archive in memory: ``series`` series of ``files`` files in one dataset."""

    def make(series: int = 3, files: int = 4, dataset: str = "some-dataset") -> MemoryArchive:
        contents = {
            f"1.2.{number}": {f"{file}.dcm": make_dicom(f"1.2.{number}", file) for file in range(1, files + 1)}
            for number in range(1, series + 1)
        }
        return MemoryArchive([{"dataset": dataset, "series_uid": uid} for uid in contents], contents)

    return make


@pytest.fixture
def serve_http() -> Iterator[Callable[[Handler], str]]:
    """Return a function that starts a server around a handler and gives its URL; all stop with the test."""
    with ExitStack() as stack:
        yield lambda handler: stack.enter_context(http_server(handler))


@contextmanager
def http_server(handler: Handler) -> Iterator[str]:
    class RequestHandler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1

        def do_GET(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            answer = handler(url.path, dict(urllib.parse.parse_qsl(url.query)))
            if answer.drop:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            length = len(answer.body) if answer.declared is None else answer.declared
            if answer.status != 204:
                self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(answer.body)
            if length != len(answer.body):
                self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *arguments: Any) -> None:
            pass  # clients that hang up are part of the tests

    server = Server(("127.0.0.1", 0), RequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="session")
def answer() -> type[Answer]:
    return Answer
