"""What every asset works on: one archive, one data root, one set of choices."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import dagster as dg
from pydantic import Field

from modality_assets.archives.archive import Archive
from modality_assets.archives.open import archive_name, open_archive
from modality_assets.layout import DataLayout, data_root
from modality_assets.progress import SILENT, Progress
from modality_assets.settings import DEMO, Settings, read_settings

_held_archive: ContextVar[tuple[str, Archive] | None] = ContextVar("held_archive", default=None)


class Workspace(dg.ConfigurableResource):
    """The archive, the data root that belongs to it, and the settings kept there.

    ``changes`` overrides single settings for one run, from the launchpad of the Dagster UI:
    ``{"image_size": 224}``. What a change touches is made again; the rest stays fresh.
    """

    archive: str = Field("replica", description="replica, folder:PATH, nbia[:URL], idc[:S3-ENDPOINT] or dicomweb:URL")
    data: str = Field("", description="the data root; by default ./data/<archive name>")
    changes: dict[str, Any] = Field(default_factory=dict, description="settings to change for this run")

    @classmethod
    def from_environment(cls) -> "Workspace":
        """Read MODALITY_ARCHIVE and MODALITY_DATA, as every command does."""
        return cls(archive=os.environ.get("MODALITY_ARCHIVE", "replica"), data=os.environ.get("MODALITY_DATA", ""))

    @property
    def layout(self) -> DataLayout:
        return DataLayout(data_root(archive_name(self.archive), self.data or None))

    @property
    def settings(self) -> Settings:
        """The settings of the data root; those of the demo where none were ever chosen."""
        return read_settings(self.layout.settings, DEMO).with_changes(self.changes)

    @contextmanager
    def open_archive(self, progress: Progress = SILENT) -> Iterator[Archive]:
        """Connect to the archive, or use the connection that is held; the embedded archive starts where none runs."""
        held = _held_archive.get()
        if held is not None and held[0] == self.archive:
            yield held[1]
            return
        with open_archive(self.archive, self.layout, progress) as archive:
            yield archive

    @contextmanager
    def hold_archive(self, progress: Progress = SILENT) -> Iterator[None]:
        """Keep one connection open until the end of the block, for every run of this process."""
        with self.open_archive(progress) as archive, self.holding(archive):
            yield

    @contextmanager
    def holding(self, archive: Archive) -> Iterator[None]:
        """Use ``archive``, which is open, for every run of this process until the end of the block."""
        held = _held_archive.set((self.archive, archive))
        try:
            yield
        finally:
            _held_archive.reset(held)
