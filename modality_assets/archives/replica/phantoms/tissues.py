"""What each tissue does to X-rays, to nuclear spins and to a tracer: one row a tissue, one column a property."""

import numpy as np
from numpy.typing import NDArray

_COLUMNS = ("hu", "proton_density", "t1_ms", "t2_ms", "fdg", "fluoride")
# Attenuation in Hounsfield units at 120 kVp; proton density relative to water, T1 and T2 at 1.5 T; uptake as
# standardised uptake values. Rounded from the usual tables: they set contrasts, not absolute truth.
_TABLE: dict[str, tuple[float, float, float, float, float, float]] = {
    "air": (-1000, 0.00, 1, 1, 0.00, 0.00),
    "fat": (-100, 0.95, 260, 80, 0.25, 0.10),
    "muscle": (55, 0.80, 900, 45, 0.60, 0.30),
    "skin": (20, 0.60, 450, 30, 0.50, 0.20),
    "lung": (-820, 0.15, 1100, 40, 0.40, 0.15),
    "liver": (60, 0.75, 550, 45, 2.30, 0.50),
    "spleen": (50, 0.80, 1000, 75, 1.90, 0.40),
    "kidney": (35, 0.85, 950, 85, 3.20, 2.50),
    "blood": (45, 0.90, 1400, 160, 1.50, 0.50),
    "myocardium": (50, 0.80, 950, 50, 4.00, 0.40),
    "cortical_bone": (1100, 0.08, 500, 4, 0.60, 6.00),
    "spongy_bone": (320, 0.70, 350, 55, 0.90, 4.50),
    "cartilage": (110, 0.75, 1050, 32, 0.50, 1.20),
    "fluid": (8, 1.00, 3500, 1200, 0.20, 0.20),
    "urine": (8, 1.00, 3500, 1200, 11.0, 9.00),
    "bowel": (40, 0.80, 900, 70, 1.20, 0.30),
    "gas": (-980, 0.00, 1, 1, 0.05, 0.05),
    "grey_matter": (38, 0.86, 1050, 98, 8.50, 0.20),
    "white_matter": (29, 0.74, 650, 78, 3.60, 0.20),
    "csf": (6, 1.00, 4000, 1800, 0.40, 0.20),
    "gland": (40, 0.82, 950, 55, 0.90, 0.30),
    "prostate": (42, 0.84, 1050, 85, 1.40, 0.60),
    "tumour": (48, 0.88, 1350, 110, 9.50, 1.50),
    "metastasis": (520, 0.75, 900, 70, 6.50, 14.0),
    "calcification": (900, 0.05, 500, 4, 0.30, 3.00),
    "metal": (2800, 0.00, 1, 1, 0.05, 0.05),
}

TISSUES: tuple[str, ...] = tuple(_TABLE)
CODE: dict[str, int] = {name: code for code, name in enumerate(TISSUES)}
AIR = CODE["air"]


def tissue_property(name: str) -> NDArray[np.float32]:
    """Return one property of every tissue, indexed by tissue code; ``name`` is a column of the table above."""
    if name not in _COLUMNS:
        raise ValueError(f"unknown property {name!r} of tissues: there are {', '.join(_COLUMNS)}")
    column = _COLUMNS.index(name)
    return np.array([row[column] for row in _TABLE.values()], np.float32)  # (tissues,)


def attenuation_per_cm(kilovolts: float) -> NDArray[np.float32]:
    """Return the linear attenuation of every tissue in 1/cm for a tube voltage between 25 and 140 kV.

    Water falls from about 0.7 at the soft rays of a mammograph to 0.18 at 120 kV; bone stands out more the
    softer the rays are, because photoelectric absorption falls with the third power of the energy.
    """
    hu = tissue_property("hu")
    effective_kev = 0.45 * kilovolts + 8
    water = 0.165 + 0.33 * (22.0 / effective_kev) ** 3
    softness = (62.0 / effective_kev) ** 1.2
    bone_gain = np.where(hu > 150, softness, np.where(hu > -200, softness**0.35, 1.0))
    return np.maximum(water * (1 + hu / 1000 * bone_gain), 0).astype(np.float32)
