"""Questions with numbers, and wrong solutions that the grader has to name."""

from labs.teacher.teacher import Mutant, Planted

WRONG = [
    Mutant("no flush", "protect-keeps-write", "mprotect_takes_and_gives_rights"),
    Mutant("wrong owner count", "split-no-object-ref", "munmap_splits_a_file_mapping_at_the_right_offset"),
    Planted("missing reserve", "mm/map.c", "    int err = reserve_clear(s, c, start, end);\n\n    if (!err)\n", "    int err = 0;\n\n    if (!err)\n",
            "munmap_after_fork_leaves_the_child_alone"),
    Mutant("the upper part begins at the wrong page", "split-offset", "munmap_splits_a_file_mapping_at_the_right_offset"),
    Mutant("areas join whatever their offset", "join-ignores-offset", "neighbours_join_only_where_the_pages_of_their_file_go_on"),
    Mutant("areas join whatever their rights", "join-ignores-prot", "mprotect_takes_and_gives_rights"),
    Mutant("what is free is not", "gap-in-use", "hints_are_honoured_when_free"),
    Mutant("mprotect gives what nobody may have", "maxprot-ignored", "mprotect_errors"),
    Mutant("private pages outlive their area", "remove-forgets-amap", "brk_grows_shrinks_and_comes_back_zeroed"),
]


def parts(dice):
    pages, holes = dice.randint(20, 60), dice.randint(2, 7)
    at = sorted(dice.sample(range(1, pages - 1, 3), holes))
    return (f"A program maps {pages} pages at once, and then unmaps the pages {', '.join(map(str, at))} of them, counted from 0. How many areas "
            "are left?", holes + 1)


def protect(dice):
    pages, a = dice.randint(20, 60), dice.randint(2, 9)
    b = a + dice.randint(3, 9)
    c = dice.choice((a, dice.randint(a, b - 1)))
    d = dice.choice((b, dice.randint(c + 1, b)))
    rights = [1 if a <= p < b and not c <= p < d else 3 for p in range(pages)]
    return (f"{pages} pages are mapped private, anonymous, with PROT_READ|PROT_WRITE, where nothing is near. mprotect makes the pages {a} to {b - 1} "
            f"read-only, and then those from {c} to {d - 1} PROT_READ|PROT_WRITE. How many areas are there (lines of /proc/self/maps)?",
            1 + sum(x != y for x, y in zip(rights, rights[1:])))


def offset(dice):
    first, pages, cut = dice.randint(3, 40), dice.randint(20, 60), 0
    cut = dice.randint(2, pages - 5)
    n = dice.randint(1, 3)
    return (f"A file is mapped from its page {first} on, {pages} pages. Of the mapping the pages {cut} to {cut + n - 1} are unmapped. At which page of the "
            "file does the upper of the two areas begin?", first + cut + n)


def gap(dice):
    tops = sorted(dice.sample(range(100, 900, 20), 4))
    areas = [(t, t + dice.randint(3, 9)) for t in tops]
    need = dice.randint(2, 10)
    # the highest free place of that many pages at or below the last area
    free = [(a[1], b[0]) for a, b in zip(areas, areas[1:])]
    best = max(hi - need for lo, hi in free if hi - lo >= need)
    told = ", ".join(f"{a}-{b - 1}" for a, b in areas)
    return (f"A space has areas at the pages {told}, and mmap looks for {need} free pages in between the lowest and the highest of them, as high as it "
            "can. At which page does it put them?", best)


def holds(dice):
    cuts = dice.randint(2, 9)
    return (f"A program maps a file once, closes it, and calls mprotect, and other calls, that cut the area at {cuts} places. How many references does "
            "the object hold for areas then?", cuts + 1)


QUESTIONS = [parts, protect, offset, gap, holds]
