"""Zips are made while they are sent."""

import itertools
import tracemalloc
from pathlib import Path

import numpy as np

from modality_assets.archives.replica.delivery import series_zip
from modality_assets.archives.replica.index import Instance, SeriesRecord
from modality_assets.archives.zip_stream import ZipStream


def test_a_zip_of_large_files_never_is_in_memory_as_a_whole(tmp_path: Path) -> None:
    size = 24 << 20
    (tmp_path / "large").write_bytes(np.random.default_rng(0).bytes(size))
    instances = [Instance("large", size, 0.0, {"SOPInstanceUID": str(n), "InstanceNumber": "1"}) for n in range(3)]
    record = SeriesRecord({"Collection": "c", "SeriesInstanceUID": "1.2"}, instances)
    tracemalloc.start()
    sent = sum(len(piece) for piece in series_zip(record, tmp_path, new_names=True, md5=True))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sent > 3 * size
    assert peak < 4 << 20


def test_instances_with_one_number_keep_different_names(tmp_path: Path) -> None:
    import io
    import zipfile

    for name in "ab":
        (tmp_path / name).write_bytes(name.encode())
    instances = [Instance(name, 1, 0.0, {"SOPInstanceUID": name, "InstanceNumber": "1"}) for name in "ab"]
    record = SeriesRecord({"Collection": "c", "SeriesInstanceUID": "1.2"}, instances)
    whole = b"".join(itertools.chain(series_zip(record, tmp_path, new_names=True, md5=False)))
    with zipfile.ZipFile(io.BytesIO(whole)) as got:
        assert [got.read(name) for name in got.namelist()] == [b"a", b"b"]


def test_sizes_stand_before_the_files_so_that_a_zip_can_be_unpacked_while_it_comes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"some bytes")
    instances = [Instance("a", 10, 0.0, {"SOPInstanceUID": "a", "InstanceNumber": "1"})]
    record = SeriesRecord({"Collection": "c", "SeriesInstanceUID": "1.2", "LicenseName": "CC BY"}, instances)
    stream = ZipStream(series_zip(record, tmp_path, new_names=False, md5=True))
    members = [(member.name, member.size_bytes, member.crc is None) for member, _ in stream.members()]
    assert [name for name, _, _ in members] == ["00000001.dcm", "LICENSE", "md5hashes.csv"]
    assert members[0][1:] == (10, False)
    assert all(size is not None and not later for _, size, later in members)
