"""PNG, JPEG and TIFF through Pillow; through OpenCV what Pillow does not read, such as BigTIFF and 64-bit floats, and
colour of 16 bits, which Pillow would cut to 8.

Grey is taken as stored, colour and colour tables as luminance, transparency is left out, pages of a TIFF are frames.
Pixels stay in the order of the file: EXIF orientation is not applied.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from modality_assets.imaging.errors import AbsurdSizeError, DamagedImageError, UnsupportedPixelsError
from modality_assets.imaging.frames import (
    MAX_FRAME_PIXELS,
    MAX_FRAMES,
    FileFacts,
    FileFrames,
    Frame,
    array_limits,
    without_holes,
)
from modality_assets.imaging.luminance import luminance

_FORMATS = ("PNG", "JPEG", "TIFF")
_PHOTOMETRIC_TAG, _WHITE_IS_ZERO, _BITS_TAG = 262, 0, 258
_SAMPLE_FORMAT_TAG, _UNSIGNED, _SIGNED = 339, 1, 2
_GREY_MODES = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B", "I;16N")


def read(path: Path, file: BinaryIO) -> FileFrames:
    """Return the frames of a picture file; native intensities are the stored values, unit unknown."""
    try:
        opened = Image.open(path, formats=_FORMATS)
    except UnidentifiedImageError:
        return _read_by_opencv(path)
    with opened as picture:
        kind = str(picture.format)
        count = getattr(picture, "n_frames", 1) if kind == "TIFF" else 1
        if kind == "MPO":  # a JPEG with further views: the first is the picture
            kind = "JPEG"
        if picture.width * picture.height > MAX_FRAME_PIXELS or count > MAX_FRAMES:
            raise AbsurdSizeError(f"{path.name}: {picture.height} x {picture.width} pixels are more than any image has")
        deep = _is_deep_colour(picture)
        low, high, bits, signed = _limits(picture, path, deep)
    if deep and count > 1:
        raise UnsupportedPixelsError(f"{path.name}: a TIFF of several 16-bit colour pages is not read")

    def frames() -> Iterator[Frame]:
        if deep:
            yield Frame(_deep_luminance(path), 0, low, high)
            return
        with Image.open(path, formats=_FORMATS) as picture:
            for index in range(count):
                if count > 1:
                    picture.seek(index)
                if picture.width * picture.height > MAX_FRAME_PIXELS:
                    raise AbsurdSizeError(f"{path.name}: page {index} has more pixels than any image")
                yield Frame(_grey(picture), index, low, high)

    return FileFrames(FileFacts(kind, bits, signed), count, frames)


def _grey(picture: Image.Image) -> np.ndarray:
    if picture.mode not in _GREY_MODES:
        return luminance(np.asarray(picture.convert("RGB")))
    array = np.asarray(picture.convert("L") if picture.mode in ("LA", "La") else picture)
    if array.dtype.kind == "f":
        return without_holes(array)
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    array = array.astype(_stored_type(picture) or array.dtype.newbyteorder("="))
    inverted = getattr(picture, "tag_v2", {}).get(_PHOTOMETRIC_TAG) == _WHITE_IS_ZERO
    return array.dtype.type(65535) - array if inverted and array.dtype == np.uint16 else array


def _limits(picture: Image.Image, path: Path, deep: bool) -> tuple[float, float, int, bool]:
    if deep or picture.mode.startswith("I;16"):
        return 0.0, 65535.0, 16, False
    if (stored := _stored_type(picture)) is not None:
        return array_limits(np.empty(0, stored))
    if picture.mode in ("I", "F"):
        if picture.format == "PNG":  # Pillow's "I" for 16-bit grey of some versions
            return 0.0, 65535.0, 16, False
        return array_limits(np.asarray(picture))
    bits = 1 if picture.mode == "1" else 8
    return 0.0, float((1 << bits) - 1), bits, False


def _stored_type(picture: Any) -> np.dtype[Any] | None:
    """Return the integers of a TIFF that Pillow holds in others: it knows few signed ones, and none of 32 unsigned."""
    tags = getattr(picture, "tag_v2", None)
    if tags is None or picture.mode not in ("L", "I"):
        return None
    bits, kind = (tags.get(tag, (default,))[0] for tag, default in ((_BITS_TAG, 8), (_SAMPLE_FORMAT_TAG, _UNSIGNED)))
    if bits not in (8, 16, 32) or kind not in (_UNSIGNED, _SIGNED) or (bits, kind) == (8, _UNSIGNED):
        return None
    return np.dtype(f"{'i' if kind == _SIGNED else 'u'}{bits // 8}")


def _read_by_opencv(path: Path) -> FileFrames:
    """Return the pages of a file that Pillow does not know."""
    _, pages = cv2.imdecodemulti(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if not pages:
        raise DamagedImageError(f"{path.name}: the decoder refuses it")
    if max(page.shape[0] * page.shape[1] for page in pages) > MAX_FRAME_PIXELS or len(pages) > MAX_FRAMES:
        raise AbsurdSizeError(f"{path.name}: has more pixels than any image")
    bits, signed = array_limits(pages[0])[2:]
    limits = [array_limits(page)[:2] for page in pages]
    low, high = min(one[0] for one in limits), max(one[1] for one in limits)

    def frames() -> Iterator[Frame]:
        for index, page in enumerate(pages):
            grey = page if page.ndim == 2 else luminance(page[..., 2::-1])  # OpenCV gives blue, green, red
            yield Frame(without_holes(grey) if grey.dtype.kind == "f" else grey, index, low, high)

    return FileFrames(FileFacts("TIFF", bits, signed), len(pages), frames)


def _is_deep_colour(picture: Any) -> bool:
    if picture.mode not in ("RGB", "RGBA", "LA"):
        return False
    if picture.format == "TIFF":
        bits = getattr(picture, "tag_v2", {}).get(_BITS_TAG, (8,))
        return max(bits if isinstance(bits, tuple) else (bits,)) > 8
    return any("16" in str(tile[3]) for tile in picture.tile if picture.format == "PNG")


def _deep_luminance(path: Path) -> np.ndarray:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise DamagedImageError(f"{path.name}: the decoder refuses it")
    return image if image.ndim == 2 else luminance(image[..., 2::-1])  # OpenCV gives blue, green, red
