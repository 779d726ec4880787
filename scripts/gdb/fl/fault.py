"""The current page fault, decoded by the fault table of mm/fault.c."""

import gdb

from . import kernel as k
from . import memory as m


def trap_frame():
    """The struct trapframe of the page fault on the current stack."""
    frame = gdb.newest_frame()
    while frame is not None:
        if frame.name() in ("page_fault", "trap_panic"):
            try:
                tf = frame.read_var("tf")
                return k.View("trapframe", int(tf.cast(gdb.lookup_type("unsigned int"))))
            except (ValueError, gdb.error):
                pass
        frame = frame.older()
    t = k.current_thread()
    if t is not None and t.arch.tf:
        tf = t.arch.to("tf")
        if tf.trapno == 14:
            return tf
    return None


def cr2():
    try:
        return int(gdb.parse_and_eval("(unsigned int)$cr2"))
    except gdb.error:
        raise gdb.GdbError("this stub does not show CR2") from None


def object_row(v, va, write):
    o = v.to("object")
    index = v.pgoff + (va - v.start >> 12)
    if index << 12 >= o.size:
        return "past the end of the object", "SIGBUS"
    at = m.radix_get(o.pages, index)
    if not at:
        return f"page {index:#x} of {m.object_identity(o)[0]} is not in memory", "2S the pager gets it"
    if k.View("frame", at).flags & 1:
        return "the pager is at work on the page", "2S wait, then again"
    if not v.flags & m.SHARED and write:
        return "the object's page is in memory", "2B copy it into a private page"
    return "the object's page is in memory", "2A map the cached frame itself"


def table_row(space, va, write):
    """(what is there, which row of the table answers)."""
    v = k.vma_of(space, va)
    if v is None:
        above = [x for x in k.vmas(space) if x.start > va]
        if above and above[0].flags & m.GROWSDOWN:
            return f"below the stack at {above[0].start:#010x}", "the stack grows if it is in reach"
        return "no area", "SIGSEGV (MAPERR)"
    if not (v.prot & m.PROT_WRITE if write else v.prot):
        return "the area does not allow it", "SIGSEGV (ACCERR)"
    page = va & ~0xFFF
    if not v.flags & m.SHARED:
        a, sole = m.amap_lookup(space, page)
        if a is not None and not a.frame:
            return f"the anon is in swap slot {a.slot}", "1S bring it in"
        if a is not None and sole:
            return "an anon with one owner", "1A use it as it is"
        if a is not None:
            return "an anon with several owners", "1B copy it" if write else "1A share it, read-only"
        if not v.object:
            return "nothing there yet", "0 a frame of zeros" if write else "0 the zero frame, read-only"
    return object_row(v, page, write)


class Fault(k.Command):
    """fl fault [[PID] ADDRESS [write]]: decode the current page fault, or one that would be.

Shows CR2, the bits of the error code, the area, the page-table entry, and which row of the fault
table (at the head of mm/fault.c) answers it. Stop in page_fault or vm_fault first."""

    def run(self, argv):
        pid = None
        if argv:
            write = argv[-1] == "write"
            where = argv[:-1] if write else argv
            if len(where) not in (1, 2):
                self.usage()
            pid = k.number(where[0]) if len(where) == 2 else None
            va = k.number(where[-1])
            print(f"address {va:#010x}, {'write' if write else 'read'}")
        else:
            tf, va = trap_frame(), cr2()
            if tf is None:
                raise gdb.GdbError(f"no page fault is being handled (the last was at {va:#010x})")
            write = bool(tf.err & 2)
            print(f"address {va:#010x}, error code {tf.err:#x}: "
                  f"{'write' if write else 'read'}, {'user' if tf.err & 4 else 'kernel'} mode, "
                  f"{'not allowed by the entry' if tf.err & 1 else 'not present'}")
            print(f"from {k.symbol_at(tf.eip)}")
        self.explain(k.current_pid() if pid is None else pid, va, write)

    @staticmethod
    def explain(pid, va, write):
        space = k.process(pid).to("space") if pid is not None else None
        if space is None or va >= k.USER_TOP:
            print("row: none; the kernel must not fault there")
            return
        print(f"process {pid}")
        v = k.vma_of(space, va)
        if v is not None:
            print("area " + m.maps_line(v).rstrip())
        pte = k.walk(space.pmap.pgdir, va)[2]
        print(f"entry {pte or 0:08x} {m.flag_letters(pte or 0)}")
        there, row = table_row(space, va, write)
        print(f"{there}: row {row}")


Fault("fault")
