"""The classes, their one order, and the splits. Every other room takes them from here."""

CLASSES = ("CT", "MR", "PT", "XR")
"""The classes in the one order in which labels, probabilities and confusion matrices are written."""

SPLITS = ("train", "validate", "test")

CLASS_OF_CODE = {"CT": "CT", "MR": "MR", "PT": "PT", "CR": "XR", "DX": "XR", "MG": "XR"}
"""DICOM Modality (0008,0060), PS3.3 C.7.3.1.1.1, to class. A code that is not here has no class."""


class ClassOrderError(ValueError):
    """A file was written with other classes, or the same classes in another order."""


def class_index(name: str) -> int:
    """Return the index of class ``name`` in `CLASSES`; raise ValueError for an unknown name."""
    try:
        return CLASSES.index(name)
    except ValueError:
        raise ValueError(f"unknown class {name!r}: the classes are {', '.join(CLASSES)}") from None


def check_classes(found: object, where: object) -> None:
    """Raise `ClassOrderError` unless ``found`` equals `CLASSES` in content and order."""
    if not isinstance(found, (list, tuple)) or tuple(found) != CLASSES:
        raise ClassOrderError(
            f"{where}: written with the classes {found!r}, this version reads {list(CLASSES)!r}; "
            "materialise it again with this version"
        )
