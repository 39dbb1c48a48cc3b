"""What a finished result says of itself, and how it becomes visible: whole, or not at all.

A result is a folder of files with a manifest that is written last. Present means complete: a reader
asks `read_manifest` and gets nothing until every file is in place. Freshness follows input hashes:
a result is fresh when the hash of the inputs and settings that would be used now equals the one in
its manifest. Standard library only, so that bare training machines can read manifests.
"""

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

MANIFEST = "manifest.json"
_STAGING = ".staging-"


@dataclass(frozen=True)
class Manifest:
    """The description of one finished result; ``files`` maps relative names to sha256 and bytes."""

    asset: str
    partition: str | None
    input_hash: str
    content_hash: str
    code_version: str
    run_id: str
    created_utc: str
    seconds: float
    counts: dict[str, Any] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)


class Origin(Protocol):
    """The store of which a data root on disk is a copy; `object_store.py` has the one there is."""

    url: str

    def look_up(self, folder: Path, name: str, *, whole: bool) -> Manifest | None:
        """Return the manifest that the store holds now, its files on disk: all, or those that readers open at once."""

    def publish(self, staged: Path, folder: Path, manifest: Manifest, name: str) -> None:
        """Make the store hold the files below ``staged`` as the result ``folder``, the manifest last."""

    def bring_file(self, path: Path) -> None:
        """Make a single file on disk the one that the store holds now."""

    def keep_file(self, path: Path, content: bytes) -> None:
        """Make the store hold a single file, as it will be on disk."""

    def remove(self, folder: Path) -> None:
        """Make the store hold nothing below a folder."""

    def drop_unused(self, older_than: float, *, dry_run: bool) -> int:
        """Remove from the copy what was not asked for since a time (seconds since 1970); return the bytes."""

    def folders(self, below: Path, pattern: str) -> list[Path]:
        """Return the folders that the store holds below one of them."""


origins: dict[Path, Origin] = {}
"""The store behind each data root that is a copy of one, by its folder; empty where all roots are local."""
_LOCAL_ALWAYS = {"archive", "dagster"}


def origin_of(path: Path) -> Origin | None:
    """Return the store that holds ``path``, None for what lies on this machine alone."""
    for root, origin in origins.items():
        if path.is_relative_to(root):
            parts = path.relative_to(root).parts
            local = not parts or parts[0] in _LOCAL_ALWAYS or any(part.startswith(".") for part in parts)
            return None if local else origin
    return None


def current(path: Path) -> Path:
    """Return ``path`` after bringing the single file from the store that holds it, where one does."""
    if origins and (origin := origin_of(path)) is not None:
        origin.bring_file(path)
    return path


def whole(folder: Path) -> Path:
    """Return ``folder`` after bringing every file of its results from the store that holds them, where one does.

    `read_manifest` brings tables and indices, not pixels and source files: whoever opens those asks here first.
    """
    if origins and (origin := origin_of(folder)) is not None:
        origin.look_up(folder, MANIFEST, whole=True)
    return folder


def digest(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON-able value; equal values give equal digests in any key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_manifest(folder: Path, name: str = MANIFEST) -> Manifest | None:
    """Return the manifest of a complete result, or None where there is none to be trusted.

    None means: no manifest, one that cannot be read, or a listed file that is missing or has another
    length. Bytes are not hashed here; `damaged_files` does that. Where the data root is a copy of a store,
    the store's manifest counts.
    """
    if origins and (origin := origin_of(folder)) is not None:
        return origin.look_up(folder, name, whole=False)
    return manifest_on_disk(folder, name)


def manifest_on_disk(folder: Path, name: str = MANIFEST) -> Manifest | None:
    """Return the manifest of a result that is complete on this machine, or None."""
    try:
        manifest = Manifest(**json.loads((folder / name).read_text()))
        for file, facts in manifest.files.items():
            if (folder / file).stat().st_size != facts["bytes"]:
                return None
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return manifest


def damaged_files(folder: Path, name: str = MANIFEST) -> list[str]:
    """Return the files of a result whose bytes are not those its manifest lists, or that are missing."""
    manifest = Manifest(**json.loads((folder / name).read_text()))
    return [
        file
        for file, facts in sorted(manifest.files.items())
        if not (folder / file).is_file() or sha256_of(folder / file) != facts["sha256"]
    ]


def sound_manifest(folder: Path, name: str = MANIFEST) -> Manifest | None:
    """Return the manifest of a complete result, or None as `read_manifest` does, or where a file has been altered.

    Only files newer than the manifest are read, so this costs a look at each file's time. Whoever finds damage
    that left the time as it was calls `mark_damaged`.
    """
    manifest = read_manifest(folder, name)
    if manifest is None or origin_of(folder) is not None:  # a copy of a store heals itself, and may lack pixels
        return manifest
    try:
        written = (folder / name).stat().st_mtime_ns
        newer = [file for file in manifest.files if (folder / file).stat().st_mtime_ns > written]
        if any(sha256_of(folder / file) != manifest.files[file]["sha256"] for file in newer):
            return None
    except OSError:
        return None
    if newer:  # a copy of the folder, for example: they need not be read again
        with contextlib.suppress(OSError):
            os.utime(folder / name)
    return manifest


def mark_damaged(path: Path) -> None:
    """Make a damaged file newer than its manifest, so that its result is no longer fresh and is made again."""
    with contextlib.suppress(OSError):  # missing, which shows by itself; or of another user, who is told
        os.utime(path)


def describe(
    staged: Path,
    *,
    asset: str,
    partition: str | None,
    input_hash: str,
    code_version: str,
    run_id: str,
    seconds: float,
    counts: Mapping[str, Any] | None = None,
    timed: tuple[str, ...] = (),
    sha256: Mapping[str, str] | None = None,
) -> Manifest:
    """Make the manifest of the files below ``staged``.

    ``sha256`` (hex) by relative name is of files that were hashed while they were written; all others are read here.
    ``timed`` names files that hold durations or other facts of one run; they are listed, but stay
    out of ``content_hash``, so that doing the same work again leaves what is built on it fresh.
    """
    files = {
        (name := path.relative_to(staged).as_posix()): {
            "sha256": (sha256 or {}).get(name) or sha256_of(path),
            "bytes": path.stat().st_size,
        }
        for path in sorted(staged.rglob("*"))
        if path.is_file() and path.name != MANIFEST
    }
    content = {name: facts["sha256"] for name, facts in files.items() if name not in timed}
    return Manifest(
        asset=asset,
        partition=partition,
        input_hash=input_hash,
        content_hash=digest(content),
        code_version=code_version,
        run_id=run_id,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
        counts=dict(counts or {}),
        files=files,
    )


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as JSON under a temporary name, flush it to the disk, and rename it into place."""
    content = json_bytes(value)
    if origins and (origin := origin_of(path)) is not None:
        origin.keep_file(path, content)
    write_bytes(path, content)


def json_bytes(value: Any) -> bytes:
    """Return ``value`` as JSON, as it stands in every file of ours."""
    return f"{json.dumps(value, indent=1, default=str)}\n".encode()


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to the disk, and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def staging(final: Path, *, swept: bool = False) -> Iterator[Path]:
    """Give an empty folder beside ``final`` to build in; remove it afterwards if it is still there.

    Folders left by processes that are gone are removed first, so a killed run costs no space twice; ``swept``
    says that `remove_left_overs` did so for all that lies beside ``final``, which may be many.
    """
    final.parent.mkdir(parents=True, exist_ok=True)
    if not swept:
        remove_left_overs(final.parent, final.name)
    folder = final.parent / f"{_STAGING}{final.name}.{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_left_overs(folder: Path, name: str | None = None) -> None:
    """Remove the staging folders in ``folder``, all or those of the result ``name``, whose processes are gone."""
    for left in folder.glob(f"{_STAGING}*" if name is None else f"{_STAGING}{name}.*"):
        if left_over(left):
            shutil.rmtree(left, ignore_errors=True)


def left_over(staged: Path) -> bool:
    """Tell whether a staging folder belongs to a process that is gone."""
    pid = staged.name.removesuffix(".old").rpartition(".")[2].split("-")[0]
    return not (pid.isdigit() and Path(f"/proc/{pid}").exists())


def remove_result(folder: Path) -> None:
    """Remove a folder with all below it, the manifest first: cut off half-way, it counts as not there."""
    if origins and (origin := origin_of(folder)) is not None:
        origin.remove(folder)
    (folder / MANIFEST).unlink(missing_ok=True)
    shutil.rmtree(folder)


def publish_folder(staged: Path, final: Path, manifest: Manifest) -> None:
    """Make ``staged`` the folder ``final`` in one step; what was there before is gone afterwards.

    Of several processes that publish at once, one wins, and its folder is whole.
    """
    if origins and (origin := origin_of(final)) is not None:
        origin.publish(staged, final, manifest, MANIFEST)
    write_json(staged / MANIFEST, asdict(manifest))
    try:
        os.rename(staged, final)
        return
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise
    if not _exchange(staged, final):
        old = staged.with_name(staged.name + ".old")
        os.rename(final, old)
        os.rename(staged, final)
        shutil.rmtree(old, ignore_errors=True)


def publish_files(staged: Path, folder: Path, manifest: Manifest, name: str = MANIFEST) -> None:
    """Move each staged file into ``folder`` by rename, the manifest last.

    For folders that hold more than this one result. The manifest of what was there goes first: killed
    half-way, the result counts as not made, and no reader takes old files and new ones for one result.
    Files that it listed and the new one does not go too.
    """
    if origins and (origin := origin_of(folder)) is not None:
        origin.publish(staged, folder, manifest, name)
    folder.mkdir(parents=True, exist_ok=True)
    former = manifest_on_disk(folder, name)
    (folder / name).unlink(missing_ok=True)
    for file in set(former.files if former else ()) - set(manifest.files):
        (folder / file).unlink(missing_ok=True)
    for file in manifest.files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / file, folder / file)
    write_bytes(folder / name, json_bytes(asdict(manifest)))


def copy_result(source: Path, final: Path) -> None:
    """Make ``final`` a copy of the complete result in ``source``, in one step, by hard links where they can be.

    Does nothing where ``final`` is that result already. Files that are no part of the result stay behind.
    """
    manifest = read_manifest(whole(source))
    if manifest is None:
        raise FileNotFoundError(f"{source}: there is no complete result to copy")
    there = read_manifest(final)
    if there is not None and there == manifest:
        return
    with staging(final) as staged:
        for name in manifest.files:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source / name, staged / name)
            except OSError:
                shutil.copy2(source / name, staged / name)
        publish_folder(staged, final, manifest)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically (Linux ``renameat2`` with RENAME_EXCHANGE); False where it cannot."""
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if renameat2 is None:
        return False
    here, rename_exchange = -100, 2
    return renameat2(here, os.fsencode(one), here, os.fsencode(other), rename_exchange) == 0
