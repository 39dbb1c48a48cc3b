import pytest

from modality_assets.catalogue.split.errors import PolicyChangedError
from modality_assets.catalogue.split.planner import plan_split
from modality_assets.catalogue.split.record import earlier_placements, refuse_silent_rewrite, relaxations
from modality_assets.catalogue.split.rules import SOFT_RULES


@pytest.fixture
def profile(profile_of):
    return profile_of(*((f"d{number}", "CT", 1000) for number in range(7)), ("x", "XR", 5))


def test_the_order_of_relaxing_is_stated_and_followed_in_the_list(profile):
    record = plan_split(profile).record
    assert [text.split(":")[0] for text in record["order_of_relaxing"]] == list(reversed(SOFT_RULES))
    found = [list(SOFT_RULES).index(one["rule"]) for one in record["relaxed"]]
    assert found == sorted(found)
    assert found


def test_met_and_relaxed_are_never_both_said_of_a_rule(profile):
    record = plan_split(profile).record
    assert not set(record["met"]) & {one["rule"] for one in record["relaxed"]}


def test_the_gap_and_how_it_was_proven_are_stated(profile):
    record = plan_split(profile).record
    assert record["gap"]["bound"] <= record["gap"]["objective"] + 1e-6
    assert "proven bound" in record["gap"]["text"]
    assert [solve["name"] for solve in record["solves"]] == ["coverage", "shares", "spread"]


def test_relaxations_are_read_back_from_the_record(profile):
    plan = plan_split(profile)
    assert [one.as_json() for one in relaxations(plan)] == [
        {key: value for key, value in one.items() if key != "text"} for one in plan.record["relaxed"]
    ]


def test_another_policy_under_the_same_name_is_refused(profile):
    old = plan_split(profile).record
    changed = plan_split(profile, shares={"train": 0.8, "validate": 0.1, "test": 0.1})
    with pytest.raises(PolicyChangedError, match=r"'optimised' was made under another policy \(shares"):
        refuse_silent_rewrite(old, changed)
    refuse_silent_rewrite(old, plan_split(profile))
    refuse_silent_rewrite(old, plan_split(profile, tolerance=0.1, name="wider"))


def test_what_was_placed_before_is_in_the_record(profile):
    first = plan_split(profile)
    assert earlier_placements(first.record) is None
    second = plan_split(profile, previous=first.datasets)
    assert earlier_placements(second.record).equals(first.datasets.select("dataset", "split"))
