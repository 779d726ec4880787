"""The page cache: one frame for each page of a file, whoever reads, writes or maps it."""

from labs.lab import Boot, Lab, Left, Rule

LAB = Lab(
    name="cache",
    title="The page cache and shared mappings",
    functions=[
        Left("mm/fault.c", "gather", """
for (unsigned i = 0; i < n; i++)
    out[i] = NULL;
"""),
        Left("mm/fault.c", "fault_cached", """
f->why = VM_CASE_CACHED;
return f->write ? NO_MEMORY : enter(f, frame, read_only(f->vma));
"""),
        Left("mm/object.c", "object_evict", """
struct vm_object *o = f->object;

radix_clear(&o->pages, f->index);
object_count_pages(o, -1);
frame_release(f);
"""),
        Left("mm/object_io.c", "leave_page", "frame_unpin(f);"),
        Left("mm/object_io.c", "commit_write", """
spin_lock(&vm_lock);
leave_page(o, f);
spin_unlock(&vm_lock);
return -EIO;
"""),
        Left("mm/object_size.c", "object_clear_tail", ""),
        Left("mm/object_size.c", "set_size", "o->size = size;"),
    ],
    rules=[
        Rule(5, "test_faults shared_file_write_reaches_the_file",
             "A store through a shared mapping is in the file: mapping and read() have the same frame."),
        Rule(3, "test_objects write_extends_and_reads_stop_at_the_end",
             "write() past the end moves the end, once the bytes are there; read() stops at it."),
        Rule(3, "test_pagers a_reader_never_sees_the_end_before_the_bytes",
             "Nobody sees the new end before the bytes in front of it."),
        Rule(2, "test_objects a_write_that_moves_nothing_leaves_no_page",
             "A write that fails leaves no page behind the end."),
        Rule(3, "test_pagers dirty_pages_are_counted_each_once",
             "A page is dirty from the first store or write() on, whoever it was, and is counted once."),
        Rule(3, "test_pagers a_mapping_may_be_written_once_there_is_a_place_for_it",
             "Reserve, then commit: a shared page becomes writable only when its file system has a place for it."),
        Rule(2, "test_faults shared_read_fault_maps_clean",
             "A read of a shared page maps it so that the first store can be seen: clean."),
        Rule(2, "test_faults private_file_read_maps_the_cached_frame_read_only",
             "A private mapping reads the file's own frame, and may not write to it."),
        Rule(2, "test_faults read_fault_maps_resident_neighbours",
             "A read fault maps the neighbours that are in memory, read-only, so that they need no fault."),
        Rule(2, "test_space an_anon_hides_the_file_page_behind_it_from_its_neighbours",
             "A private copy is never hidden by the file's page when its neighbours are mapped."),
        Rule(3, "test_objects truncate_unmaps_and_zeroes_the_tail",
             "What was cut off is gone from every mapping and every TLB, and the rest of the last page is zeros."),
        Rule(2, "test_pagers growth_shows_nothing_that_was_written_past_the_end",
             "What a mapping wrote behind the end does not show when the file grows."),
        Rule(2, "test_pagers a_page_cut_off_while_it_is_brought_in_does_not_come_back",
             "A page that is cut off while it is in use goes when its last user does."),
        Rule(3, "test_failures what_fails_for_memory_changes_nothing",
             "Each allocation of each operation, failed in turn, leaves files and mappings as they were."),
        Rule(3, "fuzz 15000 1 2048",
             "The model: 15,000 random operations leave every page of every file and process with its value."),
        Rule(2, "fuzz 15000 2 900",
             "The model with little memory, and allocations that fail: what fails changes nothing."),
        Rule(3, "guest mmap_file", "Mappings of files do what they do on Linux (tests/guest/mmap_file.c)."),
        Rule(2, "guest file_rw", "read and write do what they do on Linux (tests/guest/file_rw.c)."),
        Rule(2, "guest shared_anon", "Shared anonymous memory does what it does on Linux (tests/guest/shared_anon.c)."),
    ],
    boots=Boot(r"X2\r?\n", types="echo X$((1+1))\n"),
)
