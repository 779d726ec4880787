"""File systems on disks, made, checked and read on the host, and machines that have them attached."""

import hashlib
import os
import random
import shutil
import stat
import subprocess

from machine import BUILD, BUSYBOX, CACHE, INITRD, KERNEL, LINUX, POWERED_OFF, TOP, Machine, have_linux
from newc import Archive

MIB = 1 << 20
SBIN = "/usr/sbin/"
EXERCISER = BUILD + "/debug/guest/fs_random"


def make_tree(root):
    """Files of every kind and size: links, holes, a large directory, several levels of pointers."""
    os.makedirs(f"{root}/d/e/f")
    os.makedirs(f"{root}/many")
    with open(f"{root}/hello", "w") as f:
        f.write("hello ext2\n")
    with open(f"{root}/big", "wb") as f:
        f.write(b"".join(i.to_bytes(4, "little") * 256 for i in range(6000)))
    for i in range(300):
        with open(f"{root}/many/a-file-with-a-rather-long-name-{i}", "w") as f:
            f.write(str(i) * (i % 50))
    with open(f"{root}/hole", "wb") as f:
        f.seek(5000000)
        f.write(b"end")
    os.symlink("hello", f"{root}/short")
    os.symlink("d/" + "x" * 200, f"{root}/long")
    os.link(f"{root}/hello", f"{root}/d/hard")
    os.mkfifo(f"{root}/d/fifo")
    os.chmod(f"{root}/hello", 0o4751)
    os.chmod(f"{root}/d/e", 0o1777)


def make_fs(path, size=48 * MIB, block=1024, tree=None, more=(), kind="ext2"):
    with open(path, "wb") as f:
        f.truncate(size)
    command = [SBIN + "mke2fs", "-q", "-F", "-t", kind, "-b", str(block), *more]
    if tree:
        command += ["-d", str(tree)]
    subprocess.run([*command, str(path)], check=True, capture_output=True)
    return str(path)


def fsck(path, *how):
    done = subprocess.run([SBIN + "e2fsck", *how, path], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def assert_sound(path):
    status, said = fsck(path, "-f", "-n")
    assert status == 0, said


def boot(image, append="", mem=64, kernel=KERNEL):
    return Machine.direct(INITRD, "console=ttyS0 panic=-1 " + append, mem=mem, kernel=kernel,
                          more=["-drive", f"file={image},format=raw,if=none,id=d,cache=writeback",
                                "-device", "virtio-blk-pci,drive=d"])


def damage_dice(seed, count):
    """For damaged images: dice, and how many of them; make soak has others and more."""
    return random.Random(int(os.environ.get("DAMAGED_SEED", seed))), int(os.environ.get("DAMAGED_IMAGES", count))


def power_off(m):
    m.type("poweroff\n")
    assert m.wait() == POWERED_OFF


# What debugfs gives back: no special files, a copy for each hard link, no set-id and sticky bits.
LIST = "find . -mindepth 1 -path ./lost+found -prune -o -mindepth 1 ! -type p -print | sort | while read f; do " \
       "stat -c '%a %F' \"$f\" | sed 's/^[0-9]\\([0-9][0-9][0-9]\\) /\\1 /'; " \
       "if [ -L \"$f\" ]; then readlink \"$f\"; elif [ -f \"$f\" ]; then md5sum <\"$f\"; fi; " \
       "echo \"$f\"; done | tee /tmp/list | md5sum"


def md5(data):
    return hashlib.md5(data).hexdigest()


def on_host(root):
    """What LIST says of a tree here."""
    lines = []
    paths = [os.path.join(top, name) for top, dirs, files in os.walk(root) for name in dirs + files]
    for path in sorted(os.path.relpath(p, root).encode() for p in paths):
        full = os.path.join(os.fsencode(root), path)
        st = os.lstat(full)
        if path.split(b"/")[0] == b"lost+found" or stat.S_ISFIFO(st.st_mode):
            continue
        kind = "directory" if stat.S_ISDIR(st.st_mode) else "symbolic link" if stat.S_ISLNK(st.st_mode) \
            else "regular file" if st.st_size else "regular empty file"
        lines.append(f"{st.st_mode & 0o777:o} {kind}".encode())
        if stat.S_ISLNK(st.st_mode):
            lines.append(os.readlink(full))
        elif stat.S_ISREG(st.st_mode):
            with open(full, "rb") as f:
                lines.append(md5(f.read()).encode() + b"  -")
        lines.append(b"./" + path)
    return md5(b"".join(line + b"\n" for line in lines))


def dump(image, to):
    os.makedirs(to)
    subprocess.run([SBIN + "debugfs", "-R", f"rdump / {to}", image], check=True, capture_output=True)
    return str(to)


def make_exerciser(tmp_path, block, size=192 * MIB):
    os.makedirs(tmp_path / "start")
    shutil.copy(EXERCISER, tmp_path / "start/fs_random")
    return make_fs(tmp_path / "disk", size=size, block=block, tree=tmp_path / "start")


def exercise_here(tmp_path, seed, operations):
    """The same program on the host's own file system: what it says, and the tree."""
    done = subprocess.run([f"{TOP}/scripts/run-i386", EXERCISER, str(tmp_path / "here"), str(seed),
                           str(operations)], capture_output=True, text=True, check=True)
    return done.stdout.strip(), on_host(tmp_path / "here")


# ---- Debian's Linux with the disk

LINUX_INIT = """#!/bin/sh
export PATH=/bin:/sbin
mount -t devtmpfs dev /dev
mount -t proc proc /proc
{modules}
{commands} && echo all: well
poweroff -f
"""


def have_linux_with_disks():
    subprocess.run([TOP + "/scripts/fetch-i386", "linux", "modules"], capture_output=True)
    return have_linux() and os.path.exists(CACHE + "/modules/ext4.ko")


def on_linux(image, commands, limit=1800):
    """What Debian's Linux says to commands, which must succeed; the image is /dev/vda."""
    ar = Archive()
    ar.devices()
    ar.busybox(BUSYBOX)
    for d in ("mnt", "proc"):
        ar.dir(d)
    modules = ar.disk_modules(CACHE + "/modules")
    ar.file("init", LINUX_INIT.format(modules=modules, commands=commands), 0o755)
    with Machine.direct(ar.bytes(), "console=ttyS0 quiet panic=-1", kernel=LINUX, mem=128,
                        more=["-drive", f"file={image},format=raw,if=none,id=d", "-device",
                              "virtio-blk-pci,drive=d"]) as m:
        m.expect("all: well", limit=limit)
        m.qemu.terminate()
        m.qemu.wait()
        return m.output()
