import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modality_assets.catalogue.cohort import GB, choose_cohort
from modality_assets.catalogue.series import SERIES_SCHEMA, CatalogueError, conform


def catalogue(rows):
    full = [
        {"kept": True, "reason": "kept", "body_part": "chest", "series_uid": f"1.{n}", **row}
        for n, row in enumerate(rows)
    ]
    return conform(pl.DataFrame(full, infer_schema_length=None), SERIES_SCHEMA)


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "dataset": st.sampled_from(["a", "b", "c"]),
            "patient_id": st.sampled_from(["p", "q", "r", None]),
            "modality": st.sampled_from(["CT", "MR", "XR"]),
            "manufacturer": st.sampled_from(["SIEMENS", "GE MEDICAL", None]),
            "body_part": st.sampled_from(["chest", "brain"]),
            "planned_images": st.integers(0, 60),
            "size_bytes": st.integers(0, GB),
            "kept": st.booleans(),
        }
    ),
    max_size=30,
)
BUDGETS = st.fixed_dictionaries(
    {
        "caps": st.dictionaries(st.sampled_from(["CT", "MR", "XR"]), st.integers(0, 120)),
        "budget_gb": st.none() | st.floats(0, 8),
        "budget_images": st.none() | st.integers(0, 300),
        "seed": st.integers(-3, 2**40),
    }
)


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, choice=BUDGETS, chance=st.randoms(use_true_random=False))
def test_caps_and_budgets_are_kept_and_the_order_of_rows_decides_nothing(rows, choice, chance):
    series = catalogue(rows)
    chosen, lock = choose_cohort(series, **choice)
    assert chosen.schema == pl.Schema(SERIES_SCHEMA)
    assert chosen["kept"].all()
    assert chosen["series_uid"].is_unique().all()
    for (_, name), part in chosen.group_by("dataset", "modality"):
        assert part["planned_images"].sum() <= choice["caps"].get(name, float("inf"))
    if choice["budget_gb"] is not None:
        assert chosen["size_bytes"].sum() <= choice["budget_gb"] * GB
    if choice["budget_images"] is not None:
        assert chosen["planned_images"].sum() <= choice["budget_images"]
    mixed = list(range(len(rows)))
    chance.shuffle(mixed)
    again, lock_again = choose_cohort(series[mixed], **choice)
    assert again.equals(chosen)
    assert lock_again == lock


@settings(deadline=None, max_examples=30)
@given(rows=ROWS, choice=BUDGETS)
def test_nothing_that_would_still_fit_is_left_out(rows, choice):
    series = catalogue(rows)
    chosen, _ = choose_cohort(series, **choice)
    within_caps, _ = choose_cohort(series, caps=choice["caps"], seed=choice["seed"])
    for row in within_caps.join(chosen, on="series_uid", how="anti").iter_rows(named=True):
        over_gb = (
            choice["budget_gb"] is not None
            and chosen["size_bytes"].sum() + row["size_bytes"] > choice["budget_gb"] * GB - 1
        )
        over_images = (
            choice["budget_images"] is not None
            and chosen["planned_images"].sum() + row["planned_images"] > choice["budget_images"]
        )
        assert over_gb or over_images


def test_without_caps_and_budget_everything_kept_is_chosen():
    series = catalogue(
        [
            {"dataset": "a", "modality": "CT", "kept": kept, "planned_images": 5, "size_bytes": 1}
            for kept in (True, False)
        ]
    )
    chosen, _ = choose_cohort(series, caps={})
    assert chosen["series_uid"].to_list() == ["1.0"]


def test_a_capped_dataset_gives_whole_series_and_fills_the_gap_with_smaller_ones():
    sizes = (70, 60, 30, 20, 10)
    series = catalogue([{"dataset": "a", "modality": "CT", "planned_images": n, "size_bytes": 1} for n in sizes])
    totals = set()
    for seed in range(20):
        chosen, _ = choose_cohort(series, caps={"CT": 100}, seed=seed)
        total = chosen["planned_images"].sum()
        assert all(total + n > 100 for n in sizes if n not in chosen["planned_images"])
        totals.add(total)
    assert max(totals) == 100


def test_every_dataset_and_class_gets_a_series_before_any_gets_a_second():
    rows = [
        {"dataset": dataset, "modality": name, "patient_id": f"p{n}", "planned_images": 10, "size_bytes": 1000}
        for dataset in "abcd"
        for name in ("CT", "MR")
        for n in range(20)
    ]
    chosen, _ = choose_cohort(catalogue(rows), caps={}, budget_images=8 * 10)
    assert chosen.group_by("dataset", "modality").len()["len"].to_list() == [1] * 8


def test_patients_manufacturers_and_body_parts_take_turns():
    rows = [
        {
            "dataset": "a",
            "modality": "CT",
            "patient_id": f"{maker}-{part}-{n // 25}",
            "manufacturer": maker,
            "body_part": part,
        }
        | {"planned_images": 1, "size_bytes": 1}
        for maker, part, many in (("SIEMENS", "chest", 100), ("GE", "chest", 25), ("GE", "knee", 2))
        for n in range(many)
    ]
    chosen, _ = choose_cohort(catalogue(rows), caps={}, budget_images=12)
    strata = chosen.group_by("manufacturer", "body_part").len()
    assert sorted(strata["len"].to_list()) == [2, 5, 5]
    assert chosen.filter(manufacturer="SIEMENS")["patient_id"].n_unique() == 4


def test_a_manufacturer_spelled_in_two_ways_has_one_turn():
    rows = [
        {
            "dataset": "a",
            "modality": "CT",
            "manufacturer": maker,
            "patient_id": maker,
            "planned_images": 1,
            "size_bytes": 1,
        }
        for maker in ("GE MEDICAL SYSTEMS", "GE Healthcare", "ge", "Philips")
    ]
    for seed in range(5):
        chosen, _ = choose_cohort(catalogue(rows), caps={}, budget_images=2, seed=seed)
        assert "Philips" in chosen["manufacturer"].to_list()


def test_classes_alternate_while_a_small_budget_lasts():
    rows = [{"dataset": f"ct-{n}", "modality": "CT", "planned_images": 10, "size_bytes": 10} for n in range(30)]
    rows.append({"dataset": "xr", "modality": "XR", "planned_images": 10, "size_bytes": 10})
    for seed in range(10):
        chosen, _ = choose_cohort(catalogue(rows), caps={}, budget_images=20, seed=seed)
        assert set(chosen["modality"]) == {"CT", "XR"}


def test_another_seed_chooses_other_series_of_the_same_amount():
    rows = [
        {"dataset": "a", "modality": "CT", "patient_id": str(n), "planned_images": 1, "size_bytes": 1}
        for n in range(200)
    ]
    one, other = (choose_cohort(catalogue(rows), caps={}, budget_images=20, seed=seed)[0] for seed in (0, 1))
    assert one.height == other.height == 20
    assert set(one["series_uid"]) != set(other["series_uid"])


def test_the_choice_of_a_seed_stays_the_same_from_version_to_version():
    rows = [
        {"dataset": "a", "modality": "CT", "patient_id": str(n), "planned_images": 1, "size_bytes": 1}
        for n in range(40)
    ]
    chosen, _ = choose_cohort(catalogue(rows), caps={}, budget_images=4, seed=7)
    assert chosen["series_uid"].to_list() == ["1.18", "1.20", "1.26", "1.37"]


def test_excluded_datasets_are_not_chosen_and_the_lock_says_why():
    rows = [{"dataset": name, "modality": "CT", "planned_images": 5, "size_bytes": 1} for name in "ab"]
    chosen, lock = choose_cohort(catalogue(rows), caps={}, excluded={"a": "cut off"})
    assert chosen["dataset"].to_list() == ["b"]
    assert lock["excluded"] == {"a": "cut off"}


def test_the_dissertation_cohort_is_chosen_by_doi_and_alias():
    rows = [
        {"dataset": name, "modality": "CT", "planned_images": 5, "size_bytes": 1}
        for name in ("covid_19_ar", "lidc_idri", "nlst")
    ]
    collections = pl.DataFrame(
        {
            "dataset": ["covid_19_ar", "lidc_idri", "nlst"],
            "title": ["COVID-19-AR", "LIDC-IDRI", "NLST"],
            "doi": ["https://doi.org/10.7937/TCIA.2020.PY71-5978", None, "10.7937/tcia.hmq8-j677"],
        }
    )
    chosen, _ = choose_cohort(catalogue(rows), caps={}, cohort="dissertation", collections=collections)
    assert chosen["dataset"].to_list() == ["covid_19_ar", "lidc_idri"]


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"cohort": "thesis"}, "'thesis' is unknown; the cohorts are all, dissertation"),
        ({"cohort": "dissertation"}, "pass the archive's collections"),
        ({"caps": {"US": 5}}, "'US' is not a class"),
        ({"caps": {"CT": -5}}, "CT is -5"),
        ({"budget_gb": -1}, "budget_gb is -1"),
        ({"budget_images": -1}, "budget_images is -1"),
        ({"budget_gb": float("nan")}, "budget_gb is nan"),
        ({"budget_gb": 1}, "1 series have no size"),
    ],
)
def test_a_choice_that_cannot_be_made_is_explained(choice, message):
    series = catalogue([{"dataset": "a", "modality": "CT", "planned_images": 5}])
    with pytest.raises(CatalogueError, match=message):
        choose_cohort(series, **{"caps": {}, **choice})


def test_an_empty_catalogue_gives_an_empty_cohort_with_a_lock():
    chosen, lock = choose_cohort(catalogue([])[:0], caps={"CT": 1}, budget_gb=1)
    assert chosen.height == 0
    assert lock["counts"]["series"] == 0


def test_the_real_index_fills_a_budget_from_every_dataset_and_class(idc_series):
    series = idc_series
    chosen, lock = choose_cohort(series, caps={"MR": 100_000, "CT": 50_000}, budget_gb=68)
    assert 67.9 * GB < chosen["size_bytes"].sum() <= 68 * GB
    kept = series.filter("kept")
    assert chosen.select("dataset", "modality").n_unique() == kept.select("dataset", "modality").n_unique()
    assert lock["counts"]["series"] == chosen.height
    uncapped = kept.group_by("dataset", "modality").agg(pl.col("planned_images").sum())
    expected = sum(
        min(images, {"MR": 100_000, "CT": 50_000}.get(name, images)) for _, name, images in uncapped.iter_rows()
    )
    capped, _ = choose_cohort(series, caps={"MR": 100_000, "CT": 50_000})
    assert expected * 0.99 < capped["planned_images"].sum() <= expected
