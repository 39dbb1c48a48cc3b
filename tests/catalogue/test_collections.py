from modality_assets.catalogue.collections import collections_table
from modality_assets.catalogue.decisions import decide
from modality_assets.catalogue.series import COLLECTION_SCHEMA


def test_a_collection_counts_all_its_series_and_the_images_of_those_kept(raw_series, raw_collections):
    rows = raw_series(
        {"patient_id": "p", "body_part_raw": "CHEST"},
        {"patient_id": "p", "modality_tag": "CR", "sop_class_uid": None, "body_part_raw": "KNEE", "planned_images": 1},
        {"patient_id": "q", "modality_tag": "SR", "licence": "CC BY-NC 3.0"},
    )
    raw = raw_collections({"dataset": "lungs", "title": "Lungs", "doi": "10.1/x", "archive": "idc"})
    table = collections_table(decide(rows, raw)[0], raw)
    assert table.schema.names() == list(COLLECTION_SCHEMA)
    row = table.row(0, named=True)
    assert {name: row[name] for name in ("patients", "series", "series_kept", "size_bytes_kept")} == {
        **{"patients": 2, "series": 3, "series_kept": 2, "size_bytes_kept": 100_000_000},
    }
    assert [row[f"images_{name}"] for name in ("ct", "mr", "pt", "xr")] == [100, 0, 0, 1]
    assert row["body_parts"] == "chest; knee"
    assert row["licences"] == "CC BY 4.0; CC BY-NC 3.0"
    assert (row["retired"], row["synthetic"]) == (False, False)


def test_collections_without_series_and_series_without_collection_are_shown(raw_series, raw_collections):
    raw = raw_collections({"dataset": "empty", "retired": True})
    table = collections_table(decide(raw_series({}), raw)[0], raw)
    assert table.select("dataset", "title", "series", "retired").rows() == [
        ("empty", "empty", 0, True),
        ("lungs", "lungs", 1, False),
    ]


def test_releases_are_the_oldest_and_the_newest_of_the_series_in_order_of_time(raw_series, raw_collections):
    rows = raw_series({"first_release": "10", "revised_release": "9"}, {"first_release": "2", "revised_release": "11"})
    row = collections_table(decide(rows, raw_collections())[0], raw_collections()).row(0, named=True)
    assert (row["first_release"], row["revised_release"]) == ("2", "11")


def test_what_the_archive_says_of_releases_and_licences_wins(raw_series, raw_collections):
    raw = raw_collections({"dataset": "lungs", "first_release": "2020-01-01", "licences": "PDDL"})
    row = collections_table(decide(raw_series({}), raw)[0], raw).row(0, named=True)
    assert (row["first_release"], row["licences"]) == ("2020-01-01", "PDDL")


def test_simulated_collections_and_phantoms_are_marked_as_synthetic(raw_series, raw_collections):
    raw = raw_collections(
        {"dataset": "victre"}, {"dataset": "phantom-xr"}, {"dataset": "real"}, {"dataset": "made", "synthetic": True}
    )
    table = collections_table(decide(raw_series({}), raw)[0], raw)
    assert table.filter("synthetic")["dataset"].to_list() == ["made", "phantom-xr", "victre"]
