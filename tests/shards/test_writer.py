"""What the writer promises: the same images, shuffled, with their numbers right, whatever the machine."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from modality_assets.imaging.rescaling import RESCALINGS
from modality_assets.modality import CLASSES
from modality_assets.shards.index import DecodedImagesError, EmptySplitError
from modality_assets.shards.reader import ShardReader
from modality_assets.shards.writer import write_shards


def decoded_pixels(reader: ShardReader, decoded: list[Path]) -> np.ndarray:
    """Return the decoded image behind each row, found by its provenance alone."""
    folders = {folder.name: folder for folder in decoded}
    return np.stack(
        [
            np.load(folders[row["dataset"].decode()] / row["pixel_file"].decode())[row["pixel_index"]]
            for row in reader.provenance
        ]
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def rescaled(reader: ShardReader) -> np.ndarray:
    """Return every value in float64, (N, H·W)."""
    q = reader.gather(np.arange(len(reader))).reshape(len(reader), -1).astype(np.float64)
    affine = reader.affine.astype(np.float64)
    values = affine[:, :1] * q / reader.index.levels + affine[:, 1:]
    return np.clip(values, 0, 1) if reader.index.clip else values


@pytest.mark.parametrize("compress", [False, True])
def test_every_decoded_image_is_a_row_once_and_unchanged(three_datasets, make_shards, compress):
    reader = make_shards(three_datasets, compress=compress)
    assert (reader.gather(np.arange(len(reader))) == decoded_pixels(reader, three_datasets)).all()
    places = {(row["dataset"], row["pixel_file"], row["pixel_index"]) for row in reader.provenance}
    assert len(places) == len(reader) == 61


def test_each_row_has_the_label_dataset_and_provenance_of_its_image(three_datasets, make_shards):
    reader = make_shards(three_datasets)
    tables = {folder.name: pl.read_parquet(folder / "images.parquet") for folder in three_datasets}
    for number, row in enumerate(reader.provenance):
        name = reader.index.datasets[reader.dataset_codes[number]]
        place = (pl.col("pixel_file") == row["pixel_file"].decode()) & (pl.col("pixel_index") == row["pixel_index"])
        image = tables[name].row(by_predicate=place, named=True)
        assert CLASSES[reader.labels[number]] == image["modality"]
        for column in ("dataset", "patient_id", "study_uid", "series_uid", "instance_uid", "source_file"):
            assert row[column].decode() == (image[column] or "")
        assert row["frame"] == image["frame"]


def test_rows_of_all_datasets_are_mixed(make_decoded, make_shards):
    reader = make_shards([make_decoded("A", ["CT"] * 300), make_decoded("B", ["MR"] * 300)], file_bytes=1 << 20)
    for third in np.split(reader.dataset_codes, 3):
        assert 70 <= third.sum() <= 130
    assert (np.diff(reader.provenance["pixel_index"]) != 1).mean() > 0.8


def test_the_seed_decides_the_order_and_nothing_else(three_datasets, make_shards):
    one, same, other = (
        make_shards(three_datasets, f"image_range/{name}", split="train", seed=seed)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert contents(one.folder) == contents(same.folder)
    assert (one.provenance["source_file"] != other.provenance["source_file"]).any()
    assert sorted(one.provenance.tolist()) == sorted(other.provenance.tolist())


def test_neither_workers_nor_the_order_of_folders_change_a_byte(three_datasets, make_shards):
    one = make_shards(three_datasets, "image_range/a", split="train", workers=1)
    many = make_shards(three_datasets[::-1], "image_range/b", split="train", workers=4)
    assert len(one.index.files) > 1
    assert contents(one.folder) == contents(many.folder)


@pytest.mark.parametrize("rescaling", RESCALINGS)
@pytest.mark.parametrize("bits", [16, 8])
def test_mean_and_std_equal_a_two_pass_reference(three_datasets, make_shards, rescaling, bits):
    reader = make_shards(three_datasets, f"{rescaling}/train", bits=bits)
    values = rescaled(reader)
    mean = values.mean()
    std = np.sqrt(((values - mean) ** 2).mean())
    assert reader.index.clip == (rescaling in ("percentile", "hounsfield"))
    assert reader.index.mean == pytest.approx(mean, rel=1e-9)
    assert reader.index.std == pytest.approx(std, rel=1e-9)


def test_a_cap_keeps_that_many_images_of_a_class_of_each_dataset(three_datasets, make_shards):
    reader = make_shards(three_datasets, caps={"CT": 5, "PT": 4, "XR": 400})
    assert reader.index.images_per_class == {"CT": 5, "MR": 10, "PT": 4, "XR": 17}
    assert reader.index.caps == {"CT": 5, "PT": 4, "XR": 400}
    again = make_shards(three_datasets[:1], "image_range/validate", caps={"CT": 5})
    alpha = reader.provenance[reader.dataset_codes == 0]["source_file"]
    assert set(alpha) == set(again.provenance["source_file"]), "the choice depends on the dataset alone"
    assert set(alpha) != {f"1.2.3.{number // 3}/{number:04d}.dcm".encode() for number in range(5)}


def test_another_rescaling_links_the_pixels_and_writes_its_own_numbers(three_datasets, make_shards):
    one = make_shards(three_datasets, "image_range/train")
    other = make_shards(three_datasets, "percentile/train", reuse=[one.folder])
    fresh = make_shards(three_datasets, "percentile/validate", split="train")
    for file in other.index.files:
        assert (other.folder / file.name).stat().st_ino == (one.folder / file.name).stat().st_ino
    assert contents(other.folder) == contents(fresh.folder)


@pytest.mark.parametrize("compress", [False, True])
def test_a_damaged_earlier_file_is_written_again_and_not_linked(three_datasets, make_shards, compress):
    one = make_shards(three_datasets, "image_range/train", compress=compress)
    good = contents(one.folder)
    damaged = one.folder / one.index.files[0].name
    data = bytearray(damaged.read_bytes())
    data[-100] ^= 1
    damaged.write_bytes(data)
    again = make_shards(three_datasets, "image_range/b", split="train", compress=compress, reuse=[one.folder])
    assert contents(again.folder) == good
    linked = [(again.folder / file.name).stat().st_nlink == 2 for file in again.index.files]
    assert linked == [False] + [True] * (len(linked) - 1)


def test_adding_a_small_dataset_leaves_most_files_as_they_were(make_decoded, make_shards):
    large = [make_decoded(f"Large-{number}", ["CT"] * 2000, size=4, per_file=1000) for number in range(4)]
    before = make_shards(large, "image_range/train", file_bytes=20_000)
    added = [*large, make_decoded("Added", ["MR"] * 100, size=4)]
    after = make_shards(added, "image_range/b", split="train", file_bytes=20_000, reuse=[before.folder])
    fresh = make_shards(added, "image_range/c", split="train", file_bytes=20_000)
    assert len(before.index.files) == len(after.index.files) == 16
    new = [file.name for file in after.index.files if (after.folder / file.name).stat().st_nlink == 1]
    assert len(new) == 2, "100 rows are two quanta of 64"
    assert contents(after.folder) == contents(fresh.folder), "history leaves no trace"


def test_the_index_is_readable_with_json_and_numpy_alone(three_datasets, make_shards):
    folder = make_shards(three_datasets).folder
    index = json.loads((folder / "index.json").read_text())
    pixels = np.concatenate([np.load(folder / file["name"]) for file in index["files"]])
    labels = np.load(folder / "labels.npy")
    assert index["classes"] == ["CT", "MR", "PT", "XR"]
    assert pixels.shape == (61, *index["shape"])
    assert str(pixels.dtype) == index["dtype"] == "uint16"
    assert index["images_per_class"] == {name: int((labels == n).sum()) for n, name in enumerate(index["classes"])}
    assert np.load(folder / "affine.npy").shape == (61, 2)
    assert np.load(folder / "provenance.npy").shape == (61,)


def test_eight_bits_are_the_nearest_of_256_levels(three_datasets, make_shards):
    reader = make_shards(three_datasets, bits=8)
    q = decoded_pixels(reader, three_datasets).astype(float)
    stored = reader.gather(np.arange(61))
    assert stored.dtype == np.uint8
    assert (stored == np.floor(q / 257 + 0.5)).all()


def test_a_split_without_images_is_refused(make_decoded, tmp_path):
    empty = make_decoded("Empty", [])
    with pytest.raises(EmptySplitError, match=r"image_range\|test.*1 datasets"):
        write_shards([empty], tmp_path, split="test", rescaling="image_range", seed=0, caps={})


def lose_a_column(folder: Path) -> None:
    pl.read_parquet(folder / "images.parquet").drop("series_uid").write_parquet(folder / "images.parquet")


def name_another_class(folder: Path) -> None:
    table = pl.read_parquet(folder / "images.parquet").with_columns(modality=pl.lit("US"))
    table.write_parquet(folder / "images.parquet")


def point_past_the_end(folder: Path) -> None:
    table = pl.read_parquet(folder / "images.parquet").with_columns(pl.col("pixel_index") + 1)
    table.write_parquet(folder / "images.parquet")


def lose_a_fact(folder: Path) -> None:
    pl.read_parquet(folder / "images.parquet").drop("native_max").write_parquet(folder / "images.parquet")


def cut_the_pixels(folder: Path) -> None:
    pixels = folder / "pixels-00001.npy"
    pixels.write_bytes(pixels.read_bytes()[:-8])


def change_the_size(folder: Path) -> None:
    for path in folder.glob("*.npy"):
        np.save(path, np.zeros((7, 9, 9), np.uint16))


def lose_the_native_range(folder: Path) -> None:
    table = pl.read_parquet(folder / "images.parquet").with_columns(native_min=pl.lit(float("nan")))
    table.write_parquet(folder / "images.parquet")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lose_a_column, "lacks the columns .*series_uid.*decode Alpha again"),
        (name_another_class, "US"),
        (point_past_the_end, "pixel_index lies outside.*decode Alpha again"),
        (lose_a_fact, "lacks 'native_max', which image_range needs; decode Alpha again"),
        (cut_the_pixels, "pixels-00001.npy.*decode Alpha again"),
        (change_the_size, "several sizes.*Beta"),
        (lose_the_native_range, "no finite image_range"),
        (lambda folder: (folder / "images.parquet").unlink(), "cannot be read.*decode Alpha again"),
    ],
)
def test_a_decoded_folder_that_contradicts_its_contract_is_named(
    three_datasets, make_shards, harm: Callable[[Path], None], words
):
    harm(three_datasets[0])
    with pytest.raises(DecodedImagesError, match=f"(?s){words}"):
        make_shards(three_datasets)


def test_one_dataset_given_twice_is_refused(three_datasets, make_shards):
    with pytest.raises(DecodedImagesError, match="both dataset 'Alpha'"):
        make_shards([*three_datasets, three_datasets[0]])
