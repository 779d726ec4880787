"""Power cuts: a run under load whose every write and flush is logged; then disks as they would be after a cut at
random moments, with any of the writes since the last flush missing. Each has to be mended by e2fsck -p, without a question, be sound, and hold
everything that the program had been told was safe; a mount mends as well. POWER_CUTS=100 for more moments (make soak)."""

import os
import random
import re
import shutil
import struct
import subprocess

import pytest

from filesystems import MIB, assert_sound, boot, dump, fsck, have_linux_with_disks, make_fs, on_linux, power_off
from machine import INITRD, Machine, build_program, have_busybox

pytestmark = pytest.mark.skipif(not have_busybox(), reason="needs BusyBox")

CUTS = int(os.environ.get("POWER_CUTS", "8"))
SECTOR = 512
START, SIZE = 2048, 24 * MIB // SECTOR  # of the file system
MARKER = START + SIZE                   # where the program tells what is safe
TABLE = f"label: dos\nstart={START}, size={SIZE}, type=83\nstart={MARKER}, size=2048, type=83\n"
FLUSH, DISCARD, MARK = 1, 4, 8


def make_disk(tmp_path, block):
    os.makedirs(tmp_path / "tree/kept")
    build_program("synced.c", tmp_path / "tree/synced")
    fs = make_fs(tmp_path / "fs", size=SIZE * SECTOR, block=block, tree=tmp_path / "tree")
    disk = str(tmp_path / "disk")
    with open(fs, "rb") as f, open(disk, "wb") as d:
        d.seek(START * SECTOR)
        shutil.copyfileobj(f, d)
        d.truncate((MARKER + 2048) * SECTOR)
    subprocess.run(["/usr/sbin/sfdisk", "-q", disk], input=TABLE.encode(), check=True, capture_output=True)
    return disk


def run_under_load(tmp_path, disk, rounds):
    """The program runs until it says that enough is safe; the log of what reached the device."""
    log = str(tmp_path / "log")
    open(log, "wb").close()
    more = ["-blockdev", f"driver=raw,node-name=below,file.driver=file,file.filename={disk}",
            "-blockdev", f"driver=file,node-name=logfile,filename={log}",
            "-blockdev", "driver=blklogwrites,node-name=d,file=below,log=logfile,log-sector-size=512",
            "-device", "virtio-blk-pci,drive=d"]
    with Machine.direct(INITRD, "console=ttyS0 panic=-1", more=more) as m:
        m.prompt()
        m.sh("cd /proc/sys/vm; echo 20 >dirty_writeback_centisecs; echo 50 >dirty_expire_centisecs; cd /")
        m.sh("mount -t ext2 /dev/vda1 /mnt")
        m.type("/mnt/synced /mnt/kept /dev/vda2 &\n")
        for _ in range(rounds):
            m.expect("safe \\d+\\r")
        m.qemu.terminate()  # its log is whole then
        m.qemu.wait()
    return log


def read_log(path):
    """(flags, sector, data) in the order in which the device had them."""
    with open(path, "rb") as f:
        raw = f.read()
    magic, version, count, size = struct.unpack_from("<QQQI", raw)
    assert magic == 0x6a736677736872 and version == 1 and size == SECTOR
    entries, at = [], SECTOR
    for _ in range(count):
        sector, sectors, flags, _ = struct.unpack_from("<QQQQ", raw, at)
        at += SECTOR
        length = 0 if flags & (DISCARD | MARK) else sectors * SECTOR
        entries.append((flags, sector, raw[at:at + length]))
        at += length
    return entries


def apply(image, entry):
    _, sector, data = entry
    image[sector * SECTOR:sector * SECTOR + len(data)] = data


def crash_states(disk, entries, cuts, rnd):
    """Disks after a cut: what was flushed is there, and of what came after, any part."""
    image = bytearray(open(disk, "rb").read())
    done = 0
    for cut in sorted(rnd.randrange(1, len(entries) + 1) for _ in range(cuts)):
        flushed = max([done] + [i for i in range(done, cut) if entries[i][0] & FLUSH])
        for entry in entries[done:flushed]:
            apply(image, entry)
        done = flushed
        lost = bytearray(image)
        share = rnd.choice([0, 0.3, 0.7, 1])
        for entry in entries[flushed:cut]:
            if rnd.random() < share:
                apply(lost, entry)
        yield lost


def contents(n):
    return bytes((n * 7 + i // 61) % 251 for i in range(1000 + n * 7919 % 59000))


def check_kept(folder, safe):
    """Of the files up to the one that is safe all are there that were not unlinked. The next may be on its way."""
    for n in range(max(1, safe - 12), safe + 1):
        gone = (n + 1) % 3 == 0
        path = f"{folder}/kept/k{n}"
        if gone and n < safe:
            assert not os.path.exists(path), f"k{n} was unlinked, and {safe} are safe"
        elif not gone:
            with open(path, "rb") as f:
                assert f.read() == contents(n), f"k{n} of {safe}"


def mend(image):
    """Nothing may need an answer."""
    status, said = fsck(image, "-p")
    assert status in (0, 1), said
    assert_sound(image)


def features(image):
    said = subprocess.run(["/usr/sbin/dumpe2fs", "-h", image], capture_output=True, text=True, check=True).stdout
    return re.search("Filesystem features: (.*)", said)[1].split()


def mend_here(image):
    """Mounting puts to its place what the log has; what is lost to no name is e2fsck's."""
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t ext2 /dev/vda /mnt; ls -lR /mnt >/dev/null; : >/mnt/new; umount /mnt")
        assert "recovered from its log" in m.sh("dmesg")
        power_off(m)
    assert "has_journal" not in features(image)
    mend(image)


def mend_on_linux(image):
    """Linux's driver takes the log for what it is called, an ext3 journal."""
    status, said = fsck(image, "-n")
    assert "journal" in said, said
    on_linux(image, "mount -t ext4 /dev/vda /mnt && ls -lR /mnt >/dev/null && umount /mnt")
    assert "needs_recovery" not in features(image)
    mend(image)


def check(tmp_path, number, state, mend=mend):
    image = str(tmp_path / f"cut{number}")
    with open(image, "wb") as f:
        f.write(state[START * SECTOR:(START + SIZE) * SECTOR])
    mend(image)
    marker = bytes(state[MARKER * SECTOR:MARKER * SECTOR + 32]).split(b"\n")[0]
    safe = int(marker.split()[1]) if marker.startswith(b"safe ") else 0
    folder = tmp_path / f"dump{number}"
    check_kept(dump(image, folder), safe)
    shutil.rmtree(folder)
    os.unlink(image)
    return safe


@pytest.mark.parametrize("block", [1024, 4096])
def test_the_power_may_be_cut_at_any_moment(block, tmp_path):
    seed = int(os.environ.get("POWER_SEED", "1"))
    disk = make_disk(tmp_path, block)
    shutil.copy(disk, tmp_path / "before")
    log = run_under_load(tmp_path, disk, 8)
    rnd = random.Random(seed)
    entries = read_log(log)
    assert any(flags & FLUSH for flags, _, _ in entries)
    cuts = (CUTS + 1) // 2
    safe = [check(tmp_path, number, state)
            for number, state in enumerate(crash_states(tmp_path / "before", entries, cuts, rnd))]
    assert safe == sorted(safe) and max(safe) > 0, safe
    whole = next(crash_states(tmp_path / "before", entries, 1, random.Random(seed)))
    check(tmp_path, cuts, whole, mend_here)
    if have_linux_with_disks():
        check(tmp_path, cuts + 1, whole, mend_on_linux)
