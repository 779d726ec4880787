"""Long system calls let others have the CPU: on a machine that counts instructions (-icount), how long each
kept it after a sleeper was to have it. What stands still all the same is reported by the watchdog."""

import re
import subprocess
import tempfile

import pytest

from machine import INITRD, KERNEL, Machine
from newc import Archive

HERE = __file__.rsplit("/", 1)[0]
LIMIT_INSTRUCTIONS = 1000000  # a millisecond


@pytest.fixture(scope="module")
def output():
    ar = Archive()
    for folder in ("dev", "proc"):
        ar.dir(folder)
    ar.devices()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcc", "-m32", "-static", "-O1", "-D_GNU_SOURCE", "-Wno-unused-result", "-o", folder + "/init",
                        HERE + "/long_calls.c"], check=True)
        ar.copy("init", folder + "/init")
    with Machine.direct(ar.bytes(), "console=ttyS0 quiet panic=-1", kernel=KERNEL, mem=128,
                        more=("-icount", "shift=0")) as m:
        m.expect("=== done", limit=400)
        return m.output()


@pytest.fixture(scope="module")
def waits(output):
    """{call: (instructions, where)}"""
    return {name: (int(n), rest) for name, n, rest in
            re.findall(r"call (\w+): (\d+) cycles(.*(?:\n  .*)*)", output)}


def test_long_calls_let_others_run(waits):
    assert len(waits) > 20
    slow = {name: w for name, w in waits.items() if w[0] > LIMIT_INSTRUCTIONS}
    assert not slow, "\n".join(f"{name}: {n}{where}" for name, (n, where) in slow.items())


def test_an_entry_of_a_long_directory_costs_no_more(output):
    assert int(re.search(r"cost entry: (\d+)", output).group(1)) < 1500


# ---- The watchdog


@pytest.fixture(scope="module")
def shell():
    """A machine of its own: what the kernel says here stands on the screen."""
    with Machine.iso() as m:
        m.prompt()
        yield m


def setting(shell, name, value):
    shell.sh(f"echo {value} > /proc/sys/kernel/{name}")


def test_watchdog_tells_of_a_task_that_is_blocked(shell):
    assert shell.sh("cat /proc/sys/kernel/hung_task_timeout_secs") == "20\n"
    setting(shell, "hung_task_timeout_secs", 1)
    said = shell.sh("echo hang > /proc/sys/kernel/crash; dmesg | tail -n 20")
    setting(shell, "hung_task_timeout_secs", 20)
    assert re.search(r"INFO: task sh:\d+ blocked for more than 1 seconds\.", said)
    assert "crash_hang+0x" in said or "crash_provoke+0x" in said


def test_watchdog_tells_of_a_cpu_that_does_not_switch(shell):
    assert shell.sh("cat /proc/sys/kernel/watchdog_thresh") == "10\n"
    setting(shell, "watchdog_thresh", 1)
    said = shell.sh("echo spin > /proc/sys/kernel/crash; dmesg | tail -n 20")
    setting(shell, "watchdog_thresh", 10)
    assert re.search(r"watchdog: BUG: soft lockup - CPU#0 stuck for \d+s! \[sh:\d+\]", said)
    assert "crash_spin+0x" in said or "crash_provoke+0x" in said


# ---- What is not everybody's


def test_audits_are_roots(shell):
    for name in ("mm_check", "slabinfo", "kpagecount", "kpageflags", "faults", "sched_latency", "kmsg"):
        assert shell.sh(f"stat -c %a /proc/{name}") in ("400\n", "600\n"), name


def test_log_says_who_sent_a_fatal_signal(shell):
    shell.sh("sh -c 'kill -SEGV $$'; true")
    assert re.search(r"sh: signal 11, sent by pid \d+ \(uid 0\)", shell.sh("dmesg | tail -n 3"))
