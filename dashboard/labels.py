"""The words that people read in place of the names that code uses."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

_THIN = "\u202f"  # a thin space at which no line breaks

ARCHITECTURES = {
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "vgg16": "VGG-16",
    "vgg16_dropout": "VGG-16 with dropout",
    "densenet121": "DenseNet-121",
    "mnasnet1_0": "MNASNet 1.0",
    "convnext_tiny": "ConvNeXt-T",
    "efficientnet_v2_s": "EfficientNetV2-S",
    "efficientnet_lite0": "EfficientNet-Lite0",
}
RESCALINGS = {
    "image_range": "each image's own range",
    "dtype_range": "range of the data type",
    "dtype_range_published": "range of the data type, as published",
}
BASELINES = {
    "majority": "always the most frequent class",
    "native_statistics": "four numbers of the native intensities",
    "size_and_bits": "rows, columns and bit depth",
}
CLASS_NAMES = {"CT": "CT", "MR": "MR", "PT": "PET (PT)", "XR": "X-ray (XR)"}
ASSETS = {
    "collection_catalogue": "Catalogue",
    "cohort": "Cohort",
    "split_plan": "Split plan",
    "source_files": "Source files",
    "decoded_images": "Decoded images",
    "rescaled_shards": "Rescaled shards",
    "trained_model": "Trained models",
    "evaluation_report": "Evaluation reports",
    "study_trial": "Study trials",
    "model_comparison": "Model comparison",
    "header_disagreements": "Header disagreements",
}
"""Every asset in the order of the graph."""

COLUMNS = {
    "accuracy": "Accuracy",
    "accuracy_after": "Accuracy now",
    "accuracy_before": "Accuracy before",
    "accuracy_other": "Other model",
    "actual": "Actual class",
    "agreeing_models": "Models that agree",
    "architecture": "Architecture",
    "asset": "Asset",
    "balanced_accuracy": "Balanced accuracy",
    "attempts": "Attempts",
    "body_part": "Body part",
    "body_parts": "Body parts",
    "change": "Change",
    "ci_high": "95 % to",
    "ci_low": "95 % from",
    "confidence": "Confidence",
    "correct": "Correct",
    "dataset": "Dataset",
    "difference": "Difference",
    "doi": "DOI",
    "epoch": "Epoch",
    "error": "Error",
    "evidence": "Evidence",
    "first_release": "First released",
    "format": "Format",
    "frame": "Frame",
    "gb": "Size, GB",
    "group": "Leakage group",
    "hardware": "Machine",
    "header": "Header says",
    "images": "Images",
    "images_ct": "CT images",
    "images_mr": "MR images",
    "images_per_second": "Images per second",
    "images_pt": "PET images",
    "images_xr": "X-ray images",
    "job": "Step",
    "licence": "Licence",
    "licences": "Licences",
    "link": "Look at it",
    "manufacturer": "Manufacturer",
    "modality": "Class",
    "modality_tag": "Modality tag",
    "models": "Models",
    "outcome": "Outcome",
    "partition": "Part",
    "patient_id": "Patient",
    "patients": "Patients",
    "pinned": "Pinned",
    "pixels": "Pixels say",
    "plan": "Split plan",
    "predict_ms_per_image": "Latency, ms per image",
    "predicted": "Predicted class",
    "published": "Published",
    "published_split": "Published split",
    "reason": "Reason",
    "recipe": "Recipe",
    "rescaling": "Rescaling",
    "revised_release": "Last revised",
    "rule": "Rule",
    "seconds": "Seconds",
    "seed": "Seed",
    "series": "Series",
    "series_description": "Series description",
    "series_uid": "Series UID",
    "share": "Share",
    "source": "Source",
    "source_file": "File",
    "split": "Split",
    "stage": "Stage",
    "state": "State",
    "study": "Study",
    "title": "Title",
    "train_seconds": "Training time, s",
    "what": "What",
    **{f"p_{name}": f"Probability of {name}" for name in ("CT", "MR", "PT", "XR")},
}


def column(name: str) -> str:
    """Return the heading of a column; what is written in words already stays as it is."""
    return COLUMNS.get(name) or (name if name != name.lower() else name.replace("_", " ").capitalize())


def architecture(name: str) -> str:
    """Return the name that papers write."""
    return ARCHITECTURES.get(name, name)


def rescaling(name: str) -> str:
    """Return what a rescaling does, in words."""
    return RESCALINGS.get(name, name.replace("_", " "))


def baseline(name: str) -> str:
    """Return what a trivial baseline goes by."""
    return BASELINES.get(name, name.replace("_", " "))


def rule(name: str) -> str:
    """Return a rule's or a policy's name as words."""
    return name.replace("_", " ").capitalize()


def error(name: str) -> str:
    """Return the name of an error's class as words: 'DamagedImageError' is 'Damaged image'."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name.removesuffix("Error"))
    return words.strip().capitalize()


def count(number: float | Decimal) -> str:
    """Return a number of things: exact with thin spaces up to a million, rounded above."""
    return f"{number:,.0f}".replace(",", _THIN) if number < 1e6 else f"{float(number) / 1e6:,.2f}{_THIN}M"


def percent(share: float | None, digits: int = 1) -> str:
    """Return a share in percent; a dash for None."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def listed(names: Sequence[str], most: int = 8) -> str:
    """Return names as a list in a sentence, the first ``most`` of them and how many more there are."""
    shown = [*names[:most], *([f"{len(names) - most} more"] if len(names) > most else [])]
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}" if shown else "none"


def gigabytes(size_bytes: float) -> str:
    """Return a size in GB, or MB below one."""
    return f"{size_bytes / 1e9:,.1f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:,.1f} MB"


def moment(created_utc: str) -> str:
    """Return when something was made, to the minute, in UTC; the text itself where it is no time."""
    try:
        return datetime.fromisoformat(created_utc).astimezone(UTC).strftime("%-d %b %Y, %H:%M UTC")
    except ValueError:
        return created_utc


def plural(number: int, thing: str) -> str:
    """Return '1 image', '2 images'."""
    return f"{count(number)} {thing}{'' if number == 1 else 's'}"
