"""What is asked of a split, and the order in which it is given up.

Hard rules are never given up; the others are met as far as the data allow, each without giving up any
of an earlier one.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from modality_assets.catalogue.split.errors import SharesError
from modality_assets.modality import SPLITS

SHARES = {"train": 0.65, "validate": 0.15, "test": 0.20}
"""The published shares of images per class."""

HARD_RULES = {
    "one_split_per_dataset": "every dataset is in exactly one split",
    "earlier_placements": "a dataset that an earlier plan placed stays where it is",
    "pins": "a pinned dataset is where its pin says",
    "patients": "datasets that share patients are in one split, unless an earlier plan has separated them",
}

SOFT_RULES = {
    "class_in_every_split": "every class is in every split",
    "two_datasets": "every class has at least two datasets in every split; datasets that share patients count as one",
    "two_body_parts": "every class shows at least two body parts in every split",
    "shares": "the share of a class's images in a split is within the tolerance of the share asked for",
    "body_part_in_train": "train shows every body part of a class that at least two datasets show",
    "carried": "no dataset carries more than the stated share of a class's images in a split",
    "lone_body_part": "a body part of a class that one dataset alone shows is in train rather than unseen",
    "spread": "manufacturers, formats and licences of a class are spread over the splits",
}
"""In falling order: the last is given up first. Shares and body parts in train are weighed against each other in
one objective, and so are the last three."""

TOLERANCE = 0.015
"""Difference of a class's share of images from the share asked for that is not worth giving anything up for."""

MOST_CARRIED = 0.7
"""The most that one dataset may carry of a class in a split."""

DATASETS_WANTED = 2
BODY_PARTS_WANTED = 2


@dataclass(frozen=True)
class Demands:
    """What is asked of one plan, in numbers."""

    shares: Mapping[str, float]
    tolerance: float = TOLERANCE
    most_carried: float = MOST_CARRIED

    def __post_init__(self) -> None:
        if not self.shares:
            raise SharesError("no split is asked for; give shares such as train 0.65, validate 0.15, test 0.20")
        for split, share in self.shares.items():
            if not math.isfinite(share) or share < 0:
                raise SharesError(f"the share of {split} is {share}; a share is a number from 0 to 1")
        if abs(sum(self.shares.values()) - 1) > 1e-6:
            raise SharesError(f"the shares {dict(self.shares)} add up to {sum(self.shares.values()):.4g}, not to 1")
        if not 0 <= self.tolerance <= 1:
            raise SharesError(f"the tolerance is {self.tolerance}; it is a difference of shares, from 0 to 1")
        if not 0 < self.most_carried <= 1:
            raise SharesError(f"the most one dataset may carry is {self.most_carried}; it is a share above 0, up to 1")

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits, train, validate and test first and in this order, others by name."""
        known = [split for split in SPLITS if split in self.shares]
        return (*known, *sorted(split for split in self.shares if split not in SPLITS))

    @property
    def filled(self) -> tuple[str, ...]:
        """The splits that are to be filled; one with the share 0 gets only what is pinned to it."""
        return tuple(split for split in self.splits if self.shares[split] > 0)

    def urgency(self, split: str) -> float:
        """How much sooner one split than another gets what is too little for all: train, then test, then validate."""
        return 1.0 + {"train": 0.002, "test": 0.001}.get(split, 0.0)
