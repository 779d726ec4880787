"""No path keeps interrupts out, or the CPU to itself, for more than 100,000 instructions, however large
what it works on is, or however many things it has to do with, but for the few rows in DEARER: the boot
option `latency` records the longest stretches, and QEMU's -icount makes its clock count instructions."""

import re
import tempfile

import pytest

from machine import counted

MOST = 100_000
SIZE = 1024  # MiB
LONG = ("mprotect", "mremap", "fork", "MADV_FREE", "DONTNEED", "munmap", "exit", "exec", "write", "read", "truncate",
        "fork-areas", "prot-areas", "unmap-areas")

# Calls that have to do with many objects. What grows with their number, and how far at these: 52 instructions
# for each of the children that wait for any looks at, twice when it has to sleep.
CROWDS = ("tty-line", "tty-reprint", "tty-word", "tty-kill", "umount-busy", "umount", "net-unix", "close-range", "sysvipc",
          "cut-copies", "cut-areas", "meminfo", "deny-areas", "mm_check", "locks", "unlock-all", "timers", "crowd",
          "reclaim", "kill-all", "kill-group", "setpriority", "getpriority", "cut-shared", "wake-all", "as-user",
          "exit-parent", "kill-9", "wait")
DEARER = {"as-user": 250_000, "wait": 250_000}
# A program that only faults passes no point that the recorder knows: its own time would count.
UNKNOWN = {("reclaim", "no_switch")}


def records(program, mem, arguments=""):
    """What a program printed, as init of a kernel that records: (name, kind) -> (instructions, where)"""
    with tempfile.TemporaryDirectory() as folder:
        out = counted(folder, program + ".c", "-m", str(mem), append=f"latency -- {arguments}",
                      flags=("-O2", "-Wno-unused-result"), dirs=("proc",))
    assert "latency: done" in out, out[-2000:]
    return {(name, kind): (int(n), where.strip()) for name, kind, n, where in
            re.findall(r"longest (\S+) +(\S+) +(\d+) (.*)", out)}


@pytest.fixture(scope="module")
def longest():
    return records("stretches", SIZE + 256, SIZE)


@pytest.fixture(scope="module")
def crowds():
    return records("crowds", 512)


@pytest.mark.parametrize("kind", ["irq_off", "no_switch"])
@pytest.mark.parametrize("name", LONG)
def test_bounded(longest, name, kind):
    instructions, where = longest[name, kind]
    assert instructions <= MOST, where


@pytest.mark.parametrize("name,kind", [(n, k) for n in CROWDS for k in ("irq_off", "no_switch") if (n, k) not in UNKNOWN])
def test_crowds_give_way(crowds, name, kind):
    instructions, where = crowds[name, kind]
    assert instructions <= DEARER.get(name, MOST), where
