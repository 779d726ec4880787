"""Questions with numbers, and wrong solutions that the grader has to name."""

from labs.teacher.teacher import Mutant, Planted

WRONG = [
    Planted("no flush: the dirty bit is looked at while the page is mapped", "mm/reclaim/swap_out.c",
            "    pmap_remove_frame(f);\n    /* Another CPU may have written until its entry was gone. */\n    if (f->flags & FRAME_DIRTY)\n        return false;\n",
            "    if (f->flags & FRAME_DIRTY)\n        return false;\n    pmap_remove_frame(f);\n", "a_store_just_before_a_clean_page_goes_is_not_lost"),
    Planted("wrong count of pages in swap", "mm/reclaim/swap_in.c", "        f->anon->frame = f;\n        swapped_anons--;\n", "        f->anon->frame = f;\n",
            "pages_go_to_swap_and_come_back_as_major_faults"),
    Planted("missing reserve: nothing holds the frame during its write", "mm/reclaim/swap_out.c",
            "    f->flags |= FRAME_WRITING;\n    frame_pin(f);\n", "    f->flags |= FRAME_WRITING;\n",
            "pages_go_to_swap_and_come_back_as_major_faults"),
    Mutant("a store while the page is written is lost", "store-under-write-forgotten", "a_slot_that_holds_what_was_is_given_back"),
    Mutant("what was not written counts as written", "unwritten-counts-as-written", "what_cannot_be_written_stays_and_is_dirty"),
    Mutant("the slot of an orphan is lost", "orphan-keeps-slot", "what_is_unmapped_while_it_is_written_frees_its_slot_at_the_end"),
    Mutant("what could not be read is taken for the page", "failed-read-is-kept", "what_cannot_be_read_is_a_bus_error_and_stays_in_swap"),
    Planted("no second chance", "mm/reclaim/policy.c", "    if (used) {\n        *state = *state == 0 ? 1 : ACTIVE;\n        return false;\n    }\n",
            "    if (used)\n        *state = *state == 0 ? 1 : ACTIVE;\n", "the_hand_spares_what_was_used_and_its_trace_says_so"),
]


def _rounds(uses):
    """What the hand makes of a page: used (True) or not, round by round. The round in which it goes, or 0."""
    state = 0
    for n, used in enumerate(uses, 1):
        if used:
            state = 1 if state == 0 else 3
        elif state <= 1:
            return n
        else:
            state -= 1
    return 0


def second(dice):
    uses = [True] * dice.randint(1, 4)
    for _ in range(dice.randint(0, 2)):
        uses += [False] * dice.randint(1, 2) + [True] * dice.randint(1, 2)
    uses += [False] * 4
    told = " ".join("u" if u else "-" for u in uses)
    goes = _rounds(uses)
    return (f"A page comes in (state 0, mm/reclaim/policy.c). When the hand passes it finds the page used (u) or not (-), in this order: {told}. In which "
            "round, counted from 1, does the page go?", goes)


def scan(dice):
    pages, ram, loops = dice.randint(60, 120), 0, dice.randint(3, 6)
    ram = dice.randint(20, pages - 10)
    return (f"Memory has {ram} frames for a program that touches {pages} pages in order, {loops} times over, and the policy were LRU. How many faults does it take?",
            pages * loops)


def io(dice):
    pages, written = dice.randint(30, 90), 0
    written = dice.randint(3, pages - 10)
    return (f"{pages} pages of a program have come back from swap one by one. It has since stored to {written} of them. All of them go to swap again. How many pages are "
            "written to the swap device for that?", written)


def runs(dice):
    slots, got = [], dice.randint(1000, 3000)
    for _ in range(dice.randint(3, 6)):
        got += dice.randint(5, 90)
        n = dice.randint(1, 6)
        slots += range(got, got + n)
        got += n
    slots = slots[:16]
    reads = 1 + sum(b != a + 1 for a, b in zip(slots, slots[1:]))
    return (f"{len(slots)} neighbouring pages of an aligned block of 16 are in swap, in order of address in the slots {', '.join(map(str, slots))}. The program reads them "
            "in order. How many reads from the swap device are that, if there is memory enough?", reads)


def fork(dice):
    pages, children = dice.randint(5, 40), dice.randint(2, 7)
    return (f"{pages} pages of a process are in swap, none in memory. It forks {children} children, which do not touch them. How many slots do these pages take then?", pages)


QUESTIONS = [second, scan, io, runs, fork]
