"""Questions with numbers, and wrong solutions that the grader has to name."""

from labs.teacher.teacher import Mutant

WRONG = [
    Mutant("no flush", "walk-no-flush", "mprotect_takes_and_gives_rights"),
    Mutant("no flush when a frame is replaced", "enter-replace-no-flush", "a_copy_is_seen_by_a_cpu_that_had_read_the_original"),
    Mutant("no flush when a right is lost", "enter-same-no-flush", "a_page_entered_with_fewer_rights_is_flushed"),
    Mutant("wrong count: a page less is flushed", "walk-flushes-one-less", "every_page_is_flushed_however_many_there_are"),
    Mutant("wrong start: what changed first is left", "walk-flushes-from-behind", "every_page_is_flushed_however_many_there_are"),
    Mutant("nobody is asked", "shootdown-missing", "every_single_switch_of_a_small_case"),
    Mutant("nobody is waited for", "shootdown-no-wait", "every_single_switch_of_a_small_case"),
    Mutant("the wrong ones are asked", "shootdown-wrong-set", "every_single_switch_of_a_small_case"),
]


def targets(dice):
    cpus = dice.randint(4, 16)
    spaces = [dice.choice("ABC") for _ in range(cpus)]
    asker = dice.randrange(cpus)
    told = " ".join(f"{n}:{s}" for n, s in enumerate(spaces))
    return (f"{cpus} processors have the tables of these spaces loaded: {told}. Processor {asker} takes a page out of space {spaces[asker]}. How many others does it ask "
            "and wait for?", spaces.count(spaces[asker]) - 1)


def mask(dice):
    cpus = dice.randint(5, 12)
    spaces = [dice.choice("AB") for _ in range(cpus)]
    asker = dice.randrange(cpus)
    bits = sum(1 << n for n in range(cpus) if n != asker and spaces[n] == spaces[asker])
    told = " ".join(f"{n}:{s}" for n, s in enumerate(spaces))
    return (f"{cpus} processors have the tables of these spaces loaded: {told}. Processor {asker} changes an entry of space {spaces[asker]}. What is request.waiting (a number, "
            "0x... if you like) before the first answers?", bits)


def singly(dice):
    pages = dice.choice([dice.randint(2, 32), dice.randint(2, 32), dice.randint(33, 300)])
    return (f"mmu_flush_pages() is called for {pages} pages (FLUSH_SINGLY is 32). How many invlpg does the running processor execute, if the tables are its own?",
            pages if pages <= 32 else 0)


def span(dice):
    changed = sorted(dice.sample(range(0, 1024), dice.randint(3, 9)))
    return (f"walk_table() changes the entries {', '.join(map(str, changed))} of one table. For how many pages is the TLB flushed?", changed[-1] - changed[0] + 1)


def gains(dice):
    moves = [dice.choice(("r to w", "w to r", "- to r", "r to -", "- to w", "w to -", "w to w, another frame", "r to w, another frame")) for _ in range(dice.randint(5, 12))]
    lose = sum(m in ("w to r", "r to -", "w to -") or "another" in m for m in moves)
    return (f"Entries change their rights so (-: not present, r: read-only, w: writable; the same frame if nothing is said): {'; '.join(moves)}. How many of these changes "
            "must be flushed?", lose)


QUESTIONS = [targets, mask, singly, span, gains]
