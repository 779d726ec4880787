"""Backtraces through exceptions, interrupts and system calls, on to the program.

The entry code (arch/i386/entry.asm) calls C with the struct trapframe that it pushed just before on top
of the stack: from there come the registers of what was interrupted.
"""

import gdb
import gdb.unwinder

from . import kernel as k

KERNEL_CS = 0x60
REGISTERS = ("eax", "ecx", "edx", "ebx", "ebp", "esi", "edi", "eip", "eflags", "cs")


class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class TrapUnwinder(gdb.unwinder.Unwinder):
    def __init__(self):
        super().__init__("faultline-trap")
        self.range = None

    def __call__(self, pending):
        try:
            return self.unwind(pending)
        except gdb.error:
            return None

    def unwind(self, pending):
        unsigned = gdb.lookup_type("unsigned int")
        pc = int(pending.read_register("eip").cast(unsigned))
        if not self.in_entry_code(pc):
            return None
        sp = int(pending.read_register("esp").cast(unsigned))
        tf = k.View("trapframe", sp)
        user = bool(tf.cs & 3)
        if not user and tf.cs & 0xFFFF != KERNEL_CS:
            return None
        info = pending.create_unwind_info(FrameId(gdb.Value(sp), gdb.Value(pc)))
        for name in REGISTERS:
            info.add_saved_register(name, gdb.Value(tf[name]).cast(unsigned))
        esp = tf.esp if user else tf.address_of("esp")
        info.add_saved_register("esp", gdb.Value(esp).cast(unsigned))
        return info

    def in_entry_code(self, pc):
        if not self.range:
            if not k.have_variable("entry_code_start"):
                return False
            self.range = k.address("entry_code_start"), k.address("entry_code_end")
        return self.range[0] < pc < self.range[1]


gdb.unwinder.register_unwinder(None, TrapUnwinder(), replace=True)
