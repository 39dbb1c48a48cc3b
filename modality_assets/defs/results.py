"""From a result on disk to what Dagster is told of it."""

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import dagster as dg

from modality_assets.manifest import Manifest, whole
from modality_assets.progress import LogProgress, Progress
from modality_assets.results import Built, Counts, Result, make

terminal_progress: ContextVar[Progress | None] = ContextVar("terminal_progress", default=None)
"""Set by a command that runs the graph in a terminal; elsewhere progress goes to the run's log."""


def progress_of(context: dg.AssetExecutionContext) -> Progress:
    """Return where this run's progress is shown: the command's terminal, or the run's log."""
    return terminal_progress.get() or LogProgress(context.log)


def materialise(
    context: dg.AssetExecutionContext,
    result: Result,
    build: Callable[[Path, Progress], Counts | Built],
    show: Callable[[Path], dict[str, Any]],
) -> dg.MaterializeResult:
    """Make ``result`` by ``build``, unless the same inputs made what is there, and tell Dagster of it.

    ``show`` reads the published folder and returns metadata worth looking at, so that a result that
    was found fresh shows the same as one just made.
    """
    fresh = result.fresh_manifest()
    progress = progress_of(context)
    manifest = fresh or make(result, lambda staged: build(staged, progress), run_id=context.op_execution_context.run_id)
    return told(manifest, result.folder, found_fresh=fresh is not None, shown=show(whole(result.folder)))


def told(manifest: Manifest, folder: Path, *, found_fresh: bool, shown: dict[str, Any]) -> dg.MaterializeResult:
    """Return what every asset tells Dagster: counts, bytes, seconds, where, whether made anew, and ``shown``."""
    facts = {
        **{name: _metadata(value) for name, value in manifest.counts.items()},
        "size_bytes": sum(file["bytes"] for file in manifest.files.values()),
        "files": len(manifest.files),
        "seconds": manifest.seconds,
        "found_fresh": found_fresh,
        "folder": dg.MetadataValue.path(str(folder)),
        "content_hash": manifest.content_hash[:16],
    }
    return dg.MaterializeResult(data_version=dg.DataVersion(manifest.input_hash), metadata={**facts, **shown})


def _metadata(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) else dg.MetadataValue.json(value)
