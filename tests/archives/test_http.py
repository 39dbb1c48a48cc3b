import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from modality_assets.archives.archive import (
    ArchiveAnswerError,
    ArchiveError,
    ArchiveRefusedError,
    ArchiveUnreachableError,
    DeliveryError,
    SeriesNotFoundError,
)
from modality_assets.archives.http import HttpClient, Patience, retry_after_seconds

Serve = Callable[[Any], str]


@pytest.fixture
def client_of(serve_http: Serve, patience: Patience) -> Iterator[Callable[[Any], HttpClient]]:
    with ExitStack() as stack:

        def make(handler: Any) -> HttpClient:
            client = HttpClient(serve_http(handler), patience=patience, timeout=httpx.Timeout(0.5))
            return stack.enter_context(closing(client))

        yield make


@pytest.mark.parametrize(
    ("status", "error", "asked"),
    [
        (401, ArchiveRefusedError, 1),
        (403, ArchiveRefusedError, 1),
        (404, ArchiveAnswerError, 1),
        (400, ArchiveAnswerError, 1),
        (408, ArchiveUnreachableError, 4),
        (429, ArchiveUnreachableError, 4),
        (500, ArchiveUnreachableError, 4),
        (503, ArchiveUnreachableError, 4),
    ],
)
def test_each_status_has_its_error_and_only_some_are_asked_again(
    status: int, error: type[ArchiveError], asked: int, client_of: Callable[[Any], HttpClient], answer: Any
) -> None:
    requests = []
    client = client_of(lambda path, query: requests.append(path) or answer(b"no", status))
    with pytest.raises(error, match=str(status)):
        client.objects("x")
    assert len(requests) == asked


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        (b"<!DOCTYPE html><html>Sign in</html>", "text/html", "an HTML page where JSON was due"),
        (b'[{"a": 1}', "application/json", "where JSON was due"),
        (b'{"error": 1}', "application/json", "not a list of objects"),
        (b"[1, 2]", "application/json", "not a list of objects"),
    ],
)
def test_an_answer_that_is_no_list_of_objects_is_named(
    body: bytes, kind: str, says: str, client_of: Callable[[Any], HttpClient], answer: Any
) -> None:
    client = client_of(lambda path, query: answer(body, headers={"Content-Type": kind}))
    with pytest.raises(ArchiveAnswerError, match=says):
        client.objects("x")


@pytest.mark.parametrize("body", [b"", b"  \n", b"[]"])
def test_an_empty_body_means_no_rows(body: bytes, client_of: Callable[[Any], HttpClient], answer: Any) -> None:
    assert client_of(lambda path, query: answer(body)).objects("x") == []


def test_a_refused_connection_says_so() -> None:
    with (
        closing(HttpClient("http://127.0.0.1:9/", patience=Patience(attempts=1))) as client,
        pytest.raises(ArchiveUnreachableError, match="cannot be reached"),
    ):
        client.objects("x")


def test_a_server_that_says_nothing_is_given_up(client_of: Callable[[Any], HttpClient], answer: Any) -> None:
    def silent(path: str, query: dict[str, str]) -> Any:
        time.sleep(0.8)
        return answer(b"[]")

    client = client_of(silent)
    client.patience = Patience(attempts=1)
    with pytest.raises(ArchiveUnreachableError, match="did not answer in time"):
        client.objects("x")


def test_a_connection_that_breaks_is_tried_again(client_of: Callable[[Any], HttpClient], answer: Any) -> None:
    requests: list[str] = []

    def third_time(path: str, query: dict[str, str]) -> Any:
        requests.append(path)
        return answer(b'[{"a": 1}]', drop=len(requests) < 3)

    assert client_of(third_time).objects("x") == [{"a": 1}]
    assert len(requests) == 3


def test_retry_after_is_waited_out(client_of: Callable[[Any], HttpClient], answer: Any) -> None:
    at: list[float] = []

    def busy_once(path: str, query: dict[str, str]) -> Any:
        at.append(time.monotonic())
        return answer(b"[]") if len(at) > 1 else answer(b"", 429, {"Retry-After": "1"})

    client = client_of(busy_once)
    client.patience = Patience(attempts=3, first_wait=0.001, longest_wait=0.001)
    client.objects("x")
    assert at[1] - at[0] >= 0.95


@pytest.mark.parametrize(("value", "seconds"), [("7", 7), ("0", 0), ("-3", 0), ("1.5", 1.5)])
def test_retry_after_may_be_seconds(value: str, seconds: float) -> None:
    assert retry_after_seconds(value) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert retry_after_seconds(formatdate(time.time() + 90, usegmt=True)) == pytest.approx(90, abs=20)
    assert retry_after_seconds(formatdate(time.time() - 90, usegmt=True)) == 0


@pytest.mark.parametrize("value", [None, "", "soon", "nan"])
def test_a_retry_after_that_is_none_counts_for_nothing(value: str | None) -> None:
    assert retry_after_seconds(value) is None


def test_waits_grow_with_jitter_and_end() -> None:
    waits: list[float] = []

    def fails() -> None:
        raise ArchiveUnreachableError("no")

    with pytest.raises(ArchiveUnreachableError):
        Patience(attempts=9, first_wait=1, longest_wait=20).call(fails, sleep=waits.append)
    assert len(waits) == 8
    assert max(waits) <= 20
    assert len({round(wait, 6) for wait in waits}) > 4, "without jitter all clients come back together"


def test_a_body_cut_off_is_a_delivery_that_can_be_tried_again(
    client_of: Callable[[Any], HttpClient], answer: Any
) -> None:
    client = client_of(lambda path, query: answer(b"half", declared=8))
    with pytest.raises(DeliveryError, match="cut off") as caught, client.stream("x") as response:
        list(response.iter_bytes())
    assert caught.value.transient


def test_a_download_that_is_not_there_is_a_series_not_found(
    client_of: Callable[[Any], HttpClient], answer: Any
) -> None:
    client = client_of(lambda path, query: answer(b"", 404))
    with pytest.raises(SeriesNotFoundError), client.stream("x"):
        pass


def test_no_message_shows_a_password(serve_http: Serve, answer: Any) -> None:
    seen: list[str] = []
    url = serve_http(lambda path, query: seen.append(path) or answer(b"", 403)).replace("http://", "http://me:secret@")
    with closing(HttpClient(url)) as client, pytest.raises(ArchiveRefusedError) as caught:
        client.objects("x")
    assert seen
    assert "secret" not in str(caught.value)
