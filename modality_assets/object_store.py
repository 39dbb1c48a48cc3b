"""A data root in an object store, ``s3://bucket/prefix``, and the copy on this machine through which it is used.

The store is the truth: objects have the names that files have below a local root, and a result counts as there
when its manifest is. A manifest is taken away before its files are replaced, and put last, so that nobody ever
finds a manifest with the files of another. What is read is brought to the copy first and compared with the
manifest's SHA-256; tables and indices come with the manifest, pixels and source files when they are asked for.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modality_assets.manifest import Manifest, json_bytes, manifest_on_disk, origins, sha256_of, write_bytes

if TYPE_CHECKING:
    from obstore.store import S3Store

CACHE = "MODALITY_CACHE"
"""Environment variable: the folder below which copies of object stores lie; by default ``~/.cache/modality``."""

_TRUSTED_SECONDS = 2.0
_TRANSFERS = 8
_PIECE = 4 << 20
_TRIES = 3
_KNOWN = ".origin"


class ObjectStoreError(Exception):
    """The object store cannot be used; the message says where and why."""


class _ChangedError(Exception):
    """An object is not the one that the manifest lists: somebody is replacing it at this moment."""


def open_root(url: str) -> Path:
    """Return the folder through which the data root at ``url`` is used on this machine.

    Credentials and endpoint are the usual AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL.
    """
    bucket, _, prefix = url.removeprefix("s3://").strip("/").partition("/")
    if not bucket:
        raise ObjectStoreError(f"{url!r} names no bucket: a data root in an object store is s3://bucket/prefix")
    cache = Path(os.environ.get(CACHE) or "~/.cache/modality").expanduser().absolute()
    root = cache / bucket / prefix
    if root not in origins:
        origins[root] = CachedStore(f"s3://{bucket}/{prefix}".rstrip("/"), root, _connect(bucket, prefix))
    return root


def _connect(bucket: str, prefix: str) -> "S3Store":
    from obstore.store import S3Store

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    named: dict[str, Any] = {"endpoint": endpoint} if endpoint else {}
    return S3Store(
        bucket, prefix=prefix or None, client_options={"allow_http": endpoint.startswith("http://")}, **named
    )


class CachedStore:
    """One data root in an object store; it is the `modality_assets.manifest.Origin` of its folder on disk.

    ``store`` sees the root's objects by their names below the root. Beside the copy, ``.origin/`` keeps for each
    manifest the ETag and the SHA-256 with which it came, so that an unchanged one costs one short answer.
    """

    def __init__(self, url: str, root: Path, store: "S3Store") -> None:
        self.url, self.root = url, root
        self._store = store
        self._trusted: dict[str, float] = {}
        self._listed: dict[str, tuple[float, list[str]]] = {}

    def look_up(self, folder: Path, name: str, *, whole: bool) -> Manifest | None:
        """Return the manifest that the store holds now, after bringing its files: all, or those opened at once.

        Series below ``source_files/<dataset>`` come with the whole of their dataset, and are looked for on disk.
        """
        key = self._key(folder)
        if _is_series(key):
            return manifest_on_disk(folder, name)
        if whole and key.startswith("source_files/"):
            _at_once(lambda below: self._bring(self.root / below, name, whole=True), self._results_below(key))
        return self._bring(folder, name, whole=whole)

    def publish(self, staged: Path, folder: Path, manifest: Manifest, name: str) -> None:
        """Make the store hold the files below ``staged`` as the result ``folder``: manifest away, files, manifest."""
        key = f"{self._key(folder)}/{name}"
        self._trusted.pop(key, None)
        with self._named_errors():
            content = self._get(key, on_disk=False)
            self._trusted.pop(key, None)
            before = {} if content is None else _listed_files(content)
            if content is not None:
                self._store.delete(key)
            changed = [
                file for file, facts in manifest.files.items() if before.get(file, {}).get("sha256") != facts["sha256"]
            ]
            at = self._key(folder)
            _at_once(lambda file: self._store.put(f"{at}/{file}", staged / file), changed)
            self._put(key, json_bytes(asdict(manifest)))
            gone = [f"{at}/{file}" for file in before if file not in manifest.files]
            if gone:
                self._store.delete(gone)
        self._listed.clear()

    def remove(self, folder: Path) -> None:
        """Make the store hold nothing below a folder, manifests first."""
        key = self._key(folder)
        with self._named_errors():
            listed = [str(item["path"]) for page in self._store.list(f"{key}/") for item in page]
            manifests = [item for item in listed if item.endswith("manifest.json")]
            for some in (manifests, [item for item in listed if item not in set(manifests)]):
                if some:
                    self._store.delete(some)
        for item in listed:
            self._trusted.pop(item, None)
        self._listed.clear()

    def bring_file(self, path: Path) -> None:
        """Make a single file on disk the one that the store holds now, if it holds one."""
        with self._named_errors():
            self._get(self._key(path))

    def keep_file(self, path: Path, content: bytes) -> None:
        """Make the store hold a single file."""
        with self._named_errors():
            self._put(self._key(path), content)
        self._listed.clear()

    def folders(self, below: Path, pattern: str) -> list[Path]:
        """Return the folders below ``below`` that the store holds, as many levels down as ``pattern`` has parts."""
        found = [self._key(below)]
        for _ in pattern.split("/"):
            found = [deeper for key in found for deeper in self._folders(key)]
        return sorted(self.root / key for key in found)

    def drop_unused(self, older_than: float, *, dry_run: bool) -> int:
        """Remove pixels and source files from the copy that nobody asked for since ``older_than``; return the bytes."""
        freed = 0
        for known in (self.root / _KNOWN).rglob("*.json"):
            folder = self.root / known.relative_to(self.root / _KNOWN).parent
            manifest = manifest_on_disk(folder, known.name)
            if known.stat().st_mtime > older_than or manifest is None:
                continue
            for file in manifest.files:
                if _is_bulk(f"{self._key(folder)}/{file}"):
                    freed += manifest.files[file]["bytes"]
                    if not dry_run:
                        (folder / file).unlink(missing_ok=True)
        return freed

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _folders(self, key: str) -> list[str]:
        at, names = self._listed.get(key, (0.0, []))
        if time.monotonic() - at > _TRUSTED_SECONDS:
            with self._named_errors():
                names = [str(name) for name in self._store.list_with_delimiter(f"{key}/")["common_prefixes"]]
            self._listed[key] = time.monotonic(), names
        return names

    def _results_below(self, key: str) -> list[str]:
        """Return the keys of the folders below ``key`` that have a manifest."""
        with self._named_errors():
            listed = [str(item["path"]) for page in self._store.list(f"{key}/") for item in page]
        manifests = (item.rpartition("/") for item in listed)
        return [folder for folder, _, name in manifests if name == "manifest.json" and folder != key]

    def _bring(self, folder: Path, name: str, *, whole: bool) -> Manifest | None:
        """Bring manifest and files; None where the store has no manifest, or files that stay other than it says."""
        key = f"{self._key(folder)}/{name}"
        with self._named_errors(), self._alone(folder):
            for attempt in range(_TRIES):
                content = self._get(key, on_disk=False)
                if content is None:
                    return None
                manifest = Manifest(**json.loads(content))
                try:
                    brought = self._bring_files(folder, name, manifest, whole=whole)
                except (_ChangedError, FileNotFoundError):
                    self._trusted.pop(key, None)
                    time.sleep(0.2 * attempt)
                    continue
                if brought or not (folder / name).is_file() or (folder / name).read_bytes() != content:
                    write_bytes(folder / name, content)  # newer than its files, whose hashes are known to be right
                if whole:
                    os.utime(self._known(key))
                return manifest
        return None

    def _bring_files(self, folder: Path, name: str, manifest: Manifest, *, whole: bool) -> int:
        """Bring what is not on disk as the manifest lists it, and return how many files that were.

        A file is believed to be right by its length and the manifest on disk, if it is older than that; else by
        its SHA-256.
        """
        at, on_disk = self._key(folder), folder / name
        held = _listed_files(on_disk.read_bytes()) if on_disk.is_file() else {}
        written = on_disk.stat().st_mtime_ns if held else 0
        wanted, looked_at = [], 0
        for file, facts in manifest.files.items():
            path = folder / file
            found = path.stat() if path.is_file() else None
            right = found is not None and found.st_size == facts["bytes"]
            if (
                found
                and right
                and (found.st_mtime_ns > written or held.get(file, {}).get("sha256", "") != facts["sha256"])
            ):
                looked_at += 1
                right = sha256_of(path) == facts["sha256"]
            if right:
                continue
            if whole or not _is_bulk(f"{at}/{file}"):
                wanted.append(file)
            else:
                path.unlink(missing_ok=True)  # of another version: it would pass for this one
        _at_once(lambda file: self._download(f"{at}/{file}", folder / file, manifest.files[file]["sha256"]), wanted)
        return len(wanted) + looked_at

    def _download(self, key: str, path: Path, sha256: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
        found = hashlib.sha256()
        try:
            with temporary.open("wb") as file:
                for piece in self._store.get(key).stream(min_chunk_size=_PIECE):
                    found.update(piece)
                    file.write(piece)
            if found.hexdigest() != sha256:
                raise _ChangedError(key)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def _get(self, key: str, *, on_disk: bool = True) -> bytes | None:
        """Return the content of a small object, None where there is none; ``on_disk`` writes it to the copy too."""
        from obstore.exceptions import NotModifiedError

        path = self.root / key
        etag = self._etag(key)
        if etag is not None and time.monotonic() - self._trusted.get(key, -_TRUSTED_SECONDS) < _TRUSTED_SECONDS:
            return path.read_bytes()
        try:
            answer = self._store.get(key, options={"if_none_match": etag} if etag else {})
            content = bytes(answer.bytes())
        except NotModifiedError:
            self._trusted[key] = time.monotonic()
            return path.read_bytes()
        except FileNotFoundError:
            if etag is not None and on_disk:
                path.unlink(missing_ok=True)
            return None
        if on_disk:
            write_bytes(path, content)
        self._remember(key, str(answer.meta["e_tag"]), content)
        return content

    def _put(self, key: str, content: bytes) -> None:
        answer = self._store.put(key, content)
        self._remember(key, str(answer["e_tag"]), content)

    def _known(self, key: str) -> Path:
        return self.root / _KNOWN / key

    def _etag(self, key: str) -> str | None:
        """Return the ETag of the object that the file on disk is a copy of, None where it is a copy of none."""
        try:
            known = json.loads(self._known(key).read_text())
            same = hashlib.sha256((self.root / key).read_bytes()).hexdigest() == known["sha256"]
        except (OSError, ValueError):
            return None
        return str(known["etag"]) if same else None

    def _remember(self, key: str, etag: str, content: bytes) -> None:
        write_bytes(self._known(key), json_bytes({"etag": etag, "sha256": hashlib.sha256(content).hexdigest()}))
        self._trusted[key] = time.monotonic()

    @contextlib.contextmanager
    def _alone(self, folder: Path) -> Iterator[None]:
        """Let no other process or thread of this machine bring files to ``folder`` meanwhile."""
        lock = self.root / _KNOWN / self._key(folder) / ".lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with lock.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _named_errors(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except BaseError as error:
            reason = str(error).strip().splitlines()[0]
            raise ObjectStoreError(
                f"{self.url} cannot be used: {reason}; see AWS_ENDPOINT_URL, AWS_REGION and the credentials"
            ) from error


def _is_series(key: str) -> bool:
    return key.startswith("source_files/") and key.count("/") >= 2


def _is_bulk(key: str) -> bool:
    """Tell whether a file comes only when the whole result is asked for."""
    return key.startswith("source_files/") or key.rpartition("/")[2].startswith("pixels-")


def _listed_files(content: bytes) -> dict[str, Any]:
    try:
        return dict(json.loads(content)["files"])
    except (ValueError, KeyError):
        return {}


def _at_once(work: Callable[[str], Any], files: Iterable[str]) -> None:
    """Do ``work`` for every file, several at a time; raise the first error."""
    with ThreadPoolExecutor(_TRANSFERS, thread_name_prefix="objects") as pool:
        for _ in pool.map(work, files):
            pass
