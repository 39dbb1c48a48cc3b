"""The rescalings, each against its definition; the published fault appears only where it was published."""

import numpy as np
import pytest

from modality_assets.imaging.errors import UnknownRescalingError
from modality_assets.imaging.rescaling import HOUNSFIELD_WINDOW, RESCALINGS, rescale, rescale_affine

UNSIGNED = {
    "native_min": -1024.0,
    "native_max": 976.0,
    "native_p01": -1000.0,
    "native_p99": 600.0,
    "slope": 1.0,
    "intercept": -1024.0,
    "stored_dtype_min": 0.0,
    "stored_dtype_max": 4095.0,
    "bits_stored": 12,
    "signed": False,
    "unit": "HU",
}
SIGNED = UNSIGNED | {
    "stored_dtype_min": -2048.0,
    "stored_dtype_max": 2047.0,
    "intercept": 0.0,
    "signed": True,
    "unit": None,
}
FLOAT = SIGNED | {"stored_dtype_min": -1.5, "stored_dtype_max": 2000.0, "bits_stored": 32}


def value_of(name: str, facts: dict, native: float) -> float:
    scale, offset, clip = rescale_affine(name, facts)
    share = (native - facts["native_min"]) / (facts["native_max"] - facts["native_min"])
    value = float(scale * share + offset)
    return min(1.0, max(0.0, value)) if clip else value


def test_image_range_is_q_over_65535() -> None:
    assert [float(part) for part in rescale_affine("image_range", UNSIGNED)] == [1, 0, 0]


@pytest.mark.parametrize(
    ("facts", "native", "expected"),
    [
        (UNSIGNED, -1024.0, 0.0),
        (UNSIGNED, 4095.0 - 1024.0, 1.0),
        (SIGNED, -2048.0, 0.0),
        (SIGNED, 2047.0, 1.0),
        (SIGNED, 0.0, 2048 / 4095),
        (FLOAT, -1.5, 0.0),
        (UNSIGNED | {"slope": -1.0, "intercept": 0.0}, -4095.0, 0.0),  # what is brighter stays brighter
    ],
)
def test_dtype_range_has_both_limits_right(facts: dict, native: float, expected: float) -> None:
    assert value_of("dtype_range", facts, native) == pytest.approx(expected)


def test_the_published_dtype_range_inverts_signed_images_far_out_of_range() -> None:
    assert value_of("dtype_range_published", SIGNED, -1024.0) == pytest.approx(2048 + 1024)
    assert value_of("dtype_range_published", SIGNED, 976.0) == pytest.approx(2048 - 976)


@pytest.mark.parametrize("facts", [UNSIGNED, FLOAT])
def test_the_published_dtype_range_is_the_right_one_for_all_other_images(facts: dict) -> None:
    for native in (-1024.0, 5.0, 976.0):
        assert value_of("dtype_range_published", facts, native) == value_of("dtype_range", facts, native)


def test_signed_images_are_neither_inverted_nor_out_of_range_except_as_published() -> None:
    for name in RESCALINGS:
        dark, bright = value_of(name, SIGNED, -1024.0), value_of(name, SIGNED, 976.0)
        assert (0 <= dark < bright <= 1) == (name != "dtype_range_published"), name


def test_percentiles_are_clipped() -> None:
    assert value_of("percentile", UNSIGNED, -1000.0) == 0
    assert value_of("percentile", UNSIGNED, 600.0) == pytest.approx(1)
    assert value_of("percentile", UNSIGNED, 900.0) == 1
    assert value_of("percentile", UNSIGNED, -200.0) == pytest.approx(0.5)


def test_equal_percentiles_fall_back_to_the_whole_range() -> None:
    facts = UNSIGNED | {"native_p01": -1024.0, "native_p99": -1024.0}
    assert value_of("percentile", facts, 976.0) == pytest.approx(1)


def test_hounsfield_is_a_window_where_the_unit_is_hu_and_image_range_elsewhere() -> None:
    low, high = HOUNSFIELD_WINDOW
    assert value_of("hounsfield", UNSIGNED, (low + high) / 2) == pytest.approx(0.5)
    assert value_of("hounsfield", UNSIGNED, -3000.0) == 0
    assert value_of("hounsfield", SIGNED, 976.0) == pytest.approx(1)


@pytest.mark.parametrize("name", RESCALINGS)
def test_columns_give_what_rows_give(name: str) -> None:
    rows = [UNSIGNED, SIGNED, FLOAT]
    columns = {key: np.array([row[key] for row in rows], object if key == "unit" else None) for key in UNSIGNED}
    scales, offsets, clip = rescale_affine(name, columns)
    for index, row in enumerate(rows):
        assert (scales[index], offsets[index], clip) == rescale_affine(name, row)
    pixels = np.arange(0, 65535, 3641, dtype=np.uint16)[:18].reshape(1, 3, 6).repeat(3, 0)
    for index, row in enumerate(rows):
        np.testing.assert_allclose(rescale(name, pixels, columns)[index], rescale(name, pixels[index], row), rtol=1e-6)


@pytest.mark.parametrize("name", RESCALINGS)
def test_a_constant_image_gives_finite_numbers(name: str) -> None:
    scale, offset, _ = rescale_affine(name, UNSIGNED | {"native_max": -1024.0, "native_p99": -1000.0})
    assert np.isfinite([scale, offset]).all()


def test_an_unknown_rescaling_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownRescalingError, match="'gamma': choose one of image_range, dtype_range"):
        rescale_affine("gamma", UNSIGNED)
