"""Areas, page tables, frames, anons, objects, small objects."""

import struct

import gdb

from . import kernel as k

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
SHARED, GROWSDOWN, HEAP, STACK = 1, 2, 4, 8
CHAINED = 1
NAME_COLUMN = 49
CLASS_NONE = 0xFFFF


# ---- Objects and their names ------------------------------------------------------------------------

def place_of_root(d):
    """The name on which the first mount that shows this root is, or None."""
    for m in k.entries(k.address("mounts"), "mount", "link"):
        if m.root == d.at and m["at"]:
            return k.View("dentry", m["at"])
    return None


def dentry_path(d):
    """As inode_path() makes it."""
    parts = []
    for _ in range(1000):
        if not d.parent:
            at = place_of_root(d)
            if at is not None:
                d = at
                continue
            name = k.string(d.name) if d.name else "/"
            if not name.startswith("/"):
                return name + "".join("/" + p for p in reversed(parts))
            break
        parts.append(k.string(d.name))
        d = d.to("parent")
    return "/" + "/".join(reversed(parts))


def object_identity(o):
    """(name, inode, device) as the object's pager describes it."""
    pager = o.to("pager")
    describe = k.symbol_at(pager.describe) if pager.describe else ""
    if describe == "zero_describe":
        return "/dev/zero (deleted)", 1, 1
    if describe == "ramfs_describe":
        f = k.View("ramfs_file", o.private)
        inode = f.to("inode")
        path = ""
        if inode is not None and inode.refs and inode.alias:
            path = dentry_path(inode.to("alias"))
        if not path:
            path = (k.string(f.deleted_name) if f.deleted_name else "") + " (deleted)"
        return path, f.ino, f.dev
    return f"[{k.string(pager.name)}]", 0, 0


def is_anonymous(o):
    return o.pager == k.address("mm/object.c::zero_pager")


def radix_items(radix):
    """(index, pointer) of all items of a struct radix."""
    def below(at, height, index):
        if not at:
            return
        if height == 0:
            yield index, at
            return
        for i, child in enumerate(struct.unpack("<64I", k.read(at, 256))):
            if child:
                yield from below(child, height - 1, index << 6 | i)

    yield from below(radix.root, radix.height, 0)


def radix_get(radix, index):
    at, height = radix.root, radix.height
    if height * 6 < 32 and index >> (height * 6):
        return 0
    while at and height:
        height -= 1
        at = k.u32(at + 4 * (index >> (6 * height) & 63))
    return at


# ---- Areas ------------------------------------------------------------------------------------------

def maps_line(v):
    """The line of /proc/PID/maps for an area."""
    name, ino, dev = "", 0, 0
    if v.flags & HEAP:
        name = "[heap]"
    elif v.flags & STACK:
        name = "[stack]"
    if v.object:
        name, ino, dev = object_identity(v.to("object"))
    pgoff = v.pgoff if v.object else 0
    line = (f"{v.start:08x}-{v.end:08x} {'r' if v.prot & PROT_READ else '-'}"
            f"{'w' if v.prot & PROT_WRITE else '-'}{'x' if v.prot & PROT_EXEC else '-'}"
            f"{'s' if v.flags & SHARED else 'p'} {pgoff << 12 & 0xFFFFFFFF:08x} "
            f"{dev >> 8:02x}:{dev & 0xFF:02x} {ino} ")
    return line.ljust(NAME_COLUMN if len(line) < NAME_COLUMN else len(line) + 1) + name if name else line


class Vmas(k.Command):
    """fl vmas PID: the areas of a process, exactly the lines of /proc/PID/maps."""

    first = "pid"

    def run(self, argv):
        if len(argv) != 1:
            self.usage()
        for v in k.vmas(k.space_of(k.number(argv[0]))):
            print(maps_line(v))


# ---- Page tables ------------------------------------------------------------------------------------

def flag_letters(e):
    names = ((k.PTE_P, "P"), (k.PTE_W, "W"), (k.PTE_U, "U"), (0x08, "T"), (0x10, "N"), (k.PTE_A, "A"),
             (k.PTE_D, "D"), (k.PTE_PS, "S"), (0x100, "G"))
    return "".join(n if e & bit else "-" for bit, n in names)


def frame_view(pfn):
    """The struct frame of a frame number, or None when it has none that means something."""
    for i in range(k.variable("mm/frame.c::nranges")):
        r = k.variable("mm/frame.c::ranges")[i]
        if r.start >> 12 <= pfn < r.mark >> 12:
            return k.View("frame", k.variable("frames") + pfn * k.layout("frame").size)
    return None


def kind_of(frame):
    return k.enum_name("frame_kind", frame.kind, "FRAME_").lower()


def describe_frame(pfn):
    f = frame_view(pfn)
    return kind_of(f) if f is not None else "no frame of mm/"


class Pt(k.Command):
    """fl pt PID [ADDRESS]: walk the page tables of any process, both levels.

With an address: the directory entry, the table entry, where each lies, flags, frame. Without: every
present user page, one a line. Flags: P present, W writable, U user, T write-through, N not cached,
A accessed, D dirty, S 4 MiB page, G global."""

    first = "pid"

    def run(self, argv):
        if not 1 <= len(argv) <= 2:
            self.usage()
        space = k.space_of(k.number(argv[0]))
        if len(argv) == 2:
            self.walk(space, k.number(argv[1]))
            return
        for va, pte, _ in k.user_entries(space):
            print(f"{va:08x} frame {pte >> 12:05x} {flag_letters(pte)} {describe_frame(pte >> 12)}")

    @staticmethod
    def walk(space, va):
        pgdir = space.pmap.pgdir
        pde, pde_at, pte, pte_at = k.walk(pgdir, va)
        print(f"directory {pgdir:#010x} (frame {pgdir - k.WINDOW >> 12:05x})")
        print(f"  [{va >> 22:4}] at {pde_at:#010x}: {pde:08x} {flag_letters(pde)}")
        if pde & k.PTE_P and pde & k.PTE_PS:
            pa = (pde & ~0x3FFFFF) + (va & 0x3FFFFF)
            print(f"{va:#010x} is physical {pa:#010x}, in a 4 MiB page")
            return
        if pte is None:
            print(f"{va:#010x} is not mapped: there is no table")
            return
        print(f"  [{va >> 12 & 0x3FF:4}] at {pte_at:#010x}: {pte:08x} {flag_letters(pte)}")
        if not pte & k.PTE_P:
            print(f"{va:#010x} is not mapped: the entry is not present")
            return
        print(f"{va:#010x} is physical {(pte & ~0xFFF) + (va & 0xFFF):#010x}, frame {pte >> 12:#x} "
              f"({describe_frame(pte >> 12)})")


# ---- Frames -----------------------------------------------------------------------------------------

def rmap_entries(frame):
    """Addresses of the page-table entries that map a frame, from its reverse map."""
    word = frame.rmap
    if not word & CHAINED:
        return [word] if word else []
    out, links = [], [word & ~CHAINED]
    while links:
        pte, left, right = struct.unpack("<3I", k.read(links.pop(), 12))
        out.append(pte)
        links += [link for link in (left, right) if link]
    return out


def owners_of_spaces():
    """struct vm_space -> pids."""
    owners = {}
    for p in k.processes():
        if p.space:
            owners.setdefault(p.space, []).append(p.pid)
    return owners


def sharers(table):
    """The pmaps of the family that may have a page table, the first of them first."""
    first = table["table"].pmap
    return [first] + [p.at for p in k.entries(first + k.layout("pmap").fields["family"][0], "pmap", "family")]


def mappings(f):
    """(space address, virtual address, entry's address) of all that map a frame: of a family's entries at one
    address one is in the reverse map, and stands for all."""
    pfn = (f.at - k.variable("frames")) // k.layout("frame").size
    for link in rmap_entries(f):
        table = frame_view(link - k.WINDOW >> 12)
        va = table["table"].pdx << 22 | (link & 0xFFF) >> 2 << 12
        for pmap in sharers(table):
            pte, at = k.walk(k.View("pmap", pmap).pgdir, va)[2:]
            if pte and pte & k.PTE_P and pte >> 12 == pfn:
                yield pmap - k.layout("vm_space").fields["pmap"][0], va, at


def has_rmap(kind):
    return kind in ("anon", "object", "orphan")


class Frame(k.Command):
    """fl frame PFN: what a physical frame is for: owner, counts, and who maps it (the reverse map).

PFN is a frame number (physical address >> 12); a number of 0x80000000 and above is taken as the
kernel's address of the frame."""

    def run(self, argv):
        if len(argv) != 1:
            self.usage()
        pfn = k.number(argv[0])
        if pfn >= k.WINDOW:
            pfn = pfn - k.WINDOW >> 12
        f = frame_view(pfn)
        if f is None:
            print(f"frame {pfn:#x}: not one that mm/ ever handed out "
                  "(kernel image, module, device, or never used)")
            return
        kind = kind_of(f)
        print(f"frame {pfn:#x}: {kind}, struct frame at {f.at:#010x}")
        print(f"  kernel address {k.phys(pfn << 12):#010x}, pins {f.pins}, "
              f"flags {'busy ' if f.flags & 1 else ''}{'dirty ' if f.flags & 2 else ''}"
              f"{'writing ' if f.flags & 0x10 else ''}".rstrip())
        getattr(self, "show_" + kind, lambda f: None)(f)
        if has_rmap(kind):
            self.show_mappings(f)

    @staticmethod
    def show_anon(f):
        a = f.to("anon")
        print(f"  anon {a.at:#010x}: {a.refs} references, swap slot {a.slot}")

    @staticmethod
    def show_object(f):
        o = f.to("object")
        name = object_identity(o)[0]
        print(f"  page {f.index:#x} of object {o.at:#010x} ({name})")

    @staticmethod
    def show_table(f):
        space = f["table"].pmap - k.layout("vm_space").fields["pmap"][0]
        print(f"  page table of process {owners_of_spaces().get(space, ['none'])[0]}, directory entry "
              f"{f['table'].pdx} (from {f['table'].pdx << 22:#010x}), {f['table'].used} present entries"
              + (f", and of {f.pins} more" if f.pins else ""))

    @staticmethod
    def show_leaf(f):
        print(f"  leaf of an amap: {f.leaf.refs} amaps share it, {f.leaf.used} anons in slots "
              f"[{f.leaf.low}, {f.leaf.high})")

    @staticmethod
    def show_slab(f):
        size = k.variable("mm/kmalloc.c::class_size")[f.pins]
        print(f"  objects of {size} bytes, {f.slab.used} of {k.PAGE // size} handed out")

    @staticmethod
    def show_mappings(f):
        owners = owners_of_spaces()
        found = list(mappings(f))
        print(f"  mapped {len(found)} times")
        for space, va, pte_at in found:
            pids = ",".join(map(str, owners.get(space, ["?"])))
            print(f"    process {pids} at {va:#010x}: entry {k.u32(pte_at):08x} "
                  f"{flag_letters(k.u32(pte_at))} at {pte_at:#010x}")


# ---- Anons ------------------------------------------------------------------------------------------

def amap_leaves(space):
    """(number, address) of the leaves of a space."""
    for n, at in enumerate(space.amap.leaf.words()):
        if at:
            yield n, at


def leaf_frame(at):
    return frame_view(at - k.WINDOW >> 12)


def amap_lookup(space, va):
    """(struct anon or None, whether this space is its only owner)."""
    page = va >> 12
    leaf = space.amap.leaf[page // 1024]
    at = k.u32(leaf + 4 * (page % 1024)) if leaf else 0
    if not at:
        return None, False
    a = k.View("anon", at)
    return a, a.refs == 1 and leaf_frame(leaf).leaf.refs == 1


class Anon(k.Command):
    """fl anon [PID [ADDRESS]]: private pages, by the amap that holds them.

Without arguments: totals. With a process: each of its private pages. With an address too: that
page's anon, its frame and all who own it."""

    first = "pid"

    def run(self, argv):
        if len(argv) > 2:
            self.usage()
        if not argv:
            self.totals()
            return
        space = k.space_of(k.number(argv[0]))
        if len(argv) == 2:
            self.one(space, k.number(argv[1]))
            return
        for n, leaf in amap_leaves(space):
            shared = leaf_frame(leaf).leaf.refs
            for i, at in enumerate(struct.unpack("<1024I", k.read(leaf, k.PAGE))):
                if at:
                    print(self.line(n << 22 | i << 12, k.View("anon", at), shared))

    @staticmethod
    def line(va, a, shared):
        frame = f"frame {a.frame_number:05x}" if a.has("frame_number") else ""
        f = a.to("frame")
        if f is not None:
            frame = f"frame {(f.at - k.variable('frames')) // k.layout('frame').size:05x}"
        where = frame or f"swap slot {a.slot}"
        return (f"{va:08x} anon {a.at:#010x} {where} references {a.refs}"
                + (f", leaf shared by {shared}" if shared > 1 else ""))

    @staticmethod
    def totals():
        leaves = set()
        for space in k.entries(k.address("all_spaces"), "vm_space", "all"):
            leaves.update(at for _, at in amap_leaves(space))
        shared = sum(leaf_frame(at).leaf.refs > 1 for at in leaves)
        print(f"{anon_total()} anons in {len(leaves)} leaves, {shared} of them shared by fork")

    def one(self, space, va):
        a, sole = amap_lookup(space, va)
        if a is None:
            print(f"{va:#010x} has no private page")
            return
        leaf = space.amap.leaf[va >> 22]
        print(self.line(va & ~0xFFF, a, leaf_frame(leaf).leaf.refs))
        print("  this process is its only owner: a write uses it as it is" if sole else
              "  it has several owners: a write copies it")
        owners = owners_of_spaces()
        for other in k.entries(k.address("all_spaces"), "vm_space", "all"):
            at = other.amap.leaf[va >> 22]
            if at and k.u32(at + 4 * (va >> 12 & 1023)) == a.at:
                print(f"  owned by process {','.join(map(str, owners.get(other.at, ['?'])))}")


# ---- Objects ----------------------------------------------------------------------------------------

class Object(k.Command):
    """fl object [ADDRESS]: files and shared memory that have pages, or all pages of one object.

The columns: address, references, resident pages, size in bytes, pager, name."""

    def run(self, argv):
        if argv:
            o = k.View("vm_object", k.number(argv[0]))
            print(self.line(o))
            for index, at in radix_items(o.pages):
                if at & 1:
                    print(f"  page {index:#x} in swap slot {at >> 1:#x}")
                    continue
                f = k.View("frame", at)
                pfn = (at - k.variable("frames")) // k.layout("frame").size
                print(f"  page {index:#x} frame {pfn:05x} mapped {len(rmap_entries(f))} times"
                      f"{', dirty' if f.flags & 2 else ''}{', busy' if f.flags & 1 else ''}")
            return
        for o in k.entries(k.address("all_objects"), "vm_object", "all"):
            if o.resident:
                print(self.line(o))

    @staticmethod
    def line(o):
        return (f"{o.at:08x} refs {o.refs} resident {o.resident} size {o.size} "
                f"{k.string(o.to('pager').name)} {object_identity(o)[0]}")


# ---- Small objects ----------------------------------------------------------------------------------

def anon_total():
    """How many anons exist: each processor counts those that it has made and given up."""
    return sum(c.anons for c in k.cpus()) & 0xFFFFFFFF


def frame_counts():
    """By kind: what mm/frame.c counts, and what the processors' shelves add."""
    first, size = k.address("shelves"), k.layout("shelf").size
    shelves = [k.View("shelf", first + c.id * size) for c in k.cpus()]
    counts = [k.variable("mm/frame.c::counts").words(), *(s.kinds.words() for s in shelves)]
    return [sum(of_kind) & 0xFFFFFFFF for of_kind in zip(*counts)]


def all_frames():
    """(frame number, View) of every frame that was ever handed out. Views are read in bulk."""
    size, array = k.layout("frame").size, k.variable("frames")
    for i in range(k.variable("mm/frame.c::nranges")):
        r = k.variable("mm/frame.c::ranges")[i]
        for pfn in range(r.start >> 12, r.mark >> 12):
            yield pfn, k.View("frame", array + pfn * size)


def slab_classes():
    """[(object size, frames, objects handed out)]."""
    sizes = [k.variable("mm/kmalloc.c::class_size")[i] for i in range(len(k.variable("mm/kmalloc.c::class_size")))]
    slab = next(f.enumval for f in gdb.lookup_type("enum frame_kind").fields() if f.name == "FRAME_SLAB")
    frames, used = [0] * len(sizes), [0] * len(sizes)
    for _, f in all_frames():
        if f.kind == slab:
            frames[f.pins] += 1
            used[f.pins] += f.slab.used
    return list(zip(sizes, frames, used))


class Slab(k.Command):
    """fl slab: the size classes of kmalloc: objects handed out, objects that fit, frames."""

    def run(self, argv):
        print(" size   used  total frames")
        for size, frames, used in slab_classes():
            print(f"{size:5} {used:6} {frames * (k.PAGE // size):6} {frames:6}")


Vmas("vmas")
Pt("pt")
Frame("frame")
Anon("anon")
Object("object")
Slab("slab")
