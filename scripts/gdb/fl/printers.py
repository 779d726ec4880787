"""How gdb prints the kernel's structures: one line that says what they are."""

import gdb
import gdb.printing

from . import kernel as k
from . import memory as m


def view(value):
    return k.View(k.layout(value.type.strip_typedefs()), int(value.address.cast(
        gdb.lookup_type("unsigned int"))))


def printer(summary):
    """A class for gdb that prints the fields below a line made by summary(view)."""

    class Printer:
        def __init__(self, value):
            self.value = value

        def to_string(self):
            if self.value.address is None:
                return None
            try:
                return summary(view(self.value))
            except (gdb.error, AttributeError, TypeError):
                return "(cannot be read)"

        def children(self):
            for f in self.value.type.strip_typedefs().fields():
                yield f.name or "", self.value[f]

    return Printer


def proc(p):
    parent = p.to("parent")
    return f"process {p.pid} ({p.text('comm')}), parent {parent.pid if parent is not None else 0}"


def thread(t):
    p = t.to("proc")
    return (f"thread {t.tid} of {p.text('comm') if p is not None else '?'}, "
            f"{k.enum_name('thread_state', t.state, 'THREAD_').lower()}")


def trapframe(t):
    mode = "user" if t.cs & 3 else "kernel"
    return f"trap {t.trapno} error {t.err:#x} at {k.symbol_at(t.eip)} ({mode} mode)"


def frame(f):
    pfn = (f.at - k.variable("frames")) // k.layout("frame").size
    return f"frame {pfn:#x}, {m.kind_of(f)}"


def space(s):
    return f"space of {s.pages} pages, {s.pmap.resident} resident, {s.refs} references"


def lock(l):
    name = k.string(l.name) if l.name else "?"
    return f"{name} (rank {l.rank}), {'held' if l.held else 'free'}"


SUMMARIES = {
    "proc": proc,
    "thread": thread,
    "trapframe": trapframe,
    "frame": frame,
    "vma": lambda v: m.maps_line(v).rstrip(),
    "vm_space": space,
    "vm_object": lambda o: m.Object.line(o),
    "anon": lambda a: f"anon, {a.refs} references, "
                      + (f"in frame {a.to('frame').at:#x}" if a.frame else f"swap slot {a.slot}"),
    "dentry": lambda d: m.dentry_path(d),
    "inode": lambda i: f"inode {i.ino}, mode {i.mode:o}, {i.refs} references",
    "spinlock": lock,
    "mutex": lambda x: f"held by thread {x.to('owner').tid}" if x.owner else "free",
}

collection = gdb.printing.RegexpCollectionPrettyPrinter("faultline")
for name, summary in SUMMARIES.items():
    collection.add_printer(name, f"^{name}$", printer(summary))
gdb.printing.register_pretty_printer(None, collection, replace=True)
