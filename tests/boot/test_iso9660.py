"""ISO 9660: a tree that xorriso packed is there as it was, by the names of Rock Ridge, of Joliet and of the
standard itself; the boot medium can be mounted; damaged images harm nobody."""

import hashlib
import os
import random
import shutil
import struct
import subprocess

import pytest

from filesystems import LIST, MIB, boot, damage_dice, make_tree, on_host, power_off
from machine import DEBUG_KERNEL, INITRD, ISO, Machine, have_busybox

pytestmark = [pytest.mark.skipif(not have_busybox(), reason="needs BusyBox"),
              pytest.mark.skipif(not shutil.which("xorriso"), reason="needs xorriso")]


def make_iso(path, tree, *options):
    subprocess.run(["xorriso", "-as", "mkisofs", "-quiet", *options, "-o", str(path), str(tree)], check=True,
                   capture_output=True)
    return str(path)


def make_deep_tree(root):
    make_tree(root)
    os.makedirs(f"{root}/{'/'.join('abcdefghijkl')}")
    with open(f"{root}/{'/'.join('abcdefghijkl')}/deep", "w") as f:
        f.write("deep\n")
    with open(f"{root}/{'n' * 250}", "w") as f:
        f.write("long\n")
    os.symlink("x/" * 120 + "../" * 20 + "end", f"{root}/parts")
    os.symlink("/abs/./x/../" + "y" * 250, f"{root}/root")
    return root


@pytest.mark.parametrize("options", [["-R"], ["-R", "-J"], ["-R", "-rr_reloc_dir", "/moved"]], ids=" ".join)
def test_rock_ridge_gives_the_tree_back(options, tmp_path):
    make_deep_tree(tmp_path / "tree")
    image = make_iso(tmp_path / "iso", tmp_path / "tree", *options)
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t iso9660 /dev/vda /mnt")
        assert m.sh(f"cd /mnt; {LIST}; cd /").split()[0] == on_host(tmp_path / "tree")
        assert m.sh("stat -c '%a %h' /mnt/hello /mnt/d/fifo; stat -c %a /mnt/d/e").split() \
            == ["4751", "2", "644", "1", "1777"]
        assert "Read-only" in m.run("touch /mnt/x 2>&1")[0]
        assert "Read-only" in m.run("mount -o remount,rw /mnt 2>&1")[0]
        assert m.run("exec 3</mnt/hello; umount /mnt")[1] != 0
        m.sh("exec 3<&-; umount /mnt")
        power_off(m)


def test_joliet_and_plain_names(tmp_path):
    os.makedirs(tmp_path / "tree/Ordner")
    for name in ("Grüße.TXT", "Ordner/EinLangerName mit Leerzeichen.text"):
        with open(tmp_path / "tree" / name, "w") as f:
            f.write(name)
    image = make_iso(tmp_path / "iso", tmp_path / "tree", "-J", "--norock")
    with boot(image) as m:
        m.prompt()
        m.sh("mount -t iso9660 -o ro,norock /dev/vda /mnt")
        said = m.sh("cd /mnt; find . | sort; cat Gr*; cd /; umount /mnt").encode("latin-1").decode()
        assert said.split("\n")[:4] == [".", "./Grüße.TXT", "./Ordner", "./Ordner/EinLangerName mit Leerzeichen.text"]
        assert "Grüße.TXT" in said.split("\n")[4]
        m.sh("mount -t iso9660 -o ro,norock,nojoliet /dev/vda /mnt")
        assert m.sh("ls /mnt").split() == ["gr__e.txt", "ordner"]
        assert m.sh("umount /mnt; mount -t iso9660 -o ro,nonsense /dev/vda /mnt 2>/dev/null || echo refused").split() \
            == ["refused"]
        power_off(m)


def test_the_boot_medium_can_be_mounted(tmp_path):
    subprocess.run(["xorriso", "-osirrox", "on", "-indev", ISO, "-extract", "/", str(tmp_path / "out")], check=True,
                   capture_output=True)
    with Machine.direct(INITRD, "console=ttyS0 panic=-1", more=["-cdrom", ISO]) as m:
        m.prompt()
        m.sh("mount /dev/sr0 /mnt")
        assert "iso9660 ro" in m.sh("grep /mnt /proc/mounts")
        assert m.sh(f"cd /mnt; {LIST}; cd /").split()[0] == on_host(tmp_path / "out")
        m.sh("umount /mnt")
        power_off(m)


# ---- An image made by hand, for what xorriso does not make


def both(n, size=4):
    return n.to_bytes(size, "little") + n.to_bytes(size, "big")


def record(name, block, size, flags=0, more=b""):
    body = both(block) + both(size) + bytes([126, 1, 2, 3, 4, 5, 0, flags, 0, 0]) + both(1, 2)
    body += bytes([len(name)]) + name + b"\0" * (1 - len(name) % 2) + more
    return bytes([len(body) + 2, 0]) + body


def image_of(root, blocks):
    """A volume whose root directory (block 20) has these records after "." and ".."; blocks: {number: bytes}."""
    head = record(b"\0", 20, 2048, 2) + record(b"\1", 20, 2048, 2)
    primary = bytearray(2048)
    primary[:8] = b"\1CD001\1\0"
    primary[80:88], primary[128:132] = both(64), both(2048, 2)
    primary[156:190] = record(b"\0", 20, 2048, 2)
    image = bytearray(64 * 2048)
    for number, data in {16: primary, 17: b"\xffCD001\1", 20: head + root, **blocks}.items():
        image[number * 2048:number * 2048 + len(data)] = data
    return bytes(image)


def test_a_file_may_lie_in_several_sections(tmp_path):
    parts = [random.Random(n).randbytes(size) for n, size in enumerate((2048, 6144, 10240, 5001))]
    places = (40, 22, 50, 30)
    root = b"".join(record(b"BIG.BIN;1", at, len(p), 0x80 if p is not parts[-1] else 0) for at, p in zip(places, parts))
    root += record(b"AFTER.;1", 48, 3)
    with open(tmp_path / "iso", "wb") as f:
        f.write(image_of(root, {**dict(zip(places, parts)), 48: b"abc"}))
    whole = b"".join(parts)
    with boot(tmp_path / "iso") as m:
        m.prompt()
        m.sh("mount -t iso9660 -o ro /dev/vda /mnt")
        assert m.sh("ls /mnt; cat /mnt/after; stat -c ' %s %Y' /mnt/big.bin").split() \
            == ["after", "big.bin", "abc", str(len(whole)), "1767323045"]
        assert m.sh("md5sum </mnt/big.bin").split()[0] == hashlib.md5(whole).hexdigest()
        assert m.sh("dd if=/mnt/big.bin bs=1 skip=8190 count=20 2>/dev/null | md5sum").split()[0] \
            == hashlib.md5(whole[8190:8210]).hexdigest()
        power_off(m)


def entry(letters, data):
    return letters + bytes([len(data) + 4, 1]) + data


CE_LOOP = entry(b"CE", both(21) + both(0) + both(28))
EVIL = {
    "a directory in itself": image_of(record(b"LOOP", 20, 2048, 2), {}),
    "a directory beyond the end": image_of(record(b"FAR", 0xfffffff0, 2048, 2) + record(b"FAR2", 63, 0xffffffff, 2), {}),
    "a file beyond the end": image_of(record(b"F", 60, 0xffffffff) + record(b"G", 0xffffffff, 100000), {}),
    "sections without end": image_of(record(b"F", 30, 2048, 0x80) * 40, {}),
    "a name of slashes": image_of(record(b"A/B", 30, 1) + record(b"..", 30, 1) + record(b"X\0Y", 30, 1), {}),
    "entries without end": image_of(record(b"F", 30, 1, more=CE_LOOP), {
        20: record(b"\0", 20, 2048, 2, entry(b"SP", b"\xbe\xef\0")) + record(b"F", 30, 1, more=CE_LOOP), 21: CE_LOOP}),
    "a child elsewhere": image_of(b"", {
        20: record(b"\0", 20, 2048, 2, entry(b"SP", b"\xbe\xef\0"))
        + record(b"A", 30, 1, more=entry(b"CL", both(20))) + record(b"B", 30, 1, more=entry(b"CL", both(0xffffff)))
        + record(b"C", 30, 1, more=entry(b"CL", both(30)))}),
    "a short record": image_of(bytes([35]) + bytes(40), {}),
}


def damage(data, rnd):
    data = bytearray(data)
    for _ in range(rnd.choice([1, 3, 10, 40])):
        at = 32768 + rnd.randrange(rnd.choice([2048, 12288, 65536]))
        if at < len(data):
            data[at] = rnd.choice([0, 1, 2, 255, data[at] ^ 1 << rnd.randrange(8), rnd.randrange(256)])
    return bytes(data)


WALK = "i=0; while [ $i -lt %d ]; do dd if=/dev/vda of=/tmp/i bs=1M skip=$i count=1 2>/dev/null; for o in ro ro,norock; do " \
       "if mount -t iso9660 -o loop,$o /tmp/i /mnt 2>/dev/null; then find /mnt -type f -exec md5sum {} + ; ls -lR /mnt; " \
       "stat /mnt/*; readlink /mnt/*; cat /mnt/*; umount /mnt; fi; done; i=$((i+1)); done >/dev/null 2>&1"


def test_damaged_images_harm_nobody(tmp_path):
    (rnd, count), images = damage_dice(9, 40), list(EVIL.values())
    os.makedirs(tmp_path / "tree/d/e")
    for i in range(20):
        with open(tmp_path / f"tree/d/file{i}", "w") as f:
            f.write("x" * (i * 3000))
    os.symlink("y/" * 100, tmp_path / "tree/long")
    good = open(make_iso(tmp_path / "good", tmp_path / "tree", "-R", "-J"), "rb").read()
    images += [damage(good, rnd) for _ in range(count)]
    with open(tmp_path / "disk", "wb") as f:
        for image in images:
            f.write(image[:MIB].ljust(MIB, b"\0"))
    with boot(tmp_path / "disk", append="quiet", kernel=DEBUG_KERNEL) as m:
        m.prompt()
        free = "awk '/^MemFree|^Cached|^Buffers/ {n += $2} END {print n}' /proc/meminfo"
        m.run(WALK % 4, limit=300)
        before = int(m.sh(free))
        m.run(WALK % len(images), limit=1800)
        assert abs(before - int(m.sh(free))) < 1500, "memory is gone"
        assert m.sh("mount -t iso9660 2>/dev/null | wc -l; echo alive").split()[-1] == "alive"
        power_off(m)
