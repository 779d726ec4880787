"""Disks that fail, at every kind of request: the right error reaches who asked, the page stays what it was, and the
machine lives on."""

import os
import re
import subprocess

import pytest

from filesystems import MIB, SBIN, assert_sound, fsck, make_fs, power_off
from machine import INITRD, Machine, build_program, have_busybox

pytestmark = pytest.mark.skipif(not have_busybox(), reason="needs BusyBox")

RULE = '[inject-error]\nevent = "none"\niotype = "{}"\nerrno = "5"\nsector = "{}"\nonce = "{}"\n'


def boot_failing(image, rules, tmp_path, append="", mem=64):
    with open(tmp_path / "rules", "w") as f:
        f.write(rules)
    drive = f"driver=blkdebug,config={tmp_path}/rules,image.driver=raw,image.file.filename={image},if=none,id=d"
    return Machine.direct(INITRD, "console=ttyS0 panic=-1 " + append, mem=mem,
                          more=["-drive", drive, "-device", "virtio-blk-pci,drive=d"])


def block_of(image, path, page):
    """Where on the disk a page of a file is, in sectors; blocks are pages."""
    out = subprocess.run([SBIN + "debugfs", "-R", f"bmap {path} {page}", image], capture_output=True, text=True).stdout
    return int(re.search(r"\d+", out)[0]) * 8


def boot_breakable(image, what, append="", mem=64):
    """Requests of one kind fail between breaks() and mended()."""
    return Machine.direct(INITRD, "console=ttyS0 panic=-1 " + append, mem=mem, more=[
        "-blockdev", f"driver=file,node-name=good,filename={image}",
        "-blockdev", "driver=blkdebug,node-name=bad,image=good,inject-error.0.event=none,"
        f"inject-error.0.iotype={what},inject-error.0.errno=5",
        "-blockdev", "driver=raw,node-name=d,file=good", "-device", "virtio-blk-pci,drive=d"])


def breaks(m):
    m.qmp("blockdev-reopen", options=[{"driver": "raw", "node-name": "d", "file": "bad"}])


def mended(m):
    m.qmp("blockdev-reopen", options=[{"driver": "raw", "node-name": "d", "file": "good"}])


def lives(m):
    assert m.sh("echo lives; grep -c . /proc/mounts >/dev/null").startswith("lives")


def test_data(tmp_path):
    os.makedirs(tmp_path / "tree")
    build_program("io_errors.c", tmp_path / "tree/io_errors")
    with open(tmp_path / "tree/data", "wb") as f:
        f.write(b"".join(bytes([i]) * 4096 for i in range(64)))
    image = make_fs(tmp_path / "disk", block=4096, tree=tmp_path / "tree")
    rules = RULE.format("read", block_of(image, "/data", 20), "off") + \
        RULE.format("write", block_of(image, "/data", 40), "off")
    with boot_failing(image, rules, tmp_path) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt; echo 0 >/proc/sys/vm/dirty_writeback_centisecs")
        said = m.sh("/mnt/io_errors /mnt").splitlines()
        assert [line for line in said if not line.startswith("[")] == [  # without the log
            "pread before: ok", "pread: Input/output error", "pread over it: 8192", "pread after: ok",
            "pwrite: ok", "fsync: Input/output error", "fsync again: Input/output error",
            "fdatasync: Input/output error", "pread: ok", "it is 66", "sync_file_range: Input/output error",
            "a load: SIGBUS BUS_ADRERR", "a store: SIGBUS", "a neighbour: 22", "a call: Bad address",
            "msync: Input/output error", "it stays what it was: 77"]
        lives(m)
        m.sh("rm /mnt/data; sync")
        power_off(m)
    assert_sound(image)


@pytest.mark.parametrize("what", ["read", "write", "flush"])
def test_metadata(what, tmp_path):
    """Every request of a kind fails from some time on, then none any more: what was dirty stayed dirty."""
    os.makedirs(tmp_path / "tree/d")
    for i in range(40):
        with open(tmp_path / f"tree/d/f{i}", "w") as f:
            f.write("x" * 5000)
    image = make_fs(tmp_path / "disk", block=1024, tree=tmp_path / "tree")
    with boot_breakable(image, what) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt; echo 0 >/proc/sys/vm/dirty_writeback_centisecs; ls /mnt >/dev/null")
        breaks(m)
        if what == "read":
            assert "Input/output error" in m.run("cat /mnt/d/f* 2>&1 | tail -n 1")[0]
            assert "Input/output error" in m.run("mkdir /mnt/d/new 2>&1; touch /mnt/new 2>&1; ls -l /mnt/d 2>&1")[0]
        else:
            m.run("mkdir /mnt/new; echo some >/mnt/new/thing; rm /mnt/d/f1; mv /mnt/d/f2 /mnt/new")
            m.run("dd if=/dev/zero of=/mnt/big bs=64k count=20 conv=fsync 2>&1")
            assert "Input/output error" in m.run("dd if=/dev/zero of=/mnt/big bs=64k count=20 conv=fsync 2>&1")[0]
        lives(m)
        if what != "flush":  # QEMU cannot take that back
            mended(m)
            m.sh("sync; cat /mnt/d/f5 >/dev/null; echo more >/mnt/more; sync")
            assert m.sh("umount /mnt; echo $?").split()[-1] == "0"
        power_off(m)
    if what == "flush":
        assert fsck(image, "-p")[0] in (0, 1)
    assert_sound(image)  # what could not be written was written later


def swap_image(tmp_path):
    image = str(tmp_path / "swap")
    with open(image, "wb") as f:
        f.truncate(64 * MIB)
    subprocess.run(["/usr/sbin/mkswap", "-q", image], check=True, capture_output=True)
    return image


def test_swap_that_cannot_be_written_to(tmp_path):
    """It is given up soon, so that somebody is killed soon; what is in it can be had."""
    with boot_breakable(swap_image(tmp_path), "write", "zram=0", mem=32) as m:
        m.prompt()
        m.sh("swapon /dev/vda; mount -t tmpfs -o size=60m t /mnt")
        m.sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do cp /bin/busybox /mnt/b$i || break; done", limit=200)
        breaks(m)
        assert m.run("tail /dev/zero", limit=60)[1] == 128 + 9
        log = m.sh("dmesg")
        assert "swap: /dev/vda cannot be written to, and gets no more pages" in log and "Out of memory: Killed" in log
        assert int(m.sh("awk '/^SwapFree/ {print $2}' /proc/meminfo")) == 0
        mended(m)
        m.sh("rm /mnt/b[5-9] /mnt/b1[0-4]")  # the rest needs room now
        assert m.sh("for i in /mnt/b*; do cmp /bin/busybox $i || break; done; echo $?", limit=200) == "0\n"
        m.sh("rm -f /mnt/b*; umount /mnt; swapoff /dev/vda", limit=200)
        power_off(m)


def test_swap(tmp_path):
    """What cannot be read back is an error for who needs it, and still there."""
    with boot_breakable(swap_image(tmp_path), "read", "zram=0", mem=32) as m:
        m.prompt()
        assert m.sh("swapon /dev/vda; mount -t tmpfs -o size=60m t /mnt; echo $?").split()[-1] == "0"
        m.sh("for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do cp /bin/busybox /mnt/b$i || break; done 2>&1", limit=200)
        assert int(m.sh("awk '/^pswpout/ {print $2}' /proc/vmstat")) > 500
        m.sh("md5sum /bin/busybox 2>&1 >/dev/null | tail -n 1")  # what the shell needs for it is in memory
        breaks(m)
        assert "Input/output error" in m.run("md5sum /mnt/b* 2>&1 >/dev/null | tail -n 1", limit=200)[0]
        lives(m)
        mended(m)
        assert m.sh("for i in /mnt/b*; do cmp /bin/busybox $i || break; done; echo $?", limit=200) == "0\n"
        m.sh("rm -f /mnt/b*; umount /mnt", limit=200)
        assert m.sh("swapoff /dev/vda; echo $?", limit=200).split()[-1] == "0"
        power_off(m)
