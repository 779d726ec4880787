"""ext4 as Debian's mke2fs makes it is read; what is in its journal is not, and the machine says so."""

import hashlib
import os
import random
import subprocess

import pytest

from filesystems import LIST, MIB, SBIN, boot, damage_dice, make_fs, make_tree, on_host, power_off
from machine import DEBUG_KERNEL, have_busybox

pytestmark = pytest.mark.skipif(not have_busybox(), reason="needs BusyBox")


def make_ext4(path, tree, *more, size=48 * MIB, block=4096):
    return make_fs(path, size=size, block=block, tree=tree, more=more, kind="ext4")


def fragment(image, tmp_path):
    """A file in so many pieces that its extents need a tree of two levels."""
    data = random.Random(4).randbytes(1024)
    with open(tmp_path / "piece", "wb") as f:
        f.write(data)
    with open(tmp_path / "pieces", "wb") as f:
        for n in range(0, 1800, 2):
            f.seek(n * 4096)
            f.write(data)
    subprocess.run([SBIN + "debugfs", "-w", "-R", f"write {tmp_path}/pieces pieces", image], check=True,
                   capture_output=True)
    with open(tmp_path / "pieces", "rb") as f:
        return hashlib.md5(f.read()).hexdigest()


@pytest.mark.parametrize("block", [1024, 4096])
def test_reads_what_mke2fs_makes_by_default(block, tmp_path):
    make_tree(tmp_path / "tree")
    os.utime(tmp_path / "tree/hello", (1700000000, 1700000000))
    image = make_ext4(tmp_path / "disk", tmp_path / "tree", block=block)
    pieces = fragment(image, tmp_path)
    subprocess.run([SBIN + "debugfs", "-w", "-R", f"sif /hello mtime_extra {123456789 << 2}", image], check=True,
                   capture_output=True)
    # Two bits above the 32 of the seconds, which have a sign.
    for field in ("/lost+found mtime_extra 1", "/pieces mtime @-100"):
        subprocess.run([SBIN + "debugfs", "-w", "-R", "sif " + field, image], check=True, capture_output=True)
    before = hashlib.md5(open(image, "rb").read()).hexdigest()
    with boot(image) as m:
        m.prompt()
        m.sh("mount /dev/vda /mnt")
        assert "ext4 ro" in m.sh("grep /mnt /proc/mounts")
        assert "cannot be written" in m.sh("dmesg")
        assert m.sh("md5sum </mnt/pieces").split()[0] == pieces
        assert m.sh("stat -c %y /mnt/hello").split()[1] == "22:13:20.123456789"
        assert m.sh("stat -c %Y /mnt/pieces") == "-100\n"
        assert "too large" in m.run("stat /mnt/lost+found 2>&1")[0]  # for a program with seconds of 32 bits
        assert "Read-only" in m.run("touch /mnt/x 2>&1")[0]
        assert m.run("mount -o remount,rw /mnt 2>&1")[1] != 0
        m.sh(f"cd /mnt; {LIST.replace('! -type p', '! -type p ! -name pieces')}; cd /")
        assert m.sh("md5sum </tmp/list").split()[0] == on_host(tmp_path / "tree")
        power_off(m)
    assert hashlib.md5(open(image, "rb").read()).hexdigest() == before


def test_a_journal_to_be_recovered_is_told_of(tmp_path):
    image = make_ext4(tmp_path / "disk", None)
    subprocess.run([SBIN + "debugfs", "-w", "-R", "feature needs_recovery", image], check=True, capture_output=True)
    with boot(image) as m:
        m.prompt()
        assert m.run("mount -t ext4 -o ro /dev/vda /mnt 2>/dev/null")[1] != 0
        assert "journal has to be recovered" in m.sh("dmesg")
        m.sh("mount -t ext4 -o ro,noload /dev/vda /mnt; ls -d /mnt/lost+found")
        power_off(m)


def test_an_ext2_may_be_mounted_as_ext4(tmp_path):
    image = make_fs(tmp_path / "disk")
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t ext4 /dev/vda /mnt; echo some >/mnt/thing; umount /mnt; mount -t ext2 /dev/vda /mnt")
        assert m.sh("cat /mnt/thing").split() == ["some"]
        power_off(m)


def test_other_features_are_refused(tmp_path):
    image = make_ext4(tmp_path / "disk", None, "-O", "inline_data")
    with boot(image) as m:
        m.prompt()
        assert m.run("mount -t ext4 -o ro /dev/vda /mnt 2>/dev/null")[1] != 0
        assert "unsupported optional features (8000)" in m.sh("dmesg")
        power_off(m)


WALK = "i=0; while [ $i -lt %d ]; do dd if=/dev/vda of=/tmp/i bs=1M skip=$i count=1 2>/dev/null; " \
       "if mount -t ext4 -o loop,ro,noload /tmp/i /mnt 2>/dev/null; then find /mnt -type f -exec md5sum {} + ; ls -lR /mnt; " \
       "umount /mnt; fi; i=$((i+1)); done >/dev/null 2>&1"


def damage(data, rnd):
    """In what means something: super block, descriptors, inodes, extents, directories."""
    data = bytearray(data)
    for _ in range(rnd.choice([1, 3, 10, 40])):
        at = 1024 + rnd.randrange(rnd.choice([512, 2048, 60 << 10, 300 << 10]))
        data[at] = rnd.choice([0, 1, 2, 255, data[at] ^ 1 << rnd.randrange(8), rnd.randrange(256)])
    return bytes(data)


def test_damaged_images_harm_nobody(tmp_path):
    rnd, count = damage_dice(6, 40)
    os.makedirs(tmp_path / "tree/d/e")
    for i in range(20):
        with open(tmp_path / f"tree/d/file{i}", "w") as f:
            for k in range(0, i * 3, 2):
                f.seek(k * 1024)
                f.write("x" * 1024)
    os.symlink("y" * 100, tmp_path / "tree/long")
    good = open(make_ext4(tmp_path / "good", tmp_path / "tree", "-O", "^has_journal", size=MIB, block=1024), "rb").read()
    with open(tmp_path / "disk", "wb") as f:
        f.write(good)
        for _ in range(count - 1):
            f.write(damage(good, rnd))
    with boot(tmp_path / "disk", append="quiet", kernel=DEBUG_KERNEL) as m:
        m.prompt()
        free = "awk '/^MemFree|^Cached|^Buffers/ {n += $2} END {print n}' /proc/meminfo"
        m.sh("mount -t ext4 -o loop,ro /dev/vda /mnt; ls /mnt/d | wc -l; umount /mnt")
        m.run(WALK % 4, limit=300)
        before = int(m.sh(free))
        m.run(WALK % count, limit=1800)
        assert abs(before - int(m.sh(free))) < 1500, "memory is gone"
        power_off(m)
