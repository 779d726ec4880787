"""The invariants of mm_check(), computed from outside."""

import struct

import gdb

from . import kernel as k
from . import memory as m


class Audit:
    """Counts what spaces, objects and frames hold, and reports what does not agree."""

    def __init__(self):
        self.errors = []
        self.anon_refs = {}
        self.entries = {}     # frame number -> addresses of entries that map it
        self.tables = 0  # directories
        self.table_pages = set()
        self.leaves = {}      # address -> spaces that have it
        self.spaces = list(k.entries(k.address("all_spaces"), "vm_space", "all"))
        self.zero = k.variable("zero_frame")
        self.frames = k.variable("frames")
        self.frame_size = k.layout("frame").size

    def expect(self, condition, text):
        if not condition:
            self.errors.append(text)

    def pfn(self, frame_at):
        return (frame_at - self.frames) // self.frame_size

    # ---- Spaces

    def check_areas(self, space, vmas):
        end = pages = 0
        for v in vmas:
            self.expect(v.start >= end and v.end > v.start, f"area {v.start:08x} overlaps or is empty")
            end = v.end
            pages += v.end - v.start >> 12
        self.expect(pages == space.pages, f"a space counts {space.pages} pages, has {pages}")

    def expected(self, space, v, va):
        """(frame number, may be writable) of what the table of faults allows at va."""
        index = v.pgoff + (va - v.start >> 12)
        if v.flags & m.SHARED:
            at = m.radix_get(v.to("object").pages, index)
            return (self.pfn(at) if at else None), bool(v.prot & m.PROT_WRITE)
        a, sole = m.amap_lookup(space, va)
        if a is not None:
            return (self.pfn(a.frame) if a.frame else None), bool(v.prot & m.PROT_WRITE) and sole
        if v.object:
            at = m.radix_get(v.to("object").pages, index)
            return (self.pfn(at) if at else None), False
        return (self.pfn(self.zero) if self.zero else None), False

    def check_pages(self, space, vmas):
        i = resident = 0
        self.tables += 1
        used = {}
        for va, pte, at in k.user_entries(space):
            used[at >> 12] = used.get(at >> 12, 0) + 1
            while i < len(vmas) and vmas[i].end <= va:
                i += 1
            if i == len(vmas) or vmas[i].start > va or not vmas[i].prot:
                self.errors.append(f"{va:08x} is mapped outside every area")
                continue
            pfn, writable = self.expected(space, vmas[i], va)
            where = f"; its entry is at {at:#010x}"
            self.expect(pfn == pte >> 12, f"{va:08x} maps frame {pte >> 12:x}, not its own "
                                          f"({'none' if pfn is None else format(pfn, 'x')}){where}")
            self.expect(writable or not pte & k.PTE_W, f"{va:08x} is writable and must not be{where}")
            if not self.zero or pte >> 12 != self.pfn(self.zero):
                resident += 1
                self.entries.setdefault(pte >> 12, set()).add(at)
        self.expect(resident == space.pmap.resident,
                    f"{space.pmap.resident} frames counted resident, {resident} mapped")
        for page, n in used.items():
            self.table_pages.add(page)
            t = m.frame_view(page - (k.WINDOW >> 12))
            ok = t is not None and m.kind_of(t) == "table"
            self.expect(ok and t["table"].used == n, f"page table {page << 12:#010x} has {n} entries")

    def check_space(self, space):
        vmas = k.vmas(space)
        self.check_areas(space, vmas)
        self.check_pages(space, vmas)
        for n, leaf in m.amap_leaves(space):
            self.leaves.setdefault(leaf, []).append(space.at)

    # ---- Anonymous memory, objects, frames

    def check_leaves(self):
        for leaf, spaces in self.leaves.items():
            f = m.leaf_frame(leaf)
            self.expect(m.kind_of(f) == "leaf", f"leaf {leaf:#010x} is not marked as such")
            self.expect(f.leaf.refs == len(spaces),
                        f"leaf {leaf:#010x} has {f.leaf.refs} references, is in {len(spaces)} spaces")
            anons = [a for a in struct.unpack("<1024I", k.read(leaf, k.PAGE)) if a]
            self.expect(f.leaf.used == len(anons),
                        f"leaf {leaf:#010x} counts {f.leaf.used} slots, has {len(anons)}")
            for a in anons:
                self.anon_refs[a] = self.anon_refs.get(a, 0) + 1
        for at, seen in self.anon_refs.items():
            a = k.View("anon", at)
            self.expect(a.refs == seen, f"anon {at:#010x} has {a.refs} references, {seen} seen")
            f = a.to("frame")
            self.expect(f is None or (m.kind_of(f) == "anon" and f.anon == at),
                        f"anon {at:#010x} does not own its frame")
        total = m.anon_total()
        self.expect(total == len(self.anon_refs), f"{total} anons exist, {len(self.anon_refs)} are in use")

    def check_objects(self):
        total = 0
        for o in k.entries(k.address("all_objects"), "vm_object", "all"):
            resident = 0
            for index, at in m.radix_items(o.pages):
                f = k.View("frame", at)
                self.expect(m.kind_of(f) == "object" and f.object == o.at and f.index == index,
                            f"page {index:#x} of object {o.at:#010x} is in another's frame")
                resident += 1
            self.expect(resident == o.resident,
                        f"object {o.at:#010x} counts {o.resident} pages, has {resident}")
            total += resident
        return total

    def check_frames(self, in_objects):
        kinds = {f.enumval: f.name[6:].lower() for f in gdb.lookup_type("enum frame_kind").fields()}
        count = dict.fromkeys(kinds.values(), 0)
        for pfn, f in m.all_frames():
            kind = kinds.get(f.kind, "?")
            count[kind] = count.get(kind, 0) + 1
            if m.has_rmap(kind):
                entries = {at for _, _, at in m.mappings(f)}
                self.expect(entries == self.entries.get(pfn, set()),
                            f"frame {pfn:x}: the reverse map and the tables differ")
        counts = m.frame_counts()
        for value, kind in kinds.items():
            if kind not in ("reserved", "free", "kinds"):
                self.expect(counts[value] == count[kind],
                            f"{counts[value]} frames counted {kind}, there are {count[kind]}")
        tables = self.tables + len(self.table_pages)
        self.expect(count["table"] == tables, f"{count['table']} page tables, {tables} in use")
        self.expect(count["object"] == in_objects, f"{count['object']} object frames, {in_objects} in use")
        self.expect(count["leaf"] == len(self.leaves), "leaves that no space has")

    def run(self):
        for space in self.spaces:
            self.check_space(space)
        self.check_leaves()
        self.check_frames(self.check_objects())
        return self.errors


class Check(k.Command):
    """fl check: audit the memory's invariants from outside, as mm_check() does inside.

Page tables against areas, amaps and objects; reverse maps against tables; references; counts.
Wants the machine stopped where mm/ is at rest: it warns when its lock is held."""

    def run(self, argv):
        if k.variable("vm_lock").held:
            print("warning: vm_lock is held, so mm/ may be in the middle of a change")
        audit = Audit()
        errors = audit.run()
        for e in errors[:50]:
            print("fl check: " + e)
        print(f"{len(audit.spaces)} spaces, {sum(map(len, audit.entries.values()))} mapped pages, "
              f"{len(audit.anon_refs)} anons: {len(errors)} violations")


Check("check")
