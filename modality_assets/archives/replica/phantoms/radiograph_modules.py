"""The attributes of radiographs: computed (CR), digital (DX), mammograms (MG)."""

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
)
from pydicom.valuerep import format_number_as_ds

from modality_assets.archives.replica.phantoms.acquisition import PhantomDataset, RadiographScan
from modality_assets.archives.replica.phantoms.codes import MAY_BE_PAIRED, code_item
from modality_assets.archives.replica.phantoms.series import Series

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
_VIEW_CODES = {
    "PA": ("399348003", "postero-anterior"),
    "LL": ("399173006", "left lateral"),
    "LLO": ("399369002", "left anterior oblique"),
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
}


def radiograph_attributes(header: Dataset, dataset: PhantomDataset, scan: RadiographScan, series: Series) -> None:
    """Add what CR, DX and MG objects must have: PS3.3 A.2, A.26, A.27."""
    view, side = series.views
    header.SOPClassUID = RADIOGRAPH_CLASS[scan.code]
    header.KVP = format_number_as_ds(float(scan.device.kilovolts))
    header.PatientOrientation = ["A", "F"] if view == "LL" else (["A", "R"] if scan.code == "MG" else ["L", "F"])
    if scan.code == "CR":
        header.ImageType = ["ORIGINAL", "PRIMARY"]
        header.ViewPosition = view if view in ("PA", "LL", "LLO") else ""
        header.PlateType = "storage phosphor"
        header.AcquisitionNumber = 1
        if dataset.body_part in MAY_BE_PAIRED:
            header.Laterality = ""
        header.ImagerPixelSpacing = [format_number_as_ds(round(float(series.planes[0].spacing_mm), 5))] * 2
        return
    header.ImageType = ["ORIGINAL", "PRIMARY", ""]
    header.PresentationIntentType = "FOR PRESENTATION"
    header.ImageLaterality = side
    code, meaning = _REGION_CODES["breast" if scan.code == "MG" else dataset.region]
    header.AnatomicRegionSequence = code_item(code, meaning)
    header.ViewCodeSequence = code_item(*_VIEW_CODES[view])
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
