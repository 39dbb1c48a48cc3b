"""NPY: (rows, columns), or (..., rows, columns) with one frame after the other, as numpy's users store stacks."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from modality_assets.imaging.errors import DamagedImageError, UnsupportedPixelsError
from modality_assets.imaging.frames import FileFacts, FileFrames, Frame, array_limits, without_holes
from modality_assets.imaging.luminance import luminance
from modality_assets.imaging.readers.volume import check_shape


def read(path: Path, file: BinaryIO) -> FileFrames:
    """Return the frames of an NPY file; (rows, columns, 3 or 4) of bytes is one colour image. Pickles are refused."""
    del file  # mapped by numpy, so that a large stack is never whole in memory
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.dtype.kind not in "iufb":
        raise UnsupportedPixelsError(f"{path.name}: numbers of type {array.dtype} are not read")
    if array.ndim < 2:
        raise DamagedImageError(f"{path.name}: an array of shape {array.shape} is no image")
    colour = array.ndim == 3 and array.dtype == np.uint8 and array.shape[2] in (3, 4)
    stack = array[None] if colour else array.reshape(-1, *array.shape[-2:])
    count = check_shape(path.name, (*stack.shape[1:3], stack.shape[0]))
    low, high, bits, signed = array_limits(array)

    def frames() -> Iterator[Frame]:
        for index in range(count):
            image = luminance(stack[index]) if colour else stack[index]
            if image.dtype.kind == "f":
                stored = without_holes(image)
            else:
                stored = np.array(image, image.dtype.newbyteorder("=") if image.dtype.kind != "b" else np.uint8)
            yield Frame(stored=stored, index=index, dtype_min=low, dtype_max=high)

    return FileFrames(FileFacts("NPY", bits, signed), count, frames)
