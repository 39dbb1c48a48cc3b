"""The archive as a whole holds what the system needs of it."""

from collections import Counter

from modality_assets.archives.replica.phantoms.acquisition import RadiographScan
from modality_assets.archives.replica.phantoms.datasets import DATASETS, FIRST_RELEASE
from modality_assets.archives.replica.phantoms.modules import modality_code
from modality_assets.layout import check_dataset_key
from modality_assets.modality import CLASS_OF_CODE, CLASSES


def test_names_are_keys_and_say_phantom() -> None:
    assert all(check_dataset_key(dataset.name).startswith("phantom-") for dataset in DATASETS)
    assert len({dataset.name for dataset in DATASETS}) == len(DATASETS)


def test_the_first_release_is_enough_to_train_validate_and_test() -> None:
    images: Counter[str] = Counter()
    datasets: Counter[str] = Counter()
    for dataset in FIRST_RELEASE:
        for code in {modality_code(scan) for scan in dataset.scans}:
            datasets[CLASS_OF_CODE[code]] += 1
        for scan in dataset.scans:
            slices = len(scan.views) if isinstance(scan, RadiographScan) else scan.grid.slices
            images[CLASS_OF_CODE[modality_code(scan)]] += scan.patients * slices * len(getattr(scan, "sequences", (0,)))
    assert len(FIRST_RELEASE) >= 14
    assert len({dataset.body_part for dataset in FIRST_RELEASE} - {None}) >= 6
    assert all(datasets[name] >= 6 for name in CLASSES)
    assert all(images[name] >= 250 for name in CLASSES)
    assert max(images.values()) < 1.3 * min(images.values())


def test_later_releases_add_revise_and_withdraw() -> None:
    assert Counter(dataset.release for dataset in DATASETS) == {1: len(FIRST_RELEASE), 2: 2, 3: 1}
    assert [dataset.revised[0] for dataset in DATASETS if dataset.revised] == [3]
    assert [dataset.withdrawn for dataset in DATASETS if dataset.withdrawn] == [3]


def test_every_class_outlives_the_withdrawal() -> None:
    staying = [dataset for dataset in FIRST_RELEASE if dataset.withdrawn is None]
    for name in CLASSES:
        assert sum(any(CLASS_OF_CODE[modality_code(s)] == name for s in dataset.scans) for dataset in staying) >= 5


def test_acquisition_differs_as_it_does_in_the_wild() -> None:
    stored = [scan.storage for dataset in DATASETS for scan in dataset.scans]
    sizes = {scan.grid.size for dataset in DATASETS for scan in dataset.scans}
    assert {storage.bits for storage in stored} == {8, 10, 12, 14, 16}
    assert {storage.signed for storage in stored} == {True, False}
    assert {storage.syntax for storage in stored} == {
        "explicit", "implicit", "big_endian", "rle", "jpeg_ls", "jpeg_lossless", "jpeg_2000",
    }  # fmt: skip
    assert any(storage.inverted for storage in stored)
    assert any(storage.multi_frame for storage in stored)
    assert (min(sizes), max(sizes)) == (128, 512)
    assert any(dataset.body_part is None for dataset in DATASETS)
    assert any(dataset.captures for dataset in DATASETS)
    assert any(dataset.truncated for dataset in DATASETS)
