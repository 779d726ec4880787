"""ext2 used by Linux and by Faultline in turns: what either leaves the other goes on with, both find the same, and
e2fsck is content after each. EXT2_OPERATIONS=50000 for more (make soak)."""

import os
import re

import pytest

from filesystems import (EXERCISER, assert_sound, boot, dump, exercise_here, have_linux_with_disks, make_exerciser,
                         make_fs, on_host, on_linux, power_off)
from machine import build_program, have_busybox

OPERATIONS = int(os.environ.get("EXT2_OPERATIONS", "600"))
SEED = int(os.environ.get("EXT2_SEED", "5"))


@pytest.fixture(scope="module", autouse=True)
def linux():
    if not have_busybox() or not os.path.exists(EXERCISER):
        pytest.skip("needs BusyBox and make B=build/debug guest")
    if not have_linux_with_disks():
        pytest.skip("needs Debian's Linux and its modules")


def there(image, seed):
    said = on_linux(image, f"mount -t ext2 /dev/vda /mnt && /mnt/fs_random /mnt/tree {seed} {OPERATIONS} && umount /mnt")
    return re.search(r"\d+ operations: [0-9a-f]+", said)[0]


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
    for turn, run in enumerate([there, here] * (2 if LONG else 1)):
        said, tree = exercise_here(tmp_path, SEED + turn, OPERATIONS)
        assert run(image, SEED + turn) == said, run.__name__
        assert_sound(image)
    assert on_host(dump(image, tmp_path / "dump") + "/tree") == tree


def lines_of(output):
    return [line.rstrip() for line in output.splitlines() if line.startswith("> ")]


@pytest.mark.parametrize("inode", [128, 256])
def test_attributes_and_nameless_files_are_the_same(inode, tmp_path):
    os.makedirs(tmp_path / "tree/there")
    os.makedirs(tmp_path / "tree/here")
    build_program("disk_attributes.c", tmp_path / "tree/attributes")
    image = make_fs(tmp_path / "disk", tree=tmp_path / "tree", more=("-I", str(inode)))
    there = lines_of(on_linux(image, "mount -t ext2 /dev/vda /mnt && /mnt/attributes /mnt/there && umount /mnt"))
    assert len(there) > 20
    with boot(image, append="quiet") as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt")
        assert lines_of(m.sh("/mnt/attributes /mnt/here")) == there
        # What was set there is so here, and is kept beside what is added.
        m.sh("umount /mnt; mount -t ext2 /dev/vda /mnt")
        left = lines_of(m.sh("/mnt/attributes /mnt/there show"))
        assert left == lines_of(m.sh("/mnt/attributes /mnt/here show")) and len(left) > 10
        m.sh("mv /mnt/there /mnt/moved; cp /mnt/attributes /mnt/moved/f")
        assert m.sh("umount /mnt; echo $?").split()[-1] == "0"
        power_off(m)
    assert_sound(image)
    for where in "moved", "here":
        said = on_linux(image, f"mount -t ext2 /dev/vda /mnt && /mnt/attributes /mnt/{where} show && umount /mnt")
        assert lines_of(said) == left
