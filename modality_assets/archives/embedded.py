"""``replica``: the embedded archive, opened by the same client that opens the real one."""

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import polars as pl

from modality_assets.archives.archive import Archive
from modality_assets.archives.nbia import NbiaArchive
from modality_assets.layout import DataLayout
from modality_assets.progress import SILENT, Progress


class ReplicaArchive(NbiaArchive):
    """The embedded archive over HTTP, with the pins that its content names."""

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(url, name="replica", synthetic=True)
        self._folder = folder

    def pins(self) -> pl.DataFrame | None:
        """Return the datasets that its content assigns to a split."""
        from modality_assets.archives.replica.content import pins

        pinned = pins()
        return pl.DataFrame({"dataset": list(pinned), "split": list(pinned.values())})


@contextmanager
def open_replica(layout: DataLayout, progress: Progress = SILENT) -> Iterator[Archive]:
    """Open the embedded archive of a data root: make its content, use its server if one runs, else start one."""
    from modality_assets.archives.replica.content import ensure_content
    from modality_assets.archives.replica.server import running_server

    ensure_content(layout.replica, progress)
    with contextlib.ExitStack() as stack:
        url = _live_url(layout.replica / "server.json") or stack.enter_context(running_server(layout.replica))
        archive = stack.enter_context(contextlib.closing(ReplicaArchive(url, layout.replica)))
        yield archive


def _live_url(file: Path) -> str | None:
    """Return the URL in ``file`` if an archive answers there; the file of a server that was killed is no answer."""
    try:
        url = str(json.loads(file.read_text())["url"])
        answer = httpx.get(url.rstrip("/") + "/getCollectionValues", timeout=5, trust_env=False)
    except (OSError, ValueError, KeyError, TypeError, httpx.HTTPError):
        return None
    return url if answer.status_code == 200 else None
