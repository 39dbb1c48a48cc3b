"""Every materialised result that the pages show. The only file of the dashboard that reads them.

Tables are scanned lazily, so that a filter on dataset or class reads only what it needs. What is small is kept in
memory as long as the file stays the same. A result without a complete manifest does not exist.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import modality_assets
from modality_assets.layout import DataLayout, data_root
from modality_assets.manifest import MANIFEST, Manifest, origin_of, read_manifest, whole
from modality_assets.modality import CLASSES
from modality_assets.settings import DEMO, Settings, SettingsError, read_settings

_PUBLISHED = Path(modality_assets.__file__).parent / "catalogue" / "published"
DISAGREEMENTS_MANIFEST = "disagreements.manifest.json"


class NotMaterialisedError(Exception):
    """A result that a page shows is not there, or not whole; ``asset`` names what to materialise."""

    def __init__(self, asset: str, partition: str | None = None) -> None:
        super().__init__(asset, partition)
        self.asset, self.partition = asset, partition


@dataclass(frozen=True)
class Source:
    """Where a figure comes from: the asset, its partition, and when it was materialised."""

    asset: str
    partition: str | None = None
    created_utc: str | None = None


@dataclass(frozen=True)
class Model:
    """A trained and evaluated model; ``study`` is 'main' or the study that ``trial`` belongs to."""

    study: str
    trial: str
    architecture: str
    rescaling: str
    report: Path
    folder: Path
    source: Source
    counts: dict[str, Any]

    @property
    def key(self) -> str:
        """What stands in a URL."""
        return f"{self.architecture}.{self.rescaling}" if self.study == "main" else f"{self.study}.{self.trial}"


def open_results() -> "Results":
    """Return the results of the data root that the environment names (MODALITY_DATA, MODALITY_ARCHIVE)."""
    archive = os.environ.get("MODALITY_ARCHIVE", "replica")
    name = archive.split(":", 1)[1].rstrip("/").rsplit("/", 1)[-1] if archive.startswith("folder:") else archive
    return Results(DataLayout(data_root(name.split(":", 1)[0])))


class Results:
    """What one data root holds."""

    def __init__(self, layout: DataLayout) -> None:
        self.layout = layout

    # what the root is

    def settings(self) -> Settings:
        """The root's settings; those of the demo where there are none, or none that can be read."""
        try:
            return read_settings(self.layout.settings, DEMO)
        except SettingsError:
            return DEMO

    def synthetic(self) -> bool:
        """Whether these are phantoms, as catalogue or cohort say."""
        found = [_manifest(folder) for folder in (self.layout.catalogue, self.layout.cohort)]
        return any(manifest is not None and bool(manifest.counts.get("synthetic")) for manifest in found)

    def archive(self) -> str | None:
        """The archive's name, None before there is a catalogue."""
        manifest = _manifest(self.layout.catalogue)
        return None if manifest is None else manifest.counts.get("archive")

    # catalogue, cohort, split

    def catalogue(self) -> tuple[Manifest, Source]:
        """The catalogue's manifest."""
        return _required(self.layout.catalogue, "collection_catalogue")

    def series(self) -> pl.LazyFrame:
        """Every series that the archive offers, with the reason for being kept or left out."""
        self.catalogue()
        return pl.scan_parquet(self.layout.series_table)

    def collections(self) -> pl.DataFrame:
        """One row per dataset of the archive."""
        self.catalogue()
        return _table(self.layout.collections_table)

    def images_by(self, column: str) -> pl.DataFrame:
        """Kept images by ``column`` of the catalogue and class: column, modality, images; the unknown named so."""
        self.catalogue()
        return _images_by(*_stamp(self.layout.series_table), column)

    def left_out(self) -> pl.DataFrame:
        """Series and images by reason: reason, series, images; 'kept' is one of the reasons."""
        self.catalogue()
        return _left_out(*_stamp(self.layout.series_table))

    def cohort(self) -> tuple[Manifest, Source]:
        """The cohort's manifest."""
        return _required(self.layout.cohort, "cohort")

    def cohort_images(self) -> pl.DataFrame:
        """Planned images of the cohort by dataset, modality and body part."""
        self.cohort()
        return _cohort_images(*_stamp(self.layout.cohort_table))

    def split(self) -> tuple[pl.DataFrame, dict[str, Any], Source]:
        """The current plan: its table, its record, its source."""
        _, source = _required(self.layout.split(), "split_plan")
        return _table(self.layout.split_table()), _json(self.layout.split_record()), source

    def split_images(self) -> pl.DataFrame:
        """Planned images by dataset, split, modality and body part."""
        table, _, _ = self.split()
        return self.cohort_images().join(table.select("dataset", "split"), on="dataset", how="inner")

    def published_split(self) -> pl.DataFrame:
        """The published split: name, doi, split."""
        return _published("datasets.csv").select("name", pl.col("doi").str.to_lowercase(), "split")

    def published_accuracy(self) -> pl.DataFrame:
        """Published accuracy by dataset and class: dataset, modality, published (the best of its models)."""
        return (
            _published("published_per_dataset.csv")
            .group_by("dataset", "modality")
            .agg((pl.col("accuracy_pct").max() / 100).alias("published"))
        )

    # models and reports

    def models(self) -> list[Model]:
        """Every evaluated model, the main ones first."""
        found = []
        for folder in self.layout.report_folders:
            architecture, rescaling = folder.parts[-2:]
            manifest = _manifest(folder)
            if manifest is not None and manifest.asset == "evaluation_report":
                at = self.layout.model(architecture, rescaling)
                trial = f"{architecture}-{rescaling}"
                found.append(
                    Model("main", trial, architecture, rescaling, folder, at, _source(manifest), manifest.counts)
                )
        for folder in self.layout.experiment_folders:
            study, trial = folder.parts[-2:]
            manifest = _manifest(folder)
            if manifest is not None and (folder / "metrics.json").is_file():
                about = _json(folder / "metrics.json").get("model", {})
                found.append(
                    Model(
                        study,
                        trial,
                        about.get("architecture", "–"),
                        about.get("rescaling", "–"),
                        folder,
                        folder,
                        _source(manifest),
                        manifest.counts,
                    )
                )
        return found

    def main_models(self) -> list[Model]:
        """The evaluated models of the main graph, the best on validate first, so that test stays unseen."""
        found = [model for model in self.models() if model.study == "main"]
        if not found:
            raise NotMaterialisedError("evaluation_report")
        return sorted(found, key=lambda model: -(model.counts.get("validate_balanced_accuracy") or 0.0))

    def metrics(self, model: Model) -> dict[str, Any]:
        """The figures of a model by split, under its main evidence."""
        everything = _json(model.report / "metrics.json")
        found: dict[str, Any] = everything["evidence"][everything["main_evidence"]]
        return found

    def timings(self, model: Model) -> dict[str, Any]:
        """How long a model trained and predicts."""
        found: dict[str, Any] = _json(model.report / "metrics.json").get("timings", {})
        return found

    def per_dataset(self, model: Model) -> pl.DataFrame:
        """Accuracy by dataset, class and split."""
        return _table(model.report / "per_dataset.parquet")

    def history(self, model: Model) -> pl.DataFrame:
        """Loss and accuracy by epoch."""
        path = model.folder / "history.parquet"
        if not path.is_file():
            raise NotMaterialisedError("trained_model", model.source.partition)
        return _table(path)

    def comparison(self) -> tuple[pl.DataFrame, Source]:
        """Every model beside the published figures."""
        _, source = _required(self.layout.reports, "model_comparison")
        return _table(self.layout.comparison_table), source

    def disagreements(self) -> tuple[pl.DataFrame, Source]:
        """Series whose pixels and header differ."""
        _, source = _required(self.layout.reports, "header_disagreements", DISAGREEMENTS_MANIFEST)
        return _table(self.layout.disagreements_table), source

    def predictions(
        self,
        model: Model,
        *,
        split: str,
        datasets: Iterable[str] = (),
        actual: Iterable[str] = (),
        predicted: Iterable[str] = (),
        wrong: bool | None = None,
        surest_first: bool = True,
        most: int = 24,
    ) -> tuple[pl.DataFrame, int]:
        """Return up to ``most`` predictions that meet the filters, by confidence, and how many there are."""
        kind = _json(model.report / "metrics.json").get("main_evidence")
        table = pl.scan_parquet(model.report / "predictions.parquet", row_index_name="row")
        rows = table.filter(pl.col("split") == split)
        if kind is not None:
            rows = rows.filter(pl.col("evidence") == kind)
        for column, wanted in (("dataset", [*datasets]), ("actual", [*actual]), ("predicted", [*predicted])):
            rows = rows.filter(pl.col(column).is_in(wanted)) if wanted else rows
        if wrong is not None:
            rows = rows.filter((pl.col("actual") != pl.col("predicted")) == wrong)
        narrow = rows.select(
            "row", confidence=pl.max_horizontal(*(f"p_{name}" for name in CLASSES)).cast(pl.Float64)
        ).collect(engine="streaming")
        chosen = narrow.sort("confidence", descending=surest_first).head(most)
        wide = table.filter(pl.col("row").is_in(chosen["row"].implode())).collect(engine="streaming")
        first = table.filter(pl.col("split") == split).select(pl.col("row").min()).collect(engine="streaming").item()
        wide = wide.with_columns(row_in_split=pl.col("row").cast(pl.Int64) - (first or 0))
        return chosen.join(wide, on="row", maintain_order="left"), len(narrow)

    def pictures(self, rows: pl.DataFrame, rescaling: str) -> tuple[list[np.ndarray | None], bool]:
        """Return for each prediction its image (H, W) float32 in [0, 1], and whether all are as the model saw them.

        A model sees them under ``rescaling``; where its shards are not there any more, pictures are rescaled by
        their own range. An image is None where the decoded dataset does not hold it any more.
        """
        found: list[np.ndarray | None] = [None] * len(rows)
        as_seen = True
        wanted = rows.select("dataset", "source_file", "frame", "split", "row_in_split").with_row_index("at")
        for (dataset,), some in wanted.group_by("dataset"):
            folder = whole(self.layout.decoded(str(dataset)))
            if _manifest(folder) is None:
                continue
            places = (
                pl.scan_parquet(folder / "images.parquet")
                .select("source_file", "frame", "pixel_file", "pixel_index")
                .filter(pl.col("source_file").is_in(some["source_file"].unique().implode()))
                .collect()
                .join(some, on=["source_file", "frame"])
            )
            for place in places.iter_rows(named=True):
                pixels = np.load(folder / place["pixel_file"], mmap_mode="r")
                picture = np.asarray(pixels[place["pixel_index"]], dtype=np.float32) / 65535
                if rescaling != "image_range":
                    scale_and_offset = self._affine(rescaling, place)
                    as_seen &= scale_and_offset is not None
                    if scale_and_offset is not None:
                        picture = picture * scale_and_offset[0] + scale_and_offset[1]
                found[place["at"]] = picture.clip(0, 1)
        return found, as_seen

    def _affine(self, rescaling: str, place: dict[str, Any]) -> tuple[float, float] | None:
        """Scale and offset of one image's rescaling, from the shard row that its prediction was made of."""
        folder = self.layout.shards(rescaling, place["split"])
        row = place["row_in_split"]
        if _manifest(folder) is None:
            return None
        origin = np.load(folder / "provenance.npy", mmap_mode="r")
        if row >= len(origin):
            return None
        same_file = origin[row]["source_file"].decode() == place["source_file"]
        if not same_file or origin[row]["frame"] != place["frame"]:
            return None
        scale, offset = np.load(folder / "affine.npy", mmap_mode="r")[row]
        return float(scale), float(offset)

    # quality

    def manifests(self, asset: str) -> list[Manifest]:
        """The manifests of an asset's partitions on disk that are whole."""
        folders = {
            "collection_catalogue": [self.layout.catalogue],
            "cohort": [self.layout.cohort],
            "split_plan": [self.layout.split()],
            "decoded_images": self.layout.decoded_folders,
            "source_files": self.layout.source_folders,
            "rescaled_shards": self.layout.shard_folders,
            "trained_model": self.layout.model_folders,
            "evaluation_report": self.layout.report_folders,
            "study_trial": self.layout.experiment_folders,
            "model_comparison": [self.layout.reports],
        }
        if asset == "header_disagreements":
            found = [_manifest(self.layout.reports, DISAGREEMENTS_MANIFEST)]
        elif asset == "source_files":
            found = [
                _manifest(folder) if origin_of(folder) else _without_files(folder, _stamp(folder / MANIFEST)[1])
                for folder in folders[asset]
            ]
        else:
            found = [_manifest(folder) for folder in folders[asset]]
        return [manifest for manifest in found if manifest is not None and manifest.asset == asset]

    def quarantine(self) -> tuple[pl.DataFrame, Source]:
        """Every file or frame that was refused: dataset, source_file, stage, error, reason."""
        manifests = self.manifests("decoded_images")
        if not manifests:
            raise NotMaterialisedError("decoded_images")
        tables = [
            _table(self.layout.decoded(str(manifest.partition)) / "quarantine.parquet")
            for manifest in manifests
            if manifest.counts.get("quarantined")
        ]
        newest = max(manifest.created_utc for manifest in manifests)
        schema = dict.fromkeys(("dataset", "source_file", "stage", "error", "reason"), pl.String)
        table = pl.concat(tables, how="vertical_relaxed") if tables else pl.DataFrame(schema=schema)
        return table, Source("decoded_images", None, newest)


def _source(manifest: Manifest) -> Source:
    return Source(manifest.asset, manifest.partition, manifest.created_utc)


def _required(folder: Path, asset: str, name: str = MANIFEST) -> tuple[Manifest, Source]:
    manifest = _manifest(folder, name)
    if manifest is None:
        raise NotMaterialisedError(asset)
    return manifest, _source(manifest)


def _stamp(path: Path) -> tuple[Path, int]:
    """A path and when it was last written: what kept tables are known by."""
    try:
        return path, path.stat().st_mtime_ns
    except FileNotFoundError:
        return path, 0


def _manifest(folder: Path, name: str = MANIFEST) -> Manifest | None:
    if origin_of(folder) is not None:
        return read_manifest(folder, name)
    _, written = _stamp(folder / name)
    return _kept_manifest(folder, name, written) if written else None


def _table(path: Path) -> pl.DataFrame:
    return _kept_table(*_stamp(path))


def _json(path: Path) -> dict[str, Any]:
    return _kept_json(*_stamp(path))


@lru_cache(maxsize=4096)
def _kept_manifest(folder: Path, name: str, _written: int) -> Manifest | None:
    return read_manifest(folder, name)


@lru_cache(maxsize=512)
def _without_files(folder: Path, _written: int) -> Manifest | None:
    """A manifest without its list of files, which for source files may be longer than everything else together."""
    try:
        head = (folder / MANIFEST).read_text().split('\n "files": {', 1)[0].rstrip().removesuffix(",")
        return Manifest(**json.loads(head + "}"))
    except (OSError, ValueError, TypeError):
        return None


@lru_cache(maxsize=128)
def _kept_table(path: Path, _written: int) -> pl.DataFrame:
    return pl.read_parquet(path)


@lru_cache(maxsize=64)
def _kept_json(path: Path, _written: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@lru_cache(maxsize=8)
def _published(name: str) -> pl.DataFrame:
    return pl.read_csv(_PUBLISHED / name)


@lru_cache(maxsize=16)
def _images_by(path: Path, _written: int, column: str) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .filter("kept")
        .group_by(pl.col(column).fill_null("not stated"), "modality")
        .agg(pl.col("planned_images").sum().alias("images"))
        .sort("images", column, "modality", descending=[True, False, False])
        .collect(engine="streaming")
    )


@lru_cache(maxsize=2)
def _left_out(path: Path, _written: int) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .group_by("reason", "kept")
        .agg(pl.len().alias("series"), pl.col("planned_images").sum().alias("images"))
        .sort("kept", "series", descending=True)
        .collect(engine="streaming")
    )


@lru_cache(maxsize=2)
def _cohort_images(path: Path, _written: int) -> pl.DataFrame:
    return (
        pl.scan_parquet(path)
        .group_by("dataset", "modality", pl.col("body_part").fill_null("not stated"))
        .agg(pl.col("planned_images").sum().alias("images"))
        .sort("dataset", "modality", "body_part")
        .collect(engine="streaming")
    )
