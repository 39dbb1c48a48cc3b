import pytest

from modality_assets.catalogue.split.program import Program, scaled, total


def knapsack() -> tuple[Program, dict[int, float]]:
    program = Program()
    columns = [program.column(0, 1, integer=True) for _ in range(4)]
    program.row(dict(zip(columns, (5.0, 4.0, 3.0, 2.0), strict=True)), upper=7.0)
    return program, dict(zip(columns, (-10.0, -7.0, -6.0, -4.0), strict=True))


def test_the_best_answer_is_found_and_proven():
    program, cost = knapsack()
    solution = program.minimise(cost, gap=0.0, nodes=100, seconds=10)
    assert solution.objective == pytest.approx(-14)
    assert solution.bound == pytest.approx(-14)
    assert solution.complete
    assert not solution.by_clock


def test_a_program_without_an_answer_has_no_values():
    program, cost = knapsack()
    program.row({0: 1.0}, lower=2.0)
    solution = program.minimise(cost, gap=0.0, nodes=100, seconds=10)
    assert solution.values is None
    assert not solution.complete


def test_expressions_are_added_and_scaled_by_column():
    assert total({0: 1.0, 1: 2.0}, {1: 3.0}) == {0: 1.0, 1: 5.0}
    assert scaled({0: 1.5}, 2) == {0: 3.0}
