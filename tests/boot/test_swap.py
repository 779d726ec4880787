"""Swapping: a program that needs more memory than the machine has ends with the right answer."""

import os
import sys

import pytest

from machine import BUILD, TOP, runs_i386

sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import run  # noqa: E402


def test_compressed_swap_holds_what_memory_cannot():
    if not runs_i386():
        pytest.skip("this machine runs no i386 programs")
    for name, diff in run.compare(BUILD + "/debug", ["swap"], 32, append="zram=64M")[0]:
        assert diff is None, f"{name}\n{diff}"
