import polars as pl
import pytest

from modality_assets.catalogue.split.alternatives import leave_each_out, leave_one_out, plan_folds
from modality_assets.catalogue.split.errors import FoldsError, ProfileError


def names(plan, split: str) -> list[str]:
    return plan.datasets.filter(pl.col("split") == split).get_column("dataset").to_list()


@pytest.fixture
def profile(profile_of):
    return profile_of(*((f"d{number}", "CT", 1000) for number in range(9)))


def test_the_dataset_left_out_is_the_test_split_with_what_shares_its_patients(profile, shared_of, no_kinship):
    plan = leave_one_out(profile, "d3", shared=shared_of(("d3", "d7")), kinship=no_kinship)
    assert plan.name == "without-d3"
    assert names(plan, "test") == ["d3", "d7"]
    assert len(names(plan, "validate")) in (1, 2)
    assert plan.record["deviation"]["worst"] < 0.1


def test_each_dataset_is_left_out_once(profile, shared_of, no_kinship):
    plans = list(leave_each_out(profile, shared=shared_of(("d0", "d1")), kinship=no_kinship))
    assert len(plans) == 8
    assert sorted(name for plan in plans for name in names(plan, "test")) == [f"d{number}" for number in range(9)]


def test_a_dataset_that_is_not_there_cannot_be_left_out(profile):
    with pytest.raises(ProfileError, match="d99"):
        leave_one_out(profile, "d99")


def test_every_dataset_is_tested_in_one_fold_and_validated_in_one(profile, shared_of, no_kinship):
    plans = plan_folds(profile, 3, shared=shared_of(("d0", "d1")), kinship=no_kinship)
    assert [plan.name for plan in plans] == ["fold-1-of-3", "fold-2-of-3", "fold-3-of-3"]
    for split in ("test", "validate"):
        assert sorted(name for plan in plans for name in names(plan, split)) == [f"d{number}" for number in range(9)]
    assert all(plan.record["leaks"] == 0 for plan in plans)
    assert all(len(names(plan, "test")) == 3 for plan in plans)


@pytest.mark.parametrize("folds", [0, 2, 10])
def test_folds_that_cannot_be_are_refused(profile, folds, no_kinship):
    with pytest.raises(FoldsError):
        plan_folds(profile, folds, kinship=no_kinship)


def test_leaving_one_out_draws_in_no_dataset_that_shares_no_patients(profile_of):
    """TCGA-GBM and TCGA-LGG are kept together for the day that BraTS comes, but not where one is held back."""
    rows = [(name, "MR", 1000) for name in ("tcga_gbm", "tcga_lgg", "c", "d", "e", "f")]
    assert names(leave_one_out(profile_of(*rows), "tcga_gbm"), "test") == ["tcga_gbm"]
