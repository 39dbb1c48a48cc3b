"""The attributes that each kind of DICOM object must have, beside its pixels: PS3.3 A.2 to A.26."""

from collections.abc import Sequence as Sequence_

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
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
from modality_assets.archives.replica.phantoms.identity import seed_of, uid_of
from modality_assets.archives.replica.phantoms.series import Series
from modality_assets.archives.replica.phantoms.shapes import Plane

RADIOGRAPH_CLASS = {
    "CR": ComputedRadiographyImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "MG": DigitalMammographyXRayImageStorageForPresentation,
}
# SNOMED CT codes of the regions, as digital radiographs must name them: PS3.16 CID 4009 and 4031.
_REGION_CODES = {
    "chest": ("51185008", "Chest"),
    "pelvis": ("12921003", "Pelvis"),
    "knee": ("72696002", "Knee"),
    "hand": ("85562004", "Hand"),
    "breast": ("76752008", "Breast"),
}
_MAY_BE_PAIRED = (None, "BREAST", "EXTREMITY", "HAND", "KIDNEY", "KNEE")
"""Parts for which Laterality (0020,0060) must be there, if only empty: type 2C."""
_VIEW_CODES = {
    "PA": ("399348003", "postero-anterior"),
    "LL": ("399173006", "left lateral"),
    "LLO": ("399369002", "left anterior oblique"),
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
}


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
        _radiograph(header, dataset, scan, series)
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
    if not multi_frame and dataset.body_part in _MAY_BE_PAIRED:
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
    tracer.RadionuclideCodeSequence = _code("77004003", "^18^Fluorine")
    header.RadiopharmaceuticalInformationSequence = Sequence([tracer])
    header.PatientOrientationCodeSequence = _code("102538003", "recumbent")
    header.PatientOrientationCodeSequence[0].PatientOrientationModifierCodeSequence = _code("40199007", "supine")
    header.PatientGantryRelationshipCodeSequence = _code("102540008", "headfirst")


def _radiograph(header: Dataset, dataset: PhantomDataset, scan: RadiographScan, series: Series) -> None:
    view, side = series.views
    header.SOPClassUID = RADIOGRAPH_CLASS[scan.code]
    header.KVP = format_number_as_ds(float(scan.device.kilovolts))
    header.PatientOrientation = ["A", "F"] if view == "LL" else (["A", "R"] if scan.code == "MG" else ["L", "F"])
    if scan.code == "CR":
        header.ImageType = ["ORIGINAL", "PRIMARY"]
        header.ViewPosition = view if view in ("PA", "LL", "LLO") else ""
        header.PlateType = "storage phosphor"
        header.AcquisitionNumber = 1
        if dataset.body_part in _MAY_BE_PAIRED:
            header.Laterality = ""
        header.ImagerPixelSpacing = [format_number_as_ds(round(float(series.planes[0].spacing_mm), 5))] * 2
        return
    header.ImageType = ["ORIGINAL", "PRIMARY", ""]
    header.PresentationIntentType = "FOR PRESENTATION"
    header.ImageLaterality = side
    code, meaning = _REGION_CODES["breast" if scan.code == "MG" else dataset.region]
    header.AnatomicRegionSequence = _code(code, meaning)
    header.ViewCodeSequence = _code(*_VIEW_CODES[view])
    header.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence()
    header.PixelIntensityRelationship = "LOG"
    header.PixelIntensityRelationshipSign = 1
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = "0", "1", "US"
    header.PresentationLUTShape = "INVERSE" if scan.storage.inverted else "IDENTITY"
    header.LossyImageCompression = "00"
    header.WindowCenter, header.WindowWidth = str(int(scan.storage.level / 2)), str(int(scan.storage.level))
    header.DetectorType = "DIRECT"
    header.DetectorID = "phantom"
    header.DetectorTemperature = "24"
    header.ImagerPixelSpacing = [format_number_as_ds(round(float(series.planes[0].spacing_mm), 5))] * 2
    header.PixelSpacing = header.ImagerPixelSpacing
    header.PixelSpacingCalibrationType = "GEOMETRY"
    header.PixelSpacingCalibrationDescription = "parallel rays"
    header.AcquisitionContextSequence = Sequence()
    header.PositionerType = "NONE"
    if scan.code == "MG":
        header.PositionerType = "MAMMOGRAPHIC"
        header.OrganExposed = "BREAST"
        header.BreastImplantPresent = "NO"
        header.PartialView = "NO"
        header.ViewPosition = view
        header.BodyPartExamined = "BREAST"


def _code(value: str, meaning: str) -> Sequence:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "SCT", meaning
    return Sequence([item])


def frames_header(header: Dataset, planes: Sequence_[Plane], sources: Sequence_[str], step_mm: float) -> None:
    """Turn a single-frame MR header into that of a legacy converted enhanced object: PS3.3 A.71, C.7.6.16."""
    moved = Dataset()
    for name in (
        "ScanningSequence",
        "SequenceVariant",
        "ScanOptions",
        "MRAcquisitionType",
        "SequenceName",
        "RepetitionTime",
        "EchoTime",
        "FlipAngle",
        "EchoTrainLength",
        "InversionTime",
    ):
        if name in header:
            moved[name] = header[name]
            del header[name]
    header.ImageType = ["ORIGINAL", "PRIMARY", "OTHER", "MIXED"]
    header.InstanceNumber = 1
    header.NumberOfFrames = len(planes)
    header.PixelPresentation = "MONOCHROME"
    header.VolumetricProperties = "VOLUME"
    header.VolumeBasedCalculationTechnique = "NONE"
    header.ContentQualification = "RESEARCH"
    header.PresentationLUTShape = "IDENTITY"
    header.LossyImageCompression = "00"
    header.AcquisitionContextSequence = Sequence()
    header.ResonantNucleus = "1H"
    header.DeviceSerialNumber = "1"
    header.AcquisitionDateTime = f"{header.AcquisitionDate}{header.AcquisitionTime}"
    shared, frames = Dataset(), []
    measures = Dataset()
    place_image(measures, planes[0], step_mm)
    orientation = Dataset()
    orientation.ImageOrientationPatient = measures.ImageOrientationPatient
    del measures.ImageOrientationPatient, measures.ImagePositionPatient
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.UnassignedSharedConvertedAttributesSequence = Sequence([moved])
    kind = Dataset()
    kind.FrameType = header.ImageType
    kind.PixelPresentation, kind.VolumetricProperties, kind.VolumeBasedCalculationTechnique = (
        "MONOCHROME",
        "VOLUME",
        "NONE",
    )
    shared.MRImageFrameTypeSequence = Sequence([kind])
    for number, (plane, source) in enumerate(zip(planes, sources, strict=True), 1):
        frame, position, content, conversion, unassigned = Dataset(), Dataset(), Dataset(), Dataset(), Dataset()
        place_image(position, plane, step_mm)
        del position.PixelSpacing, position.SliceThickness, position.ImageOrientationPatient
        frame.PlanePositionSequence = Sequence([position])
        content.StackID, content.InStackPositionNumber, content.DimensionIndexValues = "1", number, [1, number]
        frame.FrameContentSequence = Sequence([content])
        conversion.ReferencedSOPClassUID, conversion.ReferencedSOPInstanceUID = MRImageStorage, source
        frame.ConversionSourceAttributesSequence = Sequence([conversion])
        unassigned.InstanceNumber = number
        frame.UnassignedPerFrameConvertedAttributesSequence = Sequence([unassigned])
        frames.append(frame)
    header.SharedFunctionalGroupsSequence = Sequence([shared])
    header.PerFrameFunctionalGroupsSequence = Sequence(frames)
    organization = Dataset()
    organization.DimensionOrganizationUID = uid_of(header.SeriesInstanceUID, "dimensions")
    header.DimensionOrganizationSequence = Sequence([organization])
    pointers = []
    for tag in (0x00209056, 0x00209057):  # Stack ID, In-Stack Position Number
        pointer = Dataset()
        pointer.DimensionOrganizationUID = organization.DimensionOrganizationUID
        pointer.DimensionIndexPointer, pointer.FunctionalGroupPointer = tag, 0x00209111
        pointers.append(pointer)
    header.DimensionIndexSequence = Sequence(pointers)
