"""For expressions: $fl_proc(PID) and $fl_pte(PID, ADDRESS), as in `print $fl_proc(1)->space->pages`."""

import gdb

from . import kernel as k


class Proc(gdb.Function):
    """$fl_proc(PID): the struct proc of a process, as a pointer."""

    def invoke(self, pid):
        k.forget()
        return gdb.Value(k.process(int(pid)).at).cast(gdb.lookup_type("struct proc").pointer())


class Pte(gdb.Function):
    """$fl_pte(PID, ADDRESS): the page-table entry there as a number, 0 where there is no table."""

    def invoke(self, pid, address):
        k.forget()
        entry = k.walk(k.space_of(int(pid)).pmap.pgdir, int(address) & 0xFFFFFFFF)[2]
        return gdb.Value(entry or 0).cast(gdb.lookup_type("unsigned int"))


Proc("fl_proc")
Pte("fl_pte")
