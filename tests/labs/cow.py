"""Copy-on-write: a fork that copies nothing, and both cases of the fault that follows."""

from labs.lab import Boot, Lab, Left, Rule

LAB = Lab(
    name="cow",
    title="Copy-on-write, both cases",
    functions=[
        Left("mm/amap.c", "leaf_copy", "return NULL;"),
        Left("mm/amap.c", "amap_owns", "return false;"),
        Left("mm/amap.c", "amap_reserve", """
struct anon ***at = &m->leaf[leaf_number(page)];

if (!*at)
    *at = leaf_new();
if (!*at || frame_of(*at)->leaf.refs != 1)
    return NULL; /* a leaf that is shared: nobody has written what is to be done then */
return *at + slot_number(page);
"""),
        Left("mm/amap.c", "amap_share", ""),
        Left("mm/fault.c", "fault_anon", "return NO_MEMORY;"),
        Left("mm/pmap.c", "pmap_enter_at", """
int err;

if (*pte & PTE_P)
    unmap_entry(pm, pte); /* which processor knows of it still? And if it is f that is there? */
err = mappages(pm, pte, f, entry_flags(prot));
if (err)
    free_table_if_empty(table_of(pte));
return err;
"""),
        Left("mm/fork/fork.c", "withhold", "return -ENOMEM;"),
        Left("mm/fork/fork.c", "fork_areas", "return -ENOMEM;"),
    ],
    rules=[
        Rule(3, "test_faults shared_anon_is_read_shared",
             "After fork a page has one frame: parent and child read the same one, and neither may write."),
        Rule(4, "test_faults shared_anon_is_copied_on_write",
             "Case 1: a write by the child to a page that has two owners copies it; the parent's is as it was."),
        Rule(2, "test_faults parent_write_after_fork_is_copied_too",
             "Case 1: a write by the parent is copied as well, and the child keeps what it had at fork."),
        Rule(4, "test_faults sole_anon_is_used_as_it_is",
             "Case 2: the last owner gets its page back as it is, writable, without a copy."),
        Rule(3, "test_faults a_page_has_two_owners_still_when_only_its_neighbour_was_copied",
             "Owners are counted: who has a leaf of its own need not own its pages alone; when a leaf is copied every page in it "
             "gains an owner."),
        Rule(2, "test_space fork_of_fork_shares_one_frame",
             "A grandchild shares the frame too, and each copy leaves one owner fewer."),
        Rule(3, "test_space fork_flushes_the_parents_write_rights",
             "fork takes the right to write from the parent's entries, and flushes them: no store goes through the TLB."),
        Rule(1, "test_space big_fork_flushes_all_at_once",
             "fork flushes what changed in one table with one request, not page by page."),
        Rule(2, "test_space a_copy_is_seen_by_a_cpu_that_had_read_the_original",
             "After a copy every processor sees the new frame: the old translation is flushed."),
        Rule(3, "test_space munmap_after_fork_leaves_the_child_alone",
             "A leaf that is shared is copied before somebody changes it: munmap in the parent leaves the child alone."),
        Rule(2, "test_space munmap_across_leaves_after_fork_leaves_the_child_alone",
             "That holds for the leaves at both edges of a range."),
        Rule(3, "test_space madvise_wipes_and_withholds_on_fork",
             "Reserve, then commit: what the child shall not inherit leaves its map, and the parent's is as before."),
        Rule(2, "test_space fork_in_steps_keeps_what_the_child_got",
             "fork goes in steps: what the parent does between two of them never reaches the child."),
        Rule(3, "test_space failed_fork_changes_nothing",
             "Reserve, then commit: a fork that finds no memory leaves parent, counts and frames as they were."),
        Rule(3, "fuzz 15000 1 2048",
             "The model: 15,000 random operations leave every page of every process with its value."),
        Rule(2, "fuzz 15000 2 900",
             "The model with little memory, and allocations that fail: what fails changes nothing."),
        Rule(4, "guest fork_cow",
             "A program that forks sees on this kernel what it sees on Linux (tests/guest/fork_cow.c)."),
        Rule(2, "guest fork_wait",
             "So does one that forks and waits (tests/guest/fork_wait.c)."),
    ],
    boots=Boot(r"fork: (Cannot allocate|Out of) memory", types="ls /\n", append="rdinit=/bin/sh"),
)
