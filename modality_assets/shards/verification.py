"""Looks through all shards of a data root, and the decoded images behind them, and names each damaged file.

What is found damaged is marked, so that materialising it makes it again, and a whole result stays as it is.
"""

from collections.abc import Sequence
from pathlib import Path

from modality_assets.manifest import MANIFEST, damaged_files, mark_damaged, read_manifest, sha256_of
from modality_assets.modality import ClassOrderError
from modality_assets.progress import SILENT, Progress
from modality_assets.shards.index import INDEX, ShardError, mend, read_index
from modality_assets.shards.reader import ShardReader, file_problem


def verify_shards(root: Path, progress: Progress = SILENT) -> list[tuple[Path, str, str]]:
    """Return (folder, file, problem) for each damaged file below ``root``, which is shards/ of a data root; mark them.

    Every byte is read. A healthy root gives an empty list, and so does one without shards.
    """
    # a folder still being built has a name that starts with a dot
    folders = sorted(path for path in root.glob("[!.]*/[!.]*") if path.is_dir())
    problems: list[tuple[Path, str, str]] = []
    with progress.task("Verifying shards", total=len(folders), unit="folders") as task:
        for folder in folders:
            problems += [(folder, file, problem) for file, problem in verify_folder(folder)]
            task.advance()
    return _marked(problems)


def verify_decoded(folders: Sequence[Path], progress: Progress = SILENT) -> list[tuple[Path, str, str]]:
    """Return (folder, file, problem) for each damaged file of decoded/<dataset> ``folders``; mark them."""
    problems: list[tuple[Path, str, str]] = []
    with progress.task("Verifying decoded images", total=len(folders), unit="folders") as task:
        for folder in folders:
            cure = f"materialise decoded_images for {folder.name} again"
            try:
                damaged = [(file, "its bytes are not those that were written") for file in damaged_files(folder)]
            except (OSError, ValueError, TypeError) as error:
                damaged = [(MANIFEST, f"cannot be read ({error})")]
            problems += [(folder, file, f"{problem}; {cure}") for file, problem in damaged]
            task.advance()
    return _marked(problems)


def _marked(problems: list[tuple[Path, str, str]]) -> list[tuple[Path, str, str]]:
    for folder, file, _ in problems:
        if file != MANIFEST:
            mark_damaged(folder / file)
    return problems


def verify_folder(folder: Path) -> list[tuple[str, str]]:
    """Return (file, problem) for each damaged file of one shards folder; every byte is read."""
    try:
        index = read_index(folder)
        files = (*index.files, *index.arrays)
        problems = [(file.name, problem) for file in files if (problem := file_problem(folder, file, full=True))]
        manifest = read_manifest(folder)
        if manifest and manifest.files.get(INDEX, {}).get("sha256", "") not in ("", sha256_of(folder / INDEX)):
            problems.append((INDEX, "its bytes are not those that were written"))
        if not problems:
            ShardReader(folder)
    except (ShardError, ClassOrderError) as error:
        return [(INDEX, str(error))]
    return [(name, f"{problem}; {mend(index.partition)}") for name, problem in problems]
