import os

import pytest

from modality_assets.catalogue.split.chatter import without_solver_chatter


def test_the_solvers_lines_are_dropped_and_all_others_arrive(capfd):
    os.write(1, b"before\n")
    with without_solver_chatter():
        os.write(1, b"HighsMipSolverData::transformNewIntegerFeasibleSolution tmpSolver.run();\nsomebody else\n")
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "before\nsomebody else\nafter\n"


def test_standard_output_comes_back_after_an_error(capfd):
    with pytest.raises(RuntimeError), without_solver_chatter():
        raise RuntimeError
    os.write(1, b"here\n")
    assert capfd.readouterr().out == "here\n"
