"""The releases of a hundredth of the real index, replayed through the sensor's decisions."""

import polars as pl
import pytest

from modality_assets.archives.idc_index import (
    COLLECTIONS_FILE,
    PRIOR_FILE,
    SERIES_FILE,
    VERSIONS_FILE,
    IdcIndex,
)
from modality_assets.archives.idc_past import IdcHistory
from modality_assets.catalogue.policies import POLICIES
from modality_assets.defs.replay import replay_idc

pytestmark = pytest.mark.slow

CODES = ("CT", "MR", "PT", "CR", "DX", "MG")
EVERYTHING = {"policies": {policy.name: False for policy in POLICIES if not policy.required}, "caps": {}}


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    """Every hundredth series of the real index with all versions of it, and all of its releases."""
    folder, real = tmp_path_factory.mktemp("index"), IdcIndex()
    for name, rows in ((SERIES_FILE, real.series()), (PRIOR_FILE, real.prior())):
        tail = pl.col("SeriesInstanceUID").str.slice(-2)
        rows.filter(tail == "37").write_parquet(folder / name)
    real.collections().write_parquet(folder / COLLECTIONS_FILE)
    real.releases().write_parquet(folder / VERSIONS_FILE)
    return IdcHistory(IdcIndex(folder))


@pytest.fixture(scope="module")
def replayed(history, tmp_path_factory):
    return replay_idc(tmp_path_factory.mktemp("replay"), history, changes=EVERYTHING)


def test_no_dataset_moves_and_each_that_is_new_or_revised_is_asked_for_once(replayed):
    assert replayed["release"].to_list() == list(range(1, 26))
    assert replayed["moved"].sum() == 0
    assert replayed["agree"].all()
    assert replayed["asked"].to_list() == (replayed["new"] + replayed["revised"]).to_list()


def test_what_is_asked_for_agrees_with_a_count_made_row_by_row(replayed, history):
    served: dict[int, dict[str, dict[str, str]]] = {number: {} for number in range(26)}
    columns = ["collection_id", "SeriesInstanceUID", "crdc_series_uuid", "Modality"]
    spans = [(*row, 25) for row in history.index.series([*columns, "series_revised_idc_version"]).iter_rows()]
    spans += history.index.prior([*columns, "min_idc_version", "max_idc_version"]).rows()
    for dataset, uid, uuid, modality, first, last in spans:
        if modality in CODES:
            for number in range(first, last + 1):
                served[number].setdefault(dataset, {})[uid] = uuid
    for row in replayed.iter_rows(named=True):
        before, now = served[row["release"] - 1], served[row["release"]]
        changed = [dataset for dataset, series in now.items() if before.get(dataset) != series]
        assert row["asked"] == len(changed), row
        assert row["new"] == sum(dataset not in before for dataset in changed), row
        assert row["datasets"] == len(now), row


def test_a_past_release_has_the_series_and_collections_that_it_served(history):
    archive = history.at(5)
    served = archive.list_series()
    assert served["series_uid"].is_unique().all()
    assert set(served["revised_release"].unique()) <= {"1", "2", "3", "4", "5"}
    retired = archive.list_collections().filter("retired")["dataset"].to_list()
    assert set(served["dataset"]).isdisjoint(retired)
    assert archive.version() != history.at(6).version()
