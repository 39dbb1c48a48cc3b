"""What of a data root may go: leftovers of work that ended, and results that others have replaced.

Never the current result of any partition, never a promoted model, never a dataset, retired or not.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modality_assets.layout import DataLayout
from modality_assets.manifest import left_over, manifest_on_disk, origins, read_manifest, remove_result

SECONDS_PER_DAY = 86_400.0


@dataclass(frozen=True)
class Removable:
    """A folder that may go, why, and how many bytes that frees."""

    path: Path
    what: str
    size_bytes: int


def removable(layout: DataLayout, days: float) -> list[Removable]:
    """Return what may go: leftovers of dead processes at once, the rest when nothing was written to it for ``days``."""
    before = time.time() - days * SECONDS_PER_DAY
    found = [Removable(path, "staging folders of processes that are gone", _size(path)) for path in _staged(layout)]
    for what, paths in (
        ("checkpoints of finished models", _checkpoints(layout)),
        ("replaced and refused models", _replaced_models(layout)),
        ("series that no dataset lists any more", _unlisted_series(layout)),
    ):
        found += [Removable(path, what, _size(path)) for path in paths if _newest(path) < before]
    return found


def remove(found: Removable) -> None:
    """Remove it, so that nothing of it counts as there when this is cut off; in the object store too."""
    remove_result(found.path)


def shrink_copy(layout: DataLayout, days: float, *, dry_run: bool) -> int:
    """Remove from the copy of an object store what nobody read for ``days``; return the bytes, 0 for a local root."""
    origin = origins.get(layout.root)
    return 0 if origin is None else origin.drop_unused(time.time() - days * SECONDS_PER_DAY, dry_run=dry_run)


def _staged(layout: DataLayout) -> Iterator[Path]:
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        yield from (path for path in layout.root.glob(f"{depth}.staging-*") if path.is_dir() and left_over(path))


def _checkpoints(layout: DataLayout) -> Iterator[Path]:
    for folder in (*layout.model_folders, *layout.experiment_folders):
        checkpoint = folder / "checkpoint"
        if checkpoint.is_dir() and read_manifest(folder) is not None:
            yield checkpoint


def _replaced_models(layout: DataLayout) -> Iterator[Path]:
    """Yield versions that are neither the promoted model nor the last one trained."""
    newest: dict[Path, Path] = {}
    for folder in layout.version_folders:
        last = newest.setdefault(folder.parent, folder)
        if _newest(folder) > _newest(last):
            newest[folder.parent] = folder
    for folder in layout.version_folders:
        promoted = read_manifest(layout.model(folder.parent.parent.name, folder.parent.name))
        if promoted is None or folder == newest[folder.parent] or promoted.input_hash.startswith(folder.name):
            continue
        yield folder


def _unlisted_series(layout: DataLayout) -> Iterator[Path]:
    """Yield stored series that a newer list of their dataset leaves out."""
    for folder in layout.source_folders:
        manifest = manifest_on_disk(folder)
        if manifest is None:
            continue
        listed = {Path(file).parts[0] for file in manifest.files}
        yield from (
            path
            for path in sorted(folder.iterdir())
            if path.is_dir() and not path.name.startswith(".") and path.name not in listed
        )


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file() and not file.is_symlink()]


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in _files(path) if file.stat().st_nlink == 1)


def _newest(path: Path) -> float:
    return max((file.stat().st_mtime for file in _files(path)), default=path.stat().st_mtime)
