"""The session in docs/disks.md, typed on Debian's own root: what is printed is what the page says, but for numbers."""

import re

import pytest

from filesystems import MIB
from machine import POWERED_OFF, TOP, Machine
from test_debian import LONG, make_root


def session():
    with open(TOP + "/docs/disks.md") as f:
        block = f.read().split("<!-- session -->")[1].split("<!-- /session -->")[0]
    for part in ("\n" + block).split("\n    # ")[1:]:
        command, *answer = part.splitlines()
        yield command, answer


def shape(lines):
    """Without what differs from run to run: numbers, identifiers, columns, colours."""
    text = re.sub("\x1b\\[[0-9;]*m", "", "\n".join(lines))
    text = re.sub("[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}", "UUID", text)
    text = re.sub(r"[0-9]+(\.[0-9]+)?", "0", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_root(tmp_path_factory.mktemp("session") / "root.cpio", "e2fsprogs", "fdisk")


def test_the_session_of_the_page(root, tmp_path):
    with open(tmp_path / "disk", "wb") as f:
        f.truncate(64 * MIB)
    with Machine.direct(root, "console=ttyS0 quiet panic=-1", mem=256,
                        more=["-drive", f"file={tmp_path}/disk,format=raw,if=virtio"]) as m:
        m.prompt(LONG)
        m.sh("bind 'set enable-bracketed-paste off'; PS1='$(true):~# '; mkdir -p /mnt; stty cols 200")
        for command, answer in session():
            assert shape(m.sh(command, limit=LONG).splitlines()) == shape(answer), command
        m.type("poweroff\n")
        assert m.wait() == POWERED_OFF
