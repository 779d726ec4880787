/*
 * The elevator: runs of transfers, sorted by place. It sweeps upwards and starts again at the
 * bottom, except that a run which waited too long goes first.
 *
 * Invariants: in sorted, runs ascend by their first sector; a run's transfers are of one kind, each
 * begins where the one before ends, and together they are within the limits; aged holds the same
 * heads by since.
 */
#include "fs/block/elevator.h"
#include "arch/mmu.h"
#include "libc/assert.h"

void elevator_init(struct elevator *e, uint32_t max_bytes, uint32_t max_segments, bool whole_pages)
{
    *e = (struct elevator){
        .max_bytes = max_bytes, .max_segments = max_segments, .whole_pages = whole_pages};
    list_init(&e->sorted);
    list_init(&e->aged);
}

unsigned block_io_segments(const struct block_io *io)
{
    uint32_t first = io->offset & (PAGE_SIZE - 1);

    return (first + io->bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static uint64_t end_of(const struct block_io *head)
{
    return head->at + (head->run_bytes >> SECTOR_SHIFT);
}

static bool meet_at_page_end(const struct block_io *a, const struct block_io *b)
{
    const struct block_io *last =
        list_empty(&a->run) ? a : list_entry(a->run.prev, struct block_io, sorted);

    return ((last->offset + last->bytes) & (PAGE_SIZE - 1)) == 0 &&
           (b->offset & (PAGE_SIZE - 1)) == 0;
}

/* Whether b, whose head it is, can go on where a's run ends. */
static bool can_join(const struct elevator *e, const struct block_io *a, const struct block_io *b)
{
    return end_of(a) == b->at && a->op == b->op && a->flags == b->flags && !a->alone && !b->alone &&
           a->run_bytes + b->run_bytes <= e->max_bytes &&
           (uint32_t)a->run_segments + b->run_segments <= e->max_segments &&
           (!e->whole_pages || meet_at_page_end(a, b));
}

/* The list at from, without its head, goes to the end of the list at to. */
static void splice_tail(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

static void move_before(struct list *node, struct list *where)
{
    list_remove(node);
    list_add_tail(where, node);
}

/* b becomes part of a's run, which is as old as the older of the two. */
static void join(struct elevator *e, struct block_io *a, struct block_io *b)
{
    if (b->since < a->since) {
        a->since = b->since;
        move_before(&a->aged, &b->aged);
    }
    a->run_bytes += b->run_bytes;
    a->run_segments = (uint16_t)(a->run_segments + b->run_segments);
    list_remove(&b->sorted);
    list_remove(&b->aged);
    e->runs--;
    /* b's sorted link carries it in the run; those of its own run come after. */
    list_add_tail(&a->run, &b->sorted);
    splice_tail(&a->run, &b->run);
}

/* From the end: who writes or reads on comes with the highest place. */
static void insert(struct elevator *e, struct block_io *io)
{
    struct list *after = e->sorted.prev;

    while (after != &e->sorted && list_entry(after, struct block_io, sorted)->at > io->at)
        after = after->prev;
    list_add(after, &io->sorted);
    list_add_tail(&e->aged, &io->aged);
    e->runs++;
}

bool elevator_add(struct elevator *e, struct block_io *io)
{
    struct block_io *before, *behind;
    unsigned runs = e->runs;

    list_init(&io->run);
    io->run_bytes = io->bytes;
    io->run_segments = (uint16_t)block_io_segments(io);
    insert(e, io);
    if (io->sorted.prev != &e->sorted) {
        before = list_entry(io->sorted.prev, struct block_io, sorted);
        if (can_join(e, before, io)) {
            join(e, before, io);
            io = before;
        }
    }
    if (io->sorted.next != &e->sorted) {
        behind = list_entry(io->sorted.next, struct block_io, sorted);
        if (can_join(e, io, behind))
            join(e, io, behind);
    }
    return e->runs <= runs;
}

static struct block_io *choose(struct elevator *e, uint64_t now)
{
    struct block_io *oldest = list_first_entry(&e->aged, struct block_io, aged), *io;

    if (now > oldest->since + ELEVATOR_PATIENCE_NS)
        return oldest;
    list_for_each_entry (io, &e->sorted, sorted)
        if (io->at >= e->sweep)
            return io;
    return list_first_entry(&e->sorted, struct block_io, sorted);
}

struct block_io *elevator_take(struct elevator *e, uint64_t now)
{
    struct block_io *io;

    if (list_empty(&e->sorted))
        return NULL;
    io = choose(e, now);
    list_remove(&io->sorted);
    list_remove(&io->aged);
    KASSERT(e->runs > 0);
    e->runs--;
    e->sweep = end_of(io);
    return io;
}
