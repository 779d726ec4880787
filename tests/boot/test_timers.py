"""Sleeps and periodic timers end when they are to, and short periods leave the machine to others. Time is
counted in instructions (QEMU's -icount), so the machine that the test runs on does not matter."""

import re

from machine import counted


def answers(folder, *options, arguments=""):
    """What timers.c said: what was measured -> "yes", or what it was instead"""
    out = counted(folder, "timers.c", "-m", "64", *options, append=f"quiet -- {arguments}")
    assert "timers: done" in out, out[-2000:]
    return dict(re.findall(r"(?m)^(.*?): (.*?)\r?$", out.replace("timers: done", "")))


def test_exact(tmp_path):
    said = answers(tmp_path)
    assert len(said) == 19
    assert said.pop("ITIMER_REAL, ignored") == "0 us left"
    assert set(said.values()) == {"yes"}, said


def test_within_a_millisecond_without_a_local_apic(tmp_path):
    said = answers(tmp_path, "-cpu", "qemu32,-apic", arguments="coarse")
    assert len(said) == 5
    assert set(said.values()) == {"yes"}, said
