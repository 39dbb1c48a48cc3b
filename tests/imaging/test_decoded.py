"""One dataset on disk: contract columns, order, provenance, quarantine, bounded files, and bounded memory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from modality_assets.imaging.batch import decode_files, open_part
from modality_assets.imaging.decoded import Decoded, SourceFile, decode_dataset, open_decoded
from modality_assets.imaging.decoded_tables import IMAGES_SCHEMA
from modality_assets.imaging.errors import MissingDecodedError
from modality_assets.imaging.pixel_files import PixelFileWriter
from modality_assets.imaging.workers import Batch, DecodingPool, Piece, shared_pool
from modality_assets.manifest import sha256_of

CONTRACT = (
    "dataset, patient_id, study_uid, series_uid, instance_uid, frame, source_file, format, modality, body_part, "
    "manufacturer, licence, rows, columns, bits_stored, signed, stored_min, stored_max, native_min, native_max, "
    "native_mean, native_std, unit, pixel_file, pixel_index"
)


class InProcess:
    """Decodes in this process, in the order asked for: 'forwards' or 'backwards'."""

    workers = 2

    def __init__(self, order: int = 1) -> None:
        self.order = order

    def decode(self, batches: Iterable[Batch], *, size: int, aspect: str) -> Iterator[Piece]:
        for batch in list(batches)[:: self.order]:
            with open_part(batch.part) as part:
                records = list(decode_files(batch.files, part, size=size, aspect=aspect))
            yield Piece(batch.part, records)


@pytest.fixture
def sources(write_dicom: Callable[..., Path], ramp: Callable[..., np.ndarray], tmp_path: Path) -> list[SourceFile]:
    """Forty files: one of three frames, of which one is constant, one wholly constant, one that is text."""
    found = []
    for number in range(40):
        array = ramp(high=500 + 50 * number)
        if number == 7:
            array = np.stack([array, np.full_like(array, 9), array[::-1]])
        if number == 11:
            array = np.zeros_like(array)
        path = write_dicom(array, name=f"{number:02d}.dcm", RescaleSlope=2, RescaleIntercept=-1024)
        if number == 23:
            path.write_text("no image")
        series = f"1.2.{number % 3}"
        found.append(
            SourceFile("SET", path, f"{series}/{path.name}", "patient", "1.2", series, "CT", "chest", "maker", "CC0")
        )
    return found


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_images_have_the_columns_of_the_contract_and_provenance(sources: list[SourceFile], tmp_path: Path) -> None:
    report = decode_dataset(sources, tmp_path / "out", image_size=16, pool=InProcess())
    decoded = open_decoded(tmp_path / "out")
    assert ", ".join(decoded.images.columns).startswith(f"{CONTRACT}, ")
    assert dict(decoded.images.schema) == IMAGES_SCHEMA
    assert (report.files, report.images, len(decoded)) == (40, 39, 39)
    row = decoded.images.filter(pl.col("source_file").str.ends_with("05.dcm")).row(0, named=True)
    assert (
        row
        | {
            "dataset": "SET",
            "patient_id": "patient",
            "series_uid": "1.2.2",
            "source_file": "1.2.2/05.dcm",
            "frame": 0,
            "format": "DICOM",
            "unit": "HU",
            "rows": 40,
            "columns": 50,
            "native_min": -1024.0,
            "native_max": 2 * 750 - 1024.0,
            "stored_max": 750.0,
            "stored_dtype_max": 65535.0,
        }
        == row
    )
    assert row["instance_uid"]


def test_pixels_are_those_of_their_rows(sources: list[SourceFile], tmp_path: Path) -> None:
    decode_dataset(sources, tmp_path / "out", image_size=16, pool=InProcess())
    decoded = open_decoded(tmp_path / "out")
    rows = [31, 2, 2, 17]
    picked = decoded.pixels(rows)
    assert (picked.shape, picked.dtype) == ((4, 16, 16), np.uint16)
    np.testing.assert_array_equal(picked, decoded.pixels()[rows])
    backwards = decoded.images.with_row_index().filter(pl.col("frame") == 2)["index"][0]
    straight = decoded.images.with_row_index().filter(pl.col("source_file").str.ends_with("07.dcm"))["index"][0]
    difference = decoded.pixels([backwards])[0][::-1].astype(int) - decoded.pixels([straight])[0]
    assert np.abs(difference).max() <= 1


def test_what_was_refused_is_named_and_counted(sources: list[SourceFile], tmp_path: Path) -> None:
    report = decode_dataset(sources, tmp_path / "out", image_size=16, pool=InProcess())
    quarantine = open_decoded(tmp_path / "out").quarantine
    assert quarantine.columns == ["dataset", "source_file", "stage", "error", "reason"]
    assert quarantine.rows() == [
        ("SET", "1.2.1/07.dcm", "select", "ConstantImageError", "07.dcm: 1 of 3 frames are constant images: 1"),
        ("SET", "1.2.2/11.dcm", "select", "ConstantImageError", "11.dcm: a constant image, every pixel is the same"),
        ("SET", "1.2.2/23.dcm", "read", "UnknownFormatError", quarantine["reason"][2]),
    ]
    assert (report.quarantined, report.unreadable, report.refused_frames) == (3, 1, 2)
    assert report.reasons == {"ConstantImageError": 2, "UnknownFormatError": 1}


def test_the_files_are_the_same_whatever_the_order_and_the_number_of_workers(
    sources: list[SourceFile], tmp_path: Path
) -> None:
    decode_dataset(sources, tmp_path / "reference", image_size=16, pool=InProcess())
    expected = bytes_of(tmp_path / "reference")
    assert sorted(expected) == ["images.parquet", "pixels-00000.npy", "quarantine.parquet"]
    decode_dataset(sources[::-1], tmp_path / "backwards", image_size=16, pool=InProcess(-1))
    assert bytes_of(tmp_path / "backwards") == expected
    for workers in (1, 3):
        with DecodingPool(workers) as pool:
            decode_dataset(sources, tmp_path / f"{workers}", image_size=16, pool=pool)
        assert bytes_of(tmp_path / f"{workers}") == expected


def test_progress_counts_every_file(sources: list[SourceFile], tmp_path: Path) -> None:
    class Counting:
        done = 0.0

        @contextmanager
        def task(self, description: str, total: float | None = None, unit: str = "") -> Iterator["Counting"]:
            assert (total, unit) == (40, "files")
            yield self

        def advance(self, amount: float = 1) -> None:
            self.done += amount

        def note(self, text: str) -> None:
            raise AssertionError(text)

    progress = Counting()
    decode_dataset(sources, tmp_path / "out", image_size=16, pool=InProcess(), progress=progress)
    assert progress.done == 40


def test_a_dataset_without_files_gives_empty_tables(tmp_path: Path) -> None:
    report = decode_dataset([], tmp_path / "out", image_size=16)
    decoded = open_decoded(tmp_path / "out")
    assert (report.images, len(decoded), decoded.images.columns) == (0, 0, list(IMAGES_SCHEMA))
    assert decoded.pixels().shape[0] == 0


def test_pixel_files_are_of_bounded_size_and_plain_npy(tmp_path: Path) -> None:
    images = np.arange(10 * 16, dtype="<u2").reshape(10, 4, 4)
    (tmp_path / "part").write_bytes(images.tobytes())
    with PixelFileWriter(tmp_path, 4, most_bytes=128 + 4 * 32) as writer:
        places = writer.append(tmp_path / "part", 0, 3) + writer.append(tmp_path / "part", 3 * 32, 7)
    assert [name for name, _ in places] == [f"pixels-0000{number // 4}.npy" for number in range(10)]
    assert [index for _, index in places] == [number % 4 for number in range(10)]
    found = [np.load(tmp_path / f"pixels-0000{number}.npy") for number in range(3)]
    np.testing.assert_array_equal(np.concatenate(found), images)
    assert writer.bytes_written == sum((tmp_path / f"pixels-0000{number}.npy").stat().st_size for number in range(3))


def test_rows_of_several_pixel_files_come_in_the_order_asked_for(tmp_path: Path) -> None:
    images = np.arange(10 * 16, dtype="<u2").reshape(10, 4, 4)
    (tmp_path / "part").write_bytes(images.tobytes())
    with PixelFileWriter(tmp_path, 4, most_bytes=128 + 4 * 32) as writer:
        places = writer.append(tmp_path / "part", 0, 10)
    table = pl.DataFrame(places, schema={"pixel_file": pl.String, "pixel_index": pl.Int64}, orient="row")
    decoded = Decoded(tmp_path, table, pl.DataFrame())
    rows = [9, 0, 5, 4, 3, 9]
    np.testing.assert_array_equal(decoded.pixels(rows), images[rows])
    np.testing.assert_array_equal(decoded.pixels([4, 5, 6]), images[4:7])
    with pytest.raises(IndexError, match="has 10 images"):
        decoded.pixels([10])


def test_a_missing_or_damaged_folder_says_what_to_do(sources: list[SourceFile], tmp_path: Path) -> None:
    with pytest.raises(MissingDecodedError, match="materialise decoded_images of nothing again"):
        open_decoded(tmp_path / "nothing")
    decode_dataset(sources[:3], tmp_path / "out", image_size=16, pool=InProcess())
    (tmp_path / "out" / "pixels-00000.npy").write_bytes(b"damaged")
    with pytest.raises(MissingDecodedError, match=r"pixels-00000\.npy"):
        open_decoded(tmp_path / "out").pixels([0])


@pytest.mark.real_archive
def test_the_receptor_atlas_gives_481_images(real_archive: Path, tmp_path: Path) -> None:
    folder = real_archive / "RECEPTOR-ATLAS"
    sources = [SourceFile("RECEPTOR-ATLAS", path, path.name) for path in folder.rglob("*.nii")]
    report = decode_dataset(sources, tmp_path / "out", image_size=64, pool=shared_pool(2))
    assert (report.files, report.images, report.refused_frames, report.unreadable) == (9, 481, 112, 0)


def test_part_files_are_used_again(sources: list[SourceFile], tmp_path: Path) -> None:
    parts: list[Path] = []

    class Noting(InProcess):
        def decode(self, batches: Iterable[Batch], *, size: int, aspect: str) -> Iterator[Piece]:
            for batch in batches:  # one at a time, as a pool asks for them
                parts.append(batch.part)
                yield from super().decode([batch], size=size, aspect=aspect)

    decode_dataset(sources, tmp_path / "out", image_size=16, pool=Noting())
    assert len(parts) > 5 * len(set(parts)) / 2
    decode_dataset(sources, tmp_path / "reference", image_size=16, pool=InProcess())
    assert bytes_of(tmp_path / "out") == bytes_of(tmp_path / "reference")


def test_pixel_files_are_hashed_on_the_way_where_every_file_gives_one_image(
    sources: list[SourceFile], tmp_path: Path
) -> None:
    good = [source for source in sources if source.path.name not in ("07.dcm", "11.dcm", "23.dcm")]
    report = decode_dataset(good, tmp_path / "out", image_size=16, pool=InProcess())
    assert report.sha256 == {"pixels-00000.npy": sha256_of(tmp_path / "out" / "pixels-00000.npy")}
    assert decode_dataset(sources, tmp_path / "other", image_size=16, pool=InProcess()).sha256 == {}


def test_bounded_pixel_files_are_hashed_each(tmp_path: Path) -> None:
    images = np.arange(10 * 16, dtype="<u2").reshape(10, 4, 4)
    (tmp_path / "part").write_bytes(images.tobytes())
    with PixelFileWriter(tmp_path, 4, expected=10, most_bytes=128 + 4 * 32) as writer:
        writer.append(tmp_path / "part", 0, 7)
        writer.append(tmp_path / "part", 7 * 32, 3)
    assert writer.sha256 == {path.name: sha256_of(path) for path in tmp_path.glob("*.npy")}
    assert len(writer.sha256) == 3
