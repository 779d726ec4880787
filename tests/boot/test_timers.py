"""Sleeps and periodic timers end when they are to, and short periods leave the machine to others. Time is
counted in instructions (QEMU's -icount), so the machine that the test runs on does not matter."""

import re
import subprocess

from machine import KERNEL, TOP, build_program
from newc import Archive


def answers(folder, *options, arguments=""):
    """What timers.c said: what was measured -> "yes", or what it was instead"""
    build_program("timers.c", f"{folder}/init", "-O2")
    ar = Archive()
    ar.devices()
    ar.copy("init", f"{folder}/init")
    with open(f"{folder}/initrd", "wb") as f:
        f.write(ar.bytes())
    out = subprocess.run(
        [TOP + "/scripts/qemu", "--test", "-nodefaults", "-icount", "shift=0,sleep=off", "-m", "64", *options, "-kernel", KERNEL,
         "-initrd", f"{folder}/initrd", "-append", f"console=ttyS0 quiet panic=-1 -- {arguments}"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=300).stdout.decode("latin-1")
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
