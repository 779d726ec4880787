"""The image: reproducible and small. That it boots is tested by the machines."""

import os
import subprocess
import time

from machine import ISO, KERNEL, TOP
from test_boot import own_userland

LIMIT = 5_500_000


def make(tmp_path, name):
    initrd = tmp_path / "initrd"
    initrd.write_bytes(own_userland())
    out = tmp_path / name
    subprocess.run([TOP + "/scripts/mkiso", str(out), KERNEL, str(initrd), TOP + "/iso/grub.cfg"],
                   check=True, capture_output=True)
    return out.read_bytes()


def test_two_builds_are_the_same_bytes_and_small(tmp_path):
    first = make(tmp_path, "first.iso")
    began = int(time.time())
    while int(time.time()) == began:  # no date of the second may be one of the first
        time.sleep(0.1)
    second = make(tmp_path, "second.iso")
    assert first == second
    assert len(first) <= LIMIT


def test_the_image_that_people_get_is_small():
    assert os.path.getsize(ISO) <= LIMIT


def test_what_is_handed_on_does_not_say_where_it_was_built(tmp_path):
    """scripts/release, of a kernel's object instead of a whole one: with RELEASE=1 no path gets in."""
    build, out = tmp_path / "build", tmp_path / "out"
    subprocess.run(["make", "-s", f"B={build}", "RELEASE=1", f"{build}/mm/fault.o", f"{build}/arch/i386/entry.asm.o"],
                   cwd=TOP, check=True, capture_output=True)
    os.rename(build / "mm/fault.o", build / "faultline.elf")
    for name in ("faultline.iso", "initrd.cpio"):
        (build / name).write_bytes(name.encode())
    subprocess.run([TOP + "/scripts/release", str(build), str(out)], check=True, capture_output=True)
    said = sorted(os.listdir(out))
    assert {name.split(".")[-1] for name in said} >= {"iso", "elf", "debug", "cpio", "md"} and "SHA256SUMS" in said
    assert subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=out, capture_output=True).returncode == 0
    for name in [out / n for n in said] + [build / "arch/i386/entry.asm.o"]:
        assert TOP.encode() not in name.read_bytes(), name
    assert b"mm/fault.c" in next(out.glob("*.debug")).read_bytes()
