"""What each patient adds to the counts from which every rate follows; the input of rates and intervals."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from modality_assets.evaluation import rates
from modality_assets.evaluation.intervals import bootstrap
from modality_assets.evaluation.predictions import class_codes, probability_array, with_identities

_CELLS = rates.N * rates.N
_SINGLE = ("accuracy", "balanced_accuracy", "ece")
_BY_CLASS = ("recall", "precision", "f1")


@dataclass(frozen=True)
class Tally:
    """The counts of one group of images, by patient.

    ``counts`` (P, 16 + 3 · BINS) float64: the confusion matrix (rows actual), then per bin of confidence
    its images, summed confidence and right ones. ``dataset_codes`` (P,) the dataset of each patient.
    """

    group: dict[str, str | None]
    counts: np.ndarray
    dataset_codes: np.ndarray

    @property
    def sums(self) -> np.ndarray:
        return self.counts.sum(axis=0)

    @property
    def patients(self) -> int:
        return len(self.counts)

    @property
    def datasets(self) -> int:
        return len(np.unique(self.dataset_codes))

    def intervals(self, seed: int) -> dict[str, list]:
        """Return the 95 % limits of each entry of `values`: [low, high], None where they cannot be known."""
        own_seed = [seed, zlib.crc32(repr(self.group).encode())]  # a new group leaves the others' limits as they were
        return _named(bootstrap(self.counts, self.dataset_codes, _stacked, seed=own_seed))

    def values(self) -> dict[str, list]:
        """Return accuracy, balanced_accuracy, ece (each [value]), and recall, precision, f1 (by class)."""
        return _named(_stacked(self.sums[None])[0])


def tallies(predictions: pl.DataFrame, by: Sequence[str] = ()) -> Iterator[Tally]:
    """Yield the tally of each group of equal values in the columns ``by``, sorted; without any, that of all rows."""
    if predictions.is_empty():
        return
    keys = list(dict.fromkeys([*by, "dataset", "patient"]))
    rows = with_identities(predictions).with_columns(pl.col(name).cast(pl.String) for name in keys)
    members = rows.select(keys).unique().sort(keys, nulls_last=True).with_row_index("member")
    joined = rows.select(keys).join(members, on=keys, how="left", nulls_equal=True, maintain_order="left")
    counts = _counts(joined["member"].to_numpy(), len(members), predictions)
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
    return sums[..., _CELLS:].reshape(*sums.shape[:-1], rates.BINS, 3)


def _counts(member: np.ndarray, members: int, predictions: pl.DataFrame) -> np.ndarray:
    actual, predicted = class_codes(predictions["actual"]), class_codes(predictions["predicted"])
    confidence = probability_array(predictions).max(axis=1)
    counts = np.zeros((members, _CELLS + 3 * rates.BINS))
    counts[:, :_CELLS] = _sum_by(member, actual * rates.N + predicted, members, _CELLS)
    in_bins = counts[:, _CELLS:].reshape(members, rates.BINS, 3)
    which = rates.confidence_bin(confidence)
    for i, amount in enumerate((None, confidence, (actual == predicted).astype(np.float64))):
        in_bins[:, :, i] = _sum_by(member, which, members, rates.BINS, amount)
    return counts


def _sum_by(
    row: np.ndarray, column: np.ndarray, rows: int, columns: int, amount: np.ndarray | None = None
) -> np.ndarray:
    return np.bincount(row * columns + column, weights=amount, minlength=rows * columns).reshape(rows, columns)


def _stacked(sums: np.ndarray) -> np.ndarray:
    """Every rate of sums (B, K) as columns (B, 3 + 3 · 4)."""
    matrix = confusion(sums)
    single = [rates.accuracy(matrix), rates.balanced_accuracy(matrix), rates.calibration_error(bins(sums))]
    by_class = [rates.recall(matrix), rates.precision(matrix), rates.f1(matrix)]
    return np.concatenate([np.stack(single, axis=-1), *by_class], axis=-1)


def _named(row: np.ndarray) -> dict[str, list]:
    """Name the columns of `_stacked`, values (S,) or limits (S, 2); what is NaN becomes None, which JSON can hold."""
    known = np.isfinite(row).reshape(len(row), -1).all(axis=1)
    plain = [value if ok else None for value, ok in zip(row.tolist(), known, strict=True)]
    single = {name: plain[i : i + 1] for i, name in enumerate(_SINGLE)}
    first = len(_SINGLE)
    return single | {name: plain[first + i * rates.N : first + (i + 1) * rates.N] for i, name in enumerate(_BY_CLASS)}
