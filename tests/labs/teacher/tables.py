"""Questions with numbers, and wrong solutions that the grader has to name."""

from labs.teacher.teacher import Mutant, Planted

WRONG = [
    Mutant("no flush", "remove-frame-no-flush", "truncate_unmaps_and_zeroes_the_tail"),
    Planted("wrong count of a table's entries", "mm/pmap.c", "    table_of(pte)->table.used++;\n", "",
            "tables_and_leaves_are_given_back_when_empty"),
    Planted("missing reserve", "mm/pmap.c", "    if (!f)\n        return false;\n    f->table.pmap = pm;\n    f->table.pdx",
            "    f->table.pmap = pm;\n    f->table.pdx", "a_fault_without_memory_leaves_no_table"),
    Mutant("a table is freed while it has an entry", "table-freed-early", "figures_are_exact"),
    Mutant("resident pages are not counted down", "resident-not-counted-down", "figures_are_exact"),
    Mutant("the dirty bit is lost", "dirty-lost", "clean_file_pages_give_way"),
    Planted("every entry is writable", "mm/pmap.c", "    mmu_exchange(pte, frame_pa(f) | flags);", "    mmu_exchange(pte, frame_pa(f) | flags | PTE_W);",
            "anonymous_read_maps_the_zero_frame_read_only"),
    Planted("the second free frame is lost", "mm/percpu/shelf.h", "    write_once(*list, node->next);\n", "    write_once(*list, node->next ? node->next->next : NULL);\n",
            "the_free_list_is_in_the_order_of_handing_out"),
]


def directory(dice):
    va = dice.randint(0x08048000, 0x7fffefff)
    return f"Which entry of the page directory does the address {va:#010x} use?", va >> 22


def table(dice):
    va = dice.randint(0x08048000, 0x7fffefff)
    return f"Which entry of its page table does the address {va:#010x} use?", va >> 12 & 1023


def physical(dice):
    frame, va = dice.randint(0x100, 0x7fff), dice.randint(0x08048000, 0x7fffefff)
    return (f"The entry of the page of {va:#010x} is {frame << 12 | 0x67:#010x}. Which physical address has that byte? (0x... is a number, "
            "too.)", frame << 12 | va & 0xfff)


def tables(dice):
    start = dice.randint(0x20000000 >> 12, 0x60000000 >> 12) << 12
    pages = dice.randint(1100, 9000)
    first, last = start >> 22, (start + pages * 4096 - 1) >> 22
    return (f"A program maps {pages} pages at {start:#010x}, where nothing is near, and writes to each. How many page tables are made for "
            "them?", last - first + 1)


def window(dice):
    ram = dice.choice((16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)) + 4 * dice.randint(0, 3)
    return (f"A machine has {ram} MiB of memory, in one piece from 0 on. The first 8 MiB of the kernel's window have 4 KiB pages, the rest 4 MiB "
            "pages. How many present entries of the page directory does the window take?", ram // 4)


def rights(dice):
    entry = dice.randint(0x100, 0xfff) << 12 | dice.choice((0x5, 0x7, 0x25, 0x27, 0x65, 0x67, 0x4, 0x66))
    store = (entry & 3) == 3 and bool(entry & 4)
    return (f"A page-table entry is {entry:#010x}, the directory entry above it has P, W and U. A program stores to the page; 0: it goes "
            "through, 1: a fault. And with which error code (bit 0: present, 1: write, 2: user)? Answer 0, or the error code.",
            0 if store else (entry & 1) | 6)


QUESTIONS = [directory, table, physical, tables, window, rights]
