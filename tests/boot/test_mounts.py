"""Mounts as an administrator makes them, with BusyBox: bind mounts, switch_root, pivot_root."""

import pytest

from newc import Archive
from machine import BUSYBOX, POWERED_OFF, have_busybox, run_to_end

pytestmark = pytest.mark.skipif(not have_busybox(), reason="no i386 BusyBox could be fetched")

INIT = """#!/bin/busybox sh
b=/bin/busybox
$b mkdir -p /proc /new /a/sub /b
$b mount -t proc proc /proc
echo first >/a/sub/file
$b mount --bind /a /b && $b cat /b/sub/file
$b mount -o remount,bind,ro /b && (echo x >/b/sub/file) 2>&1 | $b grep -o 'Read-only.*'
$b umount /b; $b ls -1 /b
$b mount -t tmpfs root /new && $b mkdir -p /new/bin /new/proc /new/b /new/two
$b cp /bin/busybox /new/bin/ && $b cp /second /new/second
$b umount /proc
exec $b switch_root /new /second
"""

SECOND = """#!/bin/busybox sh
b=/bin/busybox
echo second as $$
$b mount -t proc proc /proc
$b ls -1 /
$b grep ' / ' /proc/mounts
$b mount -t tmpfs two /two
$b mkdir -p /two/bin /two/old /two/proc
$b cp /bin/busybox /two/bin/
cd /two
$b mount --bind /proc /two/proc
$b pivot_root . old
cd /
$b echo pivoted; $b ls -1 / /old
$b umount /old/proc; $b umount -l /old && $b ls -1 /old
$b cut -d' ' -f4,5 /proc/self/mountinfo
$b poweroff -f
"""


def test_busybox_binds_switches_and_pivots():
    ar = Archive()
    with open(BUSYBOX, "rb") as f:
        ar.file("bin/busybox", f.read(), 0o755)
    ar.file("init", INIT, 0o755)
    ar.file("second", SECOND, 0o755)
    output, status = run_to_end(ar.bytes())
    assert status == POWERED_OFF, output
    said = [line for line in output.replace("\r", "").splitlines() if not line.startswith("[")]
    assert said[said.index("first"):] == [
        "first",
        "Read-only file system",
        "second as 1",
        "b", "bin", "proc", "second", "two",
        "root / tmpfs rw,relatime 0 0",
        "pivoted",
        "/:", "bin", "old", "proc", "",
        "/old:", "b", "bin", "proc", "second", "two",
        "/ /", "/ /proc",
    ], output
