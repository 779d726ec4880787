"""Programs of the machine: their symbols, breakpoints in one process, a stop at the entry.

The files come from this machine: the directories in FAULTLINE_PROGRAMS (colon-separated; `make gdb`
names the build's) and then `set sysroot`. A file is used when its program headers are those that the
process has in memory; a stripped copy on the machine and one with symbols here have the same.
"""

import os
import struct

import gdb

from . import kernel as k
from . import memory as m

PT_LOAD = 1
AT_ENTRY = 9
AT_EXECFN = 31


def program_headers(data):
    """[(type, offset, vaddr, filesz, memsz)] and entry of an ELF file's first bytes, or None."""
    if data[:5] != b"\x7fELF\x01":
        return None
    entry, at = struct.unpack_from("<II", data, 24)
    size, count = struct.unpack_from("<HH", data, 42)
    if at + size * count > len(data):
        return None
    headers = []
    for i in range(count):
        kind, offset, vaddr, _, filesz, memsz = struct.unpack_from("<6I", data, at + size * i)
        headers.append((kind, offset, vaddr, filesz, memsz))
    return [h for h in headers if h[0] == PT_LOAD], entry


def host_files(path):
    """Where a program of the machine may be on this one."""
    for top in os.environ.get("FAULTLINE_PROGRAMS", "").split(":"):
        if top:
            yield os.path.join(top, os.path.basename(path))
            yield top + path
    root = gdb.parameter("sysroot")
    if root and root != "target:":
        yield root + path


def first_page(space, v):
    """The start of the file behind an area, from the object or from the process."""
    at = m.radix_get(v.to("object").pages, 0)
    if at:
        return k.read(k.phys((at - k.variable("frames")) // k.layout("frame").size << 12), k.PAGE)
    return b""


def find_file(path, page):
    """The file on this machine that is the one in memory, or None."""
    wanted = program_headers(page)
    for name in host_files(path):
        try:
            with open(name, "rb") as f:
                found = program_headers(f.read(k.PAGE))
        except OSError:
            continue
        if wanted is None or found == wanted:
            return name
    return None


def images(space):
    """[(path, load offset, first page)] of the files that a process has mapped as programs."""
    seen = {}
    for v in k.vmas(space):
        if v.object and not v.flags & m.SHARED and v.object not in seen:
            page = first_page(space, v)
            elf = program_headers(page)
            if elf and elf[0]:
                low = next((h for h in elf[0] if h[1] >> 12 == v.pgoff), elf[0][0])
                seen[v.object] = (m.object_identity(v.to("object"))[0],
                                  v.start - (low[2] & ~0xFFF), page)
    return list(seen.values())


loaded = {}


def load_symbols(pid):
    """Loads the symbols of every image of a process; returns lines that say what was done."""
    for path, offset, page in images(k.space_of(pid)):
        name = find_file(path, page)
        if name is None:
            yield f"{path}: no file with its symbols (FAULTLINE_PROGRAMS, set sysroot)"
            continue
        key = (name, offset)
        if key not in loaded:
            old = gdb.parameter("confirm")
            gdb.execute("set confirm off")
            try:
                gdb.execute(f"add-symbol-file {name} -o {offset:#x}", to_string=True)
            finally:
                gdb.execute(f"set confirm {'on' if old else 'off'}")
            loaded[key] = pid
        yield f"{path}: symbols of {name}, loaded {offset:#x} above where it was linked"


class User(k.Command):
    """fl user PID: load the symbols of a process's program and libraries, at their addresses.

After it, names of the program can be used: `fl break PID main` stops in that process alone."""

    first = "pid"

    def run(self, argv):
        if len(argv) != 1:
            self.usage()
        for line in load_symbols(k.number(argv[0])):
            print(line)


class ProcessBreakpoint(gdb.Breakpoint):
    """Stops when one process gets there. Addresses mean something else in every process, and the
    machine's breakpoints do not know processes."""

    def __init__(self, pid, place, **more):
        self.pid = pid
        super().__init__(place, **more)

    def stop(self):
        k.forget()
        return k.current_pid() == self.pid


class Break(k.Command):
    """fl break PID PLACE: a breakpoint that only stops process PID.

PLACE is anything `break` takes: a function of the program after `fl user PID`, *ADDRESS, or a place
in the kernel."""

    first = "pid"

    def run(self, argv):
        if len(argv) != 2:
            self.usage()
        k.process(k.number(argv[0]))
        ProcessBreakpoint(k.number(argv[0]), argv[1])


def auxv(proc, wanted):
    """A value of the auxiliary vector that exec left on the stack."""
    raw = k.read_user(proc.to("space"), proc.auxv_start, proc.auxv_end - proc.auxv_start)
    for kind, value in struct.iter_unpack("<II", raw):
        if kind == wanted:
            return value
    raise gdb.GdbError("the process has no such entry in its auxiliary vector")


def path_of_exec(proc):
    """The path that exec was called with, which may be a symbolic link; empty: it cannot be had."""
    text, at = b"", None
    try:
        at = auxv(proc, AT_EXECFN)
        while b"\0" not in text and len(text) < 4096:
            text += k.read_user(proc.to("space"), at + len(text), 1)
    except gdb.error:
        return ""
    return text.split(b"\0")[0].decode(errors="replace")


class EntryBreakpoint(gdb.Breakpoint):
    """In the kernel, where exec has done all it does: is this the program that is waited for? A path has to be
    that of the file, or the one that exec was called with; a name is enough where no path was given."""

    def __init__(self, path):
        self.path = path
        self.pid = None
        super().__init__("signal_exec", internal=True)
        self.silent = True

    def stop(self):
        k.forget()
        proc = k.current_thread().to("proc")
        exe = proc.to("exe")
        path = m.dentry_path(exe.to("dentry")) if exe is not None and exe.dentry else ""
        if "/" in self.path:
            match = self.path in (path, path_of_exec(proc))
        else:
            match = proc.text("comm") == self.path[:15]
        if match:
            self.pid = proc.pid
        return self.pid is not None


class Start(k.Command):
    """fl start PROGRAM: run on until PROGRAM is run, and stop at its first instruction.

PROGRAM is a path on the machine, such as /bin/sh, or a name. Its symbols are loaded. `make gdb
PROGRAM=/bin/x` does this."""

    def run(self, argv):
        if len(argv) != 1:
            self.usage()
        print(f"until {argv[0]} is run; ^C ends the waiting")
        b = EntryBreakpoint(argv[0])
        gdb.execute("continue")
        pid = b.pid
        b.delete()
        if pid is not None:
            self.go_to_entry(pid)

    @staticmethod
    def go_to_entry(pid):
        for line in load_symbols(pid):
            print(line)
        entry = auxv(k.process(pid), AT_ENTRY)
        b = ProcessBreakpoint(pid, f"*{entry:#x}", internal=True)
        b.silent = True
        gdb.execute("continue")
        b.delete()
        print(f"process {pid} is at its first instruction, {k.symbol_at(entry)}")


User("user")
Break("break")
Start("start")
