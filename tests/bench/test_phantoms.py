"""Phantom slices have the range and the types of decoded ones."""

import numpy as np
import polars as pl

from modality_assets.bench.phantoms import make_decoded_folder, phantom_slices


def test_slices_use_the_whole_range_and_repeat_with_their_seed():
    slices = phantom_slices(3, 32, 5)
    assert slices.dtype == np.uint16
    assert (slices.min(axis=(1, 2)) == 0).all()
    assert (slices.max(axis=(1, 2)) == 65535).all()
    assert (slices == phantom_slices(3, 32, 5)).all()


def test_a_decoded_folder_names_each_image_of_its_pixel_files(tmp_path):
    folder = make_decoded_folder(tmp_path / "bench", 70, 8, per_file=32)
    table = pl.read_parquet(folder / "images.parquet")
    assert {name: len(np.load(folder / name)) for name in table["pixel_file"].unique()} == {
        "pixels-00000.npy": 32,
        "pixels-00001.npy": 32,
        "pixels-00002.npy": 6,
    }
    assert table.height == 70
    assert table["dataset"].unique().to_list() == ["bench"]
