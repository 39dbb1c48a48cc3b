"""Seeds and UIDs that follow from names alone, so that every machine makes the same phantoms."""

import hashlib


def seed_of(*names: object) -> int:
    """Return a seed for numpy's generator from any names and numbers."""
    return int.from_bytes(_hash(names)[:8], "big")


def uid_of(*names: object) -> str:
    """Return a UID under 2.25, as DICOM PS3.5 B.2 makes them of 128 bits."""
    return f"2.25.{int.from_bytes(_hash(names)[:16], 'big') >> 1}"


def _hash(names: tuple[object, ...]) -> bytes:
    return hashlib.sha256("|".join(map(str, names)).encode()).digest()
