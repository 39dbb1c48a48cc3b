"""Many frames in one file: the functional groups of a legacy converted enhanced MR object."""

from collections.abc import Sequence as Sequence_

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import MRImageStorage

from modality_assets.archives.replica.phantoms.identity import uid_of
from modality_assets.archives.replica.phantoms.modules import place_image
from modality_assets.archives.replica.phantoms.shapes import Plane


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
    header.SharedFunctionalGroupsSequence = Sequence([_shared_groups(moved, header.ImageType, planes[0], step_mm)])
    header.PerFrameFunctionalGroupsSequence = Sequence(
        _groups_of_frame(number, plane, source, step_mm)
        for number, (plane, source) in enumerate(zip(planes, sources, strict=True), 1)
    )
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


def _shared_groups(moved: Dataset, image_type: list[str], plane: Plane, step_mm: float) -> Dataset:
    shared, measures, orientation, kind = Dataset(), Dataset(), Dataset(), Dataset()
    place_image(measures, plane, step_mm)
    orientation.ImageOrientationPatient = measures.ImageOrientationPatient
    del measures.ImageOrientationPatient, measures.ImagePositionPatient
    kind.FrameType = image_type
    kind.PixelPresentation, kind.VolumetricProperties = "MONOCHROME", "VOLUME"
    kind.VolumeBasedCalculationTechnique = "NONE"
    shared.PixelMeasuresSequence = Sequence([measures])
    shared.PlaneOrientationSequence = Sequence([orientation])
    shared.UnassignedSharedConvertedAttributesSequence = Sequence([moved])
    shared.MRImageFrameTypeSequence = Sequence([kind])
    return shared


def _groups_of_frame(number: int, plane: Plane, source: str, step_mm: float) -> Dataset:
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
    return frame
