"""gdb on a stopped machine: the `fl` commands say what /proc said."""

import os
import re
import subprocess

import pytest

from machine import BUILD, DEBUG_KERNEL, INITRD, KERNEL, TOP, Machine, have_busybox
from newc import Archive

HERE = os.path.dirname(os.path.abspath(__file__))
pytestmark = pytest.mark.skipif(
    subprocess.run(["which", "gdb"], capture_output=True).returncode != 0, reason="no gdb")


def gdb(target, *commands, kernel=KERNEL, limit=120, **env):
    """Runs gdb in batch mode on a target; returns what it printed."""
    args = ["gdb", "-q", "-batch", "-nx", "-ex", "set pagination off", "-ex", "set confirm off",
            "-ex", f"source {TOP}/scripts/gdb/faultline.py", "-ex", f"target remote {target}"]
    for c in commands:
        args += ["-ex", c]
    env = {**os.environ, "FAULTLINE_PROGRAMS": BUILD + "/user", **env}
    out = subprocess.run([*args, kernel], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         timeout=limit, env=env).stdout
    assert "Traceback" not in out and "Python Exception" not in out, out
    return out


def after(marker, text):
    return text.split(marker + "\n", 1)[1]


class Stopped:
    """A machine that waits with QEMU's stub on a socket."""

    def __init__(self, machine):
        self.machine = machine
        self.socket = machine.gdb_socket

    def gdb(self, *commands, **more):
        out = gdb(self.socket, "echo <begin>\\n", *commands, "detach", **more)
        return after("<begin>", out).rsplit("[Inferior", 1)[0]


def boot(initrd, append, folder, kernel=KERNEL):
    socket = os.path.join(folder, "gdb.sock")
    m = Machine.direct(initrd, append, kernel, more=["-gdb", f"unix:{socket},server=on,wait=off"])
    m.gdb_socket = socket
    return Stopped(m)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A machine with processes that share pages, and what /proc told of them."""
    folder = str(tmp_path_factory.mktemp("gdb"))
    subprocess.run(["gcc", "-m32", "-static", "-O0", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror",
                    "-g", "-o", folder + "/pages", HERE + "/pages.c"], check=True)
    ar = Archive()
    ar.devices()
    ar.copy("init", folder + "/pages")
    s = boot(ar.bytes(), "console=ttyS0 quiet panic=-1", folder)
    try:
        s.machine.expect("begin\r\n")
        s.machine.expect("ready\r\n")
        s.folder = folder
        s.told = s.machine.output().split("begin\n")[1].splitlines()
        s.pids = [int(l.split()[1]) for l in s.told if l.startswith("stat ")]
        yield s
    finally:
        s.machine.close()


def told(s, kind, pid=None):
    prefix = f"{kind} {pid} " if pid is not None else kind + " "
    return [l[len(prefix):] for l in s.told if l.startswith(prefix)]


def test_ps_lists_the_processes(pages):
    lines = [l.split()[:4] for l in pages.gdb("fl ps").splitlines()[1:]]
    assert [l for l in lines if int(l[0]) in pages.pids] == [l.split() for l in told(pages, "stat")]
    assert len(pages.pids) == 5


def test_vmas_are_the_lines_of_maps(pages):
    for pid in pages.pids:
        assert pages.gdb(f"fl vmas {pid}").splitlines() == told(pages, "maps", pid)


def test_pt_agrees_with_pagemap(pages):
    for pid in pages.pids:
        expected = [(va, int(word, 16) & (1 << 55) - 1) for va, word in
                    (l.split() for l in told(pages, "page", pid))]
        lines = pages.gdb(f"fl pt {pid}").splitlines()
        assert [(l.split()[0], int(l.split()[2], 16)) for l in lines] == expected
        assert len(lines) > 10


def test_pt_of_an_address_walks_both_levels(pages):
    pid = pages.pids[1]
    va, word = told(pages, "page", pid)[3].split()
    out = pages.gdb(f"fl pt {pid} 0x{va}")
    frame = int(word, 16) & (1 << 55) - 1
    assert f"frame {frame:#x}" in out
    assert len(re.findall(r"^  \[ *\d+\] at 0x8", out, re.M)) == 2
    assert "not mapped" in pages.gdb(f"fl pt {pid} 0x10000")
    assert "4 MiB page" in pages.gdb(f"fl pt {pid} 0x81000000")


def test_frame_agrees_with_kpagecount(pages):
    counts = dict((int(f, 16), int(n)) for f, n in (l.split() for l in told(pages, "count")))
    assert max(counts.values()) >= 4
    out = pages.gdb(*(f"fl frame {f:#x}" for f in counts))
    parts = re.split(r"^(?=frame 0x)", out, flags=re.M)[1:]
    assert len(parts) == len(counts)
    for part, (frame, count) in zip(parts, counts.items()):
        assert part.startswith(f"frame {frame:#x}: ")
        mapped = re.search(r"mapped (\d+) times", part)
        assert (int(mapped[1]) if mapped else count) == count
        assert len(re.findall(r"process \d+ at 0x", part)) == (count if mapped else 0)


def test_anon_tells_the_owners(pages):
    owners = {}
    for pid in pages.pids:
        for line in pages.gdb(f"fl anon {pid}").splitlines():
            va, at = line.split()[0], line.split()[2]
            owners.setdefault(at, []).append((pid, va))
    shared = next(o for o in owners.values() if len(o) > 1)
    pid, va = shared[0]
    out = pages.gdb(f"fl anon {pid} 0x{va}")
    assert "a write copies it" in out
    assert re.findall(r"owned by process (\d+)", out) == [str(p) for p, _ in shared]
    assert re.search(r"^\d+ anons in \d+ leaves", pages.gdb("fl anon"))


def test_object_lists_files(pages):
    out = pages.gdb("fl object")
    assert re.search(r" ramfs /init$", out, re.M)
    line = re.search(r"^(\w+) refs \d+ resident 3 size 12288 ramfs /data$", out, re.M)
    one = pages.gdb("fl object 0x" + line[1])
    assert len(re.findall(r"^  page 0x[012] frame", one, re.M)) == 3


def test_fault_finds_the_row_of_the_table(pages):
    pid = pages.pids[0]
    zero = next(l for l in pages.gdb(f"fl pt {pid}").splitlines() if l.endswith("anon"))
    row = lambda what: re.search(r": row (.*)", pages.gdb("fl fault " + what))[1]
    assert row("0x1000") == "SIGSEGV (MAPERR)"
    assert row("0x" + zero.split()[0]) in ("1A use it as it is", "1A share it, read-only")
    assert row("0x08048000 write") == "SIGSEGV (ACCERR)"
    stack = told(pages, "maps", pid)[-1].split("-")[0]
    assert row("0x" + stack) == "0 the zero frame, read-only"
    assert row(f"0x{stack} write") == "0 a frame of zeros"


def test_fault_of_another_process(pages):
    for pid in pages.pids[:3]:
        stack = told(pages, "maps", pid)[-1].split("-")[0]
        out = pages.gdb(f"fl fault {pid} 0x{stack} write")
        assert f"process {pid}\n" in out and "row 0 a frame of zeros" in out
    assert "no process 9999" in pages.gdb("fl fault 9999 0x1000")


def test_functions_for_expressions(pages):
    pid = pages.pids[1]
    va, word = told(pages, "page", pid)[3].split()
    out = pages.gdb(f"output $fl_proc({pid})->pid", f"output/x $fl_pte({pid}, 0x{va}) >> 12", f"output $fl_pte({pid}, 0x10000)",
                    "output $fl_proc(9999)")
    assert out.startswith(f"{pid}{int(word, 16) & (1 << 55) - 1:#x}0"), out
    assert "no process 9999" in out


def test_bt_of_a_sleeper_ends_in_its_system_call(pages):
    out = pages.gdb(f"fl bt {pages.pids[1]}")
    assert re.search(r"^#\d+ +0x\w+ (schedule|give_up_cpu) at kernel/thread/sched.c:\d+", out, re.M)
    assert re.search(r"^#\d+ +0x\w+ sys_pause at kernel/", out, re.M)
    assert "-- system call --" in out and "in user mode" in out


def test_locks_log_slab_check(pages):
    assert pages.gdb("fl locks").startswith("CPU 0: 0 spin locks held")
    assert "Run /init as init process" in pages.gdb("fl log")
    assert len(pages.gdb("fl log 2").splitlines()) == 2
    assert len(pages.gdb("fl slab").splitlines()) >= 10
    assert re.search(r"^5 spaces, \d+ mapped pages, \d+ anons: 0 violations", pages.gdb("fl check"))


def test_swap_and_disks(pages):
    out = pages.gdb("fl swap", "fl swap 0")
    assert re.search(r"^area 0: /dev/zram0, priority 100, (\d+) of \d+ slots taken", out, re.M), out
    assert "anons and 0 pages of objects in swap alone; 0 slots on their way" in out
    assert re.search(r"^slot \d+: process \d+ at 0x\w{8}$", out, re.M), out
    assert re.search(r"^zram0 \(zram\): 0 of \d+ requests under way, 0 runs wait$", pages.gdb("fl blk"), re.M)


def test_check_sees_damage(pages):
    pid = pages.pids[2]
    line = next(l for l in pages.gdb(f"fl pt {pid}").splitlines() if l.endswith("anon"))
    at = re.findall(r"at (0x\w+): \w+ P", pages.gdb(f"fl pt {pid} 0x{line.split()[0]}"))[1]
    out = pages.gdb(f"set $old = *(unsigned *){at}", f"set *(unsigned *){at} = $old ^ 0x3000",
                    "fl check", f"set *(unsigned *){at} = $old", "fl check")
    assert re.search(r"maps frame \w+, not its own", out)
    assert out.rstrip().endswith(": 0 violations")


def test_help_and_completion(pages):
    out = pages.gdb("help fl", "help fl pt", "complete fl v", "complete fl vmas ")
    assert "fl vmas PID" in out and "walk the page tables of any process" in out
    assert "\nfl vmas\n" in out
    for pid in pages.pids:
        assert f"\nfl vmas {pid}\n" in out


def test_pretty_printers(pages):
    out = pages.gdb("print *init_proc->space", "print *init_proc", "print vm_lock",
                    "print *(struct vma *)((char *)init_proc->space->vmas.next - (int)&((struct vma *)0)->link)")
    assert "process 1 (init), parent 0" in out
    assert "vm (rank 50), free" in out
    assert re.search(r"space of \d+ pages, \d+ resident", out)


def test_commands_that_cannot_say_why(pages):
    out = pages.gdb("fl vmas 99", "fl pt", "fl frame 0xfffff")
    assert "no process 99" in out
    assert "usage: fl pt PID [ADDRESS]" in out
    assert "not one that mm/ ever handed out" in out


# ---- Programs

def test_user_symbols_and_a_breakpoint_of_one_process(pages):
    env = {"FAULTLINE_PROGRAMS": pages.folder}
    os.rename(pages.folder + "/pages", pages.folder + "/init")
    out = gdb(pages.socket, f"fl user {pages.pids[0]}", "info address show_all", "bt 1",
              f"fl break {pages.pids[1]} main", f"print $_", "detach", **env)
    assert "symbols of" in out
    assert re.search(r"show_all.* is (a function )?at address 0x", out)
    assert re.search(r"#0 .*main \(\) at .*pages.c:\d+", out)
    assert re.search(r"Breakpoint 1 at 0x\w+: file .*pages.c", out)


@pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")
def test_start_stops_at_the_entry_of_a_program(tmp_path):
    s = boot(INITRD, "console=ttyS0 quiet", str(tmp_path))
    with s.machine as m:
        m.prompt()
        m.type("sleep 3; cp /bin/busybox /tmp/uname; /tmp/uname -n; /usr/local/bin/uname\n")
        out = s.gdb("fl start /usr/local/bin/uname", "info symbol $pc", "fl ps", "bt 1")
    assert "symbols of" in out
    assert re.search(r"^_start in section", out, re.M)
    assert re.search(r" (uname|tools) \*$", out, re.M)
