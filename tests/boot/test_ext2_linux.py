"""ext2 used by Linux and by Faultline in turns: what either leaves the other goes on with, both find the same, and
e2fsck is content after each. EXT2_OPERATIONS=50000 for more (make soak)."""

import os
import re
import shutil
import subprocess

import pytest

from filesystems import MIB, assert_sound, boot, dump, make_fs, on_host, power_off
from machine import BUILD, CACHE, TOP, Machine, have_busybox, have_linux
from newc import Archive

EXERCISER = BUILD + "/debug/guest/fs_random"
MODULES = ("virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk crc16 crc32c_generic "
           "mbcache jbd2 ext4").split()
INIT = """#!/bin/sh
export PATH=/bin:/sbin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
for m in {modules}; do insmod /$m.ko 2>/dev/null; done
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
    ar.busybox(CACHE + "/busybox")
    for d in ("mnt", "proc"):
        ar.dir(d)
    for m in MODULES:
        if os.path.exists(f"{CACHE}/modules/{m}.ko"):
            ar.copy(m + ".ko", f"{CACHE}/modules/{m}.ko")
    ar.file("init", INIT.format(modules=" ".join(MODULES), seed=seed, operations=OPERATIONS), 0o755)
    with Machine.direct(ar.bytes(), "console=ttyS0 quiet panic=-1", kernel=CACHE + "/vmlinuz", mem=128,
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
    os.makedirs(tmp_path / "start")
    shutil.copy(EXERCISER, tmp_path / "start/fs_random")
    image = make_fs(tmp_path / "disk", size=192 * MIB, block=block, tree=tmp_path / "start")
    for turn, run in enumerate([on_linux, here] * (2 if LONG else 1)):
        seed = SEED + turn
        done = subprocess.run([f"{TOP}/scripts/run-i386", EXERCISER, str(tmp_path / "host"), str(seed), str(OPERATIONS)],
                              capture_output=True, text=True, check=True)
        assert run(image, seed) == done.stdout.strip(), run.__name__
        assert_sound(image)
    assert on_host(dump(image, tmp_path / "dump") + "/tree") == on_host(tmp_path / "host")
