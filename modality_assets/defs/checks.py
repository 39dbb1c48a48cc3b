"""What must be true of the results; each check is named for the truth that it asserts.

They look at everything on disk, not only at the partition of their run, so that a green check speaks
for the whole asset.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import polars as pl

from modality_assets.catalogue.split.audit import AUDITS, HARD_CHECKS
from modality_assets.defs.tables import markdown_table
from modality_assets.defs.workspace import Workspace
from modality_assets.evaluation.predictions import PROBABILITIES
from modality_assets.evaluation.promotion import Promotion, read_promotion
from modality_assets.manifest import read_manifest
from modality_assets.modality import CLASSES, SPLITS
from modality_assets.planning import audit
from modality_assets.refresh.record import read_set_aside
from modality_assets.results import complete
from modality_assets.studies import BASELINES


@dg.asset_check(asset="source_files")
def every_chosen_series_arrived(workspace: Workspace) -> dg.AssetCheckResult:
    """No dataset on disk lacks a series of the cohort."""
    missing = {
        folder.name: int(manifest.counts["incomplete"])
        for folder, manifest in complete(workspace.layout.source_folders).items()
        if manifest.counts["incomplete"]
    }
    return dg.AssetCheckResult(
        passed=not missing, severity=dg.AssetCheckSeverity.WARN, metadata={"series_missing": missing}
    )


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec(name, asset="split_plan", description=text) for name, text in AUDITS.items()],
    can_subset=True,
)
def split_plan_audit(context: dg.AssetCheckExecutionContext, workspace: Workspace) -> Iterator[dg.AssetCheckResult]:
    """The truths of a split. Those that data may not allow, and a plan may relax, only warn."""
    asked = {key.name for key in context.selected_asset_check_keys}
    for found in audit(workspace.layout, workspace.settings):
        if found.name not in asked:
            continue
        severity = dg.AssetCheckSeverity.ERROR if found.name in HARD_CHECKS else dg.AssetCheckSeverity.WARN
        yield dg.AssetCheckResult(
            check_name=found.name,
            asset_key="split_plan",
            passed=found.passed,
            severity=severity,
            metadata={"found": found.detail},
        )


@dg.asset_check(asset="decoded_images")
def quarantine_is_below_the_stated_share(workspace: Workspace) -> dg.AssetCheckResult:
    """In no dataset are more files refused than the setting max_quarantine_share allows."""
    allowed = workspace.settings.max_quarantine_share
    rows = [
        {
            "dataset": folder.name,
            "files": manifest.counts["files_read"],
            "refused": manifest.counts["files_unreadable"],
            "share": manifest.counts["files_unreadable"] / max(manifest.counts["files_read"], 1),
        }
        for folder, manifest in complete(workspace.layout.decoded_folders).items()
    ]
    above = [row for row in rows if row["share"] > allowed]
    table = pl.DataFrame(sorted(rows, key=lambda row: -row["share"]))
    return dg.AssetCheckResult(passed=not above, metadata={"allowed_share": allowed, "datasets": markdown_table(table)})


@dg.asset_check(asset="rescaled_shards")
def no_dataset_is_set_aside(workspace: Workspace) -> dg.AssetCheckResult:
    """No dataset is left out because every attempt to fetch or decode it failed."""
    aside = read_set_aside(workspace.layout)
    rows = [
        {"dataset": name, "attempts": one.attempts, "since": one.since_utc, "error": one.error}
        for name, one in aside.items()
    ]
    return dg.AssetCheckResult(
        passed=not aside,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"set_aside": sorted(aside), "reasons": markdown_table(pl.DataFrame(rows))},
    )


@dg.asset_check(asset="rescaled_shards")
def no_image_lies_in_two_splits(workspace: Workspace) -> dg.AssetCheckResult:
    """No dataset has images in the shards of more than one split."""
    places: dict[str, set[str]] = {}
    for folder in complete(workspace.layout.shard_folders):
        for dataset in json.loads((folder / "index.json").read_text())["datasets"]:
            places.setdefault(dataset, set()).add(folder.name)
    twice = {dataset: sorted(splits) for dataset, splits in places.items() if len(splits) > 1}
    return dg.AssetCheckResult(passed=not twice, metadata={"datasets": len(places), "in_two_splits": twice})


@dg.asset_check(asset="trained_model")
def weights_are_finite(workspace: Workspace) -> dg.AssetCheckResult:
    """No model on disk has a weight that is infinite or not a number."""
    from modality_assets.learning.errors import DamagedModelError
    from modality_assets.learning.model_files import read_model

    found = complete([*workspace.layout.model_folders, *workspace.layout.experiment_folders])
    folders = [folder for folder, manifest in found.items() if "weights.safetensors" in manifest.files]
    bad = {}
    for folder in folders:
        try:
            read_model(folder)
        except DamagedModelError as error:
            bad[str(folder)] = str(error)
    return dg.AssetCheckResult(passed=not bad, metadata={"models": len(folders), "not_finite": bad})


@dg.asset_check(asset="trained_model")
def retrained_models_are_promoted(workspace: Workspace) -> dg.AssetCheckResult:
    """Each model trained on the shards of now was no worse, by the margin stated, than the one before it."""
    rows = []
    for folder in complete(workspace.layout.model_folders):
        decision = _last_decision(workspace, *folder.parts[-2:])
        if decision is not None:
            facts = {"metric": decision.metric, "before": decision.before, "after": decision.after}
            facts |= {"margin": decision.margin, "promoted": decision.promoted, "decided": decision.decided_utc}
            rows.append({"model": "|".join(folder.parts[-2:]), **facts})
    kept = [row["model"] for row in rows if not row["promoted"]]
    return dg.AssetCheckResult(
        passed=not kept,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "margin": workspace.settings.promotion_margin,
            "older_kept_as_the_better": kept,
            "decisions": markdown_table(pl.DataFrame(rows)),
        },
    )


@dg.asset_check(asset="evaluation_report")
def every_image_of_every_split_is_predicted(workspace: Workspace) -> dg.AssetCheckResult:
    """Each report has as many predictions of each split as the shards have images."""
    wrong = {}
    for folder in complete(workspace.layout.report_folders):
        predicted = pl.scan_parquet(folder / "predictions.parquet").filter(pl.col("evidence") == "pixels")
        found = dict(predicted.group_by("split").len().collect().iter_rows())
        for split in SPLITS:
            images = found.get(split, 0)
            index = json.loads((workspace.layout.shards(folder.name, split) / "index.json").read_text())
            if index["images"] != images:
                wrong[f"{folder.parent.name}|{folder.name}, {split}"] = f"{images} of {index['images']}"
    return dg.AssetCheckResult(passed=not wrong, metadata={"differences": wrong})


@dg.asset_check(asset="model_comparison")
def class_order_is_equal_everywhere(workspace: Workspace) -> dg.AssetCheckResult:
    """Every shard index, model and report on disk was written with the same classes in the same order."""
    layout = workspace.layout
    found = {str(folder): _classes(folder / "index.json") for folder in complete(layout.shard_folders)}
    found |= {str(folder): _classes(folder / "config.json") for folder in complete(layout.model_folders)}
    found |= {str(folder): _predicted_classes(folder) for folder in complete(layout.report_folders)}
    other = {place: classes for place, classes in found.items() if tuple(classes) != CLASSES}
    return dg.AssetCheckResult(
        passed=not other, metadata={"files": len(found), "classes": list(CLASSES), "other": other}
    )


@dg.asset_check(asset="model_comparison")
def beats_trivial_baselines(workspace: Workspace) -> dg.AssetCheckResult:
    """Every model, by all the evidence that it has, is better on test than every trivial baseline."""
    from modality_assets.evaluation.baselines import against_baselines

    reports = complete(workspace.layout.report_folders)
    trials = {f"baselines.{name}": workspace.layout.experiment("baselines", name) for name in BASELINES}
    baselines = {name: folder for name, folder in trials.items() if read_manifest(folder) is not None}
    if not reports or len(baselines) < len(trials):
        missing = sorted(set(trials) - set(baselines)) or ["evaluation_report"]
        return dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"not_made_yet": ", ".join(missing)}
        )
    models = {f"{folder.parent.name}|{folder.name}": folder for folder in reports}
    table = against_baselines(models, {folder.name: folder for folder in baselines.values()})
    return dg.AssetCheckResult(
        passed=bool(table["beaten"].all()),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"test": markdown_table(table.sort("margin"))},
    )


def _last_decision(workspace: Workspace, architecture: str, rescaling: str) -> Promotion | None:
    versions = workspace.layout.root / "versions" / architecture / rescaling
    decisions = [read_promotion(folder) for folder in versions.glob("*")]
    return max((one for one in decisions if one is not None), key=lambda one: one.decided_utc, default=None)


def _classes(path: Path) -> list[str]:
    return list(json.loads(path.read_text())["classes"])


def _predicted_classes(folder: Path) -> list[str]:
    columns = pl.read_parquet_schema(folder / "predictions.parquet")
    return [name.removeprefix("p_") for name in columns if name in PROBABILITIES]
