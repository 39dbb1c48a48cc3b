"""Each modality shows what its physics says."""

import numpy as np
import pytest
from numpy.typing import NDArray

from modality_assets.archives.replica.phantoms import magnetic_resonance as mr
from modality_assets.archives.replica.phantoms.computed_tomography import Tomograph, hounsfield_table, tomogram
from modality_assets.archives.replica.phantoms.positron_emission import Camera, emission_image, uptake_table
from modality_assets.archives.replica.phantoms.radiography import Radiograph, radiograph
from modality_assets.archives.replica.phantoms.shapes import Body, Plane
from modality_assets.archives.replica.phantoms.tissues import CODE, attenuation_per_cm, tissue_property

X, Y, Z = np.eye(3)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def body() -> Body:
    """A cylinder of muscle with a bone on its left, fluid in the middle, fat on its right and a hot spot behind."""
    made = Body(np.random.default_rng(1), warp_mm=0.0)
    made.add("muscle", (0, 0, 0), (100, 80, 400), "air")
    made.add("cortical_bone", (-50, 0, 0), (18, 18, 300))
    made.add("fluid", (0, 0, 0), (18, 18, 300))
    made.add("fat", (50, 0, 0), (18, 18, 300))
    made.add("tumour", (0, 50, 0), (14, 14, 40))
    return made


def at(image: NDArray[np.float32], x: float, y: float, spacing: float, half: int = 4) -> NDArray[np.float32]:
    row, column = (int(image.shape[0] / 2 + y / spacing), int(image.shape[1] / 2 + x / spacing))
    return image[row - half : row + half, column - half : column + half]


def test_tomograms_are_in_hounsfield_units(body: Body) -> None:
    scanner = Tomograph("soft", 10, contrast=False)
    table = hounsfield_table(rng(), scanner)
    image = tomogram(body, Plane(np.zeros(3), X, Y, 1.25, 256, 256), table, scanner, rng())
    assert at(image, 0, 0, 1.25).mean() == pytest.approx(8, abs=20)
    assert at(image, 50, 0, 1.25).mean() == pytest.approx(-100, abs=20)
    assert at(image, -50, 0, 1.25).mean() == pytest.approx(1100, abs=40)
    assert at(image, 0, -120, 1.25).mean() == pytest.approx(-1000, abs=25)


def test_the_couch_lies_under_the_patient_and_only_there(body: Body) -> None:
    scanner = Tomograph("soft", 1)
    plane = Plane(np.zeros(3), X, Y, 1.25, 256, 256)
    table = hounsfield_table(rng(), scanner)
    with_couch = tomogram(body, plane, table, scanner, rng())
    without = tomogram(body, plane, table, Tomograph("soft", 1, couch="none"), rng())
    rows = np.flatnonzero(np.abs(with_couch - without).max(axis=1) > 100)
    assert rows.min() * 1.25 - 160 > 30  # y grows to the back, and its sides curve up beside the patient
    assert rows.max() * 1.25 - 160 > 80


def test_outside_the_circle_of_reconstruction_is_what_the_scanner_pads_with(body: Body) -> None:
    scanner = Tomograph("soft", 10, outside_hu=-2000.0)
    image = tomogram(body, Plane(np.zeros(3), X, Y, 1.25, 256, 256), hounsfield_table(rng(), scanner), scanner, rng())
    assert image[0, 0] == -2000
    assert image[128, 128] > -200


def test_a_sharp_kernel_has_finer_noise(body: Body) -> None:
    plane = Plane(np.zeros(3), X, Y, 1.25, 256, 256)

    def step_share(kernel: str) -> float:
        scanner = Tomograph(kernel, 30, contrast=False, couch="none")
        patch = at(tomogram(body, plane, hounsfield_table(rng(), scanner), scanner, rng()), 0, -45, 1.25, 10)
        return float(np.abs(np.diff(patch, axis=1)).mean() / patch.std())

    assert step_share("sharp") > 1.3 * step_share("soft")


def test_fluid_is_dark_on_t1_bright_on_t2_and_fat_the_brightest_on_t1() -> None:
    t1, t2 = (mr.signal_table(rng(), sequence, mr.Magnet()) for sequence in (mr.T1, mr.T2))
    assert t1[CODE["fluid"]] < t1[CODE["muscle"]] < t1[CODE["fat"]]
    assert t2[CODE["fluid"]] > 2 * t2[CODE["muscle"]]


def test_fluid_attenuated_inversion_recovery_darkens_fluid_alone() -> None:
    flair, t2 = (mr.signal_table(rng(), sequence, mr.Magnet()) for sequence in (mr.FLAIR, mr.T2))
    ratio = flair / np.maximum(t2, 1e-6)
    assert ratio[CODE["csf"]] < 0.5 * ratio[CODE["white_matter"]]


def test_fat_saturation_takes_the_fat_away() -> None:
    plain, saturated = (mr.signal_table(rng(), s, mr.Magnet()) for s in (mr.T2, mr.T2_FAT_SATURATED))
    assert saturated[CODE["fat"]] < 0.2 * plain[CODE["fat"]]


def test_the_noise_of_air_in_a_magnitude_image_is_of_rayleigh(body: Body) -> None:
    magnet = mr.Magnet(noise=0.05, bias=0.0)
    plane = Plane(np.zeros(3), X, Y, 1.5, 256, 256)
    image = mr.resonance_image(body, plane, mr.signal_table(rng(), mr.T1, magnet), magnet, rng())
    air = image[:40, :40]
    assert image.min() >= 0
    assert air.mean() == pytest.approx(0.05 * np.sqrt(np.pi / 2), rel=0.1)
    assert air.std() == pytest.approx(0.05 * np.sqrt(2 - np.pi / 2), rel=0.1)


def test_a_hot_spot_shines_blurred_in_emission(body: Body) -> None:
    camera = Camera(counts=200)
    plane = Plane(np.zeros(3), X, Y, 4.0, 96, 96)
    image = emission_image(body, plane, uptake_table(rng(), camera), camera, rng())
    row, column = np.unravel_index(image.argmax(), image.shape)
    assert abs(row * 4 - 192 - 50) < 12
    assert abs(column * 4 - 192) < 12
    assert at(image, 0, 50, 4, 2).mean() > 4 * at(image, 0, -40, 4, 2).mean()
    assert at(image, 0, -150, 4, 3).mean() < 0.2 * at(image, 0, -40, 4, 3).mean()


def test_fewer_counts_make_more_noise(body: Body) -> None:
    plane = Plane(np.zeros(3), X, Y, 4.0, 96, 96)

    def spread(counts: float) -> float:
        camera = Camera(counts=counts)
        patch = at(emission_image(body, plane, uptake_table(rng(), camera), camera, rng()), 0, -45, 4, 4)
        return float(patch.std() / patch.mean())

    assert spread(5) > 2 * spread(120)


def test_bone_is_bright_on_a_radiograph_and_fat_is_not(body: Body) -> None:
    plane = Plane(np.zeros(3), X, -Z, 1.0, 240, 240)
    image = radiograph(body, plane, Radiograph(shutters=False, marker=False), rng())
    assert 0 <= image.min() < image.max() <= 1
    line = image[100:140].mean(axis=0)
    assert line[120 - 50] > line[120] > line[120 + 50]


def test_soft_rays_show_more_difference_between_gland_and_fat() -> None:
    def contrast(kilovolts: float) -> float:
        per_cm = attenuation_per_cm(kilovolts)
        return float(per_cm[CODE["gland"]] - per_cm[CODE["fat"]])

    assert contrast(28) > 1.5 * contrast(110)
    assert attenuation_per_cm(120)[CODE["fluid"]] == pytest.approx(0.18, abs=0.03)


def test_an_unknown_property_is_refused() -> None:
    with pytest.raises(ValueError, match="mass"):
        tissue_property("mass")
