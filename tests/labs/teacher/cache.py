"""Questions with numbers, and wrong solutions that the grader has to name."""

from labs.teacher.teacher import Mutant, Planted

WRONG = [
    Mutant("no flush", "evict-keeps-mappings", "truncate_unmaps_and_zeroes_the_tail"),
    Planted("wrong count of dirty pages", "mm/fault.c", "        if (v->object->pager->put && !make_dirty(f, frame))\n            return NEEDED;\n", "",
            "dirty_pages_are_counted_each_once"),
    Mutant("missing reserve", "place-not-asked-by-fault", "a_mapping_may_be_written_once_there_is_a_place_for_it"),
    Mutant("a private mapping writes to the file", "private-file-writable", "private_file_read_maps_the_cached_frame_read_only"),
    Mutant("what was written is not dirty", "written-not-dirty", "fuzz 15000 2 900"),
    Mutant("a clean page may be written to without a fault", "clean-page-mapped-writable", "dirty_pages_are_counted_each_once"),
    Mutant("the file's page in front of a private copy", "around-over-anon", "an_anon_hides_the_file_page_behind_it_from_its_neighbours"),
    Mutant("the rest of the last page is not cleared", "tail-not-zeroed", "truncate_unmaps_and_zeroes_the_tail"),
    Mutant("growth shows what was behind the end", "growth-shows-tail", "growth_shows_nothing_that_was_written_past_the_end"),
    Mutant("a failed write leaves its page", "failed-write-leaves-page", "a_write_that_moves_nothing_leaves_no_page"),
]


def around(dice):
    index, present = dice.randint(16, 200), 0
    low = index & ~15
    missing = sorted(dice.sample([i for i in range(low, low + 16) if i != index], dice.randint(2, 7)))
    present = 16 - len(missing)
    return (f"A file of 400 pages is mapped whole, at an address that is a multiple of 64 KiB. All of its pages are in memory but for {', '.join(map(str, missing))}. "
            f"Nothing is mapped yet. A program reads a byte of page {index}. How many entries are present after that fault?", present)


def owners(dice):
    programs, pages, wrote = dice.randint(3, 9), dice.randint(10, 60), 0
    wrote = dice.randint(2, pages // 2)
    return (f"{programs} programs map the same file of {pages} pages privately, and read all of it. Then each of them writes to {wrote} of its pages. "
            "How many frames are in use for the file and the copies?", pages + programs * wrote)


def shared(dice):
    programs, pages = dice.randint(3, 9), dice.randint(10, 60)
    wrote = dice.randint(2, pages // 2)
    return (f"{programs} programs map the same file of {pages} pages with MAP_SHARED, read all of it, and each of them writes to the first {wrote} pages. "
            "How many frames are in use for it?", pages)


def dirty(dice):
    pages = dice.randint(10, 60)
    twice = dice.randint(2, pages - 1)
    return (f"A file on a disk is in memory, clean, and mapped MAP_SHARED with all of its pages read. A program stores to {pages} of its pages in a row, and "
            f"then to {twice} of them a second time. How many page faults do the stores take?", pages)


def tail(dice):
    size = dice.randint(5000, 90000)
    return (f"A file is cut to {size} bytes. How many bytes of its last page have to be zeros now, for whoever maps it?", -size % 4096)


QUESTIONS = [around, owners, shared, dirty, tail]
