"""Whether what lies in a staging folder is what was asked for, to the last byte."""

import hashlib
import time
import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom

from modality_assets.archives.archive import Delivery, DeliveryError, FileFacts
from modality_assets.manifest import Manifest, digest

_CHUNK = 1 << 20


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
    there = sorted(path.relative_to(staged).as_posix() for path in staged.rglob("*") if path.is_file())
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
    files = {name: _check_file(staged / name, delivery.files[name], uid) for name in names}
    total, stated = sum(facts["bytes"] for facts in files.values()), row.get("size_bytes")
    vouched = all(facts.md5 or facts.size_bytes is not None for facts in delivery.files.values())
    if not vouched and stated is not None and stated != total:
        raise DeliveryError(f"series {uid}: {total} bytes arrived where the archive lists {stated}")
    if row.get("format") in (None, "DICOM"):
        _check_headers([staged / name for name in images], uid, vouched=all(f.md5 for f in delivery.files.values()))
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


def _is_companion(name: str, names: list[str]) -> bool:
    path = Path(name)
    if path.suffix.lower() not in (".raw", ".zraw", ".img"):
        return False
    return any(other != name and Path(other).stem == path.stem for other in names)


def _check_file(path: Path, promised: FileFacts, uid: str) -> dict[str, Any]:
    """Read a file once for both hashes; return its entry of the manifest."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            sha256.update(chunk)
            if promised.md5:
                md5.update(chunk)
            size += len(chunk)
    if promised.size_bytes is not None and promised.size_bytes != size:
        raise DeliveryError(f"series {uid}: {path.name} has {size} bytes and should have {promised.size_bytes}")
    if promised.md5 and md5.hexdigest() != promised.md5:
        raise DeliveryError(f"series {uid}: {path.name} has MD5 {md5.hexdigest()} and should have {promised.md5}")
    return {"sha256": sha256.hexdigest(), "bytes": size}


def _check_headers(paths: list[Path], uid: str, *, vouched: bool) -> None:
    """Raise unless the headers name the series; a file broken in the archive itself is left to decoding."""
    readable = 0
    for path in paths:
        found = series_uid_of(path)
        if found is not None:
            readable += 1
            if found != uid:
                raise DeliveryError(f"series {uid}: {path.name} belongs to series {found}")
    if not readable and not vouched:
        raise DeliveryError(f"series {uid}: none of its {len(paths)} files has a DICOM header that can be read")


def series_uid_of(path: Path) -> str | None:
    """Return SeriesInstanceUID (0020,000E) of a DICOM file, None where there is none to be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"])
            value = header.get("SeriesInstanceUID")
            return str(value) if value else None
    except Exception:  # pydicom raises many kinds; all of them mean: not readable
        return None
