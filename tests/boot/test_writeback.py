"""Write-back that nobody asked for: /proc/sys/vm/dirty_* mean what man 5 proc says, and Dirty is counted."""

import os
import re
import subprocess
import time

import pytest

from filesystems import MIB, assert_sound, boot, dump, fsck, make_fs, power_off
from machine import LIMIT, build_program, have_busybox

pytestmark = pytest.mark.skipif(not have_busybox(), reason="needs BusyBox")

VM = "/proc/sys/vm/dirty_"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("writeback")
    os.makedirs(folder / "tree")
    build_program("map_writer.c", folder / "tree/map_writer")
    image = make_fs(folder / "disk", size=96 * MIB, block=4096, tree=folder / "tree")
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt")
        yield m
        power_off(m)
    assert_sound(image)


def settings(m):
    return m.sh(f"cd {VM[:-6]}; cat dirty_background_ratio dirty_background_bytes dirty_ratio dirty_bytes "
                "dirty_expire_centisecs dirty_writeback_centisecs; cd /").split()


def put(m, **values):
    m.sh("; ".join(f"echo {v} >{VM}{k}" for k, v in values.items()))


def dirty(m):
    return int(re.search(r"Dirty:\s+(\d+) kB", m.sh("grep Dirty: /proc/meminfo"))[1])


def await_dirty(m, most):
    end = time.monotonic() + LIMIT
    while dirty(m) > most:
        assert time.monotonic() < end, "it was never written"
        time.sleep(0.2)


def test_settings_are_linuxs(machine):
    m = machine
    assert settings(m) == ["10", "0", "20", "0", "3000", "500"]
    put(m, background_bytes=1 << 20, bytes=2 << 20)
    assert settings(m)[:4] == ["0", str(1 << 20), "0", str(2 << 20)]
    put(m, background_ratio=10, ratio=30)
    assert settings(m)[:4] == ["10", "0", "30", "0"]
    refused = {"background_ratio": 101, "ratio": 101, "background_bytes": 0, "bytes": 8191, "expire_centisecs": -1}
    for name, value in refused.items():
        assert "Invalid argument" in m.run(f"echo {value} >{VM}{name}")[0], name
    put(m, ratio=20)
    assert settings(m) == ["10", "0", "20", "0", "3000", "500"]


def test_what_is_dirty_is_counted(machine):
    m = machine
    put(m, writeback_centisecs=0)
    m.sh("sync; dd if=/dev/zero of=/mnt/a bs=64k count=32 2>/dev/null")
    assert 2048 <= dirty(m) < 2048 + 200
    words = dict(line.split() for line in m.sh("grep nr_dirty /proc/vmstat; grep nr_dirtied /proc/vmstat").splitlines())
    assert int(words["nr_dirty"]) * 4 >= 2048 and int(words["nr_dirtied"]) >= 512
    assert 0 < int(words["nr_dirty_background_threshold"]) < int(words["nr_dirty_threshold"])
    m.sh("sync")
    assert dirty(m) < 100
    m.sh("dd if=/dev/zero of=/mnt/a bs=64k count=32 conv=notrunc 2>/dev/null; rm /mnt/a")
    assert dirty(m) < 300


def test_the_background_is_written_without_a_turn(machine):
    m = machine
    put(m, writeback_centisecs=0, background_bytes=MIB)
    m.sh("sync; dd if=/dev/zero of=/mnt/b bs=64k count=64 2>/dev/null")
    await_dirty(m, 1024)
    m.sh("rm /mnt/b; sync")


def test_old_data_are_written_and_young_ones_not(machine):
    m = machine
    put(m, background_ratio=50, ratio=80, writeback_centisecs=10, expire_centisecs=100000)
    m.sh("sync; dd if=/dev/zero of=/mnt/c bs=64k count=16 2>/dev/null; sleep 1")
    assert dirty(m) >= 1024
    put(m, expire_centisecs=10)
    await_dirty(m, 100)
    m.sh("rm /mnt/c; sync")


@pytest.mark.parametrize("how", ["write", "mapping"])
def test_writers_wait_at_the_limit(machine, how):
    m = machine
    put(m, writeback_centisecs=0, background_bytes=MIB, bytes=2 * MIB)
    m.sh("sync")
    if how == "mapping":
        most = int(m.sh("/mnt/map_writer /mnt/m 24", limit=300).split()[1])
    else:
        m.sh("dd if=/dev/zero of=/mnt/m bs=64k count=400 2>/dev/null & while kill -0 $!; do grep Dirty: /proc/meminfo; "
             "done 2>/dev/null >/tmp/dirty")
        most = max(int(line.split()[1]) for line in m.sh("cat /tmp/dirty").splitlines())
    assert 500 < most < 2048 + 512
    m.sh("rm /mnt/m; sync")


def test_the_power_is_cut_after_what_was_synced_in_each_way(tmp_path):
    """By age, by msync with its metadata, by O_DSYNC: it is there, although nobody called fsync."""
    os.makedirs(tmp_path / "tree")
    build_program("map_writer.c", tmp_path / "tree/map_writer")
    image = make_fs(tmp_path / "disk", tree=tmp_path / "tree")
    with boot(image) as m:
        m.prompt()
        m.sh(f"mount -t ext2 /dev/vda /mnt; echo 10 >{VM}writeback_centisecs; echo 50 >{VM}expire_centisecs")
        m.sh("mkdir /mnt/d; cp /bin/busybox /mnt/d/b; chmod 4711 /mnt/d/b")
        await_dirty(m, 0)
        time.sleep(1)
        put(m, writeback_centisecs=0)
        m.sh("/mnt/map_writer /mnt/m 2 /mnt/s")
        m.qemu.kill()
        m.qemu.wait()
    assert fsck(image, "-p")[0] in (0, 1)
    assert_sound(image)
    out = subprocess.run(["/usr/sbin/debugfs", "-R", "stat /d/b", image], capture_output=True, text=True).stdout
    assert "04711" in out
    kept = dump(image, tmp_path / "dump")
    wanted = b"".join(bytes([(i + 1) % 256]) + bytes(4095) for i in range(512))
    with open(kept + "/m", "rb") as f:
        assert f.read() == wanted
    with open(kept + "/s", "rb") as f:
        assert f.read() == wanted[:65536]


def test_what_is_written_to_cannot_become_read_only(machine):
    m = machine
    m.sh("exec 5>/mnt/open")
    assert "busy" in m.run("mount -o remount,ro /mnt 2>&1")[0]
    m.sh("exec 5>&-")
    assert m.sh("mount -o remount,ro /mnt; echo $?").split()[-1] == "0"
    assert m.sh("mount -o remount,rw /mnt; echo $?").split()[-1] == "0"
