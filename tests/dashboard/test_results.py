"""What is read from a data root, and how: only what is whole, filtered, in the field's order."""

import json
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dashboard.results import NotMaterialisedError, Results, Wanted
from dashboard.results.published import published_accuracy
from modality_assets.layout import DataLayout
from modality_assets.manifest import describe, publish_folder, staging
from modality_assets.modality import SPLITS


@pytest.fixture
def copy(made_up: DataLayout, tmp_path: Path) -> DataLayout:
    """A data root that a test may change."""
    shutil.copytree(made_up.root, tmp_path / "root")
    return DataLayout(tmp_path / "root")


def test_the_best_model_is_the_best_on_validate(results: Results) -> None:
    models = results.models.main()
    scores = [model.counts["validate_balanced_accuracy"] for model in models]
    assert len(models) == 2
    assert scores == sorted(scores, reverse=True)


def test_a_report_without_its_manifest_does_not_exist(copy: DataLayout) -> None:
    before = Results(copy).models.main()
    (before[0].report / "manifest.json").unlink()
    assert [model.key for model in Results(copy).models.main()] == [before[1].key]


def test_a_missing_result_names_its_asset(tmp_path: Path) -> None:
    empty = Results(DataLayout(tmp_path))
    with pytest.raises(NotMaterialisedError) as missing:
        empty.split.plan()
    assert missing.value.asset == "split_plan"
    assert not empty.synthetic()
    assert empty.archive_name() is None


def test_a_table_that_is_written_anew_is_read_anew(copy: DataLayout) -> None:
    results = Results(copy)
    before = len(results.archive.collections())
    results.archive.collections().head(1).write_parquet(copy.collections_table)
    manifest = json.loads((copy.catalogue / "manifest.json").read_text())
    manifest["files"]["collections.parquet"]["bytes"] = copy.collections_table.stat().st_size
    (copy.catalogue / "manifest.json").write_text(json.dumps(manifest, indent=1))
    assert before > 1
    assert len(results.archive.collections()) == 1


@pytest.mark.parametrize("split", SPLITS)
def test_the_gallery_holds_the_surest_errors_that_meet_every_filter(results: Results, split: str) -> None:
    model = results.models.main()[-1]
    found, total = results.predictions.find(model, Wanted(split, actual=("CT",), wrong=True), most=3)
    everything = pl.read_parquet(model.report / "predictions.parquet").filter(
        pl.col("split") == split, pl.col("actual") == "CT", pl.col("predicted") != "CT"
    )
    surest = everything.select(pl.max_horizontal("p_CT", "p_MR", "p_PT", "p_XR")).to_series().top_k(3)
    assert total == len(everything)
    assert found["confidence"].to_list() == pytest.approx(surest.to_list())
    assert (found["actual"] == "CT").all()


def test_pictures_are_those_of_the_predictions(results: Results, made_up: DataLayout) -> None:
    model = results.models.main()[0]
    found, _ = results.predictions.find(model, Wanted("train"), most=5)
    pictures, as_seen = results.predictions.pictures(found, "image_range")
    assert as_seen
    for row, picture in zip(found.iter_rows(named=True), pictures, strict=True):
        folder = made_up.decoded(row["dataset"])
        images = pl.read_parquet(folder / "images.parquet").filter(pl.col("source_file") == row["source_file"])
        q = np.load(folder / "pixels-00000.npy")[images["pixel_index"][0]]
        assert picture is not None
        assert np.array_equal(picture, q.astype(np.float32) / 65535)


def test_pictures_are_rescaled_as_the_shards_say(copy: DataLayout) -> None:
    results = Results(copy)
    model = next(one for one in results.models.main() if one.rescaling == "dtype_range")
    rows = pl.read_parquet(model.report / "predictions.parquet").filter(pl.col("split") == "test")
    found, _ = results.predictions.find(model, Wanted("test"), most=4)
    _, without_shards = results.predictions.pictures(found, "dtype_range")
    assert not without_shards
    folder = copy.shards("dtype_range", "test")
    with staging(folder) as staged:
        origin = np.zeros(len(rows), dtype=[("source_file", "S80"), ("frame", "<i8")])
        origin["source_file"] = rows["source_file"].to_list()
        np.save(staged / "provenance.npy", origin)
        np.save(staged / "affine.npy", np.tile(np.array([[0.25, 0.5]], np.float32), (len(rows), 1)))
        about = {"partition": None, "input_hash": "", "code_version": "", "run_id": "", "seconds": 0.0}
        publish_folder(staged, folder, describe(staged, asset="rescaled_shards", **about))
    own_range, _ = results.predictions.pictures(found, "image_range")
    seen, as_seen = results.predictions.pictures(found, "dtype_range")
    assert as_seen
    for own, picture in zip(own_range, seen, strict=True):
        assert own is not None
        assert picture is not None
        assert np.allclose(picture, 0.25 * own + 0.5)


def test_a_picture_that_is_gone_is_none(copy: DataLayout) -> None:
    results = Results(copy)
    found, _ = results.predictions.find(results.models.main()[0], Wanted("train"), most=2)
    shutil.rmtree(copy.root / "decoded")
    assert results.predictions.pictures(found, "image_range")[0] == [None, None]


def test_counts_of_source_files_are_read_without_their_lists(results: Results) -> None:
    found = results.quality.manifests("source_files")
    assert len(found) == 9
    assert all(manifest.files == {} and manifest.counts["series"] > 0 for manifest in found)
    assert sum(one.counts["series"] for one in found) == len(results.archive.series().filter("kept").collect())


def test_rows_are_counted_within_split_and_kind_of_evidence_as_the_shards_count_them(copy: DataLayout) -> None:
    results = Results(copy)
    model = next(one for one in results.models.main() if one.rescaling == "dtype_range")
    path = model.report / "predictions.parquet"
    rows = pl.read_parquet(path)
    pl.concat([rows.with_columns(evidence=pl.lit("both")), rows]).sort(
        pl.col("split").replace_strict({"train": 0, "validate": 1, "test": 2}), "evidence", maintain_order=True
    ).write_parquet(path)
    found, _ = results.predictions.find(model, Wanted("test"), most=10_000)
    assert set(found["evidence"]) == {"pixels"}
    assert sorted(found["row_in_split"]) == list(range(len(found)))


def test_filters_by_confidence_keep_what_lies_between(results: Results) -> None:
    model = results.models.main()[-1]
    found, total = results.predictions.find(model, Wanted("train", confidence=(0.5, 0.6)), most=10_000)
    assert total == len(found) > 0
    assert found["confidence"].is_between(0.5, 0.6).all()


def test_pages_of_predictions_follow_each_other(results: Results) -> None:
    model = results.models.main()[-1]
    both, _ = results.predictions.find(model, Wanted("train"), most=8)
    second, _ = results.predictions.find(model, Wanted("train"), start=4, most=4)
    assert second["row"].to_list() == both["row"].to_list()[4:]


def test_published_accuracy_is_found_by_doi_and_by_a_name_written_otherwise() -> None:
    ours = pl.DataFrame(
        {"dataset": ["cptac_luad", "c4kc-kits", "mine"], "doi": ["10.7937/K9/TCIA.2018.PAT12TBS", None, None]},
        schema={"dataset": pl.String, "doi": pl.String},
    )
    found = dict(published_accuracy(ours).filter(pl.col("modality") == "CT").select("dataset", "published").rows())
    assert found == {"cptac_luad": 0.99, "c4kc-kits": 0.99}
