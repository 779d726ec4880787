"""Swapping: a program that needs more memory than the machine has ends with the right answer."""

import os
import sys

from machine import BUILD, TOP

sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import run  # noqa: E402


def test_compressed_swap_holds_what_memory_cannot():
    for name, diff in run.compare(BUILD + "/debug", ["swap"], 32, append="zram=64M")[0]:
        assert diff is None, f"{name}\n{diff}"
