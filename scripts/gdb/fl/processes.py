"""Processes, their kernel stacks, locks, the log."""

import re
import struct
import subprocess

import gdb

from . import kernel as k

STATES = {"THREAD_RUNNABLE": "R", "THREAD_SLEEPING": "S", "THREAD_BLOCKED": "D",
          "THREAD_STOPPED": "T", "THREAD_TRACED": "t", "THREAD_DEAD": "Z"}


def state_letter(proc):
    alive = k.enum_name("proc_state", proc.state) == "PROC_ALIVE"
    threads = k.threads(proc)
    if not alive or not threads:
        return "Z"
    return STATES.get(k.enum_name("thread_state", threads[0].state), "?")


class Ps(k.Command):
    """fl ps: list the processes, one line each: pid, parent, state, name.

States are those of ps(1): R runs or could, S sleeps, D sleeps and takes no signal, T stopped,
Z dead and not yet waited for. A star marks what a processor was running when it stopped."""

    def run(self, argv):
        running = k.running_pids()
        print("  PID  PPID S NAME")
        for p in k.processes():
            parent = p.to("parent")
            mark = " *" if p.pid in running else ""
            print(f"{p.pid:5} {parent.pid if parent is not None else 0:5} {state_letter(p)} "
                  f"{p.text('comm')}{mark}")


class Cpus(k.Command):
    """fl cpus: the processors: what each runs, and where it stands.

`kernel` has the kernel lock; `user` may be a program, a call that goes without, or wait for it. TLB: whose tables are loaded.
`asked` is what it shall do on its way out: switch, let another one in, look where it is."""

    def run(self, argv):
        print("CPU APIC WHERE  TLB   LOCKS ASKED SHOOTDOWNS RUNS")
        several = len(list(k.cpus())) > 1
        for c in k.cpus():
            t = k.thread_on(c)
            idle = c.current == c.idle
            where = "kernel" if several and c.in_kernel else "idle" if idle else "user"
            space = next((p.pid for p in k.processes() if p.space and p.space == c.space), "-")
            asked = "".join(letter for bit, letter in enumerate("SKL") if c.wanted & 1 << bit) or "-"
            name = "idle" if idle else thread_name(t) if t is not None and t.proc else "?"
            print(f"{c.id:3} {c.apic_id:4} {where:6} {space!s:5} {c.spin_depth:5} {asked:5} {c.shootdowns:10} {name}")


class Log(k.Command):
    """fl log [LINES]: print the kernel's log out of memory, the last LINES of it or all."""

    def run(self, argv):
        ring = k.variable("kernel/base/log.c::ring")
        head, tail = k.variable("kernel/base/log.c::log_head"), k.variable("kernel/base/log.c::log_tail")
        raw = k.read(ring.at, len(ring))
        size = len(raw)
        text = bytes(raw[i % size] for i in range(tail, tail + (head - tail & 0xFFFFFFFF)))
        lines = text.decode("utf-8", "replace").splitlines()
        if argv:
            lines = lines[-k.number(argv[0]):]
        for line in lines:
            print(re.sub(r"^<\d>", "", line))


# ---- Stacks -----------------------------------------------------------------------------------------

def kernel_elf():
    for o in gdb.objfiles():
        if o.lookup_static_symbol("entry_code_start") or o.lookup_global_symbol("kernel_main"):
            return o.filename
    raise gdb.GdbError("the kernel's ELF file is not loaded")


def describe(addresses):
    """For each code address its lines, innermost inlined function first: (function, file:line)."""
    if not addresses:
        return []
    out = subprocess.run(["addr2line", "-e", kernel_elf(), "-a", "-f", "-i"]
                         + [f"{a:#x}" for a in addresses], capture_output=True, text=True).stdout
    places = []
    for part in re.split(r"^0x[0-9a-f]+\n", out, flags=re.M)[1:]:
        lines = part.splitlines()
        places.append([(f, short(w)) for f, w in zip(lines[::2], lines[1::2])])
    return places


def short(where):
    return re.sub(r"^.*?/(?=(arch|boot|mm|kernel|fs|drivers|libc)/)", "", where)


def readable(va):
    try:
        k.u32(va)
        return True
    except gdb.error:
        return False


def stack_frames(ebp, eip=None):
    """Follows frame pointers as the kernel's own backtrace does. Yields (kind, address or frame):
    "pc" the interrupted place, "call" a return address, "trap" a struct trapframe."""
    if eip is not None:
        yield "pc", eip
    low, high = k.address("entry_code_start"), k.address("entry_code_end")
    for _ in range(64):
        if ebp < k.USER_TOP or ebp & 3 or not readable(ebp) or not readable(ebp + 4):
            return
        after, back = struct.unpack("<2I", k.read(ebp, 8))
        if back == 0:
            return
        if low <= back < high:
            tf = k.View("trapframe", ebp + 8) # on top of the stack when the entry code called
            yield "trap", tf
            if tf.cs & 3:
                return
            yield "pc", tf.eip
        else:
            yield "call", back
        if after <= ebp:
            return
        ebp = after


def print_stack(frames):
    frames = list(frames)
    places = describe([a - (kind == "call") for kind, a in frames if kind != "trap"])
    number = 0
    for kind, what in frames:
        if kind == "trap":
            call = "system call" if what.trapno == 0x80 else f"trap {what.trapno}"
            print(f"   -- {call} --")
            if what.cs & 3:
                print(f"#{number:<2} {what.eip:#010x} in user mode, esp {what.esp:#010x}: "
                      f"{k.symbol_at(what.eip)}")
            continue
        where = places.pop(0)
        for i, (function, line) in enumerate(where):
            inlined = " (inlined)" if i < len(where) - 1 else ""
            print(f"#{number:<2} {what:#010x} {function} at {line}{inlined}")
            number += 1


class Bt(k.Command):
    """fl bt PID: the kernel stack of each thread of a process that is not running.

Inlined functions are shown too. The stack ends where the process entered the kernel; its place in
the program follows. For what the CPU runs now, use `bt`."""

    first = "pid"

    def run(self, argv):
        if len(argv) != 1:
            self.usage()
        current = k.current_thread()
        for t in k.threads(k.process(k.number(argv[0]))):
            print(f"Thread {t.tid}, {k.enum_name('thread_state', t.state, 'THREAD_').lower()}"
                  + (", running: see `bt`" if t == current else ":"))
            if t == current:
                continue
            # switch_stacks() left edi esi ebx ebp eip there.
            esp = t.arch.esp
            print_stack(stack_frames(k.u32(esp + 12), k.u32(esp + 16)))


# ---- Locks ------------------------------------------------------------------------------------------

def statics(type):
    """Names and addresses of the variables of a type."""
    text = gdb.execute(f"info variables -q -t ^{type}$", to_string=True)
    file = None
    for line in text.splitlines():
        m = re.match(r"File (.*):$", line)
        if m:
            file = m[1]
        m = re.search(rf"{type} (\w+);", line)
        if m and file:
            yield m[1], int(gdb.parse_and_eval(f"&'{file}'::{m[1]}").cast(
                gdb.lookup_type("unsigned int")))


def thread_name(t):
    p = t.to("proc")
    return f"{p.text('comm')} (thread {t.tid} of process {p.pid})" if p is not None else "?"


class Locks(k.Command):
    """fl locks: the locks that are held, their holders, and who waits.

Spin locks are those of the kernel's static data; a debug kernel also knows every lock that the CPU
holds, in the order they were taken. Sleep locks: the static ones, and any that a thread waits for."""

    def run(self, argv):
        for cpu in k.cpus():
            print(f"CPU {cpu.id}: {cpu.spin_depth} spin locks held, interrupts were "
                  f"{'on' if cpu.lock_flags & 0x200 else 'off'} before")
            for at in cpu.held.words()[:cpu.spin_depth]:
                if at:
                    lock = k.View("spinlock", at)
                    print(f"  holds {k.string(lock.name)} (rank {lock.rank}) at {at:#010x}")
        for name, at in statics("struct spinlock"):
            if k.View("spinlock", at).held:
                print(f"spin lock {name} is held")
        known = {at: name for name, at in statics("struct mutex")}
        waiting = {}
        for p in k.processes():
            for t in k.threads(p):
                if t.wanted:
                    waiting.setdefault(int(t.wanted), []).append(t)
        for at in sorted(set(known) | set(waiting)):
            mutex = k.View("mutex", at)
            if not mutex.owner and at not in waiting:
                continue
            owner = thread_name(mutex.to("owner")) if mutex.owner else "nobody"
            print(f"sleep lock {known.get(at, f'{at:#010x}')}: held by {owner}")
            for t in waiting.get(at, []):
                print(f"  {thread_name(t)} waits")


Ps("ps")
Cpus("cpus")
Log("log")
Bt("bt")
Locks("locks")
