from modality_assets.catalogue.split.audit import audit_plan
from modality_assets.catalogue.split.comparison import compare_plans
from modality_assets.catalogue.split.given import given_plan
from modality_assets.catalogue.split.planner import plan_split


def test_two_plans_stand_in_one_table_with_their_checks(profile_of):
    profile = profile_of(*((f"d{number}", "CT", 1000) for number in range(20)))
    ours = plan_split(profile)
    theirs = given_plan(profile, {f"d{number}": "train" for number in range(20)})
    audits = {plan.name: audit_plan(plan.datasets, profile) for plan in (theirs, ours)}
    table = compare_plans([theirs, ours], audits)
    rows = {row[0]: row[1:] for row in table.iter_rows()}
    assert table.columns == ["measure", "published", "optimised"]
    assert rows["worst deviation of a class's share"] == ("0.3500 (CT in train)", "0.0000 (CT in train)")
    assert rows["every class in every split"] == (
        "no, 2: CT has none in validate; CT has none in test",
        "yes",
    )
