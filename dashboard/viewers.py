"""Where the series of public archives can be looked at in a browser."""

from urllib.parse import quote

_IDC = "https://viewer.imaging.datacommons.cancer.gov/v3/viewer/?StudyInstanceUIDs="


def has_viewer(archive: str | None) -> bool:
    """Whether an archive's series are public and in the OHIF viewer of the Imaging Data Commons."""
    return archive is not None and archive.split(":", 1)[0] in {"idc", "nbia"}


def viewer_url(archive: str | None, study_uid: str | None, series_uid: str | None) -> str | None:
    """Return the address of a study in the OHIF viewer, opened at its series; None for what is not public.

    The Imaging Data Commons keeps the UIDs of The Cancer Imaging Archive, so one viewer serves both; what only the
    latter has, the viewer does not find.
    """
    if not has_viewer(archive) or not study_uid:
        return None
    series = f"&SeriesInstanceUIDs={quote(series_uid)}" if series_uid else ""
    return f"{_IDC}{quote(study_uid)}{series}"
