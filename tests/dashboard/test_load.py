"""Many visitors at once, and uploads that mean no good: the server stays up, answers, and says why it refuses."""

import io
import struct
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from pydicom.data import get_testdata_file

from modality_assets.layout import DataLayout
from tests.dashboard.serving import Served, served
from tests.dashboard.visitor import Visitor

VISITORS = 20
PAGES = ("overview", "models", "per_dataset", "errors", "archive", "split", "quality")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(with_network: DataLayout, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(with_network.root, tmp_path_factory.mktemp("streamlit") / "log") as found:
        yield found


def asked(server: Served, name: str, content: bytes) -> list[str]:
    with Visitor(server.url, "try_it") as visitor:
        visitor.open()
        assert visitor.upload(name, content).status_code == 204
        return visitor.ask()


def zipped(members: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return written.getvalue()


def large_png(side: int) -> bytes:
    written = io.BytesIO()
    Image.fromarray(np.zeros((side, side), np.uint8)).save(written, "PNG")
    return written.getvalue()


def large_dicom() -> bytes:
    """A CT slice whose header promises 65,535 rows and columns."""
    with open(str(get_testdata_file("CT_small.dcm")), "rb") as file:
        content = file.read()
    for element in (b"\x28\x00\x10\x00US\x02\x00", b"\x28\x00\x11\x00US\x02\x00"):
        at = content.index(element) + len(element)
        content = content[:at] + struct.pack("<H", 65_535) + content[at + 2 :]
    return content


def lying_zip() -> bytes:
    """A zip whose directory says that its member has no bytes."""
    content = bytearray(zipped({"scan.dcm": bytes(1 << 20)}))
    for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = content.index(signature) + place
        content[at : at + 4] = struct.pack("<I", 0)
    return bytes(content)


HOSTILE = {
    "bomb.zip": lambda: zipped({"zeros.dcm": bytes(300 << 20)}),
    "many.zip": lambda: zipped({f"{number}.dcm": b"" for number in range(2_500)}),
    "climbs.zip": lambda: zipped({"../../../out.png": b"x"}),
    "lies.zip": lying_zip,
    "zip-in-zip.zip": lambda: zipped({"inner.zip": zipped({"zeros.dcm": bytes(1 << 20)})}),
    "huge.png": lambda: large_png(20_000),
    "huge.dcm": large_dicom,
    "cut-off.dcm": lambda: large_dicom()[:900],
    "notes.txt": lambda: b"this is no image\n",
    "<script>alert(1)</script>.dcm": lambda: b"DICM" * 100,
    "empty.dcm": lambda: b"",
}


def test_hostile_files_are_refused_with_the_reason_and_the_server_goes_on(server: Served) -> None:
    for name, content in HOSTILE.items():
        texts = asked(server, name, content())
        refused = [text for text in texts if "is refused:" in text]
        assert refused, f"{name}: {texts}"
        assert not any(text.startswith("EXCEPTION") for text in texts)
        assert "/tmp/" not in " ".join(refused)
        assert server.is_well()
    assert any("CT_small.dcm" in text for text in asked(server, "CT_small.dcm", good_dicom()))


def good_dicom() -> bytes:
    with open(str(get_testdata_file("CT_small.dcm")), "rb") as file:
        return file.read()


def test_an_upload_above_the_cap_is_refused_before_it_is_held(server: Served) -> None:
    before = server.memory_mib()
    with Visitor(server.url, "try_it") as visitor:
        visitor.open()
        assert visitor.upload("large.dcm", bytes(201 << 20)).status_code == 413
    assert server.is_well()
    assert server.memory_mib() < before + 150


def test_uploads_of_all_visitors_together_have_a_bound(server: Served) -> None:
    visitors = [Visitor(server.url, "try_it") for _ in range(4)]
    try:
        answers = []
        for visitor in visitors:
            visitor.open()
            answers.append(visitor.upload("large.dcm", bytes(150 << 20)).status_code)
        assert answers == [204, 204, 204, 503]
    finally:
        for visitor in visitors:
            visitor.close()
    assert server.is_well()


def test_twenty_visitors_at_once_are_answered(server: Served) -> None:
    def look(number: int) -> list[str]:
        if number % 2:
            return asked(server, "CT_small.dcm", good_dicom())
        with Visitor(server.url, PAGES[number // 2 % len(PAGES)]) as visitor:
            return visitor.open()

    with ThreadPoolExecutor(VISITORS) as people:
        waiting = [people.submit(look, number) for number in range(VISITORS)]
        slowest = 0.0
        while not all(one.done() for one in waiting):
            started = time.monotonic()
            assert server.is_well()
            slowest = max(slowest, time.monotonic() - started)
            time.sleep(0.2)
        shown = [one.result() for one in waiting]
    for number, texts in enumerate(shown):
        assert texts, f"visitor {number} saw nothing"
        assert [text for text in texts if text.startswith("EXCEPTION")] == [], f"visitor {number}"
        if number % 2:
            assert any("CT_small.dcm" in text for text in texts), texts
    assert server.memory_mib() < 1_536
    print(f"{VISITORS} visitors; the slowest answer for the server's health {slowest:.2f} s, {server.memory_mib()} MiB")
