"""Disks: each driver reads and writes what the host sees, partitions are found, errors reach the program
that asked, and the machine lives on."""

import hashlib
import os
import shutil
import subprocess

import pytest

from machine import BUILD, BUSYBOX, CACHE, DEBUG_KERNEL, INITRD, POWERED_OFF, TOP, Machine, have_busybox

MIB = 1 << 20
TABLE = "label: dos\nstart=2048, size=4096, type=83\nstart=6144, size=8192, type=82\n" \
        "start=16384, size=16384, type=5\nstart=18432, size=2048, type=83\n"
GPT = "label: gpt\nstart=2048, size=4096\nstart=6144, size=8192\n"

IDE, Q35 = ["-M", "pc"], ["-M", "q35"]
PLAIN = "if=none,id=d"

# name: (machine, how the drive is attached, device, boot options)
DRIVERS = {
    "ide": (IDE, "if=ide", [], "sda", ""),
    "ide-pio": (IDE, "if=ide", [], "sda", "libata.dma=0"),
    "ide-poll": (IDE, "if=ide", [], "sda", "irqpoll"),
    "ahci": (Q35, "if=ide", [], "sda", ""),
    "ahci-poll": (Q35, "if=ide", [], "sda", "irqpoll"),
    "nvme": (IDE, PLAIN, ["-device", "nvme,drive=d,serial=1"], "nvme0n1", ""),
    "nvme-q35": (Q35, PLAIN, ["-device", "nvme,id=n,serial=1", "-device", "nvme-ns,bus=n,drive=d,logical_block_size=4096,physical_block_size=4096"], "nvme0n1", ""),
    "virtio": (IDE, PLAIN, ["-device", "virtio-blk-pci,drive=d"], "vda", ""),
    "virtio-old": (IDE, PLAIN, ["-device", "virtio-blk-pci,drive=d,disable-modern=on"], "vda", ""),
    "virtio-plain": (IDE, PLAIN, ["-device", "virtio-blk-pci,drive=d,disable-modern=on,indirect_desc=off"],
                     "vda", ""),
    "virtio-new": (Q35, PLAIN, ["-device", "virtio-blk-pci,drive=d,disable-legacy=on"], "vda", ""),
}


def make_image(path, size=16 * MIB, table=TABLE, seed=1):
    """A disk full of bytes that differ everywhere, with a partition table."""
    block = hashlib.sha256(bytes([seed])).digest() * 128
    with open(path, "wb") as f:
        for i in range(size // 4096):
            f.write(i.to_bytes(8, "little") + block[8:])
        f.truncate(size)
    if table:
        subprocess.run(["/usr/sbin/sfdisk", "-q", "--wipe=never", path], input=table.encode(), check=True,
                       capture_output=True)
    return str(path)


def digest(path, start=0, length=None):
    with open(path, "rb") as f:
        f.seek(start)
        return hashlib.md5(f.read() if length is None else f.read(length)).hexdigest()


def boot(machine, more, append=""):
    return Machine.direct(INITRD, "console=ttyS0 panic=-1 " + append, more=[*machine, *more])


def part(device, n):
    return f"/dev/{device}{'p' if device[-1].isdigit() else ''}{n}"


def power_off(m):
    m.type("poweroff\n")
    assert m.wait() == POWERED_OFF


@pytest.mark.parametrize("driver", DRIVERS)
def test_reads_and_writes(driver, tmp_path):
    machine, interface, device, name, append = DRIVERS[driver]
    table = None if driver == "nvme-q35" else TABLE
    image = make_image(tmp_path / "disk", table=table)
    with boot(machine, ["-drive", f"file={image},format=raw,{interface}", *device], append) as m:
        m.prompt()
        slow = append == "irqpoll"  # a request takes a tick
        if not slow:
            assert m.sh(f"md5sum </dev/{name}").split()[0] == digest(image)
        target, start = (part(name, 2), 6144 * 512) if table else (f"/dev/{name}", 1 * MIB)
        if table:
            assert m.sh(f"dd if={part(name, 5)} bs=64k count=8 2>/dev/null | md5sum").split()[0] == \
                digest(image, 18432 * 512, 8 << 16)
        else:
            target += " seek=1"
        before = digest(image, 0, start)
        size = 200001 if slow else 3000001
        m.sh(f"cat /bin/busybox /bin/busybox | head -c {size} >/tmp/x; dd if=/tmp/x of={target.split()[0]} "
             f"bs=1M {' '.join(target.split()[1:])} conv=notrunc,fsync 2>&1")
        wrote = m.sh("md5sum </tmp/x").split()[0]
        power_off(m)
    assert digest(image, start, size) == wrote
    assert digest(image, 0, start) == before


def test_partitions_have_linuxs_names_and_numbers(tmp_path):
    one = make_image(tmp_path / "one")
    two = make_image(tmp_path / "two", table=GPT)
    three = make_image(tmp_path / "three")
    with boot(IDE, ["-drive", f"file={one},format=raw,if=ide", "-drive", f"file={two},format=raw,if=virtio",
                    "-drive", f"file={three},format=raw,if=none,id=n", "-device", "nvme,drive=n,serial=1"]) as m:
        m.prompt()
        rows = [line.split() for line in m.sh("cat /proc/partitions").splitlines()[2:]]
        assert [r for r in rows if not r[3].startswith(("sr", "zram"))] == [
            ["8", "0", "16384", "sda"], ["8", "1", "2048", "sda1"], ["8", "2", "4096", "sda2"],
            ["8", "3", "1", "sda3"], ["8", "5", "1024", "sda5"],
            ["259", "0", "16384", "nvme0n1"], ["259", "1", "2048", "nvme0n1p1"],
            ["259", "2", "4096", "nvme0n1p2"], ["259", "3", "1", "nvme0n1p3"],
            ["259", "4", "1024", "nvme0n1p5"],
            ["254", "0", "16384", "vda"], ["254", "1", "2048", "vda1"], ["254", "2", "4096", "vda2"]]
        assert m.sh("stat -c '%n %t:%T' /dev/sda5 /dev/nvme0n1p1") == "/dev/sda5 8:5\n/dev/nvme0n1p1 103:1\n"
        assert m.sh("cat /sys/class/block/sda5/start /sys/block/sda/size /sys/dev/block/254:2/partition") \
            == "18432\n32768\n2\n"
        assert m.sh("readlink /sys/dev/block/8:5 | sed 's,.*/block/,,'") == "sda/sda5\n"
        assert m.sh("cat /sys/block/sda/device/vendor /sys/block/sda/device/model /sys/block/sda/device/type") == \
            "ATA     \nQEMU HARDDISK   \n0\n"
        # busybox's fdisk sees what sfdisk made
        fdisk = m.sh("fdisk -l /dev/sda 2>&1")
        assert "/dev/sda5" in fdisk and "16 MB" in fdisk


def test_tells_its_size_and_rereads_its_table(tmp_path):
    image = make_image(tmp_path / "disk", 16 * MIB + 512)
    with boot(IDE, ["-drive", f"file={image},format=raw,if=virtio"]) as m:
        m.prompt()
        assert m.sh("for o in getsize64 getsz getss getbsz getro; do blockdev --$o /dev/vda; done") \
            == f"{16 * MIB + 512}\n32769\n512\n4096\n0\n"
        # The last sector is half of a page; behind it there is nothing.
        assert m.sh("dd if=/dev/vda bs=512 skip=32768 2>/dev/null | wc -c") == "512\n"
        output, status = m.run("dd if=/dev/zero of=/dev/vda bs=512 seek=32768 count=2 conv=notrunc 2>&1")
        assert status == 1 and "No space left" in output
        m.sh("dd if=/dev/zero of=/dev/vda bs=512 count=1 conv=notrunc 2>/dev/null; sync")
        m.sh("sleep 100 </dev/vda1 & sleep 0; while [ ! -e /proc/$!/fd ]; do :; done")
        output, status = m.run("blockdev --rereadpt /dev/vda 2>&1")
        assert status and "busy" in output
        m.sh("kill %1; wait; blockdev --rereadpt /dev/vda")
        assert "vda1" not in m.sh("cat /proc/partitions; ls /dev")
        power_off(m)
    with open(image, "rb") as f:
        assert f.read(512) == bytes(512)
        f.seek(16 * MIB)
        assert f.read() == bytes(512)


def test_two_disks_at_once(tmp_path):
    images = [make_image(tmp_path / str(i), 8 * MIB, None, i) for i in range(3)]
    drives = []
    for i in range(2):
        drives += ["-drive", f"file={images[i]},format=raw,if=ide,index={i}"]
    with boot(IDE, [*drives, "-drive", f"file={images[2]},format=raw,if=virtio"]) as m:
        m.prompt()
        m.sh("for d in sda sdb vda; do for n in 0 1; do dd if=/dev/$d bs=1M skip=$((n * 4)) count=4 2>/dev/null | "
             "md5sum >/tmp/$d.$n & done; done; wait")
        for i, d in enumerate(["sda", "sdb", "vda"]):
            for n in range(2):
                assert m.sh(f"cat /tmp/{d}.{n}").split()[0] == digest(images[i], n * 4 * MIB, 4 * MIB)
        # Several write to one disk, each its own part.
        m.sh("for n in 0 1 2 3; do dd if=/dev/vda of=/dev/sda bs=64k skip=$((n * 32)) seek=$((n * 32)) count=32 "
             "conv=notrunc,fsync 2>/dev/null & done; wait")
        power_off(m)
    assert digest(images[0]) == digest(images[2])


@pytest.mark.parametrize("machine", [IDE, Q35], ids=["ide", "ahci"])
def test_reads_a_cd(machine, tmp_path):
    image = make_image(tmp_path / "cd", 5 * MIB, None)
    with boot(machine, ["-cdrom", image]) as m:
        m.prompt()
        assert m.sh("md5sum </dev/sr0").split()[0] == digest(image)
        assert m.sh("blockdev --getss /dev/sr0; blockdev --getro /dev/sr0") == "2048\n1\n"
        assert m.sh("cat /sys/block/sr0/device/type") == "5\n"  # lsblk: rom
        output, status = m.run("dd if=/dev/zero of=/dev/sr0 count=1 2>&1")
        assert status == 1 and "Read-only" in output


def test_copies_a_disk_larger_than_memory(tmp_path):
    images = [make_image(tmp_path / str(i), 24 * MIB, None, i) for i in range(2)]
    with Machine.direct(INITRD, "console=ttyS0 panic=-1", mem=16, more=[
            "-drive", f"file={images[0]},format=raw,if=virtio", "-drive", f"file={images[1]},format=raw,if=ide"]) as m:
        m.prompt()
        m.sh("dd if=/dev/vda of=/dev/sda bs=1M conv=notrunc,fsync 2>&1")
        assert m.sh("md5sum </dev/sda").split()[0] == digest(images[0])
        power_off(m)
    assert digest(images[1]) == digest(images[0])


def test_writes_nothing_to_a_disk_that_is_read_only(tmp_path):
    image = make_image(tmp_path / "disk")
    with boot(IDE, ["-drive", f"file={image},format=raw,if=virtio,readonly=on"]) as m:
        m.prompt()
        assert m.sh("blockdev --getro /dev/vda1; md5sum </dev/vda").split() == ["1", digest(image), "-"]
        output, status = m.run("dd if=/dev/zero of=/dev/vda1 count=1 2>&1")
        assert status == 1 and "not permitted" in output


@pytest.mark.parametrize("driver", ["ide", "ide-pio", "ahci", "nvme", "virtio"])
def test_an_error_reaches_who_asked(driver, tmp_path):
    """A sector that cannot be read, one that cannot be written, and one that works the second time."""
    machine, interface, device, name, append = DRIVERS[driver]
    image = make_image(tmp_path / "disk")
    rule = '[inject-error]\nevent = "none"\niotype = "{}"\nerrno = "5"\nsector = "{}"\nonce = "{}"\n'
    with open(tmp_path / "rules", "w") as f:
        f.write(rule.format("read", 8192, "off") + rule.format("write", 7168, "off") +
                rule.format("read", 20480, "on"))
    drive = f"driver=blkdebug,config={tmp_path}/rules,image.driver=raw,image.file.filename={image},{interface}"
    with boot(machine, ["-drive", drive, *device], append) as m:
        m.prompt()
        output, status = m.run(f"dd if=/dev/{name} bs=64k of=/tmp/x count=80 2>&1")
        assert status == 1 and "Input/output error" in output
        assert m.sh("wc -c </tmp/x") == f"{8192 * 512}\n"
        m.sh(f"dd if=/dev/{name} bs=4k skip=1025 2>/dev/null | md5sum >/tmp/sum")
        assert m.sh("cat /tmp/sum").split()[0] == digest(image, 1025 * 4096)
        output, status = m.run(f"dd if=/bin/busybox of={part(name, 2)} bs=64k count=16 conv=notrunc,fsync 2>&1")
        assert status == 1 and "Input/output error" in output
        assert m.sh("echo lives") == "lives\n"
        wrote = m.sh("head -c 524288 /bin/busybox | md5sum; dd if=/bin/busybox bs=4k skip=129 count=127 "
                     "2>/dev/null | md5sum").split()
        power_off(m)
    # All but the page that could not be written is there.
    assert digest(image, 6144 * 512, 524288) == wrote[0]
    assert digest(image, 6144 * 512 + 129 * 4096, 127 * 4096) == wrote[2]


@pytest.mark.parametrize("driver", ["ide", "ahci", "nvme", "virtio"])
def test_a_lost_request_is_found(driver, tmp_path):
    """One completion gets lost: after some seconds (which pass at once, nothing else happens) the disk is reset, and
    all that was under way is done again."""
    machine, interface, device, name, _ = DRIVERS[driver]
    image = make_image(tmp_path / "disk", 8 * MIB, None)
    with Machine.direct(INITRD, "console=ttyS0 panic=-1 blocklose=20", DEBUG_KERNEL, more=[
            *machine, "-icount", "shift=4,sleep=off", "-drive", f"file={image},format=raw,{interface}", *device]) as m:
        m.prompt()
        m.sh(f"md5sum </dev/{name} >/tmp/sum")
        assert m.sh("cat /tmp/sum").split()[0] == digest(image)
        assert f"{name}: was reset" in m.sh("dmesg")
        m.sh(f"dd if=/bin/busybox of=/dev/{name} bs=64k count=8 conv=notrunc,fsync 2>&1")
        wrote = m.sh("head -c 524288 /bin/busybox | md5sum").split()[0]
        power_off(m)
    assert digest(image, 0, 524288) == wrote


def test_counts_what_it_does(tmp_path):
    image = make_image(tmp_path / "disk", table=None)
    with boot(IDE, ["-drive", f"file={image},format=raw,if=virtio"]) as m:
        m.prompt()
        before = m.sh("grep ' vda ' /proc/diskstats").split()
        m.sh("dd if=/dev/vda bs=64k count=16 of=/dev/null; dd if=/dev/zero of=/dev/vda bs=64k count=16 "
             "conv=notrunc,fsync 2>&1")
        after = m.sh("grep ' vda ' /proc/diskstats").split()
        assert len(after) == 20
        moved = [int(b) - int(a) for a, b in zip(before[3:], after[3:])]
        assert moved[2] >= 2048 and moved[6] == 2048 and moved[15] >= 1
        # What was read stays in memory, until BLKFLSBUF.
        m.sh("dd if=/dev/vda bs=64k count=16 of=/dev/null 2>&1")
        assert m.sh("grep ' vda ' /proc/diskstats").split()[5] == after[5]
        m.sh("blockdev --flushbufs /dev/vda; dd if=/dev/vda bs=64k count=16 of=/dev/null 2>&1")
        assert int(m.sh("grep ' vda ' /proc/diskstats").split()[5]) >= int(after[5]) + 2048
        after = m.sh("grep ' vda ' /proc/diskstats").split()
        assert after[11] == "0"
        assert m.sh("cat /sys/block/vda/stat").split()[2] == after[5]


def test_files_are_disks_through_loop_devices(tmp_path):
    image = make_image(tmp_path / "disk", table=None)
    inner = make_image(tmp_path / "inner")
    with boot(IDE, ["-drive", f"file={image},format=raw,if=virtio", "-drive", f"file={inner},format=raw,if=ide"]) as m:
        m.prompt()
        assert m.sh("losetup -f") == "/dev/loop0\n"
        m.sh("dd if=/dev/vda of=/tmp/f bs=64k count=32 2>/dev/null; losetup /dev/loop0 /tmp/f")
        assert m.sh("losetup -a; blockdev --getsize64 /dev/loop0") == f"/dev/loop0: 0 /tmp/f\n{2 * MIB}\n"
        assert m.sh("md5sum </dev/loop0").split()[0] == digest(image, 0, 2 * MIB)
        # A part of a file, written through: the file shows it. Read-only: it is not written.
        m.sh("losetup -o 4096 -f /tmp/f; dd if=/bin/busybox of=/dev/loop1 bs=512 seek=3 count=100 "
             "conv=notrunc,fsync 2>/dev/null; losetup -d /dev/loop1")
        wrote = m.sh("dd if=/tmp/f bs=512 skip=11 count=100 2>/dev/null | md5sum; head -c 51200 /bin/busybox | md5sum")
        assert wrote.split()[0] == wrote.split()[2]
        m.sh("losetup -d /dev/loop0; losetup -r /dev/loop0 /tmp/f")
        output, status = m.run("dd if=/dev/zero of=/dev/loop0 count=1 2>&1")
        assert status == 1 and "not permitted" in output
        # A disk behind, whose partitions are found.
        m.sh("losetup -d /dev/loop0; losetup -P /dev/loop0 /dev/sda")
        assert m.sh("md5sum </dev/loop0p5").split()[0] == digest(inner, 18432 * 512, 2048 * 512)
        m.sh("losetup -d /dev/loop0")
        assert m.sh("blockdev --getsize64 /dev/loop0; grep -c loop /proc/partitions || true") == "0\n0\n"
        assert "violations 0" in m.sh("cat /proc/mm_check")
        power_off(m)


# ---- Debian's programs

KEPT = "bin/lsblk sbin/sfdisk sbin/fdisk sbin/blkid sbin/mke2fs sbin/e2fsck sbin/mkswap sbin/losetup".split()


@pytest.fixture(scope="module")
def with_util_linux(tmp_path_factory):
    """An image with some of Debian's programs for disks, in /x."""
    programs = CACHE + "/disks"
    subprocess.run([TOP + "/scripts/fetch-i386", "disks"], check=False)
    if not os.path.isdir(programs) or not have_busybox():
        pytest.skip("Debian's i386 programs could not be fetched")
    root = tmp_path_factory.mktemp("disks") / "root"
    shutil.copytree(TOP + "/iso/root", root, symlinks=True)
    (root / "x").mkdir()
    for name in KEPT:
        path = f"{programs}/{name}"
        shutil.copy(path if os.path.exists(path) else f"{programs}/usr/{name}", root / "x")
    for lib in ("lib", "usr/lib"):
        if os.path.isdir(f"{programs}/{lib}"):
            shutil.copytree(f"{programs}/{lib}", root / lib, symlinks=True, dirs_exist_ok=True,
                            ignore=shutil.ignore_patterns("gconv", "systemd"))
    image = str(root) + ".cpio"
    subprocess.run([TOP + "/scripts/mkinitrd", "-o", image, "--root", root, "--busybox", BUSYBOX,
                    *[f"{BUILD}/user/{name}" for name in ("init", "sh", "tools")]], check=True)
    return image


def test_util_linux_makes_and_finds_partitions(with_util_linux, tmp_path):
    disk = make_image(tmp_path / "disk", 32 * MIB, None)
    with Machine.direct(with_util_linux, mem=128, more=["-drive", f"file={disk},format=raw,if=virtio"]) as m:
        m.prompt()
        m.sh("printf 'label: gpt\\nsize=20M\\nsize=5M\\n' | /x/sfdisk -q /dev/vda")
        rows = [line.split() for line in m.sh("/x/lsblk -rn -o NAME,MAJ:MIN,SIZE,RO,TYPE /dev/vda").splitlines()]
        assert rows == [["vda", "254:0", "32M", "0", "disk"], ["vda1", "254:1", "20M", "0", "part"],
                        ["vda2", "254:2", "5M", "0", "part"]]
        m.sh("/x/mke2fs -q -t ext2 -L files /dev/vda1 && /x/mkswap -q -L pages /dev/vda2")
        found = m.sh("/x/blkid")
        assert '/dev/vda1: LABEL="files"' in found and 'TYPE="swap"' in found
        m.sh("/x/e2fsck -f -n /dev/vda1 2>&1")
        # A file system made in a file is the same through a loop device.
        m.sh("dd if=/dev/vda1 of=/tmp/f bs=1M 2>/dev/null")
        assert m.sh("/x/losetup -f --show /tmp/f") == "/dev/loop0\n"
        assert 'LABEL="files"' in m.sh("/x/blkid -p /dev/loop0")
        power_off(m)
    listed = subprocess.run(["/usr/sbin/sfdisk", "-l", disk], capture_output=True, text=True, check=True).stdout
    assert "disk1" in listed and "20M Linux filesystem" in listed
    subprocess.run(["/usr/sbin/e2fsck", "-f", "-n", f"{disk}?offset={MIB}"], check=True, capture_output=True)
