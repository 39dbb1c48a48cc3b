import json
import time

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modality_assets.catalogue.decisions import decide
from modality_assets.catalogue.series import RAW_SERIES_SCHEMA, SERIES_SCHEMA, CatalogueError, conform

NO_COLLECTIONS = pl.DataFrame(schema={"dataset": pl.String})


@pytest.mark.parametrize(
    ("tag", "declared", "expected"),
    [
        *(
            (code, None, name)
            for code, name in (("CT", "CT"), ("MR", "MR"), ("PT", "PT"), ("CR", "XR"), ("DX", "XR"), ("MG", "XR"))
        ),
        ("XA", None, None),
        ("RG", "XR", "XR"),
        (None, "MR", "MR"),
        ("CT", "PT", "PT"),
        ("CR, DX", None, "XR"),
        ("CT,PT", None, None),
        ("CT,SR", None, "CT"),
        ("ct", None, "CT"),
    ],
)
def test_the_declared_class_wins_and_codes_become_classes(tag, declared, expected, raw_series):
    series, _ = decide(raw_series({"modality_tag": tag, "declared_modality": declared}), NO_COLLECTIONS)
    assert series["modality"].to_list() == [expected]
    assert series["modality_tag"].to_list() == [tag]


def test_a_declared_class_that_does_not_exist_is_refused_by_name(raw_series):
    with pytest.raises(CatalogueError, match=r"'Xray' is neither a class.*datasets\.csv"):
        decide(raw_series({"declared_modality": "Xray"}), NO_COLLECTIONS)


def test_the_counts_can_be_written_as_json(raw_series):
    _, counts = decide(raw_series({}), NO_COLLECTIONS)
    assert json.loads(json.dumps(counts)) == counts


def test_images_that_an_archive_does_not_plan_are_its_instances(raw_series):
    series, _ = decide(raw_series({"planned_images": None, "instances": 7}), NO_COLLECTIONS)
    assert series["planned_images"].to_list() == [7]


def test_an_empty_archive_gives_an_empty_catalogue():
    series, counts = decide(pl.DataFrame(), NO_COLLECTIONS)
    assert series.schema == pl.Schema(SERIES_SCHEMA)
    assert series.height == 0
    assert all(count["applies"] == count["left_out"] == 0 for count in counts.values())


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "dataset": st.sampled_from(["a", "b", "victre"]),
            "patient_id": st.sampled_from(["p", "q", None]),
            "series_uid": st.sampled_from([f"1.{n}" for n in range(12)]),
            "modality_tag": st.sampled_from(["CT", "MR", "MG", "SR", "CT,MR", None]),
            "sop_class_uid": st.sampled_from(["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7", None]),
            "instances": st.integers(0, 5),
        }
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=40)
@given(rows=ROWS, seed=st.randoms(use_true_random=False))
def test_no_row_is_dropped_and_the_order_of_rows_decides_nothing(rows, seed):
    raw = conform(
        pl.DataFrame(rows, schema_overrides={"patient_id": pl.String}, infer_schema_length=None), RAW_SERIES_SCHEMA
    )
    mixed = list(range(len(rows)))
    seed.shuffle(mixed)
    one, counts = decide(raw, NO_COLLECTIONS)
    other, _ = decide(raw[mixed], NO_COLLECTIONS)
    assert one.height == len(rows)
    assert one["kept"].sum() + sum(count["left_out"] for count in counts.values()) == len(rows)
    assert one.filter("kept")["series_uid"].is_unique().all()
    assert one.filter("kept")["modality"].null_count() == 0
    distinct = [name for name in SERIES_SCHEMA if name not in ("kept", "reason")]
    assert one.select(distinct).equals(other.select(distinct))
    assert (
        one.group_by("series_uid")
        .agg(pl.col("kept").sum())
        .sort("series_uid")
        .equals(other.group_by("series_uid").agg(pl.col("kept").sum()).sort("series_uid"))
    )


def test_the_real_index_is_decided_on_and_written_in_seconds(idc_raw_series, idc_raw_collections, tmp_path):
    start = time.process_time()
    series, _ = decide(idc_raw_series, idc_raw_collections)
    series.write_parquet(tmp_path / "series.parquet")
    assert time.process_time() - start < 15  # 4 s of processor time on an idle machine
    assert series.height == idc_raw_series.height > 1_000_000
    assert series["reason"].null_count() == 0


def test_the_counts_on_the_real_index_agree_with_ones_made_row_by_row(idc_index, idc_decided):
    series, counts = idc_decided
    columns = ("collection_id", "Modality", "SOPClassUID", "instanceCount", "analysis_result_id", "license_short_name")
    own = dict.fromkeys(("all", "class", "raw", "capture", "contradiction", "short", "simulated", "analysis", "nc"), 0)
    images = dict.fromkeys(("CT", "MR", "PT", "XR"), 0)
    radiograph = {"1", "1.1", "1.1.1", "1.2", "1.2.1", "13.1.3", "13.1.4", "13.1.5"}
    for dataset, tag, sop, instances, analysis, licence in idc_index.select(columns).iter_rows():
        own["all"] += 1
        if tag not in ("CT", "MR", "PT", "CR", "DX", "MG"):
            continue
        own["class"] += 1
        short = sop.removeprefix("1.2.840.10008.5.1.4.1.1.")
        images["XR" if tag in ("CR", "DX", "MG") else tag] += instances
        own["raw"] += short == "66"
        own["capture"] += short == "7" and tag in ("CT", "MR", "PT")
        proper = {"CT": {"2"}, "MR": {"4"}, "PT": {"128"}}.get(tag, radiograph)
        own["contradiction"] += short not in ("66", "7") and short not in proper
        own["short"] += tag == "CT" and instances <= 3
        own["simulated"] += dataset in ("victre", "gbm_dsc_mri_dro")
        own["analysis"] += analysis is not None
        own["nc"] += "NC" in licence
    assert counts["other_modality"]["left_out"] == own["all"] - own["class"]
    found = {
        "raw": "raw_data",
        "capture": "secondary_capture",
        "contradiction": "sop_class_contradiction",
        "short": "short_ct_series",
        "simulated": "simulated_collection",
        "analysis": "analysis_result",
        "nc": "non_commercial_licence",
    }
    assert {name: counts[policy]["applies"] for name, policy in found.items()} == {name: own[name] for name in found}
    sums = series.drop_nulls("modality").group_by("modality").agg(pl.col("planned_images").sum())
    assert dict(sums.iter_rows()) == images
    # What the notes on the archives state of this index.
    assert (own["raw"], own["contradiction"], own["short"]) == (399 + 999, 10, 76_573)
