"""What a split planner may refuse.

SplitPlanError
├── ProfileError       the profile is empty, or not a profile
├── SharesError        the shares asked for are not shares
├── PinConflictError   pins that cannot hold together, or not with what is already placed
├── PinFileError       a pins file that cannot be read
└── FoldsError         more folds than there are groups of datasets, or fewer than three
"""

from modality_assets.catalogue.series import CatalogueError


class SplitPlanError(CatalogueError):
    """A split plan cannot be made of what was given."""


class ProfileError(SplitPlanError):
    """The profile of the datasets is empty, or lacks a column."""


class SharesError(SplitPlanError):
    """The shares are negative, do not add up to one, or name no split."""


class PinConflictError(SplitPlanError):
    """A pin contradicts another pin, a dataset that is already placed, or a group that shares patients."""


class PinFileError(SplitPlanError):
    """A pins file cannot be read, or names a dataset twice."""


class FoldsError(SplitPlanError):
    """The datasets cannot be cut into so many folds."""


class PolicyChangedError(SplitPlanError):
    """A plan of this name was made under another policy."""
