import polars as pl
import pytest

from modality_assets.catalogue.decisions import decide
from modality_assets.catalogue.policies import POLICIES, resolve_switches
from modality_assets.catalogue.series import CatalogueError

STORAGE = "1.2.840.10008.5.1.4.1.1."

REFUSED = {
    "unsafe_name": [
        {"series_uid": "../../etc"},
        {"series_uid": "1..2"},
        {"series_uid": "1/2"},
        {"series_uid": "1" * 65},
    ],
    "other_modality": [
        *(
            {"modality_tag": tag, "sop_class_uid": None}
            for tag in ("XA", "NM", "US", "SR", "SEG", "RTSTRUCT", "OT", None)
        ),
    ],
    "mixed_modality": [{"modality_tag": "CT,PT"}, {"modality_tag": "MR, DX"}],
    "empty_series": [{"instances": 0, "planned_images": 0}],
    "analysis_result": [{"analysis_result": True}],
    "simulated_collection": [{"dataset": "victre", "modality_tag": "MG"}, {"dataset": "VICTRE", "modality_tag": "MG"}],
    "raw_data": [
        {"sop_class_uid": STORAGE + "66"},
        {"sop_class_uid": f"{STORAGE}2,{STORAGE}66"},
        {"modality_tag": "MR", "sop_class_uid": STORAGE + "4.2"},
        {"sop_class_uid": STORAGE + "88.33"},
    ],
    "sop_class_contradiction": [
        {"sop_class_uid": STORAGE + "128"},
        {"modality_tag": "PT", "sop_class_uid": STORAGE + "2"},
        {"modality_tag": "CR", "sop_class_uid": STORAGE + "4"},
        {"modality_tag": "CT", "sop_class_uid": f"{STORAGE}2, {STORAGE}128"},
        {"modality_tag": "DX", "sop_class_uid": STORAGE + "6.1"},
    ],
    "secondary_capture": [
        {"sop_class_uid": STORAGE + "7"},
        {"modality_tag": "MR", "sop_class_uid": STORAGE + "7.4"},
        {"modality_tag": "PT", "sop_class_uid": f"{STORAGE}128,{STORAGE}7"},
        {"sop_class_uid": None, "series_description": "Screen Save"},
        {"sop_class_uid": None, "series_description": "Dose Report"},
    ],
    "annotation_mask": [
        {"modality_tag": "MG", "sop_class_uid": STORAGE + "7", "series_description": "ROI mask images"},
        {"modality_tag": "MR", "sop_class_uid": STORAGE + "4", "series_description": "ACRIN-6698: DWI MASK: from S4"},
    ],
    "scout": [
        {"image_type": r"ORIGINAL\PRIMARY\LOCALIZER"},
        {"image_type": "ORIGINAL, PRIMARY, LOCALIZER"},
        *(
            {"series_description": text}
            for text in ("SCOUT", "Topogram  0.6  T20s", "AP_SCOUT_0_6_T20f", "Surview Test")
        ),
        {"modality_tag": "PT", "sop_class_uid": STORAGE + "128", "series_description": "Topogram_1_0_T80s"},
    ],
    "short_ct_series": [{"instances": 3, "planned_images": 3}, {"instances": 1, "planned_images": 1}],
}

KEPT = [
    {},
    {"modality_tag": "CR", "sop_class_uid": STORAGE + "1"},
    {"modality_tag": "CR", "sop_class_uid": STORAGE + "1.1"},
    {"modality_tag": "CR,DX", "sop_class_uid": f"{STORAGE}1,{STORAGE}1.1"},
    {"modality_tag": "MG", "sop_class_uid": STORAGE + "7", "series_description": "full mammogram images"},
    {"modality_tag": "MR", "sop_class_uid": STORAGE + "4", "series_description": "3-plane localizer"},
    {"modality_tag": "MR", "sop_class_uid": STORAGE + "4", "series_description": "AX Sen Vibrant MASK"},
    {"modality_tag": "MR", "sop_class_uid": STORAGE + "4", "instances": 1, "planned_images": 1},
    {"sop_class_uid": STORAGE + "2.1", "instances": 1, "planned_images": 240},
    {"sop_class_uid": None},
    {"licence": "CC BY-NC 3.0"},
    {"transfer_syntax_uid": "1.2.840.10008.1.2,1.2.840.10008.1.2.1", "photometric": "MONOCHROME2,RGB"},
    {"series_description": "LOCALIZING AXIAL IMAGES"},
    {"series_description": "low dose reported at 120 kV"},
    {"series_description": "Screen Save"},
    {"modality_tag": "RG", "declared_modality": "XR", "sop_class_uid": STORAGE + "7"},
    {"declared_modality": "CT", "instances": 1, "planned_images": 1},
    {"dataset": "phantom-ct-lungs"},
]


@pytest.mark.parametrize(("policy", "row"), [(name, row) for name, rows in REFUSED.items() for row in rows])
def test_a_policy_refuses_what_it_is_for_and_gives_its_name_as_the_reason(policy, row, raw_series, raw_collections):
    series, counts = decide(raw_series(row), raw_collections())
    assert series["kept"].to_list() == [False]
    assert series["reason"][0].startswith(f"{policy}: ")
    assert counts[policy]["left_out"] == 1


@pytest.mark.parametrize("row", KEPT)
def test_an_ordinary_series_is_kept(row, raw_series, raw_collections):
    series, counts = decide(raw_series(row), raw_collections())
    assert series.select("kept", "reason").rows() == [(True, "kept")]
    assert sum(count["left_out"] for count in counts.values()) == 0


def test_every_policy_is_tested_on_something_that_it_refuses():
    elsewhere = {"repeated_series", "retired_collection", "excluded_dataset", "non_commercial_licence"}
    assert {policy.name for policy in POLICIES} == set(REFUSED) | elsewhere


def test_a_series_that_is_listed_twice_is_kept_once_whatever_the_order(raw_series, raw_collections):
    rows = [{"dataset": "b", "series_uid": "1.5"}, {"dataset": "a", "series_uid": "1.5"}]
    for order in (rows, rows[::-1]):
        series, _ = decide(raw_series(*order), raw_collections())
        assert series.select("dataset", "kept").rows() == [("a", True), ("b", False)]
        assert series["reason"][1].startswith("repeated_series: ")


def test_a_retired_collection_is_left_out_until_the_policy_is_switched_off(raw_series, raw_collections):
    collections = raw_collections({"dataset": "lungs", "retired": True})
    assert decide(raw_series({}), collections)[0]["reason"][0].startswith("retired_collection: ")
    assert decide(raw_series({}), collections, {"retired_collection": False})[0]["kept"][0]


def test_an_excluded_dataset_says_the_reason_that_the_user_gave(raw_series, raw_collections):
    series, _ = decide(raw_series({}), raw_collections(), {}, {"lungs": "cut off at the shoulders"})
    assert series["reason"][0] == "excluded_dataset: left out by the settings: cut off at the shoulders"


@pytest.mark.parametrize(
    "licence", ["CC BY-NC 3.0", "CC BY-NC-SA 4.0", "Non-commercial use only", "CC BY 4.0; CC BY-NC 4.0"]
)
def test_non_commercial_licences_are_left_out_on_request(licence, raw_series, raw_collections):
    rows = raw_series({"licence": licence}, {"licence": "CC BY 4.0"}, {"licence": None})
    series, _ = decide(rows, raw_collections(), {"non_commercial_licence": True})
    assert series["kept"].to_list() == [False, True, True]


def test_a_collection_flagged_as_synthetic_is_left_out_among_real_ones(raw_series, raw_collections):
    rows = raw_series({"dataset": "made-up"}, {"dataset": "real"}, {"dataset": "phantom-xr"})
    collections = raw_collections(
        {"dataset": "made-up", "synthetic": True},
        {"dataset": "phantom-xr", "synthetic": True},
        {"dataset": "real", "synthetic": False},
    )
    series, _ = decide(rows, collections)
    assert dict(series.select("dataset", "kept").iter_rows()) == {"made-up": False, "phantom-xr": True, "real": True}


def test_a_wholly_synthetic_archive_keeps_its_series(raw_series, raw_collections):
    rows = raw_series({"dataset": "spheres"}, {"dataset": "cubes"})
    collections = raw_collections({"dataset": "spheres", "synthetic": True}, {"dataset": "cubes", "synthetic": True})
    assert decide(rows, collections)[0]["kept"].all()


def test_the_first_policy_that_refuses_gives_the_reason_and_the_others_still_count(raw_series, raw_collections):
    row = {"sop_class_uid": STORAGE + "7", "instances": 2, "planned_images": 2, "series_description": "SCOUT"}
    series, counts = decide(raw_series(row), raw_collections())
    assert series["reason"][0].startswith("secondary_capture: ")
    assert [counts[name]["left_out"] for name in ("secondary_capture", "scout", "short_ct_series")] == [1, 0, 0]
    assert [counts[name]["applies"] for name in ("secondary_capture", "scout", "short_ct_series")] == [1, 1, 1]


def test_a_policy_that_is_switched_off_leaves_the_next_to_decide(raw_series, raw_collections):
    row = {"sop_class_uid": STORAGE + "7", "instances": 2, "planned_images": 2}
    off = {"secondary_capture": False}
    assert decide(raw_series(row), raw_collections(), off)[0]["reason"][0].startswith("short_ct_series: ")
    assert decide(raw_series(row), raw_collections(), {**off, "short_ct_series": False})[0]["kept"][0]


def test_an_unknown_policy_is_named_with_the_known_ones():
    with pytest.raises(CatalogueError, match=r"'scouts' is unknown.*secondary_capture"):
        resolve_switches({"scouts": True})


def test_what_cannot_be_worked_with_cannot_be_let_in():
    with pytest.raises(CatalogueError, match="'other_modality' cannot be switched off"):
        resolve_switches({"other_modality": False})


def test_policies_have_the_defaults_of_the_table_and_each_explains_itself():
    switches = resolve_switches({})
    assert [name for name, on in switches.items() if not on] == ["non_commercial_licence"]
    assert all(policy.description.endswith(".") for policy in POLICIES)


def test_a_condition_is_never_null_so_no_row_is_left_undecided(raw_series, raw_collections):
    nothing_known = pl.DataFrame({"dataset": ["a"], "series_uid": ["1.2"], "modality_tag": ["MR"]})
    series, _ = decide(nothing_known, raw_collections())
    assert series.select("kept", "reason", "body_part").rows() == [(True, "kept", "unknown")]
