"""Free text to body part: BodyPartExamined, else the series description, else the collection's tumour locations.

BodyPartExamined (0018,0015) is missing for a third of MR and nearly half of PT in the public archives, and
is free text where it is there ("Left Breast", "TH CT CHEST WO C"). The answer is one of `BODY_PARTS`.
"""

import re
from collections.abc import Sequence

import polars as pl

BODY_PARTS = {
    "brain": "head, brain, skull",
    "head and neck": "neck, face, orbits, ears, jaws, thyroid; head and neck together",
    "chest": "chest, lungs, heart, mediastinum, ribs, oesophagus",
    "breast": "breast, axilla",
    "abdomen": "upper abdomen and its organs; abdomen and pelvis together",
    "pelvis": "pelvis, hips and its organs",
    "trunk": "chest together with abdomen or pelvis",
    "spine": "any part of the spine",
    "shoulder": "shoulder, clavicle, scapula",
    "hand": "hand, wrist, fingers",
    "knee": "knee",
    "foot": "foot, ankle, toes",
    "extremity": "arm, elbow, thigh, leg, or an extremity that is not named further",
    "whole body": "whole body",
    "phantom": "a test object",
    "multiple": "several parts that no name above covers",
    "unknown": "nothing says which",
}
"""Every body part, and what it takes in."""

_STEMS: dict[str, tuple[str, ...]] = {
    "whole body": ("WHOLE ?BODY", "TOTAL ?BODY", "WB", "(?:EYES?|SKULL|VERTEX|HEAD) TO (?:MID )?(?:THIGH|TOE)"),
    "phantom": ("PHANTOM",),
    "brain": ("BRAIN", "CEREBR", "CRANI", "INTRACRANIAL", "SKULL", "HEAD", "FLAIR", "MP ?RAGE"),
    "head and neck": (
        *(
            "NECK",
            "NCK",
            "HNSCC",
            "LARYN",
            "NASOPHARYN",
            "OROPHARYN",
            "PHARYN",
            "TONGUE",
            "THYROID",
            "ORBIT",
            "INTRAOCULAR",
        ),
        *(
            "EYE",
            "EAR",
            "IAC",
            "SINUS",
            "JAW",
            "MANDIB",
            "MAXILL",
            "PAROTID",
            "FACE",
            "FACIAL",
            "OPTIC",
            "TEETH",
            "TOOTH",
        ),
        *("DENTAL", "LIP", "ORAL", "NASAL", "NOSE"),
    ),
    "chest": (
        *(
            "CHEST",
            "CHST",
            "THORA",
            "LUNG",
            "PULMON",
            "MEDIASTIN",
            "HEART",
            "CARDIAC",
            "CORONARY",
            "RIBS?",
            "STERN",
            "ESOPHAG",
        ),
        *("OESOPHAG", "THYM", "BRONCH", "MESOTHELI", "AORTA"),
    ),
    "breast": ("BREAST", "MAMM", "AXILLA"),
    "abdomen": (
        *(
            "ABD",
            "LIVER",
            "HEPAT",
            "KIDNEY",
            "RENAL",
            "PANCREA",
            "STOMACH",
            "GASTR",
            "SPLEEN",
            "COLON",
            "BOWEL",
            "ADRENAL",
        ),
        *("BILE", "BILIARY", "GALLBLADDER", "ENTEROGRA", "RETROPERITON", "UROGRA", "INTESTIN", "DUODEN", "KUB", "MRCP"),
    ),
    "pelvis": (
        *(
            "PELV",
            "PROSTAT",
            "BLADDER",
            "UTER(?:US|INE)",
            "OVAR",
            "CERVIX",
            "RECTUM",
            "RECTAL",
            "ANUS",
            "ANAL",
            "TESTIC",
            "VAGIN",
        ),
        *("HIPS?", "ENDOMETRI", "MYOMETRI", "PENIS", "VULVA", "BUTTOCK"),
    ),
    "trunk": ("TRUNK", "TORSO", "CAP", "C A P"),
    "spine": ("[CTLS]{0,2} ?SPINE", "SPINAL", "LUMBAR", "CERVICAL", "VERTEBRA", "SACR", "COCCYX"),
    "shoulder": ("SHOULDER", "SCAPULA", "CLAVIC"),
    "hand": ("HANDS?", "WRIST", "FINGER", "THUMB"),
    "knee": ("KNEE", "PATELLA"),
    "foot": ("FOOT", "FEET", "ANKLE", "TOES?", "CALCANE", "HEEL"),
    "extremity": (
        *(
            "EXTREMIT",
            "LEGS?",
            "THIGH",
            "CALF",
            "ARMS?",
            "FEMUR",
            "FEMOR",
            "TIBIA",
            "FIBULA",
            "ELBOW",
            "FOREARM",
            "HUMER",
        ),
        *("LOWER ?LIMB", "UPPER ?LIMB", "LIMB"),
    ),
}
_WHOLE_WORDS = {
    *(
        "WB",
        "EAR",
        "IAC",
        "EYE",
        "JAW",
        "LIP",
        "ORAL",
        "NOSE",
        "HEAD",
        "ANAL",
        "KUB",
        "CAP",
        "C A P",
        "MRCP",
        "FEET",
        "FOOT",
    ),
    *("LEGS?", "ARMS?", "RIBS?", "HIPS?", "HANDS?", "TOES?", "NCK", "FACE", "ABD"),
}
# In a header, words run together (CHESTABDPELVIS), so a long stem counts wherever it stands; HEAD, NECK and ABD too.
_RUN_TOGETHER = {"HEAD", "ABD"}


def _pattern(stem: str, in_header: bool) -> str:
    if in_header:
        return rf"\b{stem}\b" if stem in _WHOLE_WORDS - _RUN_TOGETHER else stem
    return rf"\b{stem}\b" if stem in _WHOLE_WORDS - {"ABD"} else rf"\b{stem}"


_PATTERNS = {
    in_header: {part: "|".join(_pattern(stem, in_header) for stem in stems) for part, stems in _STEMS.items()}
    for in_header in (True, False)
}


def body_parts_of(texts: Sequence[str | None], *, in_header: bool) -> list[str | None]:
    """Return for each text the body part that it names, or None where it names none.

    ``in_header``: the texts are values of BodyPartExamined or tumour locations, in which words may run
    together; else they are prose such as series descriptions. Choices joined by '|' count by their first.
    """
    words = pl.Series("words", [_words(text) for text in texts], dtype=pl.String)
    patterns = _PATTERNS[in_header]
    bits = [
        pl.col("words").str.contains(pattern).cast(pl.Int32) * 2**bit for bit, pattern in enumerate(patterns.values())
    ]
    found = words.to_frame().select(pl.sum_horizontal(bits)).to_series()
    return [
        _named(said, {part for bit, part in enumerate(patterns) if bitset >> bit & 1})
        for said, bitset in zip(words, found, strict=True)
    ]


def _words(text: str | None) -> str:
    """Return the words of a text that may name what is shown, in capitals with one space between."""
    words = re.sub(r"[^A-Z0-9]+", " ", (text or "").split("|")[0].upper()).strip()
    return re.sub(r"\b(?:HEAD|FEET) (?:IN|FIRST)\b", "", words)  # how the patient lies, not what is shown


def _named(words: str, parts: set[str]) -> str | None:
    if words == "MULTIPLE":
        return "multiple"
    return _joined(parts, words) if words != "UNKNOWN" else None


def _joined(parts: set[str], words: str) -> str | None:
    if "GALLBLADDER" in words and words.count("BLADDER") == 1:
        parts.discard("pelvis")
    for wins in ("phantom", "whole body", "spine", "trunk", "breast"):
        if wins in parts:
            return wins
    if "extremity" in parts and parts & {"shoulder", "hand", "knee", "foot"}:
        parts.discard("extremity")
    if len(parts) <= 1:
        return next(iter(parts), None)
    if (
        "chest" in parts
        and parts & {"abdomen", "pelvis"}
        and parts <= {"head and neck", "brain", "chest", "abdomen", "pelvis"}
    ):
        return "trunk"
    if parts == {"abdomen", "pelvis"}:
        return "abdomen"
    if parts == {"brain", "head and neck"}:
        return "head and neck"
    return "multiple"


def body_part_of_locations(locations: str | None) -> str | None:
    """Return the one body part that all of a collection's tumour locations (joined by ',') lie in, else None.

    A collection with tumours in several parts, or "Various", says nothing about one of its series.
    """
    named = [location for location in (locations or "").split(",") if location.strip()]
    parts = set(body_parts_of(named, in_header=True))
    return next(iter(parts)) if len(parts) == 1 else None


def body_parts(series: pl.DataFrame, collections: pl.DataFrame) -> pl.DataFrame:
    """Return (body_part, body_part_source) per row of ``series``, in its order.

    ``body_part`` is one of `BODY_PARTS`, never null; ``body_part_source`` says what named it: "header",
    "modality" (mammography is of the breast), "description", "collection" or "none".
    """
    by_location = _table(
        "dataset",
        {
            dataset: body_part_of_locations(locations)
            for dataset, locations in collections.select("dataset", "tumour_locations").iter_rows()
        },
        "collection",
    )
    named = series.select("dataset", "body_part_raw", "series_description", "modality_tag")
    by_header = _named_by(named.get_column("body_part_raw"), True, "header")
    named = named.join(by_header, on="body_part_raw", how="left", maintain_order="left").with_columns(
        modality=pl.when(pl.col("modality_tag") == "MG").then(pl.lit("breast"))
    )
    # Descriptions are many and mostly unique: only those that are needed are read.
    open_rows = pl.coalesce("header", "modality").is_null()
    by_description = _named_by(named.filter(open_rows).get_column("series_description"), False, "description")
    named = named.join(by_description, on="series_description", how="left", maintain_order="left").join(
        by_location, on="dataset", how="left", maintain_order="left"
    )
    sources = ("header", "modality", "description", "collection")
    source = pl.lit("none")
    for name in reversed(sources):
        source = pl.when(pl.col(name).is_not_null()).then(pl.lit(name)).otherwise(source)
    return named.select(body_part=pl.coalesce(*sources, pl.lit("unknown")), body_part_source=source)


def unknown_shares(series: pl.DataFrame) -> pl.DataFrame:
    """Return per class of the kept series: modality, series, unknown (series without a body part), unknown_share."""
    return (
        series.filter("kept")
        .group_by("modality")
        .agg(series=pl.len(), unknown=(pl.col("body_part") == "unknown").sum())
        .with_columns(unknown_share=pl.col("unknown") / pl.col("series"))
        .sort("modality")
    )


def _named_by(texts: pl.Series, in_header: bool, name: str) -> pl.DataFrame:
    unique = texts.drop_nulls().unique().to_list()
    return _table(texts.name, dict(zip(unique, body_parts_of(unique, in_header=in_header), strict=True)), name)


def _table(key: str, answers: dict[str, str | None], name: str) -> pl.DataFrame:
    return pl.DataFrame({key: list(answers), name: list(answers.values())}, schema={key: pl.String, name: pl.String})
