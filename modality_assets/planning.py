"""What is decided before an image is fetched: catalogue, cohort and split, as plain functions.

The assets and `modality plan` both call these, so what a plan says is what the graph will do.
"""

import json
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl

from modality_assets.archives.archive import Archive
from modality_assets.archives.fetch_plan import plan_cohort
from modality_assets.archives.open import open_archive
from modality_assets.catalogue import published
from modality_assets.catalogue.cohort import choose_cohort
from modality_assets.catalogue.collections import collections_table
from modality_assets.catalogue.decisions import decide
from modality_assets.catalogue.plan_report import PLAN_COLUMNS, plan_tables
from modality_assets.catalogue.policies import resolve_switches
from modality_assets.catalogue.split.alternatives import leave_one_out, plan_folds
from modality_assets.catalogue.split.audit import AuditResult, audit_plan
from modality_assets.catalogue.split.comparison import compare_plans
from modality_assets.catalogue.split.given import given_plan
from modality_assets.catalogue.split.planner import plan_split
from modality_assets.catalogue.split.profile import profile_datasets, shared_patients
from modality_assets.catalogue.split.record import SplitPlan, earlier_placements, refuse_silent_rewrite
from modality_assets.catalogue.split.tables import body_part_table
from modality_assets.layout import DataLayout
from modality_assets.manifest import publish_folder, read_manifest, staging, write_json
from modality_assets.modality import SPLITS
from modality_assets.progress import SILENT, Progress
from modality_assets.results import Counts, Result, make, required_manifest
from modality_assets.settings import Settings

CATALOGUE_VERSION = "1"
COHORT_VERSION = "1"
SPLIT_VERSION = "1"
SOURCE_VERSION = "1"

PUBLISHED = "published"
_WITHOUT = "without-"
_FOLD = re.compile(r"fold-(\d+)-of-(\d+)")
FOLDS = 5
_QUICK = 1
"""Level of zstd: a million rows in half the time, and no larger."""


def catalogue_result(archive: Archive, layout: DataLayout, settings: Settings) -> Result:
    """Return what the catalogue would be made from now; asks the archive for its version."""
    inputs = {
        "archive": archive.name,
        "version": archive.version(),
        **settings.model_dump(include={"policies", "excluded"}),
    }
    return Result("collection_catalogue", None, layout.catalogue, inputs, CATALOGUE_VERSION)


def build_catalogue(archive: Archive, settings: Settings, staged: Path, progress: Progress) -> Counts:
    """Write series.parquet, collections.parquet and, where the archive has a split of its own, pins.parquet."""
    raw_collections = archive.list_collections()
    series, refused = decide(archive.list_series(progress), raw_collections, settings.policies, settings.excluded)
    collections = collections_table(series, raw_collections)
    series.write_parquet(staged / "series.parquet", compression_level=_QUICK)
    collections.write_parquet(staged / "collections.parquet")
    pins = archive.pins()
    if pins is not None:
        pins.write_parquet(staged / "pins.parquet")
    return {
        "archive": archive.name,
        "archive_version": archive.version(),
        "synthetic": archive.synthetic,
        "collections": collections.height,
        "series": series.height,
        "series_kept": int(series["kept"].sum()),
        "images_kept": int(series.filter("kept")["planned_images"].sum()),
        "policies": refused,
    }


def cohort_result(layout: DataLayout, settings: Settings) -> Result:
    """Return what the cohort would be made from now."""
    inputs = {
        "catalogue": required_manifest(layout.catalogue, "collection_catalogue").content_hash,
        **settings.model_dump(include={"cohort", "caps", "budget_gb", "budget_images", "excluded", "seed"}),
    }
    return Result("cohort", None, layout.cohort, inputs, COHORT_VERSION)


def build_cohort(layout: DataLayout, settings: Settings, staged: Path) -> Counts:
    """Write series.parquet, the chosen rows of the catalogue, and cohort.lock.json."""
    catalogue = required_manifest(layout.catalogue, "collection_catalogue")
    chosen, lock = choose_cohort(
        pl.scan_parquet(layout.series_table).filter("kept").collect(),
        caps=settings.caps,
        budget_gb=settings.budget_gb,
        budget_images=settings.budget_images,
        seed=settings.seed,
        cohort=settings.cohort,
        excluded=settings.excluded,
        collections=pl.read_parquet(layout.collections_table),
        archive=str(catalogue.counts["archive"]),
        archive_version=str(catalogue.counts["archive_version"]),
        policies=resolve_switches(settings.policies),
    )
    chosen.write_parquet(staged / "series.parquet", compression_level=_QUICK)
    write_json(staged / "cohort.lock.json", lock)
    return {
        "datasets": chosen["dataset"].n_unique(),
        "patients": chosen.select(pl.struct("dataset", "patient_id").n_unique()).item(),
        "series": chosen.height,
        "images": int(chosen["planned_images"].sum()),
        "gigabytes": round(float(chosen["size_bytes"].sum()) / 1e9, 3),
        "synthetic": catalogue.counts["synthetic"],
    }


def source_result(layout: DataLayout, dataset: str, chosen: pl.DataFrame) -> Result:
    """Return what the source files of one dataset would be made from now; ``chosen`` are its rows of the cohort."""
    facts = ("series_uid", "archive_ref", "instances", "size_bytes", "revised_release")
    inputs = {"series": chosen.sort("series_uid").select(facts).rows()}
    return Result("source_files", dataset, layout.source_files(dataset), inputs, SOURCE_VERSION)


def retired_datasets(layout: DataLayout) -> list[str]:
    """Return the datasets that are kept on disk, and that the cohort no longer has; sorted."""
    there = {folder.name for folder in (*layout.source_folders, *layout.decoded_folders)}
    return sorted(there - set(pl.read_parquet(layout.cohort_table, columns=["dataset"])["dataset"].unique()))


def split_result(layout: DataLayout, settings: Settings, *, beside: bool = False) -> Result:
    """Return what the split would be made from now: the current one, or one ``beside`` it in a folder of its name."""
    inputs = {
        "cohort": required_manifest(layout.cohort, "cohort").content_hash,
        "pins": pins_of(layout, settings),
        **settings.model_dump(include={"plan", "shares", "seed"}),
    }
    folder = layout.split(settings.plan if beside else None)
    return Result("split_plan", None, folder, inputs, SPLIT_VERSION, shared=True, timed=("plan.json",))


def pins_of(layout: DataLayout, settings: Settings) -> dict[str, str]:
    """Return dataset → split where it is fixed beforehand: by the published split, or by the archive's own pins."""
    if settings.plan == PUBLISHED:
        return published.pins(pl.read_parquet(layout.collections_table))
    table = layout.catalogue / "pins.parquet"
    return dict(pl.read_parquet(table).select("dataset", "split").iter_rows()) if table.exists() else {}


def plan(layout: DataLayout, settings: Settings, *, beside: bool = False) -> SplitPlan:
    """Plan the split named by the settings over the cohort on disk; what it has placed before stays there.

    The published split is taken as it is, leaks and all; ``without-<dataset>`` holds one dataset back and
    ``fold-<i>-of-<k>`` is one of k folds; any other name is a plan of our own.
    """
    profile, shared = profile_datasets(pl.read_parquet(layout.cohort_table), settings.caps), _shared(layout)
    name, pins = settings.plan, pins_of(layout, settings)
    if name == PUBLISHED:
        return given_plan(profile, pins, name=name, shares=settings.shares, shared=shared)
    if name.startswith(_WITHOUT):
        held_back = name.removeprefix(_WITHOUT)
        return leave_one_out(profile, held_back, shares=settings.shares, shared=shared, seed=settings.seed)
    if fold := _FOLD.fullmatch(name):
        return plan_folds(profile, int(fold[2]), shared=shared, seed=settings.seed)[int(fold[1]) - 1]
    previous = _previous(layout, name, beside)
    made = plan_split(
        profile,
        shares=settings.shares,
        pins=pins,
        previous=pl.read_parquet(previous / "datasets.parquet") if previous else None,
        shared=shared,
        seed=settings.seed,
        name=name,
    )
    if previous:
        refuse_silent_rewrite(json.loads((previous / "plan.json").read_text()), made)
    return made


def build_split(layout: DataLayout, settings: Settings, staged: Path, *, beside: bool = False) -> Counts:
    """Write datasets.parquet and plan.json; a current plan of another name is kept in a folder of its name."""
    made = plan(layout, settings, beside=beside)
    if not beside:
        _keep_other_plan(layout, settings.plan)
    made.datasets.write_parquet(staged / "datasets.parquet")
    profile = profile_datasets(pl.read_parquet(layout.cohort_table), settings.caps)
    shown = body_part_table(made.datasets, profile)
    write_json(staged / "plan.json", {**made.record, "body_parts": shown.to_dicts()})
    return {f"{split}_datasets": made.datasets.filter(split=split).height for split in SPLITS}


def audit(layout: DataLayout, settings: Settings, plan: str | None = None) -> list[AuditResult]:
    """Return every check of the current plan, or of another by name, over the cohort on disk."""
    record = json.loads(layout.split_record(plan).read_text())
    return audit_plan(
        pl.read_parquet(layout.split_table(plan)),
        profile_datasets(pl.read_parquet(layout.cohort_table), settings.caps),
        shares=record["shares"],
        pins=None if _is_alternative(str(record["name"])) else pins_of(layout, settings),
        previous=earlier_placements(record),
        shared=_shared(layout),
    )


def plan_without_fetching(
    spec: str, layout: DataLayout, settings: Settings, plans: Sequence[str], progress: Progress = SILENT
) -> dict[str, pl.DataFrame]:
    """Make catalogue, cohort and split plans without fetching an image; return what they decided, as tables by title.

    The plan of the settings becomes the current one; the other ``plans`` stand beside it.
    """
    run_id = "modality plan"
    with open_archive(spec, layout) as archive:
        catalogue = catalogue_result(archive, layout, settings)
        manifest = catalogue.fresh_manifest() or make(
            catalogue, lambda staged: build_catalogue(archive, settings, staged, progress), run_id=run_id
        )
    cohort = cohort_result(layout, settings)
    if cohort.fresh_manifest() is None:
        make(cohort, lambda staged: build_cohort(layout, settings, staged), run_id=run_id)
    series = pl.read_parquet(layout.series_table, columns=list(PLAN_COLUMNS))
    chosen = pl.read_parquet(layout.cohort_table)
    tables = plan_tables(
        series,
        manifest.counts["policies"],
        chosen,
        json.loads(layout.cohort_lock.read_text()),
        pl.read_parquet(layout.collections_table),
    )
    tables["fetch"] = pl.DataFrame({"what fetching it would cost": [plan_cohort(chosen, layout).sentence()]})
    compared, audits = [], {}
    for name in dict.fromkeys([settings.plan, *plans]):
        beside = name != settings.plan
        chosen_settings = settings.with_changes({"plan": name})
        split = split_result(layout, chosen_settings, beside=beside)
        if split.fresh_manifest() is None:
            make(split, _splitter(layout, chosen_settings, beside=beside), run_id=run_id)
        folder = layout.split(name if beside else None)
        record = json.loads((folder / "plan.json").read_text())
        compared.append(SplitPlan(pl.read_parquet(folder / "datasets.parquet"), record))
        audits[name] = audit(layout, chosen_settings, name if beside else None)
    return {**tables, "plans": compare_plans(compared, audits)}


def named_plans(layout: DataLayout, asked: str) -> list[str]:
    """Return the names of the plans that ``asked`` stands for: itself, or all folds, or each dataset held back."""
    if asked == "k-fold":
        return [f"fold-{number}-of-{FOLDS}" for number in range(1, FOLDS + 1)]
    if asked == "leave-one-out":
        return [f"{_WITHOUT}{name}" for name in sorted(pl.read_parquet(layout.cohort_table)["dataset"].unique())]
    return [asked]


def _is_alternative(plan: str) -> bool:
    return plan.startswith(_WITHOUT) or _FOLD.fullmatch(plan) is not None


def _shared(layout: DataLayout) -> pl.DataFrame:
    """Return the patients that datasets share, measured over all series kept: a larger budget must find no leak."""
    kept = pl.scan_parquet(layout.series_table).filter("kept")
    return shared_patients(kept.select("dataset", "patient_id").collect())


def _splitter(layout: DataLayout, settings: Settings, *, beside: bool) -> Callable[[Path], Counts]:
    return lambda staged: build_split(layout, settings, staged, beside=beside)


def _previous(layout: DataLayout, name: str, beside: bool) -> Path | None:
    """Return the folder of the plan ``name`` as it was last made: the current one, or one kept beside it."""
    if not beside and _current_name(layout) == name:
        return layout.split()
    return layout.split(name) if layout.split_table(name).exists() else None


def _current_name(layout: DataLayout) -> str | None:
    record = layout.split_record()
    if not (record.exists() and layout.split_table().exists()):
        return None
    return str(json.loads(record.read_text())["name"])


def _keep_other_plan(layout: DataLayout, name: str) -> None:
    current = _current_name(layout)
    if current is None or current == name:
        return
    manifest = read_manifest(layout.split())
    if manifest is None:
        return
    with staging(layout.split(current)) as staged:
        for file in manifest.files:
            shutil.copy2(layout.split() / file, staged / file)
        publish_folder(staged, layout.split(current), manifest)
