"""Swapping: programs that need more memory than the machine has end with the right answer, on partitions and files
that mkswap made and in compressed memory; areas come and go; and when all is full one process dies, not the machine.

The sizes are small here, but for one test that takes minutes: SWAP_WHOLE=1 make test T='-k whole_size'."""

import io
import os
import re
import shutil
import subprocess
import sys
import time

import pytest

from filesystems import fsck, power_off
from machine import BUILD, BUSYBOX, DEBUG_KERNEL, KERNEL, TOP, Machine, build_program, have_busybox

sys.path.insert(0, os.path.join(TOP, "tests/guest"))
import run  # noqa: E402

needs_busybox = pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")


def test_compressed_swap_holds_what_memory_cannot():
    for name, diff in run.compare(BUILD + "/debug", ["swap"], 32, append="zram=64M")[0]:
        assert diff is None, f"{name}\n{diff}"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """A ramdisk with `pressure`: tests/boot/pressure.c says what that can do."""
    where = tmp_path_factory.mktemp("swap")
    build_program("pressure.c", where / "pressure", "-O2")
    build_program("stressors.c", where / "stressors", "-O2")
    ours = [f"{BUILD}/user/{name}" for name in ("init", "sh", "tools")]
    subprocess.run([TOP + "/scripts/mkinitrd", "-o", where / "initrd", "--root", TOP + "/iso/root",
                    "--busybox", BUSYBOX, *ours, where / "pressure", where / "stressors"], check=True)
    return str(where / "initrd")


def boot(image, mem, append="", disk=None, kernel=KERNEL, cpus="1"):
    more = ["-smp", cpus]
    if disk:
        more += ["-drive", f"file={disk},format=raw,if=none,id=d,cache=writeback", "-device", "virtio-blk-pci,drive=d"]
    return Machine.direct(image, "console=ttyS0 panic=-1 " + append, kernel, mem=mem, more=more).prompt()


def make_disk(path, mib):
    """A quarter is for swapping, formatted by mkswap; the rest is ext2."""
    subprocess.run([TOP + "/scripts/mkdisk", path, str(mib)], check=True, capture_output=True)
    return path


def disk_partition(disk, where):
    """The ext2 part of it."""
    rows = subprocess.run(["/usr/sbin/sfdisk", "-d", disk], check=True, capture_output=True, text=True).stdout
    start, size = map(int, re.search(r"start= *(\d+), size= *(\d+), type=83", rows).groups())
    with open(disk, "rb") as d, open(where / "part", "wb") as out:
        d.seek(start * 512)
        shutil.copyfileobj(io.BytesIO(d.read(size * 512)), out)
    return str(where / "part")


def areas(m):
    """{name: (size, used, priority)} in KiB, as /proc/swaps has it."""
    rows = [line.split() for line in m.sh("cat /proc/swaps").splitlines()[1:]]
    return {row[0]: tuple(map(int, row[2:5])) for row in rows}


def figures(m):
    """{name: value}, of one moment as far as the sums go: nothing is short of memory by now."""
    return {name: int(value) for name, value in (line.split() for line in m.sh("cat /proc/vmstat").splitlines())}


def assert_nothing_lost(m):
    assert "violations 0" in m.sh("cat /proc/mm_check")


# ---- Work


@needs_busybox
def test_sorting_and_rewriting_more_than_memory(image, tmp_path):
    with boot(image, 16, "zram=off", make_disk(tmp_path / "disk", 256)) as m:
        m.sh("swapon /dev/vda1 && mount -t ext2 /dev/vda2 /mnt")
        said = m.sh("pressure both /mnt/file 16")
        assert "both: 0 failed" in said, said
        assert int(m.sh("awk '/^pswpin/ {print $2}' /proc/vmstat")) > 2000
        stat = figures(m)
        assert stat["pgscan_anon"] + stat["pgscan_file"] == stat["pgscan_kswapd"] + stat["pgscan_direct"], stat
        assert stat["pgsteal_anon"] + stat["pgsteal_file"] == stat["pgsteal_kswapd"] + stat["pgsteal_direct"], stat
        assert min(stat[n] for n in ("pgsteal_anon", "pgsteal_file", "pgactivate", "pgdeactivate", "pgmajfault")) > 0, stat
        assert stat["pgpgout"] >= 4 * stat["pswpout"] and stat["pgpgin"] >= 4 * stat["pswpin"], stat
        m.sh("swapoff /dev/vda1 && umount /mnt")
        assert_nothing_lost(m)
        power_off(m)


@needs_busybox
@pytest.mark.skipif(not os.environ.get("SWAP_WHOLE"), reason="takes minutes: SWAP_WHOLE=1")
def test_whole_size(image, tmp_path):
    with boot(image, 32, "zram=0", make_disk(tmp_path / "disk", 1024)) as m:
        m.sh("swapon /dev/vda1 && mount -t ext2 /dev/vda2 /mnt")
        said = m.sh("pressure sort 128; pressure rewrite /mnt/file 128; pressure both /mnt/file 128", limit=1500)
        assert said.count(" 0 wrong") == 2 and said.count(" 0 words wrong") == 2, said
        assert "both: 0 failed" in said, said
        m.sh("swapoff /dev/vda1 && umount /mnt")
        assert_nothing_lost(m)


@needs_busybox
@pytest.mark.skipif(not os.environ.get("SWAP_WHOLE"), reason="takes minutes: SWAP_WHOLE=1")
def test_whole_size_compressed(image):
    """128 MiB become 43, which 32 MiB cannot hold: in 64 MiB, without a disk; a file in memory is what is mapped."""
    with boot(image, 64, "zram=300%") as m:
        m.sh("mount -t tmpfs -o size=200m tmp /mnt")
        said = m.sh("pressure sort 128; pressure rewrite /mnt/file 128; rm /mnt/file; pressure both /mnt/file 60; rm /mnt/file",
                    limit=1500)
        assert said.count(" 0 wrong") == 2 and said.count(" 0 words wrong") == 2, said
        assert "both: 0 failed" in said, said
        m.sh("swapoff /dev/zram0")
        assert_nothing_lost(m)


@needs_busybox
def test_the_same_in_compressed_memory(image):
    with boot(image, 16, "zram=200%") as m:
        assert m.sh("dd if=/dev/zram0 bs=1 skip=4086 count=10 2>/dev/null") == "SWAPSPACE2"
        m.sh("swapoff /dev/zram0 && swapon /dev/zram0")
        said = m.sh("pressure sort 12")
        assert "12288 records, 0 wrong" in said, said
        assert int(m.sh("awk '/^pswpin/ {print $2}' /proc/vmstat")) > 1000
        m.sh("swapoff /dev/zram0")
        assert_nothing_lost(m)


# ---- Areas


@needs_busybox
def test_areas_by_priority_and_back_again(image, tmp_path):
    with boot(image, 24, "zram=off", make_disk(tmp_path / "disk", 128)) as m:
        m.sh("mount -t ext2 /dev/vda2 /mnt; cd /mnt; dd if=/dev/zero of='a swap\\file' bs=1M count=8 2>/dev/null")
        m.sh("mkswap 'a swap\\file' && pressure swapon 'a swap\\file' 9 && pressure swapon /dev/vda1 5 && cd /")
        file = "/mnt/a\\040swap\\134file"
        size = areas(m)
        assert size["/dev/vda1"] == (32764, 0, 5) and size[file][1:] == (0, 9) and size[file][0] > 8000, size
        assert int(m.sh("free | awk '/Swap/ {print $2}'")) == 32764 + size[file][0]
        # What is preferred is full before the other is used at all.
        m.type("pressure hold 30 /tmp/end &\n")
        m.prompt()
        m.expect("hold: filled")
        held = areas(m)
        assert held[file][1] > size[file][0] - 400 and held["/dev/vda1"][1] > 1000, held
        # One goes, and its pages find room elsewhere; the other is needed, and stays.
        m.sh("swapoff '/mnt/a swap\\file'")
        assert list(areas(m)) == ["/dev/vda1"]
        said, status = m.run("swapoff /dev/vda1")
        assert status != 0 and "Cannot allocate memory" in said, said
        assert areas(m)["/dev/vda1"][0] == 32764
        assert "30720 records, 0 wrong" in m.sh("touch /tmp/end; wait")
        m.sh("swapoff /dev/vda1; umount /mnt")
        assert_nothing_lost(m)
        power_off(m)


# ---- All at once


@needs_busybox
@pytest.mark.parametrize("zram", ["50%", "0"])
def test_two_dozen_stressors_at_four_times_memory(image, tmp_path, zram):
    """As much as some 60 seconds of it are on a quiet host: bounded by work. STRESS_MINUTES=15 goes on, STRESS_CPUS=4 with more
    processors (make soak)."""
    end = time.monotonic() + 60 * int(os.environ.get("STRESS_MINUTES", "0"))
    disk = make_disk(tmp_path / "disk", 768)
    with boot(image, 24, f"zram={zram}", disk, DEBUG_KERNEL, os.environ.get("STRESS_CPUS", "1")) as m:
        m.sh("swapon /dev/vda1 && mount -t ext2 /dev/vda2 /mnt && cd /mnt && dd if=/dev/zero of=swap bs=1M count=32 "
             "2>/dev/null && mkswap swap && cd /")
        more = True
        while more:
            said = m.sh("stressors /mnt 4 8 /mnt/swap", limit=900)
            assert "stressors: 0 wrong, " in said, said
            killed = int(re.search(r"(\d+) killed", said)[1])
            assert killed <= figures(m)["oom_kill"], said
            assert_nothing_lost(m)
            more = time.monotonic() < end
        m.sh("swapoff /mnt/swap; swapoff -a; umount /mnt")
        assert figures(m)["nr_swapcached"] == 0 and areas(m) == {}
        assert_nothing_lost(m)
        power_off(m)
    assert fsck(disk_partition(disk, tmp_path), "-f", "-n")[0] == 0


# ---- When all is full


@needs_busybox
def test_one_process_dies_and_the_machine_lives_on(image, tmp_path):
    with boot(image, 32, "zram=0", make_disk(tmp_path / "disk", 64)) as m:
        m.sh("swapon /dev/vda1; pressure sort 34")  # more than memory: it fits with swap
        assert m.run("pressure eat")[1] == 128 + 9
        log = m.sh("dmesg")
        assert re.search(r"pressure invoked oom-killer: gfp_mask=", log)
        assert re.search(r"Free swap  = \d{1,3}kB", log) and "Total swap = 16380kB" in log
        table = re.search(r"\[  pid  \]   uid  tgid total_vm +rss pgtables_bytes swapents .*", log)
        assert table, log
        row = re.search(r"\[ +\d+\] +0 +\d+ +\d+ +\d+ +\d+ +(\d+) +\d+ +0 pressure", log)
        assert int(row[1]) > 3900, log
        assert re.search(r"Out of memory: Killed process \d+ \(pressure\)", log)
        assert "oom_kill 1\n" in m.sh("cat /proc/vmstat")
        for kind in ("some", "full"):
            figures = re.search(kind + r" avg10=(\d+\.\d\d) avg60=(\d+\.\d\d) avg300=\d+\.\d\d total=(\d+)",
                                m.sh("cat /proc/pressure/memory"))
            assert 0 < float(figures[1]) <= 100 and int(figures[3]) > 10000, figures[0]
        m.sh("pressure sort 34; swapoff /dev/vda1")
        assert_nothing_lost(m)


@needs_busybox
def test_a_write_finds_memory_as_a_fault_does(image):
    """Not for each an error, but an end for one."""
    with boot(image, 32, "zram=0") as m:
        m.sh("pressure hold 18 /tmp/never >/dev/null & sleep 1")
        room = int(m.sh("awk '/MemFree/ {print $2}' /proc/meminfo"))
        assert room < 11 << 10
        said = m.sh("dd if=/dev/zero of=/tmp/x bs=64k count=176 2>&1; wait; rm /tmp/x; dmesg | grep 'Out of memory'")
        assert "176+0 records out" in said and "(pressure)" in said
        assert_nothing_lost(m)


@needs_busybox
def test_nobody_dies_for_a_core(image):
    """It ends where memory does."""
    with boot(image, 32, "zram=0") as m:
        m.sh("cd /tmp; ulimit -c unlimited; (pressure hold 18 /tmp/never >/dev/null; true) & sleep 1; "
             "kill -SEGV $(pidof pressure); wait")
        assert m.sh("awk '/^oom_kill/ {print $2}' /proc/vmstat") == "0\n"
        assert 1 << 20 < int(m.sh("stat -c %s core* | head -n 1")) < 19 << 20
        m.sh("rm core*; pressure sort 18")
        assert_nothing_lost(m)


@needs_busybox
def test_a_crowd_that_does_not_fit(image):
    """Some of them die, each told of; the others end with the right answer."""
    crowd = 24
    with boot(image, 64) as m:
        ends = m.sh(f"for i in $(seq {crowd}); do pressure hold 6 /tmp/end >/tmp/said.$i & done; sleep 4")
        ends += m.sh("touch /tmp/end; wait", limit=100)
        kills = int(m.sh("awk '/^oom_kill/ {print $2}' /proc/vmstat"))
        said = m.sh("grep . /tmp/said.*; dmesg | grep 'Out of memory'")
        assert 0 < kills < crowd and said.count("6144 records, 0 wrong") == crowd - kills, f"{kills}\n{said}\n{ends}"
        assert m.sh("dmesg | grep -c 'Out of memory: Killed process'") == f"{kills}\n"
        assert_nothing_lost(m)
