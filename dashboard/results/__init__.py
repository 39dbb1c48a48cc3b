"""Every materialised result that the pages show. Nothing else of the dashboard reads them.

Tables are scanned lazily, so that a filter on dataset or class reads only what it needs. What is small is kept in
memory as long as the file stays the same. A result without a complete manifest does not exist.
"""

import os

from dashboard.results.archive import ArchiveResults
from dashboard.results.changes import ChangeResults
from dashboard.results.kept import NotMaterialisedError, Source, manifest_of
from dashboard.results.models import Model, ModelResults
from dashboard.results.predictions import PredictionResults, Wanted
from dashboard.results.quality import QualityResults
from dashboard.results.split import SplitResults
from modality_assets.layout import DataLayout, data_root
from modality_assets.settings import DEMO, Settings, SettingsError, read_settings

__all__ = ["Model", "NotMaterialisedError", "Results", "Source", "Wanted", "open_results"]


def open_results() -> "Results":
    """Return the results of the data root that the environment names (MODALITY_DATA, MODALITY_ARCHIVE)."""
    archive = os.environ.get("MODALITY_ARCHIVE", "replica")
    name = archive.split(":", 1)[1].rstrip("/").rsplit("/", 1)[-1] if archive.startswith("folder:") else archive
    return Results(DataLayout(data_root(name.split(":", 1)[0])))


class Results:
    """What one data root holds, by topic."""

    def __init__(self, layout: DataLayout) -> None:
        self.layout = layout
        self.archive = ArchiveResults(layout)
        self.split = SplitResults(self.archive)
        self.models = ModelResults(self.archive)
        self.predictions = PredictionResults(self.models)
        self.quality = QualityResults(layout)
        self.changes = ChangeResults(self.archive)

    def settings(self) -> Settings:
        """The root's settings; those of the demo where there are none, or none that can be read."""
        try:
            return read_settings(self.layout.settings, DEMO)
        except SettingsError:
            return DEMO

    def synthetic(self) -> bool:
        """Whether these are phantoms, as catalogue or cohort say."""
        found = [manifest_of(folder) for folder in (self.layout.catalogue, self.layout.cohort)]
        return any(manifest is not None and bool(manifest.counts.get("synthetic")) for manifest in found)

    def archive_name(self) -> str | None:
        """The archive's name, None before there is a catalogue."""
        manifest = manifest_of(self.layout.catalogue)
        return None if manifest is None else manifest.counts.get("archive")
