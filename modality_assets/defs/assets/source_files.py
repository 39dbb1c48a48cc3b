"""`source_files`: the verified files of one dataset, as the archive gave them."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import polars as pl

from modality_assets import planning
from modality_assets.archives.store import FetchReport, fetch_dataset
from modality_assets.defs.cluster import asks
from modality_assets.defs.partitions import dataset_partitions
from modality_assets.defs.results import progress_of, told
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.manifest import MANIFEST, Manifest, digest, whole, write_json
from modality_assets.results import Result, required_manifest


def chosen_series(workspace: Workspace, dataset: str) -> pl.DataFrame:
    """Return the cohort's rows of one dataset; raise ValueError where the cohort has none."""
    rows = pl.scan_parquet(workspace.layout.cohort_table).filter(pl.col("dataset") == dataset).sort("series_uid")
    chosen = rows.collect()
    if chosen.is_empty():
        raise ValueError(
            f"the cohort has no series of dataset {dataset!r}: delete the partition, or materialise cohort again"
        )
    return chosen


def source_result(workspace: Workspace, dataset: str) -> Result:
    return planning.source_result(workspace.layout, dataset, chosen_series(workspace, dataset))


def _manifest(result: Result, report: FetchReport, run_id: str) -> Manifest:
    """Describe the dataset; its content is that of its series, each of which has a manifest of its own."""
    files: dict[str, dict[str, Any]] = {}
    for series_uid in sorted(report.content):
        series = required_manifest(result.folder / series_uid, "source_files", result.partition)
        files |= {f"{series_uid}/{name}": facts for name, facts in series.files.items()}
    return Manifest(
        asset=result.asset,
        partition=result.partition,
        input_hash=result.input_hash,
        content_hash=digest(report.content),
        code_version=result.code_version,
        run_id=run_id,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=round(report.seconds, 3),
        counts={
            "series": len(report.content),
            "series_fetched": report.series_fetched,
            "bytes_fetched": report.bytes_fetched,
            "incomplete": len(report.failures),
        },
        files=files,
    )


@dg.asset(
    partitions_def=dataset_partitions,
    group_name="images",
    owners=["team:curators"],
    kinds={"dicom"},
    deps=["cohort"],
    pool="download",
    code_version=planning.SOURCE_VERSION,
    op_tags=asks(cores=1),
)
def source_files(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    """Verified files as the archive gave them; what is already there is verified again, and healed where damaged."""
    result = source_result(workspace, context.partition_key)
    whole(result.folder)
    with workspace.open_archive() as archive:
        report = fetch_dataset(
            archive,
            chosen_series(workspace, context.partition_key),
            result.folder,
            run_id=context.op_execution_context.run_id,
            max_missing_share=workspace.settings.max_missing_share,
            progress=progress_of(context),
        )
    if report.plan is not None:
        context.log.info(f"fetched what was missing of: {report.plan.sentence()}")
    manifest = _manifest(result, report, context.op_execution_context.run_id)
    write_json(result.folder / MANIFEST, asdict(manifest))
    failures = pl.DataFrame(report.failures, schema={"series_uid": pl.String, "error": pl.String, "reason": pl.String})
    return told(
        manifest, result.folder, found_fresh=report.series_fetched == 0, shown={"failures": markdown_table(failures)}
    )
