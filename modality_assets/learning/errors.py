"""What can go wrong while learning, each with what, where and how to mend it.

LearningError
├── UnknownArchitectureError, UnknownRecipeError
├── SplitWithoutClassError      a class has no image in a split
├── ShardsDisagreeError         train and validate shards were made differently
├── NotFiniteLossError          the loss became NaN or infinite
├── NotEnoughMemoryError        not even one image fits
├── UnevenRanksError            the batch cannot be shared equally by the ranks
├── RanksFailedError            a distributed training failed
├── CheckpointMismatchError     a checkpoint of other classes, another shape or architecture
├── DamagedModelError           a model folder that cannot be used
└── TrainingInterruptedError    stopped by a signal after writing a checkpoint
"""


class LearningError(Exception):
    """The root of every error of this room."""


class UnknownArchitectureError(LearningError):
    """No architecture has this name."""


class UnknownRecipeError(LearningError):
    """No recipe has this name, or a recipe has no such ingredient."""


class SplitWithoutClassError(LearningError):
    """A split has no image of a class, so nothing can be learned or measured for it."""


class ShardsDisagreeError(LearningError):
    """The shards given do not belong together: another rescaling, shape or class order."""


class NotFiniteLossError(LearningError):
    """The loss became NaN or infinite; going on would only spoil the weights."""


class NotEnoughMemoryError(LearningError):
    """Not even a single image fits into the device's memory."""


class UnevenRanksError(LearningError):
    """The recipe's batch cannot be divided equally among the ranks that train together."""


class RanksFailedError(LearningError):
    """A training that was started on several ranks ended without a model."""


class CheckpointMismatchError(LearningError):
    """A checkpoint was written for other classes, another image shape or another architecture."""


class DamagedModelError(LearningError):
    """A model folder lacks a file, or holds weights that do not fit or are not finite."""


class TrainingInterruptedError(LearningError):
    """A signal asked the run to stop; its checkpoint is written and the next run goes on from there."""
