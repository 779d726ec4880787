"""What the kernel says when it fails, for each way to fail; what scripts/crash makes of it."""

import os
import re
import subprocess

import pytest

from machine import (
    BUILD, DEBUG_KERNEL, INITRD, KERNEL, PANICKED, TOP, Machine, have_busybox, run_to_end)
from newc import Archive


def tiny():
    """An archive with our init and shell alone; these kernels never get further."""
    ar = Archive()
    ar.devices()
    ar.copy("init", BUILD + "/user/init")
    return ar.bytes()


def crash(how, kernel=KERNEL, more=""):
    output, status = run_to_end(tiny(), f"console=ttyS0 quiet panic=-1 crash={how} {more}", kernel)
    assert status == PANICKED, output
    return output


def frames(output):
    """Names in the backtrace."""
    trace = output.split("Backtrace:\n")[1]
    return re.findall(r"^\[[ .\d]+\]   [0-9a-f]{8} (\w+)\+0x", trace, re.M)


REASONS = {
    "stack": ("kernel stack overflow", "recurse", 8),
    "text": ("write to the kernel's text or constants", "crash_text", 14),
    "null": ("call of a NULL pointer", None, 14),
    "user": ("jump into user memory", None, 14),
    "divide": ("divide error", "crash_divide", 0),
    "read": ("page fault in the kernel", "crash_read", 14),
    "lock": ("access through a NULL pointer", "crash_lock", 14),
}


@pytest.mark.parametrize("how", REASONS)
def test_report(how):
    why, function, trap = REASONS[how]
    out = crash(how)
    assert f"Kernel failure: {why}\n" in out
    assert re.search(rf"trap {trap} error [0-9a-f]{{4}} cr2", out)
    if function:
        assert re.search(rf"eip [0-9a-f]{{8}} {function}\+0x", out)
        assert re.search(r"Code:( [0-9a-f]{2})+ <[0-9a-f]{2}>( [0-9a-f]{2})+\n", out)
    names = frames(out)
    assert names[0] == {"stack": "recurse", "null": "crash_null", "user": "crash_user"}.get(how, "crash_provoke")
    assert names[-3:] == ["init_main", "kthread_main", "kernel_thread_start"] or how == "stack"
    assert "Process 1 (init), thread 1\n" in out
    assert f"Locks: {int(how == 'lock')} spin locks held\n" in out
    assert out.rstrip().endswith("]---")


def test_overwritten_stack_frame():
    """The compiler's canary is found changed before the function can return to where it was told."""
    out = crash("smash")
    assert "a stack frame was overwritten" in out
    assert "crash_smash" in frames(out)


def test_stack_overflow_shows_where_the_recursion_began():
    out = crash("stack")
    assert re.search(r"the same \d+ times more", out)
    assert "crash_stack" in frames(out)
    assert "init_main" in frames(out)


def test_double_free_is_caught():
    out = crash("free")
    assert re.search(r"Kernel panic - not syncing: assertion failed: .*kind == FRAME_KERNEL, mm/frame.c:\d+", out)
    assert frames(out)[:3] == ["assert_failed", "kfree", "crash_free"]


def test_failed_assertion():
    out = crash("bug")
    assert re.search(r"assertion failed: one == 2, kernel/debug/crash.c:\d+", out)
    assert "crash_bug" in frames(out)


@pytest.mark.skipif(not os.path.exists(DEBUG_KERNEL), reason="no debug kernel was built")
def test_debug_kernel_names_the_held_locks():
    assert re.search(r"Locks: 1 spin locks held\n.*  proc \(rank 20\)\n", crash("lock", DEBUG_KERNEL))


@pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")
class TestFromAShell:
    def machine(self, append="console=ttyS0 quiet panic=-1"):
        m = Machine.direct(INITRD, append)
        m.prompt()
        return m

    def test_areas_around_the_address_and_last_faults(self):
        with self.machine() as m:
            m.sh("echo 1 > /proc/faults; true")
            m.type("echo user > /proc/sys/kernel/crash\n")
            assert m.wait() == PANICKED
            out = m.output()
        assert "Areas around 00012345:\n" in out
        assert re.search(r"\]   08048000-\w+ r", out)
        assert re.search(r"Process \d+ \(sh\)", out)
        assert re.search(r"-- trap 128 --\n.* in user mode\n", out)

    def test_only_root_may_ask_and_only_for_what_there_is(self):
        with self.machine() as m:
            assert m.run("echo nothing > /proc/sys/kernel/crash")[1] != 0
            assert m.sh("ls -l /proc/sys/kernel/crash").startswith("--w-------")
            assert m.sh("echo $((6*7))") == "42\n"

    def test_damaged_page_table_is_found_by_the_audit(self):
        with self.machine() as m:
            m.sh("echo pte > /proc/sys/kernel/crash")
            assert "not its own" in m.sh("cat /proc/mm_check; dmesg | tail -n 3")

    @pytest.mark.parametrize("how, said", [("peek", "access to user memory without fix-up"),
                                           ("run", "jump into user memory")])
    def test_cpu_keeps_the_kernel_off_user_memory(self, how, said):
        """With SMAP and SMEP it is stopped; without them, or with them off, nothing happens."""
        def provoke(append, *options):
            with Machine.direct(INITRD, "console=ttyS0 quiet panic=-1 " + append, more=options) as m:
                m.prompt()
                m.type(f"echo {how} > /proc/sys/kernel/crash; echo still $((40 + 2))\n")
                m.expect(r"still 42|Kernel failure: .*\n")
                return m.output()

        assert "Kernel failure: " + said in provoke("", "-cpu", "max")
        assert "still 42" in provoke("nosmap nosmep", "-cpu", "max")
        assert "still 42" in provoke("")

    def test_readable_on_the_screen(self):
        with self.machine("console=tty1 console=ttyS0") as m:
            m.type("echo null > /proc/sys/kernel/crash\n")
            m.await_screen(r"---\[ end Kernel panic")
            text = "\n".join(m.screen())
        assert "call of a NULL pointer" in text and "Backtrace:" in text
        assert re.search(r"crash/1 14 0000 00000000 00000000", text)
        assert re.search(r"crash/2( 8\w{7}){3}", text)

    def test_gdb_sees_the_failing_code(self, tmp_path):
        """With the stub, a panic waits for gdb, which shows the registers of what failed."""
        socket = str(tmp_path / "line")
        with Machine.direct(INITRD, "console=ttyS0 quiet gdb=ttyS1", more=[
                "-serial", f"unix:{socket},server=on,wait=off"]) as m:
            m.prompt()
            m.type("echo divide > /proc/sys/kernel/crash\n")
            m.expect("Waiting for gdb")
            out = subprocess.run(
                ["gdb", "-q", "-batch", "-nx", "-ex", f"source {TOP}/scripts/gdb/faultline.py",
                 "-ex", f"target remote {socket}", "-ex", "bt", "-ex", "fl ps", "-ex", "kill", KERNEL],
                capture_output=True, text=True, timeout=60).stdout
        assert re.search(r"#0 .*crash_divide \(\) at kernel/debug/crash.c:\d+", out)
        assert re.search(r" sh \*$", out, re.M)


# ---- scripts/crash

def run_script(*args, text=None):
    return subprocess.run([TOP + "/scripts/crash", "-k", KERNEL, *args], input=text, capture_output=True,
                          text=True, check=True).stdout


def test_script_gives_file_and_line():
    out = run_script("-", text=crash("divide"))
    assert re.search(r"eip \w+ crash_divide.*\n +crash_divide at kernel/debug/crash.c:\d+", out)
    assert re.search(r"    init_main at kernel/main.c:\d+", out)


def test_script_shows_inlined_functions():
    out = run_script("-", text=crash("lock"))
    with open(TOP + "/kernel/debug/crash.c") as f:
        source = f.read().splitlines()
    line = next(i for i, l in enumerate(source, 1) if "proc_current()->arg_start" in l)
    assert f"crash_lock at kernel/debug/crash.c:{line}" in out


def test_script_reads_what_was_copied_from_a_screen():
    compact = re.search(r"crash/2(.*)", crash("read"))[1].split()
    out = run_script(*compact)
    assert "crash_provoke at kernel/debug/crash.c:" in out
    assert "init_main at kernel/main.c:" in out


def test_script_picks_the_last_report_of_a_log():
    log = crash("read") + "\nrebooted\n" + crash("text")
    out = run_script("-", text=log)
    assert "crash_text at" in out and "crash_read at" not in out
