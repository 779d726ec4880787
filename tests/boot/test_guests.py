"""Each program of tests/guest prints on Faultline what it prints on Linux; all run in one boot of a
debug kernel, which audits its memory after each."""

import os
import sys

import pytest

from machine import BUILD, TOP, runs_i386

sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import run  # noqa: E402


@pytest.fixture(scope="module")
def outcome():
    if not runs_i386():
        pytest.skip("this machine runs no i386 programs")
    results, noise = run.compare(BUILD + "/debug", run.test_names())
    return dict(results), noise


@pytest.mark.parametrize("name", run.test_names())
def test_prints_the_same_as_on_linux(outcome, name):
    diff = outcome[0][name]
    assert diff is None, "\n" + diff


def test_machine_ends_well(outcome):
    assert "machine" not in outcome[0], outcome[0]["machine"]
