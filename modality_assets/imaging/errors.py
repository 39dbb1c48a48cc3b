"""Why an image was refused. Each error is one clear sentence; a quarantine row is made of its name and text.

ImagingError
├── UnreadableImageError        stage "read"
│   ├── UnknownFormatError      no reader knows these bytes
│   ├── NoPixelsError           a valid file that holds no image: a report, a plan, a directory
│   ├── DamagedImageError       truncated, contradictory, or refused by the decoder
│   ├── UnsupportedPixelsError  valid, but of a kind that is not read: video, complex numbers
│   └── AbsurdSizeError         promises more pixels than any image has
├── ConstantImageError          stage "select": every pixel is the same, nothing to learn from
├── ContainmentError            stage "decode": the file cost a worker process
│   ├── DecoderCrashError
│   ├── DecoderTimeoutError
│   └── DecoderMemoryError
├── UnknownRescalingError
├── MissingDecodedError         decoded images that are not there, or not whole
├── WorkerStartError            no worker process could be started at all
└── ClusterError                no Ray cluster to decode on
"""

from typing import ClassVar

_LONGEST = 400


class ImagingError(Exception):
    """Base of every error of this room. Its text is one line, whatever a damaged file put into it."""

    stage: ClassVar[str] = "decode"

    def __init__(self, text: str = "") -> None:
        printable = "".join(letter if letter.isprintable() else " " for letter in text)
        super().__init__(" ".join(printable.split())[:_LONGEST])


class UnreadableImageError(ImagingError):
    """The file gives no image."""

    stage = "read"


class UnknownFormatError(UnreadableImageError):
    """No reader knows these bytes."""


class NoPixelsError(UnreadableImageError):
    """A valid file that holds no image."""


class DamagedImageError(UnreadableImageError):
    """Truncated, contradictory, or refused by the decoder."""


class UnsupportedPixelsError(UnreadableImageError):
    """Valid, but of a kind that is not read."""


class AbsurdSizeError(UnreadableImageError):
    """The header promises more pixels than any image has."""


class ConstantImageError(ImagingError):
    """Every pixel of the image is the same."""

    stage = "select"


class ContainmentError(ImagingError):
    """The file cost a worker process, or would have cost this one."""


class DecoderCrashError(ContainmentError):
    """A native decoder ended the worker process."""


class DecoderTimeoutError(ContainmentError):
    """No frame was finished within the time limit."""


class DecoderMemoryError(ContainmentError):
    """Decoding wanted more memory than the limit."""


class UnknownRescalingError(ImagingError, ValueError):
    """A rescaling that does not exist."""


class MissingDecodedError(ImagingError):
    """Decoded images that are not there, or not whole."""


class WorkerStartError(ImagingError):
    """No worker process could be started."""


class ClusterError(ImagingError):
    """Ray is not installed, or no cluster answers."""
