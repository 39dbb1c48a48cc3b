"""What can go wrong before the first prediction; a file that cannot be read is no error but a reported prediction.

PredictionError
├── UnknownEvidenceError     a kind of evidence that does not exist
├── MissingEvidenceError     a kind of evidence that this model was not fitted for
├── DamagedEvidenceError     calibration or intensity model on disk cannot be read
├── DamagedExportError       a single file that is no exported model
├── ModelNotFoundError       no model where one was named
├── NoSaliencyError          a model that cannot say what in an image speaks for a class
└── NothingToFitError        too few images or classes to fit intensities or a calibration
"""


class PredictionError(Exception):
    """The root of everything this room raises on purpose."""


class UnknownEvidenceError(PredictionError, ValueError):
    """A kind of evidence that does not exist."""


class MissingEvidenceError(PredictionError):
    """The model was not fitted for the evidence that was asked for."""


class DamagedEvidenceError(PredictionError):
    """calibration.json or intensities.safetensors cannot be read, or was written by another version."""


class DamagedExportError(PredictionError):
    """A file that was named as a model and is none that was exported."""


class ModelNotFoundError(PredictionError):
    """There is no model where one was named."""


class NothingToFitError(PredictionError):
    """There are too few images or classes to fit anything."""


class NoSaliencyError(PredictionError):
    """The model cannot say what in an image speaks for a class."""
