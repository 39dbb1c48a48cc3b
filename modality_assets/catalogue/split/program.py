"""A mixed-integer program that is built row by row and solved by HiGHS (scipy.optimize.milp).

HiGHS is deterministic for one and the same program. The program is stopped by a number of nodes
rather than by the clock, so that the answer does not depend on the machine; the clock is only the
last resort, and an answer that it cut short says so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from modality_assets.catalogue.split.chatter import without_solver_chatter

Terms = Mapping[int, float]
"""A linear expression: column to coefficient."""


@dataclass(frozen=True)
class Solution:
    """An answer: the values of the columns, or None where none was found in the limits.

    ``bound`` is proven: no answer has an objective below it. ``complete`` means that the answer is
    within the gap asked for, ``by_clock`` that time ended the search.
    """

    values: np.ndarray | None  # (columns,) float64
    objective: float
    bound: float
    nodes: int
    complete: bool
    by_clock: bool


class Program:
    """Columns with bounds, some of them integer, and rows over them."""

    def __init__(self) -> None:
        self._lower: list[float] = []
        self._upper: list[float] = []
        self._integer: list[int] = []
        self._entries: list[tuple[int, int, float]] = []
        self._row_lower: list[float] = []
        self._row_upper: list[float] = []

    def column(self, lower: float = 0.0, upper: float = np.inf, *, integer: bool = False) -> int:
        """Add a column and return its index."""
        self._lower.append(lower)
        self._upper.append(upper)
        self._integer.append(int(integer))
        return len(self._lower) - 1

    def row(self, terms: Terms, lower: float = -np.inf, upper: float = np.inf) -> None:
        """Demand lower <= terms <= upper."""
        index = len(self._row_lower)
        self._entries += [(index, column, value) for column, value in terms.items() if value]
        self._row_lower.append(lower)
        self._row_upper.append(upper)

    def minimise(self, cost: Terms, *, gap: float, nodes: int, seconds: float) -> Solution:
        """Minimise ``cost`` until the relative ``gap`` is proven, or ``nodes`` or ``seconds`` are spent."""
        # Half a second, which runs that plan no split do not pay.
        from scipy.optimize import Bounds, LinearConstraint, milp
        from scipy.sparse import csr_matrix

        costs = np.zeros(len(self._lower))
        for column, value in cost.items():
            costs[column] += value
        rows, columns, values = zip(*self._entries, strict=True) if self._entries else ((), (), ())
        matrix = csr_matrix((values, (rows, columns)), shape=(len(self._row_lower), len(self._lower)))
        with without_solver_chatter():
            result = milp(
                costs,
                integrality=np.array(self._integer),
                bounds=Bounds(np.array(self._lower), np.array(self._upper)),
                constraints=LinearConstraint(matrix, np.array(self._row_lower), np.array(self._row_upper)),
                options={"mip_rel_gap": gap, "node_limit": nodes, "time_limit": max(seconds, 0.05), "presolve": True},
            )
        found = result.x is not None
        bound = result.mip_dual_bound
        return Solution(
            values=np.asarray(result.x) if found else None,
            objective=float(result.fun) if found else np.inf,
            bound=float(bound) if bound is not None else -np.inf,
            nodes=int(result.mip_node_count or 0),
            complete=result.status == 0,
            by_clock="ime limit" in str(result.message) and result.status == 1,
        )


def total(*expressions: Terms) -> dict[int, float]:
    """Return the sum of linear expressions."""
    joined: dict[int, float] = {}
    for expression in expressions:
        for column, value in expression.items():
            joined[column] = joined.get(column, 0.0) + value
    return joined


def scaled(expression: Terms, factor: float) -> dict[int, float]:
    """Return a linear expression times a number."""
    return {column: value * factor for column, value in expression.items()}
