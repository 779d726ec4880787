"""ext2 used by Linux and by Faultline in turns: what either leaves the other goes on with, both find the same, and
e2fsck is content after each. EXT2_OPERATIONS=50000 for more (make soak)."""

import os
import re
import subprocess

import pytest

from filesystems import EXERCISER, assert_sound, boot, dump, exercise_here, make_exerciser, on_host, power_off
from machine import BUSYBOX, CACHE, LINUX, TOP, Machine, have_busybox, have_linux
from newc import Archive

INIT = """#!/bin/sh
export PATH=/bin:/sbin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
{modules}
mount -t ext2 /dev/vda /mnt && /mnt/fs_random /mnt/tree {seed} {operations}
umount /mnt && echo all: well
poweroff -f
"""

OPERATIONS = int(os.environ.get("EXT2_OPERATIONS", "600"))
SEED = int(os.environ.get("EXT2_SEED", "5"))


@pytest.fixture(scope="module", autouse=True)
def linux():
    if not have_busybox() or not os.path.exists(EXERCISER):
        pytest.skip("needs BusyBox and make B=build/debug guest")
    subprocess.run([TOP + "/scripts/fetch-i386", "linux", "modules"], capture_output=True)
    if not have_linux() or not os.path.exists(CACHE + "/modules/ext4.ko"):
        pytest.skip("needs Debian's Linux and its modules")


def on_linux(image, seed):
    ar = Archive()
    ar.devices()
    ar.busybox(BUSYBOX)
    for d in ("mnt", "proc"):
        ar.dir(d)
    modules = ar.disk_modules(CACHE + "/modules")
    ar.file("init", INIT.format(modules=modules, seed=seed, operations=OPERATIONS), 0o755)
    with Machine.direct(ar.bytes(), "console=ttyS0 quiet panic=-1", kernel=LINUX, mem=128,
                        more=["-drive", f"file={image},format=raw,if=none,id=d", "-device",
                              "virtio-blk-pci,drive=d"]) as m:
        m.expect("all: well", limit=1800)
        m.qemu.terminate()
        m.qemu.wait()
        return re.search(r"\d+ operations: [0-9a-f]+", m.output())[0]


def here(image, seed):
    with boot(image, append="quiet") as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt")
        said = m.sh(f"/mnt/fs_random /mnt/tree {seed} {OPERATIONS}", limit=1800).strip()
        power_off(m)
    return said


LONG = OPERATIONS > 5000


@pytest.mark.parametrize("block", [1024, 4096] if LONG else [1024])
def test_in_turns_with_linux(block, tmp_path):
    image = make_exerciser(tmp_path, block)
    for turn, run in enumerate([on_linux, here] * (2 if LONG else 1)):
        said, tree = exercise_here(tmp_path, SEED + turn, OPERATIONS)
        assert run(image, SEED + turn) == said, run.__name__
        assert_sound(image)
    assert on_host(dump(image, tmp_path / "dump") + "/tree") == tree
