"""Questions with numbers, and wrong solutions that the grader has to name."""

from labs.teacher.teacher import Mutant, Planted

WRONG = [
    Mutant("no flush", "enter-replace-no-flush", "a_copy_is_seen_by_a_cpu_that_had_read_the_original"),
    Mutant("wrong owner count", "leaf-copy-no-ref", "a_page_has_two_owners_still_when_only_its_neighbour_was_copied"),
    Planted("missing reserve", "mm/fork/fork.c", "    if (amap_reserve_remove(&child->amap, page, end))\n        return -ENOMEM;\n",
            "", "madvise_wipes_and_withholds_on_fork"),
    Mutant("the leaf's owners are forgotten", "sole-ignores-leaf", "shared_anon_is_copied_on_write"),
    Mutant("the anon's owners are forgotten", "sole-ignores-anon", "a_page_has_two_owners_still_when_only_its_neighbour_was_copied"),
]


def exercise(dice):
    code, globals_, heap, stack = (dice.randint(a, b) for a, b in ((2, 9), (1, 4), (4, 12), (1, 3)))
    pages = code + globals_ + heap + stack
    at, length = dice.randint(0, heap * 4096 - 9000), dice.choice((128, 4096, 5000, 8192))
    copies = (at + length - 1) // 4096 - at // 4096 + 1
    return (f"A process has {code} pages of code, {globals_} of globals, {heap} of heap and {stack} of stack, all in memory and "
            f"written to where they may be. It forks. The child writes an array of {length} bytes that begins {at} bytes into the "
            "heap (whose start is page-aligned), and a variable on its stack. How many frames are behind the pages of both when "
            "each can read all of its memory without a fault?", pages + copies + 1)


def owners(dice):
    children, writers = dice.randint(3, 9), 0
    writers = dice.randint(1, children - 1)
    return (f"A process has one page that it has written to, forks {children} times, and no child forks. {writers} of the children "
            "write to the page, one after the other. How many owners does the parent's frame have then?", children + 1 - writers)


def last(dice):
    children = dice.randint(2, 6)
    return (f"A process has written to one page and forks {children} children. All of them, and then the parent, write to the "
            "page once. How many of these faults copy?", children)


def leaves(dice):
    pages = dice.randint(1025, 9000)
    first = dice.randint(0, 1023)
    return (f"A process has {pages} pages of heap, all written to, the first of which is page {first} of its leaf (a leaf holds "
            "1,024). It forks. How many counts of owners does fork raise for them?", (first + pages - 1) // 1024 + 1)


def copied(dice):
    pages, within = dice.randint(20, 200), dice.randint(3, 19)
    return (f"A leaf holds {pages} pages of a parent and its child. The child writes to {within} of them, one after the other. How "
            "many entries of owners are raised when it copies the leaf, at the first of these faults?", pages)


QUESTIONS = [exercise, owners, last, leaves, copied]
