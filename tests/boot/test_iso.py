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
