"""What a program may take, and that the machine survives it: limits, the OOM killer, exhaustion."""

import os
import re
import sys

import pytest

from machine import BUILD, INITRD, TOP, Machine, have_busybox

sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import run  # noqa: E402

pytestmark = pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")


@pytest.fixture
def small():
    with Machine.direct(INITRD, mem=16) as m:
        yield m.prompt()


def free_kb(m):
    """Free memory and what caches have of it, which programs that are now running use."""
    m.sh("echo 3 >/proc/sys/vm/drop_caches")
    return int(m.sh("awk '/^(MemFree|Cached):/ {n += $2} END {print n}' /proc/meminfo"))


def test_a_root_fork_bomb_leaves_the_shell(small):
    small.sh("ls -d /proc/self; ps")
    before = free_kb(small)
    small.sh("echo 'b() { b | b & }; b; sleep 100' >/tmp/bomb")
    small.type("sh /tmp/bomb >/dev/null 2>&1 &\n")
    small.prompt()
    small.sh("sleep 3")
    works = 0
    for _ in range(20):
        output, status = small.run("ls -d /proc/self")
        works += status == 0 and output == "/proc/self\n"
    assert works >= 15
    # The login shell is one of them, and comes back.
    small.type("trap '' TERM; killall sh; sleep 1; killall -9 sleep sh\n")
    small.expect("built-in shell")
    small.prompt()
    small.sh("sleep 1")
    assert len(small.sh("ps").splitlines()) < 15
    assert free_kb(small) > before * 0.99


def test_out_of_memory_is_reported_as_linux_does(small):
    assert "oom_kill 0" in small.sh("grep oom_kill /proc/vmstat")
    small.sh("echo 1 >/proc/sys/vm/overcommit_memory")
    assert small.run("dd if=/dev/zero of=/dev/null bs=64M count=1")[1] == 128 + 9
    log = small.sh("dmesg")
    assert re.search(r"dd invoked oom-killer: gfp_mask=\w+, order=0, oom_score_adj=0", log)
    assert re.search(r"Mem-Info:", log)
    assert re.search(r"\[  pid  \]   uid  tgid total_vm      rss pgtables_bytes swapents", log)
    assert re.search(r"\[ +\d+\] +0 +\d+ +\d+ +\d+ +\d+ +\d+ +\d+ +0 dd", log)
    assert re.search(r"Out of memory: Killed process \d+ \(dd\) total-vm:\d+kB, anon-rss:\d+kB, file-rss:\d+kB", log)
    assert "oom_kill 1" in small.sh("grep oom_kill /proc/vmstat")


def test_threads_max_follows_free_memory(small):
    free = int(small.sh("awk '/MemFree/ {print $2}' /proc/meminfo"))
    threads = int(small.sh("cat /proc/sys/kernel/threads-max"))
    assert threads * 80 < free
    small.sh("echo 50 >/proc/sys/kernel/threads-max")
    assert small.sh("cat /proc/sys/kernel/threads-max") == "50\n"


@pytest.mark.parametrize("mem", [16, 32, 64])
def test_exhaustion_is_survived(mem):
    for name, diff in run.compare(BUILD + "/debug", ["hostile_exhaust"], mem)[0]:
        assert diff is None, f"{name}\n{diff}"


def test_every_allocation_of_some_programs_may_fail():
    """Each site fails once; the run that meets no new one prints what Linux does."""
    names = ["mmap_anon", "memfd", "names", "timers"]
    for name, diff in run.compare(BUILD + "/debug", names, append="failsites inject=1")[0]:
        assert diff is None, f"{name}\n{diff}"
