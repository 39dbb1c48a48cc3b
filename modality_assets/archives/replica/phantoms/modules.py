"""The attributes that each kind of DICOM object must have, beside its pixels: PS3.3 A.2 to A.26."""

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)
from pydicom.valuerep import format_number_as_ds

from modality_assets.archives.replica.phantoms.acquisition import (
    EmissionScan,
    PhantomDataset,
    RadiographScan,
    ResonanceScan,
    Scan,
    TomographyScan,
)
from modality_assets.archives.replica.phantoms.codes import MAY_BE_PAIRED, code_item
from modality_assets.archives.replica.phantoms.identity import seed_of, uid_of
from modality_assets.archives.replica.phantoms.radiograph_modules import radiograph_attributes
from modality_assets.archives.replica.phantoms.series import Series
from modality_assets.archives.replica.phantoms.shapes import Plane


def modality_code(scan: Scan) -> str:
    """Return the value of Modality (0008,0060) for a scan."""
    if isinstance(scan, RadiographScan):
        return scan.code
    return {TomographyScan: "CT", ResonanceScan: "MR", EmissionScan: "PT"}[type(scan)]


def series_uid(dataset: str, patient: int, number: int) -> str:
    """Return the SeriesInstanceUID of a patient's series ``number`` (1, 2, ...)."""
    return uid_of(dataset, patient, number, "series")


def series_header(dataset: PhantomDataset, patient: int, series: Series, multi_frame: bool) -> Dataset:
    """Return what all images of a series share."""
    header = _patient_and_study(dataset, patient)
    scan = series.scan
    header.Modality = modality_code(scan)
    header.SeriesInstanceUID = series_uid(dataset.name, patient, series.number)
    header.SeriesNumber = series.number
    header.SeriesDate = header.AcquisitionDate = header.ContentDate = header.StudyDate
    header.SeriesTime = header.AcquisitionTime = header.ContentTime = f"{9 + series.number:02d}1500"
    header.SeriesDescription = series.description
    header.ManufacturerModelName = f"{dataset.manufacturer} {header.Modality} {1 + seed_of(dataset.name) % 9}00"
    header.SoftwareVersions = "phantoms"
    header.ProtocolName = series.description
    header.BurnedInAnnotation = "NO"
    if dataset.body_part is not None:
        header.BodyPartExamined = dataset.body_part
    if isinstance(scan, RadiographScan):
        radiograph_attributes(header, dataset, scan, series)
        return header
    header.FrameOfReferenceUID = uid_of(dataset.name, patient, "frame of reference")
    header.PositionReferenceIndicator = None
    header.AcquisitionNumber = 1
    header.SOPClassUID = {"CT": CTImageStorage, "MR": MRImageStorage, "PT": PositronEmissionTomographyImageStorage}[
        header.Modality
    ]
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL" if header.Modality == "CT" else "OTHER"]
    if not isinstance(scan, EmissionScan):
        header.PatientPosition = "HFS"  # PET says it by codes
    if not multi_frame and dataset.body_part in MAY_BE_PAIRED:
        header.Laterality = ""
    if isinstance(scan, TomographyScan):
        header.KVP = format_number_as_ds(float(scan.device.kilovolts))
        header.ConvolutionKernel = "STANDARD" if scan.device.kernel == "soft" else "BONE"
        if series.scout:
            header.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    elif isinstance(scan, ResonanceScan):
        _resonance(header, scan, series)
        if multi_frame:
            header.SOPClassUID = LegacyConvertedEnhancedMRImageStorage
    else:
        _emission(header, scan, len(series.images))
    return header


def place_image(header: Dataset, plane: Plane, step_mm: float) -> None:
    """Set where an image lies in the patient: PS3.3 C.7.6.2."""
    header.PixelSpacing = [format_number_as_ds(round(float(plane.spacing_mm), 5))] * 2
    header.ImageOrientationPatient = [format_number_as_ds(float(c)) for c in (*plane.right, *plane.down)]
    header.ImagePositionPatient = [format_number_as_ds(round(float(c), 3)) for c in plane.corner()]
    header.SliceThickness = format_number_as_ds(round(float(step_mm), 3))


def _patient_and_study(dataset: PhantomDataset, patient: int) -> Dataset:
    header = Dataset()
    rng = np.random.default_rng(seed_of(dataset.name, patient, "person"))
    short = "".join(word[0] for word in dataset.name.split("-")[1:]).upper()
    header.PatientName = f"Phantom^{short}{patient + 1:03d}"
    header.PatientID = f"{dataset.name.removeprefix('phantom-')}-{patient + 1:03d}"
    header.PatientBirthDate = ""
    header.PatientSex = str(rng.choice(["F", "M"]))
    header.PatientAge = f"{int(rng.integers(20, 85)):03d}Y"
    header.PatientIdentityRemoved = "YES"
    header.DeidentificationMethod = "Synthetic phantom: no person was imaged"
    header.StudyInstanceUID = uid_of(dataset.name, patient, "study")
    header.StudyDate = f"2024{int(rng.integers(1, 13)):02d}{int(rng.integers(1, 29)):02d}"
    header.StudyTime = "090000"
    header.StudyID = "1"
    header.AccessionNumber = ""
    header.ReferringPhysicianName = ""
    header.StudyDescription = f"{dataset.title} (synthetic)"
    header.Manufacturer = f"{dataset.manufacturer} (synthetic)"
    return header


def _resonance(header: Dataset, scan: ResonanceScan, series: Series) -> None:
    sequence = series.sequence
    assert sequence is not None
    inverted = sequence.inversion_ms is not None
    header.ScanningSequence = ["IR", "SE"] if inverted else ("SE" if sequence.flip_degrees == 90 else "GR")
    header.SequenceVariant = "SK" if sequence.repetition_ms > 1000 else "NONE"
    header.ScanOptions = "FS" if sequence.fat_saturated else ""
    header.MRAcquisitionType = "2D"
    header.SequenceName = sequence.name.replace(" ", "_").lower()[:16]
    header.RepetitionTime = format_number_as_ds(float(sequence.repetition_ms))
    header.EchoTime = format_number_as_ds(float(sequence.echo_ms))
    header.FlipAngle = format_number_as_ds(float(sequence.flip_degrees))
    header.EchoTrainLength = 1
    if inverted:
        header.InversionTime = format_number_as_ds(float(sequence.inversion_ms or 0))
    header.MagneticFieldStrength = format_number_as_ds(float(scan.device.field_tesla))


def _emission(header: Dataset, scan: EmissionScan, slices: int) -> None:
    header.Units = "BQML"
    header.CountsSource = "EMISSION"
    header.SeriesType = ["STATIC", "IMAGE"]
    header.NumberOfSlices = slices
    header.CorrectedImage = ["DECY", "ATTN", "SCAT", "NORM"]
    header.DecayCorrection = "START"
    header.CollimatorType = "NONE"
    header.ActualFrameDuration = 180000
    header.FrameReferenceTime = "90000"
    header.DecayFactor = "1.0"
    tracer = Dataset()
    fluoride = scan.device.tracer == "fluoride"
    tracer.Radiopharmaceutical = "Sodium fluoride" if fluoride else "FDG"
    tracer.RadiopharmaceuticalStartTime = "081500"
    tracer.RadionuclideTotalDose = "370000000"
    tracer.RadionuclideHalfLife = "6586.2"
    tracer.RadionuclidePositronFraction = "0.967"
    tracer.RadionuclideCodeSequence = code_item("77004003", "^18^Fluorine")
    header.RadiopharmaceuticalInformationSequence = Sequence([tracer])
    header.PatientOrientationCodeSequence = code_item("102538003", "recumbent")
    header.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = code_item("40199007", "supine")
    header.PatientGantryRelationshipCodeSequence = code_item("102540008", "headfirst")
