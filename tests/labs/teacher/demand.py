"""Questions with numbers, and wrong solutions that the grader has to name."""

from labs.teacher.teacher import Mutant, Planted

WRONG = [
    Mutant("the frame of zeros may be written to", "zero-frame-writable", "anonymous_read_maps_the_zero_frame_read_only"),
    Mutant("no guard gap", "grow-no-guard", "stack_keeps_its_guard_gap"),
    Mutant("no limit", "grow-no-limit", "stack_grows_within_its_limit"),
    Planted("missing reserve", "mm/fault.c", "    at->entry = at->slot ? pmap_reserve(&f->space->pmap, f->page) : NULL;\n    return at->entry != NULL;",
            "    at->entry = at->slot ? pmap_reserve(&f->space->pmap, f->page) : NULL;\n    return at->slot != NULL;",
            "a_fault_without_memory_leaves_no_table"),
    Planted("an empty table is left", "mm/fault.c", "    if (!a) {\n        pmap_drop_empty(&f->space->pmap, f->page);\n        return NO_MEMORY;",
            "    if (!a) {\n        return NO_MEMORY;", "a_fault_without_memory_leaves_no_table"),
    Planted("what was in the frame before shows", "mm/fault.c", "install(f, &at, anon_new_zeroed())", "install(f, &at, anon_new())",
            "anonymous_write_gets_a_zeroed_frame"),
    Planted("the heap never gives anything back", "mm/map.c", "        err = unmap_range(s, c, new_end, old_end);", "        err = 0;",
            "brk_grows_shrinks_and_comes_back_zeroed"),
    Planted("the page has no owner", "mm/fault.c", "    amap_set(at->slot, a);\n    if (__builtin", "    if (__builtin",
            "anonymous_write_gets_a_zeroed_frame"),
]


def stride(dice):
    size, step = dice.choice((96, 128, 192, 256)), dice.choice((3, 5, 6, 10, 12, 20, 28))
    touched = {at // 4096 for at in range(0, size * 1024, step * 1024)}
    return (f"A function has an array of {size} KiB on its stack, page-aligned, none of it touched before. It writes to a byte every {step} KiB, "
            "beginning with the first. How many frames does the array have then?", len(touched))


def zeros(dice):
    pages, read, written = dice.randint(20, 90), 0, 0
    read = dice.randint(8, pages - 5)
    written = dice.randint(1, read - 2)
    return (f"Of {pages} fresh pages of anonymous memory {read} are read, and then {written} of those that were read are written to. How many page "
            "faults are that?", read + written)


def frames(dice):
    pages = dice.randint(20, 90)
    read = dice.randint(8, pages - 5)
    written = dice.randint(1, read - 2)
    return (f"Of {pages} fresh pages of anonymous memory {read} are read, and then {written} of those that were read are written to. How many entries "
            "of the process's page tables lead to the frame of zeros then?", read - written)


def bss(dice):
    pages, threads = dice.randint(500, 4000), dice.randint(3, 40)
    return (f"A program has an array of {pages} pages without a value. It writes to its first and its last byte and to {threads} pages in between. "
            "How many KiB of memory does the array have, page tables not counted?", (threads + 2) * 4)


def stack(dice):
    limit, depth = dice.choice((256, 512, 1024)), dice.randint(3000, 20000)
    return (f"A program's stack may have {limit} KiB (ulimit -s). Each call of a recursive function takes {depth} bytes of it, and nothing else does. "
            "How many calls can be open at once without leaving the limit?", limit * 1024 // depth)


QUESTIONS = [stride, zeros, frames, bss, stack]
