"""System calls at random, on a debug kernel whose free frames, free objects and new kernel stacks are full of
junk: no panic, nothing stands still, memory comes back, and no junk reaches a program. A number of
calls, not a time, is the bound. `make soak` goes on with seeds of its own."""

import os
import sys

import pytest

from machine import BUILD, TOP

sys.path.insert(0, os.path.join(TOP, "tests/guest/fuzz"))
import fuzz  # noqa: E402


# Seeds that found something, with what, and a few that did not.
#   1: call 53, lock, which nobody implements, ran a variable of that name
@pytest.mark.parametrize("mem, seed, cpus", [(16, 1, 1), (32, 1, 1), (64, 1, 1), (32, 2, 1), (32, 3, 4)])
def test_survives_random_calls(mem, seed, cpus):
    well, said = fuzz.fuzz(BUILD + "/debug", seed, 3, 1500, mem, cpus=cpus)
    assert well, said[-6000:]
