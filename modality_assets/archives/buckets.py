"""Public buckets that speak S3: a folder of objects to a folder of files, unsigned, several objects at a time."""

import hashlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError, NotFoundError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store

from modality_assets.archives.archive import (
    ArchiveError,
    ArchiveRefusedError,
    ArchiveUnreachableError,
    Delivery,
    DeliveryError,
    FileFacts,
    SeriesNotFoundError,
    Written,
)
from modality_assets.archives.unpack import Limits, safe_names
from modality_assets.archives.written import PIECE, write_hashed

_MIB = 1 << 20
_PART_SIZES = tuple(size * _MIB for size in (5, 8, 10, 15, 16, 25, 32, 50, 64, 100, 128, 256, 500, 512, 1024))
"""Part sizes of common upload tools, by which the ETag of an object uploaded in parts can be checked."""


class Buckets:
    """Buckets behind one S3 endpoint; None is Amazon's. Requests are not signed."""

    def __init__(self, endpoint: str | None = None, *, connections: int = 8, region: str = "us-east-1") -> None:
        self.endpoint = endpoint
        self._region = region
        self._stores: dict[str, S3Store] = {}
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(connections, thread_name_prefix="object")

    def fetch_folder(self, bucket: str, prefix: str, into: Path, on_bytes: Callable[[int], None]) -> Delivery:
        """Write every object below ``prefix/`` into ``into``, and promise its listed size and MD5.

        The ETag of an object uploaded at once is its MD5; that of one uploaded in parts is checked here
        against usual part sizes, and where none fits only the size is promised. Raises
        `SeriesNotFoundError` where there is no object, `ArchiveError` otherwise.
        """
        where = f"{self.endpoint or 's3:/'}/{bucket}/{prefix}/"
        try:
            store = self._store(bucket)
            objects = [item for page in obstore.list(store, f"{prefix}/") for item in page]
        except BaseError as error:
            raise _named(error, where) from None
        if not objects:
            raise SeriesNotFoundError(f"{where} holds no objects: the archive no longer has the series")
        if len(objects) > Limits.members:
            raise DeliveryError(f"{where} holds {len(objects)} objects, more than a series may have")
        names = safe_names(item["path"] for item in objects)
        stop = threading.Event()

        def fetch(item: Any, name: str) -> tuple[FileFacts, Written]:
            if stop.is_set():
                raise DeliveryError(f"{where}: another object failed")
            try:
                return _fetch_object(store, item, into / name, on_bytes)
            except BaseError as error:
                raise _named(error, where) from None

        futures = [self._pool.submit(fetch, item, name) for item, name in zip(objects, names, strict=True)]
        try:
            results = {name: future.result() for name, future in zip(names, futures, strict=True)}
            return Delivery(
                {name: facts for name, (facts, _) in results.items()},
                {name: written for name, (_, written) in results.items()},
            )
        finally:
            stop.set()
            for future in futures:
                if not future.cancel():
                    future.exception()  # waits, so that nothing writes into the folder after it is given up

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _store(self, bucket: str) -> S3Store:
        with self._lock:
            if bucket not in self._stores:
                plain = bool(self.endpoint) and str(self.endpoint).startswith("http://")
                self._stores[bucket] = S3Store(
                    bucket,
                    region=self._region,
                    skip_signature=True,
                    client_options={
                        "allow_http": plain,
                        "connect_timeout": timedelta(seconds=15),
                        "timeout": timedelta(minutes=10),
                        "read_timeout": timedelta(seconds=60),
                    },
                    retry_config={"max_retries": 3, "retry_timeout": timedelta(minutes=2)},
                    config={"endpoint": self.endpoint} if self.endpoint else None,
                )
            return self._stores[bucket]


def _fetch_object(
    store: S3Store, item: Any, target: Path, on_bytes: Callable[[int], None]
) -> tuple[FileFacts, Written]:
    written = write_hashed(
        target, (memoryview(piece) for piece in obstore.get(store, item["path"]).stream(min_chunk_size=PIECE)), on_bytes
    )
    return FileFacts(item["size"], promised_md5(item.get("e_tag"), target)), written


def promised_md5(etag: str | None, path: Path) -> str | None:
    """Return the MD5 that an ETag promises of the file at ``path``, None where it promises none.

    ``<md5>-<n>`` is the MD5 of the MD5s of n parts: if the file, cut into parts of a usual size, gives that
    ETag, then the file's own MD5 is as good as promised.
    """
    etag = (etag or "").strip('"').lower()
    digest, _, parts = etag.partition("-")
    if len(digest) != 32 or any(letter not in "0123456789abcdef" for letter in digest):
        return None
    if not parts:
        return digest
    size = path.stat().st_size
    for part_size in _PART_SIZES:
        if parts.isdigit() and -(-size // part_size) == int(parts):
            whole, of_parts = _md5s(path, part_size)
            if of_parts == digest:
                return whole
    return None


def _md5s(path: Path, part_size: int) -> tuple[str, str]:
    whole, of_parts = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(part_size):
            whole.update(part)
            of_parts.update(hashlib.md5(part, usedforsecurity=False).digest())
    return whole.hexdigest(), of_parts.hexdigest()


def _named(error: BaseError, where: str) -> ArchiveError:
    text = (str(error).splitlines() or [""])[0][:300]
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)):
        return ArchiveRefusedError(f"{where} refused us: {text}")
    if isinstance(error, (NotFoundError, FileNotFoundError)):
        return SeriesNotFoundError(f"{where} is not there: {text}")
    return ArchiveUnreachableError(f"{where} cannot be fetched: {text}")
