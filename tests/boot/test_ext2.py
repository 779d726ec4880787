"""ext2 on a disk: what mke2fs made is read as it is; what was written here satisfies e2fsck and reads the
same on the host, also after the power was cut."""

import hashlib
import os
import random
import shutil
import subprocess
import time

import pytest

from filesystems import (EXERCISER, MIB, SBIN, assert_sound, boot, damage_dice, dump, exercise_here, fsck, LIST, make_exerciser,
                         make_fs, make_tree, on_host, power_off)
from machine import BUSYBOX, DEBUG_KERNEL, LIMIT, POWERED_OFF, Machine, build_program, have_busybox

pytestmark = pytest.mark.skipif(not have_busybox(), reason="needs BusyBox")

needs_guest = pytest.mark.skipif(not os.path.exists(EXERCISER), reason="needs make B=build/debug guest")


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_reads_what_mke2fs_made(block, tmp_path):
    make_tree(tmp_path / "tree")
    image = make_fs(tmp_path / "disk", block=block, tree=tmp_path / "tree")
    before = hashlib.md5(open(image, "rb").read()).hexdigest()
    with boot(image) as m:
        m.prompt()
        assert m.sh("mount -t ext2 -o ro /dev/vda /mnt; echo $?").split()[-1] == "0"
        assert m.sh(f"cd /mnt; {LIST}").split()[0] == on_host(tmp_path / "tree")
        assert m.sh("stat -c '%a %h' /mnt/hello /mnt/d/e /mnt/d/fifo").split() == ["4751", "2", "1777", "3", "644", "1"]
        assert "Read-only" in m.run("touch /mnt/x 2>&1")[0]
        power_off(m)
    assert hashlib.md5(open(image, "rb").read()).hexdigest() == before


CHANGE = """cd /mnt; mkdir -p new/deep/er; cp big new/copy; cat hello hello >>new/appended
i=0; while [ $i -lt 120 ]; do echo $i >new/deep/name-of-file-$i; i=$((i+1)); done
rm new/deep/name-of-file-1*; mv many moved; mv d new/deep/d; ln hello new/hard; ln -s hello new/soft
ln -s dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd new/longsoft
mkfifo new/fifo; truncate -s 300000 big; truncate -s 9000000 big; rm -r new/deep/er
dd if=/bin/busybox of=hole bs=1000 seek=1234 count=3 conv=notrunc 2>/dev/null
chmod 640 hello; mkdir over; mkdir over2; mv -T over over2; mv new/appended new/deep/name-of-file-2; cd /"""


@pytest.mark.parametrize("block", [1024, 2048, 4096])
def test_writes_what_e2fsck_likes(block, tmp_path):
    make_tree(tmp_path / "tree")
    image = make_fs(tmp_path / "disk", block=block, tree=tmp_path / "tree")
    with boot(image) as m:
        m.prompt()
        assert m.sh("mount -t ext2 /dev/vda /mnt; echo $?").split()[-1] == "0"
        for line in CHANGE.split("\n"):
            m.sh(line)
        here = m.sh(f"cd /mnt; {LIST}; cd /").split()[0]
        assert m.sh("umount /mnt; echo $?").split()[-1] == "0"
        assert m.sh("mount -t ext2 /dev/vda /mnt; echo $?").split()[-1] == "0"
        assert m.sh(f"cd /mnt; {LIST}; cd /").split()[0] == here
        assert m.sh("mount -o remount,ro /mnt; echo $?").split()[-1] == "0"
        assert m.sh("mount -o remount,rw /mnt; echo $?").split()[-1] == "0"
        m.sh("echo last >/mnt/last")
        here = m.sh(f"cd /mnt; {LIST}; cd /").split()[0]
        power_off(m)
    assert_sound(image)
    assert on_host(dump(image, tmp_path / "dump")) == here


OPERATIONS = int(os.environ.get("EXT2_OPERATIONS", "3000"))
SEED = int(os.environ.get("EXT2_SEED", "7"))


@needs_guest
@pytest.mark.parametrize("block", [1024, 4096])
def test_random_operations_leave_the_tree_that_linux_leaves(block, tmp_path):
    seed = SEED + block
    image = make_exerciser(tmp_path, block)
    said, tree = exercise_here(tmp_path, seed, OPERATIONS)
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt")
        assert m.sh(f"/mnt/fs_random /mnt/tree {seed} {OPERATIONS}", limit=1800).strip() == said
        power_off(m)
    assert_sound(image)
    assert on_host(dump(image, tmp_path / "dump") + "/tree") == tree


@needs_guest
@pytest.mark.parametrize("moment", range(4))
def test_a_power_cut_loses_nothing_that_was_synced(moment, tmp_path):
    """What fsync and sync said is on the disk is there; e2fsck -p mends the rest by itself."""
    rnd = random.Random(moment)
    image = make_exerciser(tmp_path, rnd.choice([1024, 4096]))
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt; mkdir /mnt/kept; cp /bin/busybox /mnt/kept/a; sync")
        sums = m.sh("md5sum </mnt/kept/a").split()[0]
        m.type(f"/mnt/fs_random /mnt/tree {moment} 1000000 told &\n")
        for _ in range(rnd.randrange(2, 12)):
            m.expect("at \\d+\\r")
        m.sh("dd if=/bin/busybox of=/mnt/kept/b bs=64k conv=fsync 2>/dev/null")
        m.expect("at \\d+\\r")
        m.qemu.kill()
        m.qemu.wait()
    status, said = fsck(image, "-p")
    assert status in (0, 1), said
    assert_sound(image)
    kept = dump(image, tmp_path / "dump") + "/kept"
    for name in "ab":
        with open(f"{kept}/{name}", "rb") as f:
            assert hashlib.md5(f.read()).hexdigest() == sums


def test_what_is_written_reaches_the_disk_by_itself(tmp_path):
    image = make_fs(tmp_path / "disk")
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt; cd /proc/sys/vm; echo 20 >dirty_expire_centisecs; echo 20 >dirty_writeback_centisecs; cd /; cp /bin/busybox /mnt/b")
        sums = m.sh("md5sum </mnt/b").split()[0]
        out, end = str(tmp_path / "out"), time.monotonic() + LIMIT
        while time.monotonic() < end:
            subprocess.run([SBIN + "debugfs", "-R", f"dump /b {out}", image], capture_output=True)
            if os.path.exists(out) and hashlib.md5(open(out, "rb").read()).hexdigest() == sums:
                break
            time.sleep(0.5)
        else:
            pytest.fail("it never got there")
        m.qemu.kill()
        m.qemu.wait()
    assert fsck(image, "-p")[0] in (0, 1)
    assert_sound(image)


def test_a_disk_can_be_the_root(tmp_path):
    for d in ("bin", "dev", "proc"):
        os.makedirs(tmp_path / "tree" / d)
    shutil.copy(BUSYBOX, tmp_path / "tree/bin/busybox")
    os.symlink("busybox", tmp_path / "tree/bin/sh")
    image = make_fs(tmp_path / "disk", block=4096, tree=tmp_path / "tree")
    drive = ["-drive", f"file={image},format=raw,if=none,id=d", "-device", "virtio-blk-pci,drive=d"]
    with Machine.direct(None, "console=ttyS0 panic=-1 root=/dev/vda rw init=/bin/sh", more=drive) as m:
        m.expect("[#$] ")
        m.type("busybox mkdir /made; echo some >/made/thing; busybox stat -f -c %T /; ls /dev/vda; exit\n")
        assert m.wait() == POWERED_OFF
        assert "ext2" in m.output() and "\n/dev/vda\n" in m.output()
    assert_sound(image)
    with open(dump(image, tmp_path / "dump") + "/made/thing") as f:
        assert f.read() == "some\n"


@pytest.mark.parametrize("block", [1024, 4096])
def test_a_full_disk_is_told_and_nothing_is_broken(block, tmp_path):
    image = make_fs(tmp_path / "disk", size=4 * MIB, block=block)
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt")
        assert "No space left" in m.run("dd if=/dev/zero of=/mnt/fill bs=7000 2>&1")[0]
        assert "No space left" in m.run("cp /bin/busybox /mnt/more 2>&1")[0]
        m.sh("sync; rm /mnt/fill /mnt/more; cp /bin/busybox /mnt/again; cmp /bin/busybox /mnt/again")
        m.sh("i=0; while [ $i -lt 3000 ]; do true >/mnt/f$i || break; i=$((i+1)); done 2>/dev/null; rm /mnt/f*1")
        power_off(m)
    assert_sound(image)


@pytest.mark.parametrize("block", [1024, 4096])
def test_holes_are_found_and_punched(block, tmp_path):
    os.makedirs(tmp_path / "tree")
    build_program("space.c", tmp_path / "tree/space")
    image = make_fs(tmp_path / "disk", block=block, tree=tmp_path / "tree")
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt; cd /mnt")
        assert m.sh(f"./space {block}") == "well\n"
        power_off(m)
    assert_sound(image)


TORTURE = "i=0; while [ $i -lt %d ]; do dd if=/dev/vda of=/tmp/i bs=1M skip=$i count=1 2>/dev/null; " \
          "if mount -t ext2 -o loop /tmp/i /mnt 2>/dev/null; then find /mnt -type f -exec md5sum {} + ; ls -lR /mnt; " \
          "mkdir /mnt/q; cp /etc/* /mnt/q; mv /mnt/d /mnt/q; ln -s x /mnt/sl; rm -rf /mnt/*; umount /mnt; fi; i=$((i+1)); " \
          "done >/dev/null 2>&1"


def damage(data, rnd):
    """Some bytes in the places that mean something: super block, descriptors, bitmaps, inodes, directories."""
    data = bytearray(data)
    for _ in range(rnd.choice([1, 3, 10, 40])):
        at = 1024 + rnd.randrange(rnd.choice([100, 2048, 60 << 10, 200 << 10]))
        data[at] = rnd.choice([0, 1, 2, 255, data[at] ^ 1 << rnd.randrange(8), rnd.randrange(256)])
    return bytes(data)


def test_damaged_images_harm_nobody(tmp_path):
    """Whatever the disk says, the machine lives on."""
    rnd, count = damage_dice(5, 40)
    os.makedirs(tmp_path / "tree/d/e")
    for i in range(20):
        with open(tmp_path / f"tree/d/file{i}", "w") as f:
            f.write("x" * (i * 3000))
    os.symlink("y" * 100, tmp_path / "tree/long")
    good = open(make_fs(tmp_path / "good", size=MIB, tree=tmp_path / "tree"), "rb").read()
    with open(tmp_path / "disk", "wb") as f:
        for _ in range(count):
            f.write(damage(good, rnd))
    with boot(tmp_path / "disk", append="quiet", kernel=DEBUG_KERNEL) as m:
        m.prompt()
        m.run(TORTURE % count, limit=1800)
        assert m.sh("echo alive").strip() == "alive"
        assert m.sh("head -n 1 /proc/mm_check") == "violations 0\n"
        power_off(m)


@pytest.mark.parametrize("block", [1024, 4096])
def test_a_file_may_be_larger_than_memory(block, tmp_path):
    image = make_fs(tmp_path / "disk", size=96 * MIB, block=block)
    with boot(image, mem=32) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt")
        m.sh("dd if=/dev/zero of=/mnt/big bs=64k count=1024 2>/dev/null")
        assert m.sh("md5sum </mnt/big").split()[0] == hashlib.md5(bytes(64 * MIB)).hexdigest()
        power_off(m)
    assert_sound(image)
