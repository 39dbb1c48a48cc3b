"""What keeps a series out of the catalogue's kept rows: one small named function per policy.

Each function returns the condition under which it refuses a series, and the reason it gives. The
conditions are Polars expressions over the columns of `SERIES_SCHEMA` (with ``modality`` the class) and
these, which `decide` adds from the collections: ``retired``, ``simulated``, ``excluded_reason``,
``classes_found`` (how many classes the Modality values name) and ``repeated`` (the series is listed twice).

Values that differ inside one series arrive joined by commas ("0,1"). A condition on such a column asks
whether *any* of them has the property, because equality would silently drop the series.

A class that a datasets.csv declares is somebody's word against the header's: policies that doubt the
header do not apply to it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from modality_assets.catalogue.series import CatalogueError
from modality_assets.modality import CLASS_OF_CODE, CLASSES

Refusal = tuple[pl.Expr, pl.Expr | str]

SIMULATED = ("VICTRE", "GBM-DSC-MRI-DRO")
"""Collections of the public archives whose images were computed and never acquired, by name.

DRO-Toolkit is computed too, but it is a row of the published cohort and stays.
"""

PROJECT_PHANTOMS = "phantom-"
"""The embedded archive's datasets begin so; they are synthetic by design and stay."""

_STORAGE = r"1\.2\.840\.10008\.5\.1\.4\.1\.1\."  # PS3.4 B.5, the storage SOP classes

SOP_CLASSES_OF_CLASS = {
    "CT": ("2", "2.1", "2.2"),
    "MR": ("4", "4.1", "4.3", "4.4"),
    "PT": ("128", "128.1", "130"),
    "XR": ("1", "1.1", "1.1.1", "1.2", "1.2.1", "1.3", "1.3.1", "13.1.3", "13.1.4", "13.1.5"),
}
"""Storage SOP classes of each class, the part after 1.2.840.10008.5.1.4.1.1 (DICOM PS3.4 B.5)."""

_OTHER_IMAGES = ("3", "3.1", "5", "6", "6.1", "6.2", "12.1", "12.1.1", "12.2", "12.2.1", "13.1.1", "13.1.2", "20")
_NO_IMAGES = r"(?:66(?:\.\d+)*|4\.2|9\.[\d.]+|11\.[\d.]+|88\.[\d.]+|104\.[\d.]+|481\.(?:[2-9]|1\d)[\d.]*)"
_SECONDARY_CAPTURE = r"7(?:\.[1-4])?"
_SCOUT = (
    r"(?i)(?:^|[^a-z])(?:scouts?|topograms?|scanograms?|surviews?|locali[sz]ers?|scanogram|pilot|planogram)(?:$|[^a-z])"
)
_SCREEN = r"(?i)\b(?:screen ?(?:save|shot|cap(?:ture)?)|secondary capture|dose (?:report|info)|patient protocol)\b"
_MASK = r"(?i)\b(?:roi|voi|dwi) mask\b"
_NON_COMMERCIAL = r"(?i)\bNC\b|non-?\s?commercial"


def retired_collection() -> Refusal:
    """The archive no longer offers the collection."""
    return pl.col("retired"), "the archive no longer offers this collection"


def excluded_dataset() -> Refusal:
    """The user left the dataset out, and said why."""
    return pl.col("excluded_reason").is_not_null(), pl.format("left out by the settings: {}", pl.col("excluded_reason"))


def unsafe_name() -> Refusal:
    """The SeriesInstanceUID has characters that no path may have (DICOM PS3.5 section 9.1 allows digits and dots)."""
    uid = pl.col("series_uid")
    safe = uid.str.contains(r"^[0-9A-Za-z][0-9A-Za-z.]{0,63}$") & ~uid.str.contains("..", literal=True)
    return ~safe, "the SeriesInstanceUID has characters that no path may have"


def repeated_series() -> Refusal:
    """The series is listed more than once; the first, by dataset, stays, so that no split shares it with another."""
    return pl.col("repeated"), "the series is listed already, here or in another dataset"


def other_modality() -> Refusal:
    """Modality names none of the classes: CR, DX and MG are XR; XA, NM, US, SR, SEG and the rest are out."""
    tag = pl.col("declared_modality").fill_null(pl.col("modality_tag")).fill_null("(none)")
    codes = ", ".join(CLASS_OF_CODE)
    return pl.col("classes_found") == 0, pl.format("Modality {} is none of " + codes, tag)


def mixed_modality() -> Refusal:
    """One series holds instances of several classes."""
    return pl.col("classes_found") > 1, pl.format("one series holds several classes: {}", pl.col("modality_tag"))


def empty_series() -> Refusal:
    """The archive lists no file of the series."""
    return pl.col("instances") <= 0, "the archive lists no files of this series"


def analysis_result() -> Refusal:
    """The series was derived by somebody's analysis and is not an acquisition."""
    return pl.col("analysis_result"), "a third party's analysis result"


def simulated_collection() -> Refusal:
    """The collection's images were computed and never acquired (VICTRE); the project's own phantoms stay."""
    return pl.col("simulated"), "a collection of simulated images"


def raw_data() -> Refusal:
    """A SOP class that holds raw data or something else without pixels, whatever Modality says."""
    return _any_sop_class(_NO_IMAGES), "the SOP class holds raw data or no images"


def sop_class_contradiction() -> Refusal:
    """The SOP class is one of another class than Modality names, such as a PET image labelled CT."""
    contradicts = pl.lit(False)
    for name in CLASSES:
        others = [uid for other, uids in SOP_CLASSES_OF_CLASS.items() if other != name for uid in uids]
        contradicts |= (pl.col("modality") == name) & _any_sop_class(_alternatives([*others, *_OTHER_IMAGES]))
    return ~_declared() & contradicts, "the SOP class is one of another modality than Modality names"


def secondary_capture() -> Refusal:
    """CT, MR or PT as a Secondary Capture: screen shots, dose reports, fused and rendered views.

    A digitised film is a Secondary Capture by the standard (DICOM PS3.3 A.8), so XR is not concerned. An
    archive that does not state SOP classes (NBIA) is judged by the series description.
    """
    named = pl.col("sop_class_uid").is_null() & pl.col("series_description").str.contains(_SCREEN)
    captured = _any(_any_sop_class(_SECONDARY_CAPTURE), named)
    condition = ~_declared() & (pl.col("modality") != "XR") & captured
    return condition, "a Secondary Capture of CT, MR or PT"


def annotation_mask() -> Refusal:
    """The series description says that the pixels are a mask somebody drew."""
    return pl.col("series_description").str.contains(_MASK), "an annotator's mask, not an image"


def scout() -> Refusal:
    """A scout labelled CT or PT, by ImageType (0008,0008) or description: a radiograph in all but its tag.

    Localizers of MR are MR, so they stay.
    """
    says_so = _any(
        pl.col("image_type").str.contains(r"(?i)\bLOCALIZER\b"), pl.col("series_description").str.contains(_SCOUT)
    )
    return pl.col("modality").is_in(["CT", "PT"]) & says_so, "a scout or localizer labelled CT or PT"


def short_ct_series() -> Refusal:
    """A CT series of at most three images, mostly a scout that does not say so."""
    images = pl.max_horizontal("instances", "planned_images")
    return ~_declared() & (pl.col("modality") == "CT") & (images <= 3), "a CT series of at most 3 images, mostly scouts"


def non_commercial_licence() -> Refusal:
    """The licence forbids commercial use (any CC BY-NC); off unless asked for."""
    return pl.col("licence").str.contains(_NON_COMMERCIAL), "the licence forbids commercial use"


@dataclass(frozen=True)
class Policy:
    """A policy, whether it is on by default, and whether it may be switched at all."""

    refuse: Callable[[], Refusal]
    on: bool = True
    required: bool = False

    @property
    def name(self) -> str:
        return self.refuse.__name__

    @property
    def description(self) -> str:
        return (self.refuse.__doc__ or "").splitlines()[0]


POLICIES = (
    Policy(unsafe_name, required=True),
    Policy(repeated_series, required=True),
    Policy(retired_collection),
    Policy(excluded_dataset, required=True),
    Policy(other_modality, required=True),
    Policy(mixed_modality, required=True),
    Policy(empty_series, required=True),
    Policy(analysis_result),
    Policy(simulated_collection),
    Policy(raw_data),
    Policy(sop_class_contradiction),
    Policy(secondary_capture),
    Policy(annotation_mask),
    Policy(scout),
    Policy(short_ct_series),
    Policy(non_commercial_licence, on=False),
)
"""Every policy in the order in which they are asked: the first that refuses a series gives its reason."""


def resolve_switches(switches: Mapping[str, bool]) -> dict[str, bool]:
    """Return on/off of every policy: ``switches`` over the defaults.

    Raises `CatalogueError` for a name that is no policy, and for switching off one that must stay on.
    """
    known = {policy.name: policy for policy in POLICIES}
    for name, on in switches.items():
        if name not in known:
            raise CatalogueError(f"policy {name!r} is unknown; the policies are {', '.join(known)}")
        if known[name].required and not on:
            raise CatalogueError(f"policy {name!r} cannot be switched off: what it refuses cannot be worked with")
    return {name: bool(switches.get(name, policy.on)) for name, policy in known.items()}


def is_simulated(dataset: pl.Expr) -> pl.Expr:
    """Return whether a dataset's name is one of `SIMULATED`, in any archive's spelling (``victre``, ``VICTRE``)."""
    return name_form(dataset).is_in([re.sub(r"[^a-z0-9]", "", name.lower()) for name in SIMULATED])


def name_form(name: pl.Expr) -> pl.Expr:
    """Return names as lower-case letters and digits alone, the form in which names of two archives are compared."""
    return name.str.to_lowercase().str.replace_all(r"[^a-z0-9]", "")


def _declared() -> pl.Expr:
    return pl.col("declared_modality").is_not_null()


def _any(*conditions: pl.Expr) -> pl.Expr:
    return pl.any_horizontal([condition.fill_null(False) for condition in conditions])


def _alternatives(uids: Iterable[str]) -> str:
    return "(?:" + "|".join(re.escape(uid) for uid in uids) + ")"


def _any_sop_class(suffix: str) -> pl.Expr:
    """Whether any of the comma-joined SOP class UIDs ends, after the storage root, as ``suffix`` (a regex) says."""
    return pl.col("sop_class_uid").str.contains(rf"(?:^|,)\s*{_STORAGE}{suffix}\s*(?:,|$)").fill_null(False)
