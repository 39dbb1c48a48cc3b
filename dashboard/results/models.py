"""Models and their reports: what is known of each without reading its predictions."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from dashboard.results.archive import ArchiveResults
from dashboard.results.kept import (
    NotMaterialisedError,
    Source,
    json_of,
    manifest_of,
    required,
    source_of,
    table_of,
)
from dashboard.results.published import published_accuracy

DISAGREEMENTS_MANIFEST = "disagreements.manifest.json"
MAIN = "main"


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
        return f"{self.architecture}.{self.rescaling}" if self.study == MAIN else f"{self.study}.{self.trial}"

    @property
    def has_network(self) -> bool:
        """Whether it can be asked about an image; a trivial baseline cannot."""
        return (self.folder / "weights.safetensors").is_file()


class ModelResults:
    """What models and reports hold."""

    def __init__(self, archive: ArchiveResults) -> None:
        self.archive, self.layout = archive, archive.layout

    def all(self) -> list[Model]:
        """Every evaluated model, the main ones first, the best of them on validate first, so that test stays unseen."""
        main = sorted(self._of_main(), key=lambda model: -(model.counts.get("validate_balanced_accuracy") or 0.0))
        return [*main, *self._of_studies()]

    def main(self) -> list[Model]:
        """The evaluated models of the main graph, the best on validate first."""
        found = [model for model in self.all() if model.study == MAIN]
        if not found:
            raise NotMaterialisedError("evaluation_report")
        return found

    def metrics(self, model: Model) -> dict[str, Any]:
        """The figures of a model by split, under its main evidence."""
        everything = json_of(model.report / "metrics.json")
        found: dict[str, Any] = everything["evidence"][everything["main_evidence"]]
        return found

    def main_evidence(self, model: Model) -> str | None:
        """The kind of evidence that a model's main figures rest on."""
        kind: str | None = json_of(model.report / "metrics.json").get("main_evidence")
        return kind

    def by_evidence(self, model: Model, split: str) -> dict[str, dict[str, Any]]:
        """The figures of one split by kind of evidence: 'pixels', 'intensities', 'both'."""
        everything = json_of(model.report / "metrics.json")["evidence"]
        return {kind: splits[split] for kind, splits in everything.items() if split in splits}

    def timings(self, model: Model) -> dict[str, Any]:
        """How long a model trained and predicts."""
        found: dict[str, Any] = json_of(model.report / "metrics.json").get("timings", {})
        return found

    def per_dataset(self, model: Model) -> pl.DataFrame:
        """Accuracy by dataset, class and split, with ``published`` where the published work has the dataset."""
        rows = table_of(model.report / "per_dataset.parquet")
        try:
            published = published_accuracy(self.archive.collections())
        except NotMaterialisedError:
            return rows.with_columns(published=pl.lit(None, pl.Float64))
        best = published.group_by("dataset", "modality").agg(pl.col("published").max())
        return rows.join(best, on=["dataset", "modality"], how="left")

    def history(self, model: Model) -> pl.DataFrame:
        """Loss and accuracy by epoch."""
        path = model.folder / "history.parquet"
        if not path.is_file():
            raise NotMaterialisedError("trained_model", model.source.partition)
        return table_of(path)

    def comparison(self) -> tuple[pl.DataFrame, Source]:
        """Every model beside the published figures."""
        _, source = required(self.layout.reports, "model_comparison")
        return table_of(self.layout.comparison_table), source

    def disagreements(self) -> tuple[pl.DataFrame, Source]:
        """Series whose pixels and header differ."""
        _, source = required(self.layout.reports, "header_disagreements", DISAGREEMENTS_MANIFEST)
        return table_of(self.layout.disagreements_table), source

    def probes(self) -> tuple[pl.DataFrame, Source]:
        """What the features of each model know of the dataset; no rows where no probe was run."""
        _, source = required(self.layout.reports, "model_comparison")
        return (table_of(self.layout.probes_table) if self.layout.probes_table.is_file() else pl.DataFrame()), source

    def _of_main(self) -> list[Model]:
        found = []
        for folder in self.layout.report_folders:
            architecture, rescaling = folder.parts[-2:]
            manifest = manifest_of(folder)
            if manifest is not None and manifest.asset == "evaluation_report":
                at = self.layout.model(architecture, rescaling)
                trial = f"{architecture}-{rescaling}"
                model = Model(MAIN, trial, architecture, rescaling, folder, at, source_of(manifest), manifest.counts)
                found.append(model)
        return found

    def _of_studies(self) -> list[Model]:
        found = []
        for folder in self.layout.experiment_folders:
            study, trial = folder.parts[-2:]
            manifest = manifest_of(folder)
            if manifest is not None and "predictions.parquet" in manifest.files:  # a probe has figures alone
                about = json_of(folder / "metrics.json").get("model", {})
                names = about.get("architecture", "–"), about.get("rescaling", "–")
                found.append(Model(study, trial, *names, folder, folder, source_of(manifest), manifest.counts))
        return found
