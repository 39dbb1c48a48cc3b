"""What can go wrong in an evaluation.

EvaluationError
├── ProbabilitiesError      probabilities that are none, or not one row per image
├── UnknownImagesError      predictions of images that no table of decoded images knows
├── NoPredictionsError      nothing to evaluate
├── UnreadableReportError   a report folder without metrics that can be read
└── TooFewImagesError       a model cannot be fitted to what is there
"""


class EvaluationError(Exception):
    """The root of everything this room raises on purpose."""


class ProbabilitiesError(EvaluationError):
    """Probabilities that are not finite, do not sum to one, or do not fit the images row by row."""


class UnknownImagesError(EvaluationError):
    """Predictions of images that are not in the tables of decoded images."""


class NoPredictionsError(EvaluationError):
    """There is nothing to evaluate."""


class UnreadableReportError(EvaluationError):
    """A report folder has no metrics.json, or one that is not a report's."""


class TooFewImagesError(EvaluationError):
    """There are too few images, classes or datasets to fit what was asked for."""
