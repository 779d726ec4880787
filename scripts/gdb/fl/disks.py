"""Swap areas and slots, and what disks are busy with."""

import gdb

from . import kernel as k
from . import memory

AREAS = "mm/reclaim/swap.c::areas"
PLACE_BITS = 24
CHUNK_SLOTS = k.PAGE * 8
WRITING = 0x10


def areas():
    """(number, View) of the swap areas that are in use."""
    array = k.variable(AREAS)
    return [(n, array[n]) for n in range(len(array)) if array[n].device]


def name_of(area):
    return k.string(area.to("device").name)


def is_taken(area, place):
    chunk = k.u32(area.taken + 4 * (place // CHUNK_SLOTS))
    return k.u32(chunk + place % CHUNK_SLOTS // 32 * 4) >> place % 32 & 1


def owners_of_slots():
    """slot -> words: whose page it is. What is on its way out has no owner yet."""
    out = {}
    for space, pids in memory.owners_of_spaces().items():
        for n, leaf in memory.amap_leaves(k.View("vm_space", space)):
            for i in range(1024):
                at = k.u32(leaf + 4 * i)
                slot = k.View("anon", at).slot if at else 0
                if slot:
                    where = " (and in memory)" if k.View("anon", at).frame else ""
                    out.setdefault(slot, f"process {pids[0]} at {n << 22 | i << 12:#010x}{where}")
    for o in k.entries(k.address("all_objects"), "vm_object", "all"):
        if o.swapped:
            for index, item in memory.radix_items(o.pages):
                if item & 1:
                    out[item >> 1] = f"page {index:#x} of object {o.at:#010x}"
    return out


class Swap(k.Command):
    """fl swap [AREA]: the swap areas, and how many pages are in swap alone; with a number, each slot of
that area that is taken, and whose page it holds."""

    def run(self, argv):
        if argv:
            self.one(k.number(argv[0]))
            return
        for n, a in areas():
            print(f"area {n}: {name_of(a)}, priority {a.priority}, {a.used} of {a.usable} slots taken"
                  + (f", {a.reads} reads under way" if a.reads else "") + (", closing" if a.closing else ""))
        print(f"{k.variable('swapped_anons')} anons and {k.variable('swapped_pages')} pages of objects in swap alone; "
              f"{k.variable('slots_on_their_way')} slots on their way")
        hand = k.variable("reclaim_hand")
        pfn = (hand - k.variable("frames")) // k.layout("frame").size if hand else 0
        print(f"the hand is at frame {pfn:#x}; it looked at {k.variable('events').pgscan_kswapd} frames "
              f"for the thread and {k.variable('events').pgscan_direct} for who could not wait")

    def one(self, number):
        found = [a for n, a in areas() if n == number]
        if not found:
            raise gdb.GdbError(f"there is no area {number}")
        owners = owners_of_slots()
        for place in range(1, found[0].slots):
            if is_taken(found[0], place):
                slot = number << PLACE_BITS | place
                print(f"slot {place}: {owners.get(slot, 'on its way, or spoilt')}")


OPS = ("read", "write", "flush")


def io_line(io):
    dev = io.to("dev")
    return (f"{OPS[io.op]} {k.string(dev.address_of('name'))} sector {io.sector}, {io.bytes} bytes"
            + (f", try {io.tries + 1}" if io.tries else ""))


class Blk(k.Command):
    """fl blk: each disk's queue: requests that the hardware has, transfers that wait, and pages that are
being written."""

    def run(self, argv):
        for q in k.entries(k.address("fs/block/recovery.c::queues"), "block_queue", "all"):
            self.queue(q)
        busy = [(pfn, f) for pfn, f in memory.all_frames()
                if memory.kind_of(f) in ("anon", "object") and f.flags & (WRITING | 1)]
        print(f"{len(busy)} frames being read or written")
        for pfn, f in busy:
            print(f"  frame {pfn:#x} {memory.kind_of(f)}: {'written' if f.flags & WRITING else 'read'}")

    @staticmethod
    def queue(q):
        every = 0xFFFFFFFF if q.depth == 32 else (1 << q.depth) - 1
        busy = [tag for tag in range(q.depth) if (every & ~q.free_slots) >> tag & 1]
        whole = q["whole"]
        state = "".join(f", {word}" for word in ("recovering", "dead", "throttled") if getattr(q, word))
        print(f"{k.string(whole.address_of('name'))} ({k.string(q.to('driver').name)}): {len(busy)} of {q.depth} "
              f"requests under way, {q.waiting.runs} runs wait{state}")
        for tag in busy:
            r = q.slots[tag]
            print(f"  [{tag}] {OPS[r.op]} sector {r.sector}, {r.bytes} bytes")
            for io in k.entries(r.address_of("ios"), "block_io", "run"):
                print(f"      {io_line(io)}")
        for io in k.entries(q["waiting"].address_of("sorted"), "block_io", "sorted"):
            print(f"  waits: {io_line(io)}")


Swap("swap")
Blk("blk")
