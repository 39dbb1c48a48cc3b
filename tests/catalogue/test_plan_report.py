import polars as pl

from modality_assets.catalogue.cohort import choose_cohort
from modality_assets.catalogue.decisions import decide
from modality_assets.catalogue.plan_report import plan_tables
from modality_assets.catalogue.policies import POLICIES


def test_a_plan_tells_what_is_left_out_kept_and_chosen(raw_series, raw_collections):
    raw = raw_series({}, {"patient_id": "p"}, {"modality_tag": "SR"}, {"body_part_raw": None})
    series, counts = decide(raw, raw_collections())
    cohort, lock = choose_cohort(series, caps={}, budget_images=250)
    tables = plan_tables(series, counts, cohort, lock, raw_collections())
    assert set(tables) == {"policies", "kept", "cohort", "body_parts"}
    assert tables["policies"]["policy"].to_list() == [policy.name for policy in POLICIES]
    assert tables["policies"]["left_out"].sum() == 1
    assert tables["kept"].rows() == [("CT", 1, 3, 3, 300, 0.15)]
    assert tables["cohort"].rows() == [("CT", 1, 2, 2, 200, 0.1)]
    assert tables["body_parts"].row(0)[:3] == ("CT", 3, 1)


def test_a_plan_of_the_published_cohort_counts_what_is_missing(raw_series, raw_collections):
    raw = raw_collections({"dataset": "MURA", "title": "MURA", "archive": "folder"})
    series, counts = decide(raw_series({"dataset": "MURA", "modality_tag": "CR", "sop_class_uid": None}), raw)
    cohort, lock = choose_cohort(series, caps={}, cohort="dissertation", collections=raw)
    tables = plan_tables(series, counts, cohort, lock, raw)
    assert tables["published"].rows() == [
        ("available", 1, 0, 0, 1),
        ("from elsewhere", 6, 2, 2, 2),
        ("not in this archive", 96, 72, 11, 13),
    ]
    assert tables["missing"].height == 102
    assert tables["missing"].filter(pl.col("where").is_null()).height == 0
