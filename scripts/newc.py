"""Writes newc cpio archives: what Linux calls an initramfs and we call the ramdisk.

The same calls give the same bytes: inode numbers count up, times are fixed, order is as given.
"""

import os
import stat

MTIME = int(os.environ.get("SOURCE_DATE_EPOCH", "1767225600"))  # 2026-01-01


class Archive:
    """An archive in memory. Directories above an entry are made as needed."""

    def __init__(self):
        self._out = bytearray()
        self._ino = 0
        self._dirs = {""}
        self.names = set()
        self._entry(".", stat.S_IFDIR | 0o755, nlink=2)

    def _entry(self, name, mode, data=b"", rdev=(0, 0), nlink=1):
        self._ino += 1
        raw = name.encode() + b"\0"
        fields = (self._ino, mode, 0, 0, nlink, MTIME, len(data), 0, 0, *rdev, len(raw), 0)
        self._out += b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self._pad()
        self._out += data
        self._pad()
        self.names.add(name)

    def _pad(self):
        self._out += bytes(-len(self._out) % 4)

    def _parents(self, name):
        parent = os.path.dirname(name)
        if parent not in self._dirs:
            self.dir(parent)

    def dir(self, name, mode=0o755):
        name = name.strip("/")
        if name in self._dirs:
            return
        self._parents(name)
        self._dirs.add(name)
        self._entry(name, stat.S_IFDIR | mode, nlink=2)

    def file(self, name, data, mode=0o644):
        name = name.strip("/")
        self._parents(name)
        self._entry(name, stat.S_IFREG | mode, data if isinstance(data, bytes) else data.encode())

    def symlink(self, name, target):
        name = name.strip("/")
        self._parents(name)
        self._entry(name, stat.S_IFLNK | 0o777, target.encode())

    def node(self, name, kind, major, minor, mode=0o600):
        name = name.strip("/")
        self._parents(name)
        kinds = {"c": stat.S_IFCHR, "b": stat.S_IFBLK}
        self._entry(name, kinds[kind] | mode, rdev=(major, minor))

    def devices(self):
        """The nodes a program may need before anything is mounted on /dev."""
        for name, major, minor, mode in (
            ("console", 5, 1, 0o600),
            ("null", 1, 3, 0o666),
            ("zero", 1, 5, 0o666),
            ("full", 1, 7, 0o666),
            ("random", 1, 8, 0o666),
            ("urandom", 1, 9, 0o666),
            ("tty", 5, 0, 0o666),
            ("tty1", 4, 1, 0o620),
            ("ttyS0", 4, 64, 0o620),
        ):
            self.node("dev/" + name, "c", major, minor, mode)

    def tree(self, path, whole_modes=False):
        """Everything under a directory of this machine, sorted; modes cut to rwxr-xr-x unless told."""
        for top, dirs, files in os.walk(path):
            dirs.sort()
            rel = os.path.relpath(top, path)
            if rel != ".":
                self.dir(rel, os.stat(top).st_mode & 0o7777 if whole_modes else 0o755)
            links = [d for d in dirs if os.path.islink(os.path.join(top, d))]
            for name in sorted(files + links):
                full = os.path.join(top, name)
                here = os.path.normpath(os.path.join(rel, name))
                if os.path.islink(full):
                    self.symlink(here, os.readlink(full))
                else:
                    self.copy(here, full, os.stat(full).st_mode & 0o7777 if whole_modes else None)

    def copy(self, name, path, mode=None):
        with open(path, "rb") as f:
            self.file(name, f.read(), mode or (0o755 if os.access(path, os.X_OK) else 0o644))

    def bytes(self):
        end = Archive.__new__(Archive)
        end._out, end._ino, end._dirs, end.names = bytearray(), -1, {""}, set()
        end._entry("TRAILER!!!", 0)
        out = bytes(self._out + end._out)
        return out + bytes(-len(out) % 512)

    def disk_modules(self, folder):
        """Drivers of Debian's Linux for virtio disks and ext2; the command that loads them."""
        for m in DISK_MODULES:
            if os.path.exists(f"{folder}/{m}.ko"):
                self.copy(m + ".ko", f"{folder}/{m}.ko")
        return f"for m in {' '.join(DISK_MODULES)}; do insmod /$m.ko 2>/dev/null; done"

    def busybox(self, path):
        """BusyBox as /bin/busybox with a link for each of its applets."""
        self.copy("bin/busybox", path)
        for name in busybox_applets(path):
            if name not in self.names and name not in ("linuxrc", "sbin/init", "bin/busybox"):
                depth = name.count("/")
                target = "busybox" if os.path.dirname(name) == "bin" else "../" * depth + "bin/busybox"
                self.symlink(name, target)


# In the order in which they load.
DISK_MODULES = ("virtio virtio_ring virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk crc16 crc32c_generic "
                "mbcache jbd2 ext4").split()

# For machines that cannot run an i386 program.
FEW_APPLETS = """
bin/[ bin/ash bin/cat bin/chmod bin/cp bin/date bin/dd bin/df bin/dmesg bin/echo bin/false bin/grep
bin/gunzip bin/gzip bin/kill bin/ln bin/ls bin/mkdir bin/mknod bin/mktemp bin/more bin/mount bin/mv
bin/ps bin/pwd bin/rm bin/rmdir bin/sed bin/sh bin/sleep bin/stat bin/stty bin/sync bin/tar bin/touch
bin/true bin/umount bin/uname bin/vi sbin/halt sbin/poweroff sbin/reboot usr/bin/[ usr/bin/awk
usr/bin/basename usr/bin/bc usr/bin/clear usr/bin/cmp usr/bin/cut usr/bin/diff usr/bin/dirname
usr/bin/du usr/bin/env usr/bin/expr usr/bin/find usr/bin/free usr/bin/head usr/bin/id usr/bin/less
usr/bin/md5sum usr/bin/od usr/bin/printf usr/bin/readlink usr/bin/reset usr/bin/seq usr/bin/sort
usr/bin/tail usr/bin/tee usr/bin/test usr/bin/time usr/bin/timeout usr/bin/top usr/bin/tr
usr/bin/tty usr/bin/uniq usr/bin/uptime usr/bin/wc usr/bin/which usr/bin/whoami usr/bin/xargs
""".split()


def busybox_applets(path):
    import subprocess

    try:
        here = os.path.dirname(os.path.abspath(__file__))
        run = subprocess.run([f"{here}/run-i386", path, "--list-full"], capture_output=True, text=True, check=True)
        return sorted(run.stdout.split())
    except (OSError, subprocess.CalledProcessError):
        return FEW_APPLETS
