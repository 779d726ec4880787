"""The stopped machine as Python sees it: symbols, structures, memory of the kernel and of processes.

All memory is read a page at a time and kept until the machine runs again or memory is changed, so
that commands which look at thousands of structures need few packets. Physical memory is read
through the kernel's 1:1 window, which every stub can see.
"""

import struct

import gdb

PAGE = 4096
WINDOW = 0x80000000
USER_TOP = 0x80000000
PTE_P, PTE_W, PTE_U, PTE_A, PTE_D, PTE_PS = 1, 2, 4, 0x20, 0x40, 0x80


class NotMapped(gdb.GdbError):
    pass


# ---- Memory -----------------------------------------------------------------------------------------

_pages = {}


def forget(*_):
    _pages.clear()


for _event in (gdb.events.cont, gdb.events.stop, gdb.events.memory_changed, gdb.events.exited):
    _event.connect(forget)


def _page(number):
    data = _pages.get(number)
    if data is None:
        try:
            data = bytes(gdb.selected_inferior().read_memory(number * PAGE, PAGE))
        except gdb.MemoryError:
            raise NotMapped(f"no memory at {number * PAGE:#010x}") from None
        _pages[number] = data
    return data


def read(address, size):
    """Bytes of kernel memory."""
    out = b""
    while size:
        offset = address % PAGE
        part = _page(address // PAGE)[offset : offset + size]
        out += part
        address += len(part)
        size -= len(part)
    return out


def u32(address):
    return struct.unpack("<I", read(address, 4))[0]


def string(address, limit=4096):
    """A terminated string of the kernel's."""
    out = b""
    while len(out) < limit:
        part = read(address + len(out), min(PAGE - (address + len(out)) % PAGE, limit - len(out)))
        end = part.find(b"\0")
        if end >= 0:
            return (out + part[:end]).decode("utf-8", "replace")
        out += part
    return out.decode("utf-8", "replace")


def phys(address):
    """Where physical memory is in the kernel's window."""
    return WINDOW + address


# ---- Structures -------------------------------------------------------------------------------------

_layouts = {}


class Layout:
    """Offsets of the fields of a structure, from the debugging information."""

    def __init__(self, type):
        self.type = type
        self.size = type.sizeof
        self.fields = {}
        self._add(type, 0)

    def _add(self, type, base):
        for f in type.fields():
            at = base + f.bitpos // 8
            inner = f.type.strip_typedefs()
            if f.name is None:
                self._add(inner, at)
            else:
                self.fields[f.name] = (at, inner)


def layout(type):
    if isinstance(type, str):
        key, make = type, lambda: gdb.lookup_type("struct " + type)
    else:
        key, make = str(type), lambda: type
    if key not in _layouts or not key or "{" in key:
        found = Layout(make().strip_typedefs())
        if not key or "{" in key:
            return found
        _layouts[key] = found
    return _layouts[key]


def value_at(address, type):
    """What lies there: an int, a View or an Array."""
    code = type.code
    if code == gdb.TYPE_CODE_STRUCT or code == gdb.TYPE_CODE_UNION:
        return View(layout(type), address)
    if code == gdb.TYPE_CODE_ARRAY:
        return Array(type, address)
    raw = read(address, type.sizeof)
    signed = code == gdb.TYPE_CODE_INT and not str(type).startswith("unsigned") and type.is_signed
    return int.from_bytes(raw, "little", signed=signed)


class View:
    """A structure in memory: v.field is an int, another View or an Array; v["field"] the same."""

    __slots__ = ("_layout", "_at")

    def __init__(self, where, address):
        self._layout = where if isinstance(where, Layout) else layout(where)
        self._at = address

    def __getattr__(self, name):
        field = self._layout.fields.get(name)
        if field is None:
            raise AttributeError(f"{self._layout.type} has no field {name}")
        return value_at(self._at + field[0], field[1])

    __getitem__ = __getattr__

    def has(self, name):
        return name in self._layout.fields

    def address_of(self, name):
        return self._at + self._layout.fields[name][0]

    def to(self, name):
        """The structure that a pointer field points to, or None."""
        target = self._layout.fields[name][1].target().strip_typedefs()
        at = getattr(self, name)
        return View(layout(target), at) if at else None

    def text(self, name):
        """A char array as a string."""
        at, type = self._layout.fields[name]
        raw = read(self._at + at, type.sizeof)
        return raw.split(b"\0")[0].decode("utf-8", "replace")

    @property
    def at(self):
        return self._at

    def __eq__(self, other):
        return isinstance(other, View) and other._at == self._at

    def __hash__(self):
        return self._at


class Array:
    def __init__(self, type, address):
        self.element = type.target().strip_typedefs()
        self.length = type.range()[1] + 1
        self.at = address

    def __len__(self):
        return self.length

    def __getitem__(self, i):
        return value_at(self.at + i * self.element.sizeof, self.element)

    def words(self):
        return struct.unpack(f"<{self.length}I", read(self.at, 4 * self.length))


def address(name):
    """Address of a variable or function; name may be FILE::NAME."""
    if "::" in name:
        file, name = name.split("::")
        name = f"'{file}'::{name}"
    try:
        return int(gdb.parse_and_eval("&" + name).cast(gdb.lookup_type("unsigned int")))
    except gdb.error:
        raise gdb.GdbError(f"no symbol {name}: is the kernel's ELF file loaded?") from None


def variable(name):
    """The value of a variable of the kernel, as value_at() gives it."""
    expression = name
    if "::" in name:
        file, field = name.split("::")
        expression = f"'{file}'::{field}"
    try:
        type = gdb.parse_and_eval(expression).type.strip_typedefs()
    except gdb.error:
        raise gdb.GdbError(f"no symbol {name}: is the kernel's ELF file loaded?") from None
    return value_at(address(name), type)


def have_variable(name):
    try:
        address(name)
        return True
    except gdb.GdbError:
        return False


def entries(head, type, link):
    """The structures on an intrusive list, whose head is at an address."""
    offset = layout(type).fields[link][0]
    at = u32(head)
    seen = 0
    while at != head:
        yield View(type, at - offset)
        at = u32(at)
        seen += 1
        if seen > 1_000_000 or at == 0:
            raise gdb.GdbError(f"the list at {head:#010x} does not end")


def enum_name(type, value, prefix=""):
    for f in gdb.lookup_type("enum " + type).fields():
        if f.enumval == value:
            return f.name[len(prefix):] if f.name.startswith(prefix) else f.name
    return str(value)


def symbol_at(address):
    """name+offset of an address of kernel code or data, or hexadecimal."""
    text = gdb.execute(f"info symbol {address:#x}", to_string=True)
    if text.startswith("No symbol"):
        return f"{address:#010x}"
    return text.split(" in section")[0].replace(" + ", "+")


# ---- Processes --------------------------------------------------------------------------------------

def processes():
    return list(entries(address("all_procs"), "proc", "all_link"))


def process(pid):
    for p in processes():
        if p.pid == pid:
            return p
    raise gdb.GdbError(f"no process {pid}; `fl ps` lists them")


def threads(proc):
    return list(entries(proc.address_of("threads"), "thread", "proc_link"))


def cpus():
    """The processors that run, the first one first."""
    table = variable("arch/i386/processors.c::cpus")
    return [View("cpu", at) for at in table.words()[:variable("cpus_online")] if at]


def thread_on(cpu):
    """The thread that a processor runs, or None before there is one."""
    return View("thread", cpu.current) if cpu.current else None  # the arch_thread is its first member


def current_thread():
    """The thread of the processor that gdb looks at: to an emulator's stub, processors are threads."""
    at, all = gdb.selected_thread(), cpus()
    return thread_on(all[at.num - 1 if at and len(gdb.selected_inferior().threads()) == len(all) else 0])


def current_pid():
    t = current_thread()
    return t.to("proc").pid if t is not None and t.proc else None


def running_pids():
    """Of all processors."""
    return {t.to("proc").pid for t in map(thread_on, cpus()) if t is not None and t.proc}


def space_of(pid):
    p = process(pid)
    if not p.space:
        raise gdb.GdbError(f"process {pid} has no address space")
    return p.to("space")


def vmas(space):
    return list(entries(space.address_of("vmas"), "vma", "link"))


def vma_of(space, va):
    for v in vmas(space):
        if v.start <= va < v.end:
            return v
    return None


# ---- Page tables ------------------------------------------------------------------------------------

def words_of_frame(pa):
    return struct.unpack("<1024I", read(phys(pa & ~0xFFF), PAGE))


def walk(pgdir, va):
    """(directory entry, its address, table entry or None, its address or None); of the right to write the
    table entry has what the directory leaves it."""
    pde_at = pgdir + 4 * (va >> 22)
    pde = u32(pde_at)
    if not pde & PTE_P or pde & PTE_PS:
        return pde, pde_at, None, None
    pte_at = phys(pde & ~0xFFF) + 4 * (va >> 12 & 0x3FF)
    return pde, pde_at, u32(pte_at) & (pde | ~PTE_W), pte_at


def user_entries(space):
    """(va, pte, address of the entry) of every present page of the user half."""
    pgdir = space.pmap.pgdir
    for i, pde in enumerate(words_of_frame(pgdir - WINDOW)[: USER_TOP >> 22]):
        if pde & PTE_P:
            table = pde & ~0xFFF
            for j, pte in enumerate(words_of_frame(table)):
                if pte & PTE_P:
                    yield i << 22 | j << 12, pte & (pde | ~PTE_W), phys(table) + 4 * j


def read_user(space, va, size):
    """Memory of a process, as far as it is mapped now."""
    out = b""
    while size:
        pte = walk(space.pmap.pgdir, va)[2]
        if not pte or not pte & PTE_P:
            raise NotMapped(f"page {va & ~0xFFF:#010x} of the process is not in memory")
        n = min(size, PAGE - va % PAGE)
        out += read(phys((pte & ~0xFFF) + va % PAGE), n)
        va += n
        size -= n
    return out


# ---- Arguments of commands --------------------------------------------------------------------------

def number(text):
    """A number or any expression gdb can evaluate to one."""
    try:
        return int(text, 0)
    except ValueError:
        return int(gdb.parse_and_eval(text).cast(gdb.lookup_type("unsigned int")))


class Command(gdb.Command):
    """One `fl` command. A subclass has a docstring (the help text), run(arguments), and may say
    what its first argument is: "pid" completes process numbers."""

    first = None

    def __init__(self, name):
        self.name = name
        super().__init__("fl " + name, gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        self.dont_repeat()
        try:
            self.run(gdb.string_to_argv(argument))
        except (AttributeError, gdb.error) as e:
            raise gdb.GdbError(f"fl {self.name}: {e}") from None

    def usage(self):
        raise gdb.GdbError("usage: " + self.__doc__.split("\n")[0].split(": ")[0].rstrip("."))

    def complete(self, text, word):
        if self.first == "pid" and " " not in text.lstrip():
            try:
                return [str(p.pid) for p in processes() if str(p.pid).startswith(word)]
            except gdb.error:
                pass
        return gdb.COMPLETE_NONE


class Faultline(gdb.Command):
    """Look at the Faultline kernel and its processes.

fl ps                processes            fl frame PFN     who owns and maps a frame
fl vmas PID          areas of a process   fl anon          private pages
fl pt PID [ADDRESS]  page tables          fl object        files and shared memory in frames
fl bt PID            stack of a process   fl fault         the current page fault, decoded
fl user PID          symbols of a program fl check         audit of the memory's invariants
fl break PID PLACE   breakpoint in one    fl slab          small objects of the kernel
fl log               the kernel's log     fl locks         who holds what
fl swap [AREA]       swap areas, slots    fl blk           what disks are busy with

`help fl ps` and so on tell more."""

    def __init__(self):
        super().__init__("fl", gdb.COMMAND_DATA, prefix=True)


Faultline()
