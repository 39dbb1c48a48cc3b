import pytest

from modality_assets.catalogue import published
from modality_assets.catalogue.split.errors import PinConflictError, ProfileError
from modality_assets.catalogue.split.given import given_plan, leaks_of_split


def test_a_given_split_is_taken_as_it_is_and_its_leaks_are_reported(profile_of, shared_of):
    profile = profile_of(("a", "CT", 10), ("b", "CT", 10), ("c", "CT", 10))
    plan = given_plan(profile, {"a": "train", "b": "test", "gone": "test"}, shared=shared_of(("a", "b")))
    assert dict(plan.datasets.select("dataset", "split").iter_rows()) == {"a": "train", "b": "test"}
    assert plan.record["leaks"] == 1
    assert plan.record["left_out"] == ["c"]
    assert plan.record["pins"]["without_a_dataset"] == ["gone"]


def test_the_published_splits_leaks_are_known_without_an_archive():
    leaks = leaks_of_split(dict(published.datasets().select("name", "split").iter_rows()))
    assert leaks.select("dataset", "other").rows() == [("BraTS20", "TCGA-GBM"), ("BraTS20", "TCGA-LGG")]


def test_a_split_of_other_datasets_is_refused(profile_of):
    with pytest.raises(ProfileError, match="none of the 1 datasets"):
        given_plan(profile_of(("a", "CT", 10)), {"z": "train"})


def test_a_split_that_does_not_exist_is_refused(profile_of):
    with pytest.raises(PinConflictError, match="holdout"):
        given_plan(profile_of(("a", "CT", 10)), {"a": "holdout"})
