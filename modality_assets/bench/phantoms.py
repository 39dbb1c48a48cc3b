"""Generated slices, as files and decoded: as smooth, noisy and partly empty as medical images are, and nobody's."""

from pathlib import Path

import numpy as np
import polars as pl
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from modality_assets.modality import CLASSES

_DIFFERENT = 64  # slices drawn; the others are these with a little other noise, so that a million are quick


def phantom_slices(count: int, size: int, seed: int) -> NDArray[np.uint16]:
    """Return (count, size, size) uint16 q over the whole range: ellipses on air, with a 12-bit detector's noise."""
    random = np.random.default_rng(seed)
    row, column = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    stored = np.zeros((count, size, size))
    for image in stored:
        body = np.zeros((size, size))
        for _ in range(6):
            centre, reach = random.uniform(-0.4, 0.4, 2), random.uniform(0.1, 0.8, 2)
            inside = ((row - centre[0]) / reach[0]) ** 2 + ((column - centre[1]) / reach[1]) ** 2 < 1
            body += inside * random.uniform(100, 900)
        # noise inside the body only: around it most archives hold exact zeros
        image[:] = body + (body > 0) * random.normal(0, 25, body.shape)
    stored = np.clip(np.round(stored), 0, 4095)
    low, high = stored.min(axis=(1, 2), keepdims=True), stored.max(axis=(1, 2), keepdims=True)
    return np.round(65535 * (stored - low) / np.maximum(high - low, 1)).astype(np.uint16)


def make_decoded_folder(folder: Path, images: int, size: int, *, seed: int = 0, per_file: int = 2048) -> Path:
    """Write one decoded dataset of ``images`` slices, named like its folder, of all classes; return the folder."""
    folder.mkdir(parents=True)
    random = np.random.default_rng([seed, *folder.name.encode()])
    drawn = phantom_slices(min(images, _DIFFERENT), size, int(random.integers(1 << 31)))
    number = np.arange(images)
    for file, start in enumerate(range(0, images, per_file)):
        pixels = drawn[number[start : start + per_file] % len(drawn)].copy()
        pixels ^= random.integers(0, 4, (len(pixels), 1, 1), dtype=np.uint16)
        np.save(folder / f"pixels-{file:05d}.npy", pixels)
    uid = [f"1.2.826.0.1.3680043.10.{seed}.{one}" for one in range(images)]
    pl.DataFrame(
        {
            "dataset": [folder.name] * images,
            "patient_id": [f"{folder.name}-{one // 200:04d}" for one in range(images)],
            "study_uid": [uid[one // 200 * 200] + ".1" for one in range(images)],
            "series_uid": [uid[one // 100 * 100] + ".2" for one in range(images)],
            "instance_uid": uid,
            "frame": [0] * images,
            "source_file": [f"{uid[one // 100 * 100]}.2/{one:06d}.dcm" for one in range(images)],
            "modality": [CLASSES[one // 100 % len(CLASSES)] for one in range(images)],
            "native_min": random.uniform(-1024, 0, images),
            "native_max": random.uniform(500, 4000, images),
            "unit": ["HU" if one // 100 % len(CLASSES) == 0 else None for one in range(images)],
            "pixel_file": [f"pixels-{one // per_file:05d}.npy" for one in range(images)],
            "pixel_index": number % per_file,
        }
    ).write_parquet(folder / "images.parquet")
    return folder


def write_ct_slices(folder: Path, count: int) -> list[Path]:
    """Write ``count`` CT slices of 512 x 512, 12 of 16 bits, uncompressed, implicit and explicit VR in turns."""
    folder.mkdir(parents=True)
    stored = (phantom_slices(min(count, 16), 512, seed=0) >> 4).astype("<u2")
    random = np.random.default_rng(0)
    paths = []
    for number in range(count):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        syntax = ImplicitVRLittleEndian if number % 2 else ExplicitVRLittleEndian
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid(entropy_srcs=[str(number)])
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID = "1.2.3", "1.2"
        dataset.PatientID, dataset.PatientName, dataset.Modality = "phantom", "Phantom^Synthetic", "CT"
        dataset.ImageType, dataset.Manufacturer = ["ORIGINAL", "PRIMARY", "AXIAL"], "synthetic"
        dataset.StudyDate = dataset.SeriesDate = dataset.ContentDate = "20200101"
        dataset.StudyTime = dataset.SeriesTime = dataset.ContentTime = "120000"
        dataset.SliceThickness, dataset.KVP, dataset.GantryDetectorTilt = 1.25, 120, 0
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
        dataset.InstanceNumber, dataset.PixelSpacing = number + 1, [0.7, 0.7]
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows = dataset.Columns = 512
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 12, 11, 0
        dataset.WindowCenter, dataset.WindowWidth = 40, 400
        dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = -1024, 1, "HU"
        block = dataset.private_block(0x0009, "SYNTHETIC", create=True)
        for element in range(40):  # scanners write dozens of private elements
            block.add_new(element, "LO", f"private value {element}")
        slice_pixels = np.roll(stored[number % len(stored)], int(random.integers(512)), axis=0)
        dataset.PixelData = slice_pixels.tobytes()
        dataset["PixelData"].VR = "OW"
        paths.append(folder / f"{number:07d}.dcm")
        pydicom.dcmwrite(paths[-1], dataset, enforce_file_format=True)
    return paths
