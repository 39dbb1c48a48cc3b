"""The embedded archive as an archive; its content and server have tests of their own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from modality_assets.archives import embedded
from modality_assets.archives.open import open_archive
from modality_assets.archives.replica import content
from modality_assets.archives.replica.server import running_server
from modality_assets.layout import DataLayout
from modality_assets.manifest import write_json
from modality_assets.progress import SILENT, Progress


@pytest.fixture
def layout(tmp_path: Path, make_dicom: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> DataLayout:
    """A data root whose embedded archive is one phantom dataset and one real one, made at once."""
    layout = DataLayout(tmp_path / "root")

    def ensure_content(folder: Path, progress: Progress) -> None:
        for number, dataset in enumerate(("phantom-ct", "samples"), 1):
            (folder / dataset).mkdir(parents=True, exist_ok=True)
            (folder / dataset / "1.dcm").write_bytes(make_dicom(f"1.2.{number}"))

    monkeypatch.setattr(content, "ensure_content", ensure_content)
    return layout


def test_the_content_is_made_served_and_listed_and_phantoms_are_marked(layout: DataLayout) -> None:
    with open_archive("replica", layout) as archive:
        assert (archive.name, archive.synthetic) == ("replica", True)
        collections = archive.list_collections()
        assert archive.list_series().height == 2
    assert dict(collections.select("dataset", "synthetic").iter_rows()) == {"phantom-ct": True, "samples": False}


def test_a_server_that_runs_already_is_used(layout: DataLayout, monkeypatch: pytest.MonkeyPatch) -> None:
    content.ensure_content(layout.replica, SILENT)
    with running_server(layout.replica) as url:
        write_json(layout.replica / "server.json", {"url": url})
        monkeypatch.setattr("modality_assets.archives.replica.server.running_server", None)  # would fail if called
        with open_archive("replica", layout) as archive:
            assert archive.list_series().height == 2


@pytest.mark.parametrize("text", ['{"url": "http://127.0.0.1:9/"}', "{}", "no json", "[]"])
def test_the_file_of_a_server_that_is_gone_is_passed_over(text: str, layout: DataLayout) -> None:
    layout.replica.mkdir(parents=True)
    (layout.replica / "server.json").write_text(text)
    assert embedded._live_url(layout.replica / "server.json") is None
    with open_archive("replica", layout) as archive:
        assert archive.list_series().height == 2


def test_the_real_images_are_pinned_to_test(layout: DataLayout) -> None:
    with open_archive("replica", layout) as archive:
        pins = archive.pins()
    assert pins is not None
    assert pins.columns == ["dataset", "split"]
    assert pins["split"].unique().to_list() == ["test"]
