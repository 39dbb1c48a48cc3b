"""What every result says of itself: its manifest, what it refused, how long it took."""

import polars as pl

from dashboard.results.kept import NotMaterialisedError, Source, manifest_of, manifest_without_files, table_of
from dashboard.results.models import DISAGREEMENTS_MANIFEST
from modality_assets.layout import DataLayout
from modality_assets.manifest import Manifest


class QualityResults:
    """The manifests of everything on disk."""

    def __init__(self, layout: DataLayout) -> None:
        self.layout = layout

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
            found = [manifest_of(self.layout.reports, DISAGREEMENTS_MANIFEST)]
        elif asset == "source_files":
            found = [manifest_without_files(folder) for folder in folders[asset]]
        else:
            found = [manifest_of(folder) for folder in folders[asset]]
        return [manifest for manifest in found if manifest is not None and manifest.asset == asset]

    def quarantine(self) -> tuple[pl.DataFrame, Source]:
        """Every file or frame that was refused: dataset, source_file, stage, error, reason."""
        manifests = self.manifests("decoded_images")
        if not manifests:
            raise NotMaterialisedError("decoded_images")
        tables = [
            table_of(self.layout.decoded(str(manifest.partition)) / "quarantine.parquet")
            for manifest in manifests
            if manifest.counts.get("quarantined")
        ]
        newest = max(manifest.created_utc for manifest in manifests)
        schema = dict.fromkeys(("dataset", "source_file", "stage", "error", "reason"), pl.String)
        table = pl.concat(tables, how="vertical_relaxed") if tables else pl.DataFrame(schema=schema)
        return table, Source("decoded_images", None, newest)
