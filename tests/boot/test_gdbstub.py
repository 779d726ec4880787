"""The kernel's own gdb stub, over the second serial port, driven by this machine's gdb."""

import os
import re
import signal
import socket
import subprocess
import time

import pytest

from machine import BUILD, INITRD, KERNEL, TOP, Machine, have_busybox

pytestmark = [
    pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched"),
    pytest.mark.skipif(subprocess.run(["which", "gdb"], capture_output=True).returncode != 0,
                       reason="no gdb"),
]


class Gdb:
    """gdb on the line, with commands; `go` in them marks where the test may do something."""

    def __init__(self, path, *commands, limit=240):
        self.limit = limit
        self.flag = path + ".go"
        if os.path.exists(self.flag):
            os.unlink(self.flag)
        args = ["gdb", "-q", "-batch", "-nx", "-ex", "set pagination off", "-ex", "set confirm off",
                "-ex", f"source {TOP}/scripts/gdb/faultline.py", "-ex", f"target remote {path}"]
        for c in commands:
            args += ["-ex", f"shell touch {self.flag}" if c == "go" else c]
        self.process = subprocess.Popen([*args, KERNEL], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                        text=True, env=dict(os.environ, FAULTLINE_PROGRAMS=BUILD + "/user"))

    def wait_go(self):
        end = time.monotonic() + self.limit
        while not os.path.exists(self.flag) and time.monotonic() < end:
            time.sleep(0.05)
        return self

    def output(self):
        try:
            return self.process.communicate(timeout=self.limit)[0]
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("gdb hangs:\n" + self.process.communicate()[0][-3000:]) from None


@pytest.fixture(scope="module")
def stub(tmp_path_factory):
    """A machine with the stub on ttyS1, at a prompt, some processes asleep."""
    path = str(tmp_path_factory.mktemp("stub") / "line")
    with Machine.direct(INITRD, "console=ttyS0 quiet gdb=ttyS1", more=[
            "-chardev", f"socket,id=gdb,path={path},server=on,wait=off", "-serial", "chardev:gdb"]) as m:
        m.prompt()
        m.sh("(sleep 1000 & (sleep 1000; true) &)")
        m.gdb_socket = path
        yield m


# The instruction by which process 1 entered the kernel.
SYSCALL = ("python import fl.kernel as k; "
           "gdb.execute('x/2xb %#x' % (k.threads(k.process(1))[0].arch.to('tf').eip - 2))")


def alive(m):
    m.type("\n")
    m.prompt()
    assert m.sh("echo $((6*7))") == "42\n"


def runs(m):
    """Waits until gdb has let the machine go on: only then it answers. What is typed before waits in the port,
    which holds 16 bytes."""
    m.type("echo g''o\n")
    m.expect(r"\ngo\r")


def test_threads_are_processes(stub):
    out = Gdb(stub.gdb_socket, "info threads", "fl ps", "detach").output()
    assert "idle" in out
    for name in ("init", "sh", "sleep"):
        assert re.search(rf"Thread \d+ \({name}, process \d+, \w+\)", out)
    pids = re.findall(r"^ +(\d+) +\d+ \w \w+", out.split("NAME")[1], re.M)
    assert pids == re.findall(r"Thread \d+ \(\w+, process (\d+)", out)
    alive(stub)


def test_another_threads_stack_and_memory(stub):
    out = Gdb(stub.gdb_socket, "thread 2", "bt", SYSCALL, "fl bt 1", "detach").output()
    assert re.search(r"schedule \(\) at kernel/thread/sched.c", out)
    assert "0xcd\t0x80" in out
    assert re.search(r"^#\d+ .* in (syscall|sysenter)_entry \(\)", out, re.M)
    alive(stub)


def test_the_fl_commands_work_over_it(stub):
    out = Gdb(stub.gdb_socket, "fl check", "fl vmas 1", "detach").output()
    assert ": 0 violations" in out
    maps = [l for l in out.splitlines() if re.match(r"[0-9a-f]{8}-", l)]
    alive(stub)
    assert stub.sh("cat /proc/1/maps").splitlines() == maps


def test_bad_addresses_are_errors(stub):
    out = Gdb(stub.gdb_socket, "x/x 0", "x/x 0xf7fffffe", "x/x 0x7ffffffc", "x/x 0xfffffffc",
              "set *(int *)0 = 1", "print *(int *)&vm_lock.rank", "detach").output()
    assert out.count("Cannot access memory at address") == 5
    assert "= 50" in out
    alive(stub)


def test_breakpoint_hits_again_and_again(stub):
    g = Gdb(stub.gdb_socket, "break sys_uname", "go", "continue", "bt", "continue", "delete", "detach").wait_go()
    stub.type("uname; uname\n")
    out = g.output()
    assert out.count("Breakpoint 1, sys_uname") == 2
    assert re.search(r"#1 +0x\w+ in (syscall_)?dispatch", out), out
    assert re.search(r"#\d .* in (syscall|sysenter)_entry .*\n#\d +0x[0-7]\w+ in ", out), out
    stub.expect("Linux\r\n.*Linux\r\n|Faultline\r\n.*Faultline\r\n")
    alive(stub)


def test_steps_keep_the_interrupt_flag(stub):
    g = Gdb(stub.gdb_socket, "break sched_wake", "go", "continue", "delete", *(["stepi"] * 60),
            "finish", "print $eflags & 0x300", "detach").wait_go()
    stub.type("echo $((6*7))\n")
    out = g.output()
    assert "Breakpoint 1, sched_wake" in out
    assert "hangs" not in out
    stub.expect("42\r\n")
    alive(stub)


def test_watchpoint_stops_at_the_write(stub):
    g = Gdb(stub.gdb_socket, "watch log_head", "info watchpoints", "go", "continue", "bt 1", "delete",
            "detach").wait_go()
    stub.type("echo watched > /dev/kmsg\n")
    out = g.output()
    assert re.search(r"Hardware watchpoint 1: log_head\s+Old value = \d+\s+New value = \d+", out)
    assert "at kernel/base/log.c:" in out
    alive(stub)


def test_stops_at_the_entry_of_a_program(stub):
    g = Gdb(stub.gdb_socket, "go", "fl start /usr/local/bin/uname", "info symbol $pc", "x/i $pc", "stepi",
            "info threads", "detach").wait_go()
    stub.type("/usr/local/bin/uname; echo en''d\n")
    out = g.output()
    assert re.search(r"^_start in section", out, re.M)
    assert re.search(r"\* \d+ +Thread \d+ \(\w+, process \d+, running\) +0x\w+ in _start", out)
    stub.expect(r"\nend\r\n")
    alive(stub)


def test_interrupt_while_it_runs(stub):
    g = Gdb(stub.gdb_socket, "go", "continue", "print \"stopped\"", "detach").wait_go()
    runs(stub)
    g.process.send_signal(signal.SIGINT)
    out = g.output()
    assert "SIGINT" in out and '"stopped"' in out
    alive(stub)


def test_break_on_the_line_stops_it(stub):
    g = Gdb(stub.gdb_socket, "go", "continue", "print \"stopped\"", "detach").wait_go()
    runs(stub)
    stub.qmp("chardev-send-break", id="gdb")
    out = g.output()
    assert "SIGINT" in out and '"stopped"' in out
    alive(stub)


def test_gdb_that_vanishes_can_come_again(stub):
    g = Gdb(stub.gdb_socket, "go", "continue").wait_go()
    runs(stub)
    g.process.kill()
    g.process.communicate()
    alive(stub)
    assert "init" in Gdb(stub.gdb_socket, "fl ps", "detach").output()
    alive(stub)


def test_the_machine_does_not_wait_for_a_gdb_that_has_detached(stub):
    """Its last acknowledgement may be lost with its end of the line, or come late."""
    for last in (b"", b"+"):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(60)
            line.connect(stub.gdb_socket)
            line.sendall(b"+$D#44")
            said = b""
            while b"$OK#9a" not in said:
                said += line.recv(100)
            alive(stub)
            line.sendall(last)
            alive(stub)
        alive(stub)


def test_gdbwait_waits_before_the_first_process(tmp_path):
    path = str(tmp_path / "line")
    with Machine.direct(INITRD, "console=ttyS0 gdb=ttyS1 gdbwait", more=[
            "-serial", f"unix:{path},server=on,wait=off"]) as m:
        m.expect("waiting for gdb on ttyS1")
        out = Gdb(path, "bt", "break run_init", "continue", "detach").output()
        assert "kernel_main" in out and "Breakpoint 1" in out
        m.prompt()


def test_kill_powers_off(tmp_path):
    path = str(tmp_path / "line")
    with Machine.direct(INITRD, "console=ttyS0 quiet gdb=ttyS1", more=[
            "-serial", f"unix:{path},server=on,wait=off"]) as m:
        m.prompt()
        Gdb(path, "kill").output()
        assert m.wait() in (0, 33)


def test_port_that_is_not_there_is_said():
    with Machine.direct(INITRD, "console=ttyS0 gdb=ttyS3") as m:
        m.expect("gdb: there is no port ttyS3")
        m.prompt()


def test_every_processor_stops(tmp_path):
    path = str(tmp_path / "line")
    with Machine.direct(INITRD, "console=ttyS0 quiet gdb=ttyS1", more=[
            "-smp", "3", "-chardev", f"socket,id=gdb,path={path},server=on,wait=off", "-serial", "chardev:gdb"]) as m:
        m.prompt()
        m.sh("for i in 1 2 3 4; do (while :; do :; done) & done")
        out = Gdb(path, "info threads", "fl cpus", "fl ps", "shell sleep 1", "fl cpus", "break sys_uname", "go",
                  "continue", "fl cpus", "delete", "detach").wait_go()
        m.type("uname\n")
        out = out.output()
        assert len(set(re.findall(r"running, CPU (\d)", out))) == 3, out
        assert len(set(re.findall(r"^.* (Thread \d+) \(idle", out, re.M))) == 3, out
        before, after, at = (re.findall(r"^ *(\d) +(\d) (kernel|user|idle)", t, re.M) for t in out.split("CPU APIC")[1:])
        assert before == after and [c[0] for c in before] == ["0", "1", "2"], out
        assert [c[2] for c in at].count("kernel") == 1 and "Breakpoint 1, sys_uname" in out, out
        alive(m)
        assert m.sh("cat /proc/mm_check").startswith("violations 0")
