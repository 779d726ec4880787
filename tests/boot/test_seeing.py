"""What can be seen of the memory: our own tools, and Debian's GNU time and procps on /proc."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

import pytest

from machine import BUILD, BUSYBOX, CACHE, INITRD, LINUX, TOP, Machine, have_busybox, have_linux

PROGRAMS = CACHE + "/programs"
sys.path.insert(0, os.path.join(TOP, "scripts"))


@pytest.fixture(scope="module")
def shell():
    with Machine.direct(INITRD) as m:
        yield m.prompt()


@pytest.fixture(scope="module")
def debian():
    """A machine whose image has Debian's dynamic programs too."""
    subprocess.run([TOP + "/scripts/fetch-i386", "programs"], check=False)
    if not os.path.isdir(PROGRAMS) or not have_busybox():
        pytest.skip("Debian's i386 programs could not be fetched")
    where = tempfile.mkdtemp(prefix="faultline-")
    try:
        shutil.copytree(TOP + "/iso/root", where + "/root", symlinks=True)
        shutil.copytree(PROGRAMS, where + "/root", symlinks=True, dirs_exist_ok=True)
        ours = [f"{BUILD}/user/{name}" for name in ("init", "sh", "tools", "faults")]
        subprocess.run([TOP + "/scripts/mkinitrd", "-o", where + "/initrd", "--root",
                        where + "/root", "--busybox", BUSYBOX, *ours], check=True)
        with Machine.direct(where + "/initrd", mem=96) as m:
            yield m.prompt()
    finally:
        shutil.rmtree(where)


# ---- The laboratory


def test_every_experiment_measures_what_it_should(shell):
    output = shell.sh("vmlab all")
    assert re.search(r"(\d+) experiments, 0 with a wrong figure", output), output
    assert "Faultline only" in shell.sh("vmlab --list")


def test_one_experiment_by_name(shell):
    output = shell.sh("vmlab stack")
    assert re.search(r"bytes in them\s+32768\s+right", output)
    assert shell.run("vmlab nonsense")[1] == 2


@pytest.mark.skipif(not have_linux() or not have_busybox(), reason="no Linux could be fetched")
def test_experiments_measure_the_same_on_linux():
    with Machine.direct(INITRD, "console=ttyS0 quiet", LINUX, mem=256) as m:
        output = m.prompt().sh("vmlab all")
    assert re.search(r"(\d+) experiments, 0 with a wrong figure", output), output


def test_experiments_fit_the_screen(shell):
    said = [line for line in shell.sh("vmlab all").splitlines() if "pid " not in line]  # the log comes in between
    assert len(said) > 200 and max(map(len, said)) <= 80, max(said, key=len)
    for name in ("walk", "kalloc", "chance", "swap", "scan", "written"):
        assert f"\n{name}: " in "\n".join(said)


def test_experiments_on_a_machine_without_swap():
    with Machine.direct(INITRD, "console=ttyS0 quiet zram=0", mem=24) as m:
        output = m.prompt().sh("vmlab all")
    assert re.search(r"(\d+) experiments, 0 with a wrong figure", output) and "no swap space" in output, output


# ---- The trace


def test_faults_tells_why_in_words(shell):
    output = shell.sh("faults ls / 2>&1")
    assert re.search(r"first touch of heap: zeroed frame [0-9a-f]+", output)
    assert re.search(r"first touch of stack: zeroed frame|stack grew", output)
    assert re.search(r"in the page cache: code: frame [0-9a-f]+ mapped", output)
    assert re.search(r"\d+ page faults, \d+ of them major, by 1 process", output)


def test_faults_follows_children_and_keeps_the_status(shell):
    output, status = shell.run("faults -q sh -c 'ls / | cat; exit 7' 2>&1")
    assert status == 7
    assert re.search(r"by 3 processes", output), output
    assert "write to a shared copy: copied" in output
    assert shell.run("faults /no/such 2>/dev/null")[1] == 127


def test_trace_is_switched_by_hand(shell):
    shell.sh("echo 1 >/proc/faults; true; ls / >/dev/null; echo 0 >/proc/faults")
    lines = shell.sh("cat /proc/faults").splitlines()
    assert lines[0].startswith("# time pid parent")
    assert len(lines) > 20
    assert all(len(line.split()) == 17 for line in lines[1:])
    shell.sh("echo -1 >/proc/faults")
    assert len(shell.sh("cat /proc/faults").splitlines()) == 1
    assert shell.run("echo nonsense >/proc/faults")[1] != 0
    assert "violations 0" in shell.sh("cat /proc/mm_check")


def test_trace_of_the_hand(shell):
    shell.sh("echo 1 >/proc/pageout; echo round >/proc/pageout; echo 0 >/proc/pageout")
    lines = shell.sh("cat /proc/pageout").splitlines()
    assert re.match(r"# time pid frame kind page used before after fate to; hand [0-9a-f]+; trace off", lines[0])
    events = [line.split() for line in lines[1:]]
    assert len(events) > 100 and all(len(e) == 10 for e in events)
    assert {e[3] for e in events} >= {"anon", "file"} and {e[8] for e in events} >= {"spared", "dropped"}
    shell.sh("echo -1 >/proc/pageout")
    assert len(shell.sh("cat /proc/pageout").splitlines()) == 1
    assert shell.run("echo nonsense >/proc/pageout")[1] != 0


# ---- The picture


def test_memmap_counts_every_frame(shell):
    output = shell.sh("memmap -1 -p 1 | cat")
    total = sum(int(n) for n in re.findall(r" (\d+) K\b", output))
    kib = int(re.search(r"MemTotal:\s+(\d+)", shell.sh("cat /proc/meminfo"))[1])
    assert abs(total - kib) <= 256, output     # the frame array itself is drawn as not memory
    assert re.search(r"lit: \d+ frames of 1 init, \d+ more in swap", output)
    shell.sh("echo round >/proc/pageout; echo round >/proc/pageout")
    output = shell.sh("memmap -1 | cat")
    assert re.search(r"swap: [1-9]\d* of \d+ KiB", output) and output.replace("> hand", "").count(">") <= 1, output  # between two rounds the hand is nowhere


def test_memmap_is_live_and_leaves():
    with Machine.direct(INITRD, "") as m:
        m.await_screen(r"#$")
        m.keyboard("memmap\n")
        m.await_screen(r"^.*K kernel \d+ K")
        m.keyboard("n")
        m.await_screen(r"lit: \d+ frames of \d+ \w+")
        colours = {attribute >> 4 for line in m.attributes() for attribute in line}
        assert len(colours) >= 4, colours
        m.keyboard("q")
        m.await_screen(r"#$")


def test_vmpicture_draws_what_was_saved(shell, tmp_path):
    shell.sh("faults -q -o /tmp/trace sh -c 'ls / | cat' 2>/dev/null")
    for name, command in (("trace", "cat /tmp/trace"), ("smaps", "cat /proc/$$/smaps"),
                          ("owners", "cat /proc/mm_check"), ("one", "cat /proc/$$/pagetable"),
                          ("two", "cat /proc/self/pagetable")):
        (tmp_path / name).write_text(shell.sh(command))
    out = tmp_path / "report.svg"
    subprocess.run([TOP + "/scripts/vmpicture", "-o", out,
                    *(tmp_path / n for n in ("trace", "smaps", "owners", "one", "two"))], check=True)
    page = tmp_path / "report.html"
    subprocess.run([TOP + "/scripts/vmpicture", "-o", page, tmp_path / "trace"], check=True)
    text = page.read_text()
    assert text.count("data-time=") == len((tmp_path / "trace").read_text().splitlines())
    assert 'id="time"' in text and "@media print" in text and not re.search(r"(src|href)=", text)
    svg = xml.etree.ElementTree.parse(out)
    dots = [e for e in svg.iter() if e.tag.endswith("circle")]
    assert len(dots) == len((tmp_path / "trace").read_text().splitlines()) > 50
    titles = " ".join(e.text or "" for e in svg.iter() if e.tag.endswith("text"))
    assert "frames in common" in titles and "[heap]" in titles


# ---- Death by a fault


def test_a_killed_process_says_why(shell):
    shell.sh("dmesg -c >/dev/null")
    shell.run("faults -q sh -c 'kill -SEGV $$' 2>/dev/null")
    said = shell.sh("dmesg")
    assert re.search(r"sh: signal 11, sent by pid \d+ \(uid 0\) -- kill proc", said) and "trap" not in said
    shell.sh("vmlab crash")
    line = re.search(r"pid \d+ vmlab: trap 14 err 6 on cpu 0 eip 0x[0-9a-f]+ addr 0x[0-9a-f]+ -- .*",
                     shell.sh("dmesg"))
    assert line and re.search(r"write to unmapped page; nearest mapping heap [0-9a-f]{8}-[0-9a-f]{8}"
                              r" -- kill proc", line[0]), line


# ---- Debian's programs


def faults_of(m, pid_column, path):
    lines = m.sh(f"cat {path}").splitlines()
    pids = [line.split()[pid_column] for line in lines]
    last = max(pids, key=int)
    mine = [line.split() for line in lines if line.split()[pid_column] == last]
    return len(mine), sum("M" in fields[13] for fields in mine)


def test_gnu_time_prints_the_true_counts(debian):
    output = debian.sh("faults -q -o /tmp/trace /usr/bin/time --verbose /bin/busybox ls /bin 2>&1")
    major = int(re.search(r"Major .* page faults: (\d+)", output)[1])
    minor = int(re.search(r"Minor .* page faults: (\d+)", output)[1])
    assert faults_of(debian, 1, "/tmp/trace") == (minor + major, major)
    assert int(re.search(r"Maximum resident set size \(kbytes\): (\d+)", output)[1]) > 100


def test_gnu_time_tells_the_peak(debian):
    output = debian.sh("/usr/bin/time -f 'peak %M' dd if=/dev/zero of=/dev/null bs=8M count=1 2>&1")
    peak = int(re.search(r"peak (\d+)", output)[1])
    assert 8192 < peak < 8192 + 1024


def test_procps_free(debian):
    meminfo = dict(re.findall(r"(\w+):\s+(\d+)", debian.sh("cat /proc/meminfo")))
    fields = debian.sh("/usr/bin/free").splitlines()[1].split()
    assert fields[1] == meminfo["MemTotal"]
    assert abs(int(fields[3]) - int(meminfo["MemFree"])) < 1024


def test_procps_vmstat(debian):
    lines = debian.sh("/usr/bin/vmstat 1 2").splitlines()
    assert len(lines) == 4 and len(lines[3].split()) == 17
    assert "K total memory" in debian.sh("/usr/bin/vmstat -s")
    assert "kmalloc-64" in debian.sh("/usr/bin/vmstat -m")


def test_procps_pmap(debian):
    total = debian.sh("/usr/bin/pmap -X 1").splitlines()[-1].split()
    rss = int(re.search(r"VmRSS:\s+(\d+)", debian.sh("cat /proc/1/status"))[1])
    assert int(total[1]) == rss and total[-1] == "KB"
    assert re.search(r"total\s+\d+K", debian.sh("/usr/bin/pmap 1"))


def test_procps_top_and_ps(debian):
    output = debian.sh("TERM=linux /usr/bin/top -b -n 1")
    assert re.search(r"MiB Mem :\s+[\d.]+ total", output)
    assert re.search(r"^\s*1 root .* init$", output, re.M)
    assert re.search(r"root\s+1 .*/init", debian.sh("/bin/ps aux"))
