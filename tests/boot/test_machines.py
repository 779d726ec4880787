"""The quick part of the matrix of machines; `make test-machines` tries them all."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "machines"))
import matrix

FAST = [m for m in matrix.MACHINES if m.fast]


@pytest.mark.parametrize("machine", FAST, ids=[m.id for m in FAST])
def test_machine(machine):
    if machine.missing():
        pytest.skip(machine.missing())
    result = matrix.try_machine(machine)
    assert result.ok, result.why
