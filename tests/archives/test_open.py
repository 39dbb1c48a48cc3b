from pathlib import Path

import pytest

from modality_assets.archives.archive import ArchiveError, UnknownArchiveError
from modality_assets.archives.open import KINDS, archive_name, open_archive
from modality_assets.layout import DataLayout


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("replica", "replica"),
        ("nbia", "nbia"),
        ("nbia:http://127.0.0.1:9/services/v4", "nbia"),
        ("idc", "idc"),
        ("idc:http://127.0.0.1:5000", "idc"),
        ("dicomweb:http://127.0.0.1:8042/dicom-web", "dicomweb"),
        ("folder:../images/real_archive", "real_archive"),
        ("folder:/data/My images/", "My-images"),
    ],
)
def test_an_archive_string_gives_the_name_of_its_data_root(spec: str, name: str) -> None:
    assert archive_name(spec) == name


@pytest.mark.parametrize("spec", ["", "tcia", "folder", "folder:", "dicomweb", "replica:x", "Replica", "folder:/"])
def test_a_string_that_names_no_archive_is_refused_with_the_valid_ones(spec: str) -> None:
    with pytest.raises(UnknownArchiveError) as caught:
        archive_name(spec)
    assert any(kind in str(caught.value) for kind in KINDS)


def test_the_refusal_of_an_unknown_archive_lists_every_kind() -> None:
    with pytest.raises(UnknownArchiveError) as caught:
        archive_name("tcia")
    assert all(kind in str(caught.value) for kind in KINDS)


def test_opening_an_unknown_archive_touches_nothing(tmp_path: Path) -> None:
    with pytest.raises(UnknownArchiveError), open_archive("tcia", DataLayout(tmp_path / "root")):
        pass
    assert not (tmp_path / "root").exists()


def test_a_folder_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    spec = f"folder:{tmp_path / 'nowhere'}"
    with (
        pytest.raises(ArchiveError, match="there is no such folder; correct the path"),
        open_archive(spec, DataLayout(tmp_path)),
    ):
        pass


@pytest.mark.parametrize("spec", ["nbia:ftp://example.org", "nbia:not a url", "dicomweb:http://"])
def test_a_url_that_is_none_is_refused_before_anything_is_sent(spec: str, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="correct the archive string"), open_archive(spec, DataLayout(tmp_path)):
        pass
