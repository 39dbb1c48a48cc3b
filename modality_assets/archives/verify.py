"""Whether what lies in a staging folder is what was asked for, to the last byte."""

import hashlib
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modality_assets.archives.archive import Delivery, DeliveryError, FileFacts, Written
from modality_assets.archives.series_uid import series_uid_of
from modality_assets.archives.written import PIECE
from modality_assets.manifest import Manifest, digest


def verified_manifest(
    staged: Path,
    delivery: Delivery,
    row: dict[str, Any],
    *,
    input_hash: str,
    code_version: str,
    run_id: str,
    started: float,
) -> Manifest:
    """Check a staged series against what the archive promised and the catalogue says; return its manifest.

    Checked: the files are those delivered, as many as ``row['instances']``; sizes and MD5s where promised,
    the sum of sizes where neither is; every DICOM header that can be read names the series asked for, and
    at least one can be read unless the archive's own MD5s vouch for the bytes. Raises `DeliveryError`.
    """
    uid = str(row["series_uid"])
    names = sorted(delivery.files)
    there = _files_below(staged)
    if there != names:
        odd = sorted(set(there) ^ set(names))
        raise DeliveryError(
            f"series {uid}: {len(there)} files arrived and {len(names)} were announced, e.g. {odd[0]!r}"
        )
    if not names:
        raise DeliveryError(f"series {uid}: no files arrived")
    images = [name for name in names if not _is_companion(name, names)]
    listed = row.get("instances")
    if listed is not None and listed != len(images):
        raise DeliveryError(f"series {uid}: {len(images)} instances arrived where the archive lists {listed}")
    files = {name: _check_file(staged / name, delivery.files[name], delivery.written.get(name), uid) for name in names}
    total, stated = sum(facts["bytes"] for facts in files.values()), row.get("size_bytes")
    vouched = all(facts.md5 or facts.size_bytes is not None for facts in delivery.files.values())
    if not vouched and stated is not None and stated != total:
        raise DeliveryError(f"series {uid}: {total} bytes arrived where the archive lists {stated}")
    if row.get("format") in (None, "DICOM"):
        of_series = {name: _series_uid(staged / name, delivery.written.get(name)) for name in images}
        _check_headers(of_series, uid, vouched=all(facts.md5 for facts in delivery.files.values()))
    return Manifest(
        asset="source_files",
        partition=str(row.get("dataset")),
        input_hash=input_hash,
        content_hash=digest({name: facts["sha256"] for name, facts in files.items()}),
        code_version=code_version,
        run_id=run_id,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - started, 3),
        counts={"files": len(files), "bytes": total},
        files=files,
    )


def _files_below(folder: Path) -> list[str]:
    below = ((os.path.relpath(place, folder), names) for place, _, names in os.walk(folder))
    return sorted(name if place == "." else f"{place}/{name}" for place, names in below for name in names)


def _is_companion(name: str, names: list[str]) -> bool:
    path = Path(name)
    if path.suffix.lower() not in (".raw", ".zraw", ".img"):
        return False
    return any(other != name and Path(other).stem == path.stem for other in names)


def _check_file(path: Path, promised: FileFacts, written: Written | None, uid: str) -> dict[str, Any]:
    """Compare a file with what was promised of it, and return its entry of the manifest."""
    found = written or _read_again(path, md5=promised.md5 is not None)
    size = path.stat().st_size
    if size != found.size_bytes or promised.size_bytes not in (None, size):
        due = found.size_bytes if promised.size_bytes is None else promised.size_bytes
        raise DeliveryError(f"series {uid}: {path.name} has {size} bytes and should have {due}")
    if promised.md5 and found.md5 != promised.md5:
        raise DeliveryError(f"series {uid}: {path.name} has MD5 {found.md5} and should have {promised.md5}")
    return {"sha256": found.sha256, "bytes": size}


def _read_again(path: Path, *, md5: bool) -> Written:
    sha256, weak, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    buffer = memoryview(bytearray(PIECE))
    with path.open("rb", buffering=0) as file:
        while read := file.readinto(buffer):
            sha256.update(buffer[:read])
            if md5:
                weak.update(buffer[:read])
            size += read
    return Written(size, sha256.hexdigest(), weak.hexdigest() if md5 else None)


def _series_uid(path: Path, written: Written | None) -> str | None:
    return (written.series_uid if written else None) or series_uid_of(path)


def _check_headers(series_uids: dict[str, str | None], uid: str, *, vouched: bool) -> None:
    """Raise unless the headers name the series; a file broken in the archive itself is left to decoding."""
    others = [(name, found) for name, found in series_uids.items() if found not in (None, uid)]
    if others:
        name, found = others[0]
        raise DeliveryError(f"series {uid}: {name} belongs to series {found}")
    if not any(series_uids.values()) and not vouched:
        raise DeliveryError(f"series {uid}: none of its {len(series_uids)} files has a DICOM header that can be read")
