"""What each patient adds to the counts from which every rate follows; the input of rates and intervals."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from modality_assets.evaluation import rates
from modality_assets.evaluation.intervals import bootstrap
from modality_assets.evaluation.predictions import PROBABILITIES, class_codes, probability_array, with_identities

SCORE_BINS = 32
"""Of equally many images each, for the intervals of AUC: the area itself is computed of every score."""

SINGLE = ("accuracy", "balanced_accuracy", "ece", "auc")
BY_CLASS = ("recall", "precision", "f1", "auc")
"""The rates of a tally: of all its images, and of each class."""

_MEANS_OVER_CLASSES = [SINGLE.index("balanced_accuracy"), SINGLE.index("auc")]

_CELLS = rates.N * rates.N
_CONFIDENCE = _CELLS + 3 * rates.BINS  # where the histograms of scores begin


@dataclass(frozen=True)
class Tally:
    """The counts of one group of images, by patient.

    ``counts`` (P, K) float32: the confusion matrix (rows actual), then per bin of confidence its images,
    summed confidence and right ones, then per class the histograms of its scores, of the class's images and of
    the others. ``dataset_codes`` (P,) the dataset of each patient.
    """

    group: dict[str, str | None]
    counts: np.ndarray
    dataset_codes: np.ndarray

    @property
    def sums(self) -> np.ndarray:
        return np.asarray(self.counts.sum(axis=0, dtype=np.float64))

    @property
    def patients(self) -> int:
        return len(self.counts)

    @property
    def datasets(self) -> int:
        return len(np.unique(self.dataset_codes))

    def intervals(self, seed: int) -> dict[str, list]:
        """Return the 95 % limits of each entry of `values`: [low, high], None where they cannot be known.

        Means over classes are those of all classes of the group: a replicate that drew none of one's datasets has
        none, or the limits would hold means that leave out the class that fails.
        """
        own_seed = [seed, zlib.crc32(repr(self.group).encode())]  # a new group leaves the others' limits as they were
        present = confusion(self.sums).sum(axis=-1) > 0
        one_class = present.sum() == 1  # so that there is no area under any curve
        counts = self.counts[:, :_CONFIDENCE] if one_class else self.counts

        def rates_of(sums: np.ndarray) -> np.ndarray:
            found = _stacked(sums)
            lacking = (confusion(sums).sum(axis=-1)[:, present] == 0).any(axis=-1)
            found[np.ix_(lacking, _MEANS_OVER_CLASSES)] = np.nan
            return found

        return _named(bootstrap(counts, self.dataset_codes, rates_of, seed=own_seed))

    def values(self) -> dict[str, list]:
        """Return `SINGLE`, named alone, and `BY_CLASS`, each name with '_by_class'; AUC is that of the histograms."""
        return _named(_stacked(self.sums[None])[0])


def tallies(predictions: pl.DataFrame, by: Sequence[str] = ()) -> Iterator[Tally]:
    """Yield the tally of each group of equal values in the columns ``by``, sorted; without any, that of all rows."""
    if predictions.is_empty():
        return
    keys = list(dict.fromkeys([*by, "dataset", "patient"]))
    rows = with_identities(predictions).with_columns(pl.col(name).cast(pl.String) for name in keys)
    score_bins = rows.select(_score_bin(name, by) for name in PROBABILITIES).to_numpy()
    members = rows.select(keys).unique().sort(keys, nulls_last=True).with_row_index("member")
    joined = rows.select(keys).join(members, on=keys, how="left", nulls_equal=True, maintain_order="left")
    counts = _counts(joined["member"].to_numpy(), len(members), predictions, score_bins)
    datasets = members["dataset"].rank("dense").to_numpy()
    first = members.group_by(by or [pl.lit(0)], maintain_order=True).agg(pl.col("member").min().alias("start"))
    starts = [*first["start"].to_list(), len(members)]
    for group, start, end in zip(first.iter_rows(named=True), starts, starts[1:], strict=False):
        yield Tally({name: group[name] for name in by}, counts[start:end], datasets[start:end])


def confusion(sums: np.ndarray) -> np.ndarray:
    """Return the confusion matrices (..., 4, 4), rows actual, columns predicted, of tally sums."""
    return sums[..., :_CELLS].reshape(*sums.shape[:-1], rates.N, rates.N)


def bins(sums: np.ndarray) -> np.ndarray:
    """Return the reliability bins (..., BINS, 3) of tally sums: images, summed confidence, right ones."""
    return sums[..., _CELLS:_CONFIDENCE].reshape(*sums.shape[:-1], rates.BINS, 3)


def _histograms(sums: np.ndarray) -> np.ndarray:
    """Return the histograms (..., 4, 2, SCORE_BINS) of each class's scores, of its own images and of the others."""
    return sums[..., _CONFIDENCE:].reshape(*sums.shape[:-1], rates.N, 2, SCORE_BINS)


def _score_bin(name: str, by: Sequence[str]) -> pl.Expr:
    """The bin of each score among those of its group, so that another group does not move it."""
    rank, count = pl.col(name).rank("average"), pl.len()
    if by:
        rank, count = rank.over(by), count.over(by)
    return ((rank - 0.5) / count * SCORE_BINS).cast(pl.Int64)


def _counts(member: np.ndarray, members: int, predictions: pl.DataFrame, score_bins: np.ndarray) -> np.ndarray:
    actual, predicted = class_codes(predictions["actual"]), class_codes(predictions["predicted"])
    confidence = probability_array(predictions).max(axis=1)
    counts = np.zeros((members, _CONFIDENCE + rates.N * 2 * SCORE_BINS), np.float32)
    counts[:, :_CELLS] = _sum_by(member, actual * rates.N + predicted, members, _CELLS)
    histograms = _histograms(counts)
    for code in range(rates.N):
        column = (actual != code) * SCORE_BINS + score_bins[:, code]
        histograms[:, code] = _sum_by(member, column, members, 2 * SCORE_BINS).reshape(members, 2, SCORE_BINS)
    in_bins = bins(counts)
    which = rates.confidence_bin(confidence)
    for i, amount in enumerate((None, confidence, (actual == predicted).astype(np.float64))):
        in_bins[:, :, i] = _sum_by(member, which, members, rates.BINS, amount)
    return counts


def _sum_by(
    row: np.ndarray, column: np.ndarray, rows: int, columns: int, amount: np.ndarray | None = None
) -> np.ndarray:
    return np.bincount(row * columns + column, weights=amount, minlength=rows * columns).reshape(rows, columns)


def _stacked(sums: np.ndarray) -> np.ndarray:
    """Every rate of sums (B, K) as columns (B, 4 + 4 · 4), in the order of `SINGLE` and `BY_CLASS`."""
    matrix = confusion(sums)
    has_scores = sums.shape[-1] > _CONFIDENCE
    areas = rates.area_under_curve(_histograms(sums)) if has_scores else np.full((len(sums), rates.N), np.nan)
    single = [
        rates.accuracy(matrix),
        rates.balanced_accuracy(matrix),
        rates.calibration_error(bins(sums)),
        rates.mean_of_known(areas),
    ]
    by_class = [rates.recall(matrix), rates.precision(matrix), rates.f1(matrix), areas]
    return np.concatenate([np.stack(single, axis=-1), *by_class], axis=-1)


def _named(row: np.ndarray) -> dict[str, list]:
    """Name the columns of `_stacked`, values (S,) or limits (S, 2); what is NaN becomes None, which JSON can hold."""
    known = np.isfinite(row).reshape(len(row), -1).all(axis=1)
    plain = [value if ok else None for value, ok in zip(row.tolist(), known, strict=True)]
    single = {name: plain[i : i + 1] for i, name in enumerate(SINGLE)}
    first = len(SINGLE)
    by_class = {f"{name}_by_class": plain[first + i * rates.N :][: rates.N] for i, name in enumerate(BY_CLASS)}
    return single | by_class
