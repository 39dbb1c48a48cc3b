import polars as pl
import pytest

from modality_assets.archives.releases import idc_history, series_at
from modality_assets.catalogue.decisions import decide
from modality_assets.catalogue.releases import as_of, datasets_by_release
from modality_assets.catalogue.series import CatalogueError

RELEASES = [str(number) for number in range(1, 26)]


def test_a_series_is_there_from_its_first_release_on(raw_series):
    rows = raw_series({"first_release": "2"}, {"first_release": "10", "revised_release": "11"})
    assert as_of(rows, "1", RELEASES).height == 0
    assert as_of(rows, "9", RELEASES)["first_release"].to_list() == ["2"]
    assert as_of(rows, "10", RELEASES).height == 2


def test_a_release_that_does_not_exist_is_named(raw_series):
    with pytest.raises(CatalogueError, match="release '26' is unknown; the archive has 1 to 25"):
        as_of(raw_series({}), "26", RELEASES)
    with pytest.raises(CatalogueError, match=r"first_release holds .*'v1'"):
        as_of(raw_series({"first_release": "v1"}), "1", RELEASES)


def test_a_dataset_is_added_with_its_first_kept_series(raw_series, raw_collections):
    rows = raw_series(
        {"dataset": "a", "first_release": "1", "modality_tag": "SR"},
        {"dataset": "a", "first_release": "2"},
        {"dataset": "b", "first_release": "2"},
    )
    table = datasets_by_release(decide(rows, raw_collections())[0], ["1", "2", "3"])
    assert table.rows() == [("1", 0, []), ("2", 2, ["a", "b"]), ("3", 2, [])]


def test_the_datasets_of_25_real_releases_agree_with_a_count_made_row_by_row(idc_index, idc_series):
    table = datasets_by_release(idc_series, RELEASES)
    kept = dict(idc_series.select("series_uid", "kept").iter_rows())
    columns = ("collection_id", "SeriesInstanceUID", "series_init_idc_version")
    there: dict[int, set[str]] = {number: set() for number in range(1, 26)}
    for dataset, uid, version in idc_index.select(columns).iter_rows():
        if kept[uid]:
            there[version].add(dataset)
    seen: set[str] = set()
    for number, (release, datasets, added) in enumerate(table.iter_rows(), start=1):
        assert release == str(number)
        assert set(added) == there[number] - seen
        seen |= there[number]
        assert datasets == len(seen)
    assert table["datasets"].to_list()[0] == 21


def test_deciding_on_an_old_release_keeps_what_deciding_on_all_of_it_keeps(
    idc_raw_series, idc_raw_collections, idc_series
):
    early = as_of(idc_raw_series, "1", RELEASES)
    then, _ = decide(early, idc_raw_collections)
    assert then.select("series_uid", "kept").equals(as_of(idc_series, "1", RELEASES).select("series_uid", "kept"))
    assert then.filter("kept")["dataset"].n_unique() == 21


@pytest.mark.parametrize(
    ("release", "there", "gone"), [(11, "apollo_5_luad", "apollo"), (12, "cptac_luad", "apollo_5_luad")]
)
def test_deciding_on_what_a_real_release_served_keeps_the_datasets_counted_row_by_row(
    idc_archive, idc_index, idc_raw_collections, release, there, gone
):
    served = series_at(idc_history(idc_archive.index), release)
    series, _ = decide(served, idc_raw_collections, {"retired_collection": False})
    found = set(series.filter("kept")["dataset"])
    own = set()
    current = idc_index.select("collection_id", "Modality", "series_revised_idc_version", first=pl.lit(99))
    prior = idc_archive.index.prior(["collection_id", "Modality", "min_idc_version", "max_idc_version"])
    for dataset, tag, since, until in [*current.iter_rows(), *prior.iter_rows()]:
        if since <= release <= until and tag in ("CT", "MR", "PT", "CR", "DX", "MG"):
            own.add(dataset)
    assert found == own - {"victre", "gbm_dsc_mri_dro"}
    assert there in found
    assert gone not in found
