"""A forest of decision trees as plain arrays: stored without pickle, evaluated with numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_ROWS_AT_ONCE = 20_000
_LEAF = -1


@dataclass(frozen=True)
class Forest:
    """T trees of up to M nodes; node 0 is the root, a child comes after its parent, and a leaf has ``left`` -1.

    ``feature`` (T, M) int16, ``threshold`` (T, M) float64 (a row goes left where its feature is ≤ threshold),
    ``left`` and ``right`` (T, M) int32, ``value`` (T, M, C) float32 class shares, rows summing to one.
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray

    @classmethod
    def of_trees(cls, trees: Sequence[Any]) -> "Forest":
        """Take over fitted scikit-learn trees (their public ``tree_`` structure), padded to one size."""
        nodes = max(tree.node_count for tree in trees)

        def gather(name: str, dtype: type) -> np.ndarray:
            parts = [np.asarray(getattr(tree, name)) for tree in trees]
            parts = [part[:, 0] / part[:, 0].sum(axis=1, keepdims=True) if name == "value" else part for part in parts]
            padded = np.zeros((len(parts), nodes, *parts[0].shape[1:]), dtype=dtype)
            for row, part in zip(padded, parts, strict=True):
                row[: len(part)] = part
            return padded

        left = gather("children_left", np.int32)
        for row, tree in zip(left, trees, strict=True):
            row[tree.node_count :] = _LEAF
        return cls(
            np.maximum(gather("feature", np.int16), 0),
            gather("threshold", np.float64),
            left,
            gather("children_right", np.int32),
            gather("value", np.float32),
        )

    @classmethod
    def of_tensors(cls, tensors: Mapping[str, np.ndarray], features: int) -> "Forest":
        """Take over what `tensors` gave; raise ValueError unless it is a forest that ends on rows of ``features``."""
        forest = cls(*(np.asarray(tensors[name]) for name in ("feature", "threshold", "left", "right", "value")))
        shape = forest.left.shape
        splits = forest.left != _LEAF
        own = np.broadcast_to(np.arange(shape[1]), shape)
        sound = (
            len(shape) == 2
            and all(array.shape == shape for array in (forest.feature, forest.threshold, forest.right))
            and forest.value.shape[:2] == shape
            and bool(np.isfinite(forest.threshold).all() and np.isfinite(forest.value).all())
            and bool(((forest.feature >= 0) & (forest.feature < features)).all())
            and all(bool((child[splits] > own[splits]).all()) for child in (forest.left, forest.right))
            and all(bool((child[splits] < shape[1]).all()) for child in (forest.left, forest.right))
        )
        if not sound:
            raise ValueError("the arrays are no forest of decision trees")
        return forest

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, for storing."""
        return {name: np.ascontiguousarray(getattr(self, name)) for name in self.__dataclass_fields__}

    def shares(self, rows: np.ndarray) -> np.ndarray:
        """Return the class shares (N, C) float64 of ``rows`` (N, F), averaged over the trees."""
        rows = np.asarray(rows, dtype=np.float32)  # as in fitting: thresholds lie between single precisions
        found = np.zeros((len(rows), self.value.shape[2]))
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            part = rows[start : start + _ROWS_AT_ONCE]
            for tree in range(len(self.left)):
                found[start : start + len(part)] += self.value[tree, self._leaves(tree, part)]
        return found / max(1, len(self.left))

    def _leaves(self, tree: int, rows: np.ndarray) -> np.ndarray:
        node = np.zeros(len(rows), dtype=np.int64)
        inside = np.flatnonzero(self.left[tree, node] != _LEAF)
        while len(inside):
            here = node[inside]
            goes_left = rows[inside, self.feature[tree, here]] <= self.threshold[tree, here]
            node[inside] = np.where(goes_left, self.left[tree, here], self.right[tree, here])
            inside = inside[self.left[tree, node[inside]] != _LEAF]
        return node
