"""trace= and /proc/sys/kernel/trace: what happened, in the kernel's log."""

import re

import pytest

from machine import INITRD, Machine, have_busybox

pytestmark = pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")


@pytest.fixture(scope="module")
def shell():
    with Machine.direct(INITRD, "console=ttyS0 quiet") as m:
        m.prompt()
        yield m


def traced(m, category, command):
    return m.sh(f"dmesg -c > /dev/null; echo {category} > /proc/sys/kernel/trace; {command}; "
                "echo none > /proc/sys/kernel/trace; dmesg")


def test_syscalls_look_like_strace(shell):
    out = traced(shell, "syscalls", "/usr/local/bin/cat /etc/motd /no/such > /tmp/out 2>&1")
    assert re.search(r'strace: \d+ execve\("/usr/local/bin/cat", 0x\w+, 0x\w+\) = 0', out)
    assert re.search(r'strace: \d+ open(at)?\((-100, )?"/etc/motd", 0x\w+(, 0\d*)?\) = 3', out)
    assert re.search(r'strace: \d+ open(at)?\((-100, )?"/no/such", 0x\w+(, 0\d*)?\) = -1 \(error 2\)', out)
    assert re.search(r'strace: \d+ write\(\d, ".*"(\.\.\.)?, \d+\) = \d+', out)
    assert re.search(r"strace: \d+ exit_group\(\d\) = \?", out)


def test_faults(shell):
    out = traced(shell, "faults", "/bin/true; cat /dev/null")
    assert re.search(r"fault: \d+ [0-7]\w{7} write: minor", out)
    assert re.search(r"fault: \d+ [0-7]\w{7} read: (minor|major)", out)


def test_sched_and_irq(shell):
    out = traced(shell, "sched,irq", "cat /proc/sys/kernel/trace; i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done")
    assert "sched,irq\n" in out
    assert re.search(r"sched: \d+ \(sh\) -> \d+ \(\w+\)", out)
    assert re.search(r"irq: \d+\n", out)


def test_unknown_categories_are_refused(shell):
    assert shell.run("echo nonsense > /proc/sys/kernel/trace")[1] != 0
    assert shell.sh("cat /proc/sys/kernel/trace") == "none\n"


def test_boot_option():
    with Machine.direct(INITRD, "console=ttyS0 trace=syscalls loglevel=8") as m:
        m.expect(r"strace: 1 open(at)?\(")
