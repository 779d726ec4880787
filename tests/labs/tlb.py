"""Several processors: what one has remembered another must make it forget."""

from labs.lab import Boot, Lab, Left, Rule

LAB = Lab(
    name="tlb",
    title="Several processors and the TLB",
    functions=[
        Left("mm/pmap.c", "change_rights", """
pte_t old = mmu_exchange(pte, frame_pa(f) | flags | (*pte & (PTE_A | PTE_D)));

if (old & PTE_D)
    f->flags |= FRAME_DIRTY;
"""),
        Left("mm/pmap.c", "pmap_enter_at", """
int err;

if (*pte & PTE_P)
    unmap_entry(pm, pte); /* or f is there already; and who knows of it? */
err = mappages(pm, pte, f, entry_flags(prot));
if (err)
    free_table_if_empty(table_of(pte));
return err;
"""),
        Left("mm/pmap.c", "walk_table", """
struct frame *table = table_of(pte);

for (pte_t *last = pte + ((end - start) >> PAGE_SHIFT); pte < last && table->table.used; pte++)
    if (*pte & PTE_P)
        (void)fn(pm, table, pte);
free_table_if_empty(table);
"""),
        Left("mm/pmap.c", "remove_mapping", """
struct frame *table = table_of(pte);

unmap_entry(table->table.pmap, pte);
free_table_if_empty(table);
"""),
        Left("mm/pmap.c", "clear_in", """
if (!(*pte & bits))
    return false;
__atomic_and_fetch(pte, ~bits, __ATOMIC_SEQ_CST);
return true;
"""),
        Left("arch/i386/platform/shootdown.c", "shootdown_answer", ""),
        Left("arch/i386/platform/shootdown.c", "others_with", "return 0;"),
        Left("arch/i386/platform/shootdown.c", "begin_request", "return irq_save();"),
        Left("arch/i386/platform/shootdown.c", "end_request", "irq_restore(flags);"),
        Left("arch/i386/platform/shootdown.c", "shootdown", ""),
    ],
    rules=[
        Rule(4, "test_space a_copy_is_seen_by_a_cpu_that_had_read_the_original",
             "An entry that leads to another frame is flushed: a processor that had read the old one sees the new."),
        Rule(3, "test_faults a_page_entered_with_fewer_rights_is_flushed",
             "An entry that loses a right is flushed, one that gains one is not."),
        Rule(3, "test_space fork_flushes_the_parents_write_rights",
             "fork flushes what loses the right to write: no store goes through an old translation."),
        Rule(3, "test_space every_page_is_flushed_however_many_there_are",
             "Every page of a range is flushed, from the first that changed to the last."),
        Rule(2, "test_space big_fork_flushes_all_at_once",
             "What changed in one table is flushed by one request."),
        Rule(3, "test_space mprotect_takes_and_gives_rights",
             "mprotect holds on every processor as soon as it returns."),
        Rule(3, "test_objects truncate_unmaps_and_zeroes_the_tail",
             "A frame that is taken out of all spaces is flushed in each before it is free."),
        Rule(2, "test_pagers a_store_while_it_is_put_makes_a_page_dirty_again",
             "A bit that is cleared in an entry is cleared in the TLB as well, or the processor would not set it again."),
        Rule(6, "test_interleaving every_single_switch_of_a_small_case",
             "Two processors, every switch at every place: no translation outlives its frame."),
        Rule(4, "test_interleaving no_translation_outlives_its_frame_whoever_goes_on",
             "Three processors that take turns by chance: all are asked, all answer, and nobody waits for ever."),
        Rule(3, "fuzz 15000 1 2048",
             "The model, whose TLBs forget nothing by themselves: every page has its value."),
        Rule(2, "fuzz 15000 1 600 600",
             "The model with swap: what leaves memory has left every TLB."),
        Rule(4, "guest shootdowns -smp 4", "Four processors: threads of one process see each other's changes (tests/guest/shootdowns.c)."),
        Rule(2, "guest shared_space -smp 2", "Two processors in one space (tests/guest/shared_space.c)."),
    ],
    boots=Boot(r"Run /init as init process"),
)
