"""Questions with numbers, and wrong solutions that the grader has to name."""

from labs.teacher.teacher import Mutant, Planted

WRONG = [
    Planted("no flush: the right to write stays", "mm/reclaim/write_back.c", "    pmap_clean(f);\n", "", "a_store_while_it_is_put_makes_a_page_dirty_again"),
    Planted("wrong count of dirty pages", "mm/reclaim/dirty.c", "    if (f->flags & FRAME_DIRTY)\n        return;\n    f->flags |= FRAME_DIRTY;",
            "    f->flags |= FRAME_DIRTY;", "a_page_that_is_written_to_in_two_places_is_counted_once"),
    Planted("nothing holds the object", "mm/reclaim/write_back.c", "    o->refs++;\n    o->puts[run->turn]++;", "    o->puts[run->turn]++;",
            "dirty_neighbours_are_put_together_and_once"),
    Mutant("clean only after the write", "put-cleans-late", "a_store_while_it_is_put_makes_a_page_dirty_again"),
    Mutant("what was not written counts as written", "put-failure-forgotten", "what_cannot_be_put_stays_dirty_and_is_told"),
    Mutant("nobody is told", "put-error-not-told", "what_cannot_be_put_stays_dirty_and_is_told"),
    Mutant("one page at a time", "put-takes-one", "dirty_neighbours_are_put_together_and_once"),
    Mutant("the window never grows", "window-never-grows", "misses_in_sequence_are_brought_in_by_growing_runs"),
]


def _window(ahead, misses):
    most, window, total = min(ahead, 16), 0, 0
    for _ in range(misses):
        window = min(window * 2 if window else most // 4, most)
        total += max(window, 1)
    return total


def window(dice):
    misses = dice.randint(2, 9)
    return (f"A pager allows 16 pages ahead, and a run has at most 16. A file is read from its start to somewhere, page by page. After {misses} misses, each "
            "of which brought in its whole window, how many pages are in memory?", _window(16, misses))


def runs(dice):
    starts, at = [], 0
    for _ in range(dice.randint(3, 6)):
        at += dice.randint(2, 9)
        n = dice.choice((1, 2, 5, 9, 14, 17, 20, 33))
        starts.append((at, n))
        at += n
    told = ", ".join(f"{a}-{a + n - 1}" if n > 1 else str(a) for a, n in starts)
    return (f"Of a file the pages {told} are dirty, and nobody maps them. A run has at most 16 pages. How many writes does fsync send to the disk, if nothing "
            "is merged later?", sum((n + 15) // 16 for _, n in starts))


def faults(dice):
    pages, cached = dice.randint(40, 120), 0
    cached = dice.randint(5, pages - 20)
    return (f"A file of {pages} pages is mapped with MADV_RANDOM, so that nothing is mapped around a fault; its pager brings in one page at a time. {cached} of "
            "its pages are in memory. A program reads each page once. How many of its faults are minor?", cached)


def again(dice):
    stores, syncs, more = dice.randint(2, 30), dice.randint(2, 9), dice.randint(0, 4)
    return (f"A page of a file on a disk is mapped MAP_SHARED, clean, and was read. A program stores to it {stores} times and calls msync(MS_SYNC), does both {syncs} "
            f"times, and then stores {more} more times. How many of the stores are page faults?", syncs + (more > 0))


def limit(dice):
    ram, percent = dice.choice((64, 96, 128, 192, 256)), dice.choice((5, 10, 15, 20, 25, 40))
    return (f"{ram} MiB may hold pages of files, and dirty_ratio is {percent}. How many pages (of 4 KiB) may be dirty before who makes another one has to "
            "write some?", ram * 256 * percent // 100)


QUESTIONS = [window, runs, faults, again, limit]
