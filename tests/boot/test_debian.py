"""Debian's own i386 packages as the root (scripts/debian-root): a login on the serial line, and programs that run.

The small root is tested always, the one of `make run ROOT=debian`, and roots on disks of machines that are far too
small, with FAULTLINE_DEBIAN=1."""

import os
import re
import subprocess
import time

import pytest

from filesystems import MIB, make_fs
from machine import KERNEL, POWERED_OFF, TOP, Machine

LONG = 180


def make_root(path, *packages):
    made = subprocess.run([TOP + "/scripts/debian-root", "-o", str(path), *packages], capture_output=True, text=True)
    if made.returncode and "apt" in made.stderr:
        pytest.skip("Debian's packages cannot be had: " + made.stderr.strip().splitlines()[-1])
    assert made.returncode == 0, made.stderr
    return str(path)


@pytest.fixture(scope="module")
def small_root(tmp_path_factory):
    return make_root(tmp_path_factory.mktemp("debian") / "root.cpio", "less", "tmux", "vim-tiny", "htop")


@pytest.fixture(scope="module")
def large_root(tmp_path_factory):
    if not os.environ.get("FAULTLINE_DEBIAN"):
        pytest.skip("FAULTLINE_DEBIAN=1 is for this")
    return make_root(tmp_path_factory.mktemp("debian") / "root.cpio")


def login(root, mem):
    m = Machine.direct(root, "console=ttyS0 quiet panic=-1", kernel=KERNEL, mem=mem)
    m.prompt(LONG)
    m.sh("bind 'set enable-bracketed-paste off'; PS1='$(true):~# '")
    return m


def test_a_login_on_the_serial_line(small_root):
    with login(small_root, 256) as m:
        assert m.sh("id -un; tty; ps -o comm= -p $$").split() == ["root", "/dev/ttyS0", "bash"]
        assert m.sh("echo $TERM") == "xterm-256color\n"
        assert m.sh("stty size").split() != ["0", "0"]
        assert m.sh("cat /etc/debian_version").startswith("12")
        m.type("poweroff\n")
        assert m.wait() == POWERED_OFF


def test_jobs_and_pipes_of_bash(small_root):
    with login(small_root, 256) as m:
        m.sh("set +b; sleep 1000 & sleep 1")
        assert "sleep 1000" in m.sh("jobs")
        assert m.sh("kill %1; wait %1; echo $?").split()[-1] == "143"
        # A shell that sends signals and looks at once finds what they did, and says what it does on Linux.
        m.sh("echo 'set -m; sleep 1000 & sleep 1; kill -STOP $!; sleep 1; kill -CONT $!; kill %1; wait %1; echo $?' >j")
        assert m.sh("bash j 2>&1").split() == ["[1]+", "Terminated", "sleep", "1000", "143"]
        assert m.sh("seq 1 100000 | grep -c 7 | tee >(cat >/dev/null)") == "40951\n"
        assert m.sh("exec 3<>/tmp/f; flock -n 3 && ! flock -n /tmp/f true && echo held") == "held\n"


def await_pane(m, pane, text):
    end = time.monotonic() + LONG
    while text not in m.sh(f"tmux capture-pane -p -t {pane}"):
        assert time.monotonic() < end, m.sh(f"tmux capture-pane -p -t {pane}")


def test_vim_and_htop_side_by_side_in_tmux(small_root):
    """Three programs on pseudo-terminals, and a client that comes and goes."""
    with login(small_root, 256) as m:
        m.sh("stty rows 40 cols 160; tmux new -d -x 160 -y 40 vim.tiny text; tmux split-window -h htop")
        await_pane(m, "0.1", "Load average")
        await_pane(m, "0.1", "vim.tiny")
        m.sh("tmux send-keys -t 0.0 'iwords' Escape ':w' Enter")
        await_pane(m, "0.0", "written")
        assert m.sh("cat text") == "words\n"
        m.type("tmux attach\n")
        m.expect("Load average")
        m.expect("Quit")
        time.sleep(1)
        m.type("\x02")
        time.sleep(1)
        m.type("d")
        m.expect("detached")
        m.prompt()
        m.sh("tmux kill-server")


PROGRAMS = {
    "gcc": ("echo 'int main(void){return 42;}' >a.c && gcc -O2 a.c -o a && { ./a; echo $?; }", "42"),
    "python3": ("python3 -c 'import subprocess; print(subprocess.check_output([\"echo\", \"hi\"]))'", r"b'hi\n'"),
    "perl": ("perl -e 'print join(\",\", map { $_ * 2 } 1..3), \"\\n\"'", "2,4,6"),
    "sqlite3": ("sqlite3 /tmp/d.db 'create table t(a); insert into t values(7); select a*6 from t'", "42"),
    "git": ("git init -q r && cd r && echo x >f && git add f && git -c user.name=a -c user.email=b commit -qm m && "
            "git --no-pager log --format=%s; cd", "m"),
    "make": ("printf 'all:\\n\\t@echo made\\n' >Makefile && make", "made"),
    "gdb": ("echo 'int main(void){return 7;}' >b.c && gcc -g b.c -o b && gdb -batch -ex 'break main' -ex run "
            "-ex 'print 6*7' ./b 2>/dev/null | tail -n 1", "$1 = 42"),
    "strace": ("strace -f -o log bash -c 'true | true' && grep -c '^[0-9]* *execve' log", "1"),
    "vim": ("vim -es -c 'normal iword' -c 'wq! /tmp/v' && cat /tmp/v", "word"),
    "tmux": ("tmux new -d -s a 'echo inside >/tmp/t; sleep 1000' && sleep 2 && cat /tmp/t && tmux kill-server", "inside"),
}


@pytest.fixture(scope="module")
def machine(large_root):
    with login(large_root, 1024) as m:
        yield m


@pytest.mark.parametrize("program", PROGRAMS)
def test_programs_of_the_default_set(machine, program):
    command, says = PROGRAMS[program]
    assert machine.sh(command, LONG).strip() == says


# ---- On a disk, with next to no memory


def on_disk(where, mem, *packages, **files):
    """A machine whose root with those packages is an ext2 disk, with 256 MiB of swap on another."""
    if not os.environ.get("FAULTLINE_DEBIAN"):
        pytest.skip("FAULTLINE_DEBIAN=1 is for this")
    root = make_root(where / "root.cpio", *packages)
    os.mkdir(where / "tree")
    with open(root, "rb") as f:
        subprocess.run(["cpio", "-idm", "--quiet"], cwd=where / "tree", stdin=f, check=True)
    os.unlink(root)
    for name, text in files.items():
        (where / "tree/root" / name).write_text(text)
    fs = make_fs(where / "fs", size=480 * MIB, block=4096, tree=where / "tree")
    with open(where / "swap", "wb") as f:
        f.truncate(256 * MIB)
    subprocess.run(["/usr/sbin/mkswap", "-q", where / "swap"], check=True, capture_output=True)
    more = []
    for name, path in (("r", fs), ("s", where / "swap")):
        more += ["-drive", f"file={path},format=raw,if=none,id={name},cache=writeback",
                 "-device", f"virtio-blk-pci,drive={name}"]
    m = Machine.direct(None, "console=ttyS0 quiet panic=-1 root=/dev/vda rw init=/init", mem=mem, more=more)
    m.prompt(LONG)
    m.sh("bind 'set enable-bracketed-paste off'; PS1='$(true):~# '; swapon /dev/vdb")
    return m


def source(lines):
    """A program of so many lines in C, that prints a number; and the number."""
    mask, value, text = 0xffffffff, 7, ["#include <stdio.h>", "#include <stdint.h>"]
    for n in range((lines - 8) // 8):
        text += [f"static uint32_t f{n}(uint32_t a)", "{", "    for (uint32_t i = 0; i < 20; i++) {",
                 f"        a = a * {n * 2 + 1664525}u + i;", f"        a ^= a >> {n % 20 + 3};", "    }",
                 f"    return {f'f{n - 1}(a)' if n else 'a'};", "}"]
    for n in reversed(range((lines - 8) // 8)):
        for i in range(20):
            value = (value * (n * 2 + 1664525) + i) & mask
            value ^= value >> (n % 20 + 3)
    text += ["int main(void)", "{", f'    printf("%u\\n", f{(lines - 8) // 8 - 1}(7));', "    return 0;", "}"]
    return "\n".join(text + [""] * (lines - len(text))) + "\n", value


def swapped_well(m):
    figures = dict(line.split() for line in m.sh("cat /proc/vmstat").splitlines())
    assert int(figures["pswpout"]) > 100 and figures["oom_kill"] == "0", figures
    assert "violations 0" in m.sh("cat /proc/mm_check")


def test_gcc_in_24_mib(tmp_path):
    text, value = source(1000)
    with on_disk(tmp_path, 24, "gcc", "libc6-dev", **{"big.c": text}) as m:
        assert m.sh("gcc -O2 -o /tmp/big /root/big.c && /tmp/big", 600) == f"{value}\n"
        swapped_well(m)


def test_python_tests_itself_in_16_mib(tmp_path):
    with on_disk(tmp_path, 16, "python3", "libpython3.11-testsuite") as m:
        assert re.search(r"All 2 tests OK", m.sh("python3 -m test test_list test_dict 2>&1", 900))
        swapped_well(m)
