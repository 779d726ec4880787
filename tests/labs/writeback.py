"""Major faults, and write-back: how pages come from a disk, and get there again."""

from labs.lab import Boot, Lab, Left, Rule

LAB = Lab(
    name="writeback",
    title="Minor and major faults, write-back",
    functions=[
        Left("mm/object.c", "window_at", "return least;"),
        Left("mm/fault.c", "make_dirty", "return true;"),
        Left("mm/reclaim/dirty.c", "object_dirtied", ""),
        Left("mm/reclaim/dirty.c", "object_cleaned", ""),
        Left("mm/reclaim/write_back.c", "send", ""),
        Left("mm/reclaim/write_back.c", "object_gather", """
*run = (struct vm_run){.index = f->index};
f->object->refs++;
"""),
        Left("mm/reclaim/write_back.c", "object_gather_next", "return NO_MORE;"),
        Left("mm/reclaim/write_back.c", "object_put", """
vm_object_unref(o);
return -EIO;
"""),
        Left("mm/reclaim/write_back.c", "object_await_puts", ""),
    ],
    rules=[
        Rule(5, "test_pagers dirty_pages_are_counted_each_once",
             "A page that is written to becomes dirty, and is counted once, until it is clean again."),
        Rule(2, "test_pagers a_page_that_is_written_to_in_two_places_is_counted_once",
             "It is counted once, too, when several mappings write to it."),
        Rule(4, "test_pagers dirty_neighbours_are_put_together_and_once",
             "sync writes every dirty page once, neighbours in one run, and leaves them clean."),
        Rule(3, "test_pagers a_store_while_it_is_put_makes_a_page_dirty_again",
             "A page counts as clean from before its write on: a store meanwhile makes it dirty again, and is not lost."),
        Rule(3, "test_pagers what_cannot_be_put_stays_dirty_and_is_told",
             "What the disk did not take is dirty still, and whoever calls fsync is told."),
        Rule(3, "test_pagers waiting_for_what_is_on_its_way_does_not_wait_for_what_follows",
             "sync waits for what others have on its way, and not for what they begin later."),
        Rule(3, "test_pagers who_dirties_too_many_pages_writes_some_back",
             "Who makes too many pages dirty has to write some back first."),
        Rule(3, "test_pagers misses_in_sequence_are_brought_in_by_growing_runs",
             "Misses that follow each other bring in more and more pages at once, up to what the pager can."),
        Rule(2, "test_space sequential_advice_brings_pages_ahead",
             "MADV_SEQUENTIAL brings in whole runs."),
        Rule(3, "fuzz 15000 1 2048",
             "The model: 15,000 random operations leave every page of every file and process with its value."),
        Rule(2, "fuzz 15000 2 900",
             "The model with little memory, and allocations that fail: what fails changes nothing."),
        Rule(3, "guest mincore_msync", "msync and mincore do what they do on Linux (tests/guest/mincore_msync.c)."),
        Rule(2, "guest file_mappings", "Mappings that change their file do what they do on Linux (tests/guest/file_mappings.c)."),
    ],
    boots=Boot(r"proc ", types="ls /\n"),
)
