import polars as pl
import pytest

from modality_assets.catalogue.body_parts import (
    BODY_PARTS,
    body_part_of_locations,
    body_parts,
    body_parts_of,
    unknown_shares,
)
from modality_assets.catalogue.decisions import decide

HEADERS = {
    **{
        "BRAIN": "brain",
        "HEAD": "brain",
        "SKULL": "brain",
        "HEADNECK": "head and neck",
        "head and neck": "head and neck",
    },
    **{
        "CHEST": "chest",
        "LUNG": "chest",
        "TH CT CHEST WO C": "chest",
        "CHEST (THORAX) W": "chest",
        "Left Breast": "breast",
    },
    **{"CHESTABDPELVIS": "trunk", "NECKCHESTABDPELV": "trunk", "ABDOMENPELVIS": "abdomen", "KIDNEY": "abdomen"},
    **{"PROSTATE": "pelvis", "BLADDER": "pelvis", "GALLBLADDER": "abdomen", "CERVIX": "pelvis", "CSPINE": "spine"},
    **{"THORACIC SPINE": "spine", "CERVICAL SPINE": "spine", "SHOULDER": "shoulder", "HAND": "hand", "WRIST": "hand"},
    **{"KNEE": "knee", "ANKLE": "foot", "LOWERLIMB": "extremity", "EXTREMITY": "extremity", "WHOLEBODY": "whole body"},
    **{"extremity|whole body": "extremity", "multiple": "multiple", "PHANTOM": "phantom", "EAR": "head and neck"},
    **{"UNKNOWN": None, "OTHER": None, "WO INTER": None, "BODY": None, "": None, None: None, "HEART": "chest"},
}
DESCRIPTIONS = {
    **{"PET WB Corrected": "whole body", "t2_spc_rst_axial obl_Prostate": "pelvis", "C_A_P_WITH": "trunk"},
    **{"2D_AX_T2_FLAIR": "brain", "ABD/PEL 2.5 MM": "abdomen", "CHEST_ABD_PELVIS": "trunk", "COR_CHEST": "chest"},
    **{
        "CT Atten Cor Head In": None,
        "Eyes to thigh 3mm": "whole body",
        "ALARM TEST": None,
        "college": None,
        "SAG T1": None,
    },
    **{"DIRECT CORONAL": None, "WHIPLASH": None, "L SPINE LAT": "spine", "AP KNEE": "knee", None: None},
}


@pytest.mark.parametrize(("text", "expected"), HEADERS.items())
def test_a_header_is_read_whether_its_words_run_together_or_not(text, expected):
    assert body_parts_of([text], in_header=True) == [expected]


@pytest.mark.parametrize(("text", "expected"), DESCRIPTIONS.items())
def test_a_description_is_read_by_whole_words(text, expected):
    assert body_parts_of([text], in_header=False) == [expected]


def test_every_name_of_the_list_but_those_for_not_knowing_can_be_named_by_itself():
    names = set(BODY_PARTS) - {"unknown"}
    assert set(body_parts_of(sorted(names), in_header=True)) == names


@pytest.mark.parametrize(
    ("locations", "expected"),
    [
        ("Lung", "chest"),
        ("Pelvis, Prostate, Anus", "pelvis"),
        ("Lung Phantom", "phantom"),
        ("Lung, abdomen", None),
        ("lung, lymph node, skin of body", None),
        ("Various", None),
        (None, None),
    ],
)
def test_tumour_locations_count_only_where_they_agree(locations, expected):
    assert body_part_of_locations(locations) == expected


def test_the_header_is_asked_first_then_the_description_then_the_collection(raw_series, raw_collections):
    rows = raw_series(
        {"body_part_raw": "KNEE", "series_description": "CHEST"},
        {"body_part_raw": None, "series_description": "CHEST"},
        {"body_part_raw": "UNKNOWN", "series_description": "axial 5 mm"},
        {"body_part_raw": None, "series_description": None, "dataset": "other"},
        {"body_part_raw": None, "modality_tag": "MG", "dataset": "other"},
    )
    named = body_parts(rows, raw_collections({"dataset": "lungs", "tumour_locations": "Liver"}))
    assert named.rows() == [
        ("knee", "header"),
        ("chest", "description"),
        ("abdomen", "collection"),
        ("unknown", "none"),
        ("breast", "modality"),
    ]


def test_the_share_of_unknowns_is_stated_per_class(raw_series, raw_collections):
    rows = raw_series(
        {"body_part_raw": None}, {}, {}, {"modality_tag": "PT", "sop_class_uid": None, "body_part_raw": None}
    )
    shares = unknown_shares(decide(rows, raw_collections())[0])
    assert shares.rows() == [("CT", 3, 1, pytest.approx(1 / 3)), ("PT", 1, 1, 1.0)]


def test_fewer_body_parts_are_unknown_on_the_real_index_than_headers_are_missing(idc_raw_series, idc_raw_collections):
    classes = idc_raw_series.filter(pl.col("modality_tag").is_in(["CT", "MR", "PT"]))
    missing = classes.group_by("modality_tag").agg(pl.col("body_part_raw").is_null().mean())
    unknown = (
        classes.select("modality_tag", named=body_parts(classes, idc_raw_collections)["body_part"])
        .group_by("modality_tag")
        .agg((pl.col("named") == "unknown").mean())
    )
    missing_share, unknown_share = dict(missing.iter_rows()), dict(unknown.iter_rows())
    assert missing_share["PT"] > 0.4
    assert missing_share["MR"] > 0.3
    assert all(unknown_share[name] < 0.06 for name in ("CT", "MR", "PT"))
