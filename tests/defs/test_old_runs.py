import dagster as dg
import pytest

from modality_assets.defs.old_runs import forget, old_runs

PARTITIONS = dg.StaticPartitionsDefinition(["A", "B"])


@dg.asset
def whole() -> None: ...


@dg.asset(partitions_def=PARTITIONS)
def parted() -> None: ...


@dg.asset_check(asset=whole)
def is_true() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


DEFINITIONS = dg.Definitions(assets=[whole, parted], asset_checks=[is_true])


@pytest.fixture
def instance(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    with dg.DagsterInstance.get() as instance:
        yield instance


def _run(instance, asset, partition=None):
    job = DEFINITIONS.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance, asset_selection=[dg.AssetKey(asset)], partition_key=partition
    ).run_id


def test_old_runs_go_but_never_the_last_materialisation_of_a_partition(instance):
    replaced = [_run(instance, "parted", "A"), _run(instance, "whole")]
    needed = [_run(instance, "parted", "A"), _run(instance, "parted", "B"), _run(instance, "whole")]
    assert old_runs(instance, DEFINITIONS, days=1) == []
    assert set(old_runs(instance, DEFINITIONS, days=0)) == set(replaced)
    for run_id in replaced:
        forget(instance, run_id)
    assert {run.run_id for run in instance.get_runs()} == set(needed)
    assert instance.get_materialized_partitions(dg.AssetKey("parted")) == {"A", "B"}
    assert old_runs(instance, DEFINITIONS, days=0) == []
