import polars as pl

from modality_assets.catalogue.split.planner import plan_split


def reasons(plan) -> dict[str, str]:
    return dict(plan.datasets.select("dataset", "reason").iter_rows())


def test_every_dataset_has_a_reason(profile_of):
    profile = profile_of(*((f"d{number}", "CT", 100 * number + 1) for number in range(12)))
    assert all(reasons(plan_split(profile)).values())


def test_the_only_dataset_of_a_class_in_a_split_says_so(profile_of):
    plan = plan_split(profile_of(("a", "XR", 10), ("b", "XR", 10), ("c", "XR", 10)))
    assert sorted(reasons(plan).values()) == [
        f"the only dataset of XR in {split}" for split in ("test", "train", "validate")
    ]


def test_a_large_dataset_says_what_its_moving_would_do(profile_of, no_kinship):
    rows = [("big", "CT", 3000, ["chest", "knee"])]
    rows += [(f"d{number:02}", "CT", 500, ["chest", "knee"]) for number in range(14)]
    assert "would take a share of CT" in reasons(plan_split(profile_of(*rows), kinship=no_kinship))["big"]


def test_a_pinned_dataset_and_its_kin_say_why(profile_of, shared_of, no_kinship):
    profile = profile_of(*((f"d{number}", "CT", 100) for number in range(6)))
    plan = plan_split(profile, pins={"d1": "test"}, shared=shared_of(("d1", "d2")), kinship=no_kinship)
    assert reasons(plan)["d1"] == "pinned to test"
    assert reasons(plan)["d2"].startswith("shares patients with d1 (3 PatientIDs in common")


def test_a_newcomer_says_what_it_mends(profile_of, no_kinship):
    splits = ["train"] * 2 + ["validate"] * 6 + ["test"] * 2
    previous = pl.DataFrame({"dataset": [f"d{number}" for number in range(10)], "split": splits})
    rows = [(f"d{number}", "CT", 1000) for number in range(10)]
    plan = plan_split(profile_of(*rows, ("late", "CT", 5000)), previous=previous, kinship=no_kinship)
    assert reasons(plan)["late"] == "mends CT in train, which had 0.200 of it where 0.65 is asked for"
    assert reasons(plan)["d0"] == "placed by an earlier plan; a placed dataset never moves"
