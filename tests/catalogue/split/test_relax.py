from modality_assets.catalogue.split.kinship import plain_name
from modality_assets.catalogue.split.planner import plan_split
from modality_assets.catalogue.split.relax import read_sources
from modality_assets.modality import CLASSES


def test_every_public_source_names_its_class_and_where_it_is():
    sources = read_sources()
    assert set(sources.get_column("modality")) == set(CLASSES)
    assert sources.filter(modality="XR").height >= 8
    assert not sources.select("dataset", "modality", "body_parts", "where").null_count().sum_horizontal().item()


def test_a_source_that_is_there_already_is_not_proposed(profile_of):
    plan = plan_split(profile_of(("MURA", "XR", 1000, ["hand"]), ("b", "XR", 1000, ["chest"])))
    proposed = [plain_name(text.split(" (")[0]) for one in plan.record["relaxed"] for text in one["mend"]]
    assert proposed
    assert "mura" not in proposed


def test_pins_that_hold_the_shares_off_are_blamed(profile_of, no_kinship):
    profile = profile_of(*((f"d{number}", "CT", 1000) for number in range(8)))
    plan = plan_split(profile, pins={f"d{number}": "test" for number in range(6)}, kinship=no_kinship)
    blamed = [one for one in plan.record["relaxed"] if one["rule"] == "shares" and one["split"] == "test"]
    assert blamed[0]["because"] == "datasets that cannot move hold 0.750 of CT in test already"


def test_what_is_relaxed_says_by_how_much(profile_of, no_kinship):
    plan = plan_split(profile_of(("a", "CT", 900), ("b", "CT", 60), ("c", "CT", 40)), kinship=no_kinship)
    carried = next(one for one in plan.record["relaxed"] if one["rule"] == "carried" and one["split"] == "train")
    assert (carried["wanted"], carried["got"], carried["short_by"]) == (0.7, 1.0, 0.3)
    assert "a has 900 of its 900 images; 386 more from others" in carried["because"]
