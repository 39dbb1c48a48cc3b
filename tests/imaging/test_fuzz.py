"""Two thousand damaged files: no crash of ours, no hang, no memory above the limit, one record each."""

import random
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from PIL import Image
from pydicom.dataset import Dataset

from modality_assets.imaging import errors
from modality_assets.imaging.batch import FileRecord, FileToDecode
from modality_assets.imaging.workers import Batch, DecodingPool

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
MUTANTS = 2000
MEMORY_LIMIT = 512 << 20


@pytest.fixture
def corpus(tmp_path: Path, make_dicom: Callable[..., Dataset], ramp: Callable[..., np.ndarray]) -> list[bytes]:
    """Small valid files of every format and of each transfer syntax."""
    found = [path.read_bytes() for path in sorted(TEST_FILES.glob("*.dcm")) if path.stat().st_size < 70_000]
    array = ramp()
    for syntax in (pydicom.uid.RLELossless, pydicom.uid.JPEGLSLossless, pydicom.uid.JPEG2000Lossless):
        make_dicom(np.stack([array, array]), syntax=syntax).save_as(tmp_path / "seed")
        found.append((tmp_path / "seed").read_bytes())
    volume = np.stack([array, array[::-1]], axis=-1)
    for name in ("a.nii", "a.nii.gz"):
        nibabel.save(nibabel.Nifti1Image(volume.astype(np.int16), np.eye(4)), tmp_path / name)
        found.append((tmp_path / name).read_bytes())
    for name in ("a.nrrd", "a.mha"):
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(volume), str(tmp_path / name))
        found.append((tmp_path / name).read_bytes())
    for name in ("a.png", "a.jpg", "a.tiff"):
        Image.fromarray((array // 16).astype(np.uint8)).save(tmp_path / name)
        found.append((tmp_path / name).read_bytes())
    np.save(tmp_path / "a.npy", array)
    found.append((tmp_path / "a.npy").read_bytes())
    return [*found, b"P5 50 40 65535\n" + array.astype(">u2").tobytes()]


def suffix_of(data: bytes) -> str:
    magics = ((b"\x1f\x8b", ".nii.gz"), (b"NRRD", ".nrrd"), (b"ObjectType", ".mha"))
    by_magic = next((suffix for magic, suffix in magics if data.startswith(magic)), None)
    return by_magic or (".nii" if data[344:347] == b"n+1" else ".dcm")


def flip_bits(data: bytearray, rng: random.Random) -> bytearray:
    header = rng.random() < 0.7
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        data[rng.randrange(min(len(data), 2000) if header else len(data))] ^= 1 << rng.randrange(8)
    return data


def truncate(data: bytearray, rng: random.Random) -> bytearray:
    return data[: rng.randrange(len(data))]


def remove_some(data: bytearray, rng: random.Random) -> bytearray:
    at = rng.randrange(len(data))
    del data[at : at + rng.choice([1, 2, 7, 100])]
    return data


def repeat_some(data: bytearray, rng: random.Random) -> bytearray:
    at = rng.randrange(len(data))
    return data[:at] + data[at : at + rng.randrange(1, 400)] * rng.choice([2, 50]) + data[at:]


def set_absurd_numbers(data: bytearray, rng: random.Random) -> bytearray:
    for _ in range(rng.choice([1, 4])):
        at = rng.randrange(min(len(data), 2000))
        data[at : at + 4] = rng.choice([b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\0", b"\0\0\0\x80"])
    return data


def set_absurd_sizes(data: bytearray, rng: random.Random) -> bytearray:
    """Rows, Columns, BitsAllocated and SamplesPerPixel of DICOM, where they are found, get any value."""
    for tag in (
        b"\x28\x00\x10\x00",
        b"\x28\x00\x11\x00",
        b"\x28\x00\x00\x01",
        b"\x28\x00\x02\x00",
        b"\x28\x00\x03\x01",
    ):
        at = data.find(tag)
        if at > 0 and rng.random() < 0.5:
            data[at + 8 : at + 10] = struct.pack("<H", rng.choice([0, 1, 2, 7, 255, 4096, 32768, 65535]))
    return data


MUTATIONS = (flip_bits, truncate, remove_some, repeat_some, set_absurd_numbers, set_absurd_sizes)


def bombs(make_dicom: Callable[..., Dataset], folder: Path) -> list[Path]:
    """Small files that promise much, or nest deeply."""
    small = np.zeros((4, 4), np.uint16)
    paths = []

    def save(dataset: Dataset, name: str) -> None:
        dataset.save_as(folder / name)
        paths.append(folder / name)

    for rows, columns, frames in ((65535, 65535, 1), (16000, 16000, 1), (4, 4, 2**31 - 1), (2, 2, 100_000), (0, 0, 0)):
        for syntax in (pydicom.uid.ExplicitVRLittleEndian, pydicom.uid.RLELossless, pydicom.uid.JPEG2000Lossless):
            dataset = make_dicom(np.arange(1600, dtype=np.uint16).reshape(40, 40), syntax=syntax)
            dataset.Rows, dataset.Columns, dataset.NumberOfFrames = rows, columns, frames
            save(dataset, f"size-{rows}-{columns}-{frames}-{syntax[-2:]}.dcm")
    plain = make_dicom(small)
    plain.save_as(folder / "plain.dcm")
    whole = (folder / "plain.dcm").read_bytes()
    at = whole.index(b"\x08\x00\x60\x00CS")  # before Modality
    opened = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    closed = b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0"
    for depth in (12, 300, 30_000):
        for end in (closed * depth, b""):
            paths.append(folder / f"nested-{depth}-{len(end)}.dcm")
            paths[-1].write_bytes(whole[:at] + opened * depth + end + whole[at:])
    dataset = make_dicom(small)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.Rows = dataset.Columns = 12_000
    dataset.PixelData = bytes(12_000 * 12_000 * 2)
    save(dataset, "deflated.dcm")
    Image.new("L", (16_000, 16_000)).save(folder / "bomb.png")
    nifti = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.float64), np.eye(4)).to_bytes()
    huge = bytearray(nifti)
    huge[40:48] = struct.pack("<4h", 3, 16_000, 16_000, 400)
    (folder / "huge.nii").write_bytes(huge)
    return [*paths, folder / "bomb.png", folder / "huge.nii"]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_damaged_files_cost_nothing_but_themselves(
    corpus: list[bytes], make_dicom: Callable[..., Dataset], tmp_path: Path
) -> None:
    rng = random.Random(20231)
    folder = tmp_path / "mutants"
    folder.mkdir()
    paths = bombs(make_dicom, folder)
    for number in range(MUTANTS):
        data = corpus[number % len(corpus)]
        path = folder / f"{number:04d}{suffix_of(data)}"
        path.write_bytes(rng.choice(MUTATIONS)(bytearray(data), rng))
        paths.append(path)
    files = [FileToDecode(number, str(path), None) for number, path in enumerate(paths)]
    batches = [Batch(files[at : at + 16], tmp_path / f"part{at}") for at in range(0, len(files), 16)]
    records: dict[int, FileRecord] = {}
    with DecodingPool(2, memory_limit=MEMORY_LIMIT, time_limit=5) as pool:
        for piece in pool.decode(batches, size=32, aspect="stretch"):
            records |= {record.number: record for record in piece.records}
        lost = pool.lost
        peaks = [_peak_bytes(pid) for pid in pool.worker_pids()]
    assert sorted(records) == list(range(len(paths)))
    outcomes = Counter(record.error[1] if record.error else "decoded" for record in records.values())
    assert set(outcomes) - {"decoded"} <= {name for name in dir(errors) if name.endswith("Error")}
    assert outcomes["decoded"] > MUTANTS // 10  # damage to pixels alone leaves an image
    assert outcomes["DamagedImageError"] > MUTANTS // 10
    assert outcomes["DecoderTimeoutError"] + outcomes["DecoderCrashError"] == lost
    assert lost < MUTANTS // 50
    assert max(peaks) < MEMORY_LIMIT + (256 << 20)  # what a worker has at its start comes on top
    for record in records.values():
        assert record.error is None or record.error[2].startswith(paths[record.number].name)
        assert record.error is None or "\n" not in record.error[2]


def _peak_bytes(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
