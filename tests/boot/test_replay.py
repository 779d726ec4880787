"""Time travel: a recorded run, replayed under gdb, forwards and backwards."""

import re
import subprocess

import pexpect
import pytest

from machine import BUILD, KERNEL, TOP
from newc import Archive

pytestmark = pytest.mark.skipif(
    subprocess.run(["which", "gdb"], capture_output=True).returncode != 0, reason="no gdb")


def slowly(m, text):
    """A machine that is recorded loses what does not fit into the 16 bytes of its serial port: a few at a time,
    each waiting for the echo of those before."""
    for i in range(0, len(text), 8):
        m.send(text[i : i + 8])
        m.expect_exact(text[i : i + 8].rstrip("\r"))


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """A run in which a page-table entry of init was corrupted, and an audit found it."""
    folder = str(tmp_path_factory.mktemp("replay"))
    ar = Archive()
    ar.devices()
    ar.dir("proc")
    for name in ("sh", "tools"):
        ar.copy("bin/" + name, f"{BUILD}/user/{name}")
    for name in ("cat", "echo", "mount", "ls"):
        ar.symlink("bin/" + name, "tools")
    ar.copy("init", BUILD + "/user/init")
    with open(folder + "/archive", "wb") as f:
        f.write(ar.bytes())
    m = pexpect.spawn(TOP + "/scripts/replay", ["record", folder + "/run", KERNEL, folder + "/archive",
                                                "console=ttyS0", "64"], encoding="latin-1", timeout=120)
    m.expect("# ")
    slowly(m, "ls /proc/1\r")
    m.expect("# ")
    slowly(m, "echo pte > /proc/sys/kernel/crash; cat /proc/mm_check\r")
    m.expect("not its own")
    m.expect("# ")
    m.sendintr()
    m.expect(r"recorded \d+ bytes")
    m.close()
    return folder + "/run"


def replay(folder, *commands):
    args = [TOP + "/scripts/replay", "gdb", folder, "--", "-batch"]
    for c in commands:
        args += ["-ex", c]
    return subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240).stdout


def test_who_corrupted_this_page_table_entry(recording):
    """The worked example of docs/debugging.md."""
    out = replay(recording, "continue", "fl check")
    assert "Breakpoint 3, check_complain" in out
    entry = re.search(r"not its own \(\w+\); its entry is at (0x\w+)", out)[1]
    out = replay(recording, "continue", f"watch *(unsigned *){entry}", "reverse-continue", "bt")
    assert re.search(r"crash_pte \(\) at kernel/debug/crash.c:\d+", out)
    assert re.search(r"#\d+ .*store_crash|#\d+ .*crash_provoke", out)


def test_steps_back_are_exact(recording):
    out = replay(recording, "continue", "set $there = $pc", "stepi 20", "reverse-stepi 20",
                 "print $pc == $there", "reverse-stepi", "print $pc == $there", "stepi", "print $pc == $there")
    assert re.findall(r"\$\d = (\d)", out) == ["1", "0", "1"]


def test_two_replays_are_the_same_run(recording):
    commands = ("delete", "break sys_write", "continue", "continue", "info registers", "fl ps", "fl check")
    first, second = (replay(recording, *commands) for _ in range(2))
    strip = lambda s: s[s.index("eax "):]
    assert strip(first) == strip(second)
    assert "0 violations" in first


def test_runs_to_the_end_and_back_to_the_start(recording):
    out = replay(recording, "delete", "break sys_execve", "continue", "reverse-continue", "info symbol $pc")
    assert "Breakpoint 4, sys_execve" in out
    assert re.search(r"No more reverse-execution history|kernel_main", out)
