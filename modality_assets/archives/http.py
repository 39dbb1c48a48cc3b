"""One way to speak HTTP with archives: kept connections, timeouts, patience, and errors that say what happened."""

import contextlib
import email.utils
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import tenacity

from modality_assets.archives.archive import (
    ArchiveAnswerError,
    ArchiveError,
    ArchiveRefusedError,
    ArchiveUnreachableError,
    DeliveryError,
    SeriesNotFoundError,
)

T = TypeVar("T")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Patience:
    """How often and how long to try: seconds double from ``first_wait`` to ``longest_wait``, with jitter.

    A Retry-After from the archive is waited out, up to ``longest_retry_after``.
    """

    attempts: int = 8
    first_wait: float = 0.5
    longest_wait: float = 30.0
    longest_retry_after: float = 300.0

    def call(self, work: Callable[[], T], *, sleep: Callable[[float], Any] = time.sleep) -> T:
        """Return what ``work`` returns; repeat it while it raises an `ArchiveError` that is transient."""
        jitter = tenacity.wait_random_exponential(multiplier=self.first_wait, max=self.longest_wait)

        def wait(state: tenacity.RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = getattr(error, "retry_after", None) or 0.0
            return max(jitter(state), min(asked, self.longest_retry_after))

        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=wait,
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, ArchiveError) and error.transient),
            sleep=sleep,
            reraise=True,
        )
        return retrying(work)


PATIENT = Patience()
TIMEOUT = httpx.Timeout(connect=15, read=120, write=30, pool=600)


class HttpClient:
    """Requests below one base URL, safe to share between threads; at most ``connections`` at a time."""

    def __init__(
        self,
        base_url: str,
        *,
        connections: int = 8,
        patience: Patience = PATIENT,
        timeout: httpx.Timeout = TIMEOUT,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        try:
            url = httpx.URL(base_url.rstrip("/") + "/")
        except httpx.InvalidURL as error:
            raise ArchiveUnreachableError(f"{base_url!r} is no URL ({error}); correct the archive string") from None
        if url.scheme not in ("http", "https") or not url.host:
            raise ArchiveUnreachableError(f"{base_url!r} is no URL of http or https; correct the archive string")
        auth = (url.username, url.password) if url.userinfo else None
        url = url.copy_with(userinfo=b"")  # so that no message shows a password
        self.url = url
        self.patience = patience
        self._client = httpx.Client(
            base_url=url,
            auth=auth,
            timeout=timeout,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={
                "User-Agent": "modality-assets",
                "Accept": "application/json, application/dicom+json;q=0.9, */*;q=0.1",
                **(headers or {}),
            },
            follow_redirects=True,
            trust_env=url.host not in _LOOPBACK,  # a proxy from the environment cannot see this machine's loopback
        )

    def objects(self, path: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the JSON list of objects at ``path``, asked for with patience; an empty body is an empty list.

        Raises `ArchiveAnswerError` for anything else, `ArchiveUnreachableError` when patience ends.
        """
        return self.patience.call(lambda: self._objects(path, params))

    def _objects(self, path: str, params: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        with named_errors(self.url):
            response = self._client.get(path, params=dict(params or {}))
        check_status(response)
        if not response.content.strip():
            return []
        try:
            value = json.loads(response.content)
        except ValueError:
            raise ArchiveAnswerError(
                f"{response.url} answered {describe_body(response)} where JSON was due; "
                "check that the URL is that of the archive's interface"
            ) from None
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise ArchiveAnswerError(f"{response.url} answered JSON that is not a list of objects")
        return value

    @contextlib.contextmanager
    def stream(
        self, path: str, params: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Open one answer of status 200 to be read piece by piece; errors while reading are named too.

        Raises `SeriesNotFoundError` for 404, `DeliveryError` for a body cut off, and what `check_status` raises.
        """
        with (
            named_errors(self.url, delivery=True),
            self._client.stream("GET", path, params=dict(params or {}), headers=dict(headers or {})) as response,
        ):
            if response.status_code != 200:
                response.read()
                if response.status_code == 404:
                    raise SeriesNotFoundError(f"{response.url} is not there (404): the archive no longer has it")
                check_status(response)
                raise DeliveryError(f"{response.url} answered {response.status_code} in place of the files")
            yield response

    def close(self) -> None:
        self._client.close()


@contextlib.contextmanager
def named_errors(url: httpx.URL, *, delivery: bool = False) -> Iterator[None]:
    """Turn what httpx raises into errors of archives; ``delivery`` says that a body was being awaited."""
    try:
        yield
    except httpx.ConnectError as error:
        raise ArchiveUnreachableError(f"{url} cannot be reached ({error}); check the URL and the network") from None
    except httpx.TimeoutException as error:
        raise ArchiveUnreachableError(
            f"{url} did not answer in time ({type(error).__name__}); try again later"
        ) from None
    except (httpx.RemoteProtocolError, httpx.ReadError) as error:
        if delivery:
            raise DeliveryError(f"{url}: the answer was cut off ({error})") from None
        raise ArchiveUnreachableError(f"{url}: the connection broke off ({error}); try again later") from None
    except httpx.DecodingError as error:
        raise DeliveryError(f"{url}: the answer's compression is damaged ({error})") from None
    except httpx.HTTPError as error:
        raise ArchiveUnreachableError(f"{url}: {type(error).__name__}: {error}") from None


def counted(pieces: Iterable[bytes], on_bytes: Callable[[int], None]) -> Iterator[bytes]:
    """Pass pieces on, and tell ``on_bytes`` the length of each."""
    for piece in pieces:
        on_bytes(len(piece))
        yield piece


def check_status(response: httpx.Response) -> None:
    """Raise the error that stands for a status other than success.

    401 and 403: `ArchiveRefusedError`; 408, 425, 429 and 5xx: `ArchiveUnreachableError` with Retry-After;
    others, 404 among them: `ArchiveAnswerError`.
    """
    status = response.status_code
    if 200 <= status < 300:
        return
    if status in (401, 403):
        raise ArchiveRefusedError(f"{response.url} refused us ({status}); it needs credentials, or is not public")
    if status in (408, 425, 429) or status >= 500:
        raise ArchiveUnreachableError(
            f"{response.url} answered {status} {response.reason_phrase}; try again later",
            retry_after=retry_after_seconds(response.headers.get("Retry-After")),
        )
    hint = "check that the URL is that of the archive's interface" if status == 404 else "this client is not understood"
    raise ArchiveAnswerError(f"{response.url} answered {status} {response.reason_phrase}; {hint}")


def retry_after_seconds(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110 10.2.3: seconds or a date), None for none."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except ValueError:
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None


def describe_body(response: httpx.Response) -> str:
    """Return a word for what came in place of what was due."""
    kind = response.headers.get("Content-Type", "").split(";")[0]
    if kind == "text/html" or response.content.lstrip()[:1] == b"<":
        return "an HTML page"
    return f"{len(response.content)} bytes of {kind or 'unnamed content'}"
