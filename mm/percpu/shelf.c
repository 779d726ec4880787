/*
 * Where several processors run, each has some free frames at hand, its shelf, so that two that
 * fault at once meet neither at a lock nor at a cache line, and what one gives back it gets again
 * itself, still warm.
 *
 * Shelves are for plenty: when free memory runs short they are shut and cleared, and all frames
 * are in the lists of frame.c, as with one processor, until there is plenty again. So nothing is
 * refused while a frame lies on somebody's shelf.
 *
 * A shelf has a lock, since who looks for all frames comes to all of them; its own processor finds
 * it free. frame.c's figures and the shelves' make the sums: a shelf adds what it has changed.
 *
 * Invariants: a frame on a shelf is FREE; while shelves_open is false, and shelves_clear() has come
 * back, all are empty.
 */
#include "mm/percpu/shelf.h"

static struct shelf {
    struct spinlock lock;
    struct free_frame *free;     /* [lock] */
    struct free_frame *zeroed;   /* [lock] all zero but for the node */
    uint32_t count;              /* [lock] on both */
    uint32_t taken;              /* [lock] how many were handed out ever */
    uint32_t kinds[FRAME_KINDS]; /* [lock] what frame.c's counts are to be changed by */
} __attribute__((aligned(64)))
shelves[CPUS_MAX] = {[0 ... CPUS_MAX - 1] = {.lock = SPINLOCK_INIT("shelf", LOCK_RANK_SHELF)}};

void shelves_init(void)
{
    for (struct shelf *s = shelves; s < shelves + CPUS_MAX; s++)
        *s = (struct shelf){.lock = SPINLOCK_INIT("shelf", LOCK_RANK_SHELF)};
}

/* The caller may be on another processor at once: then it has the lock of a shelf not its own. */
static struct shelf *own_shelf(void)
{
    return &shelves[CPU_LOCAL(id)];
}

static void add(uint32_t *word, uint32_t n)
{
    write_once(*word, *word + n);
}

/* [lock held] */
static struct frame *take_down(struct shelf *s, enum frame_kind kind, bool *zeroed)
{
    struct free_frame *node;
    struct frame *f;

    *zeroed = s->zeroed && (*zeroed || !s->free);
    node = free_pop(*zeroed ? &s->zeroed : &s->free);
    if (!*zeroed)
        free_verify(node);
    f = frame_of(node);
    *f = (struct frame){.kind = (uint8_t)kind};
    add(&s->count, -1u);
    add(&s->taken, 1);
    add(&s->kinds[kind], 1);
    return f;
}

struct frame *shelf_take(enum frame_kind kind, bool *zeroed)
{
    struct shelf *s = own_shelf();
    struct frame *f = NULL;

    spin_lock(&s->lock);
    if (s->count == 0)
        add(&s->count, frames_lend(&s->free));
    if (s->count > 0)
        f = take_down(s, kind, zeroed);
    spin_unlock(&s->lock);
    if (!f)
        shelves_clear();
    return f;
}

/* [lock held] */
static void bring_back(struct shelf *s, uint32_t n)
{
    uint32_t brought = frames_return(&s->free, false, n);

    if (brought < n)
        brought += frames_return(&s->zeroed, true, n - brought);
    add(&s->count, -brought);
}

bool shelf_give(struct frame *f, bool zeroed)
{
    struct shelf *s = own_shelf();
    bool open;

    spin_lock(&s->lock);
    open = read_once(shelves_open);
    if (open) {
        KASSERT(f->kind != FRAME_FREE && f->kind != FRAME_RESERVED);
        add(&s->kinds[f->kind], -1u);
        f->kind = FRAME_FREE;
        free_push(zeroed ? &s->zeroed : &s->free, frame_kva(f));
        add(&s->count, 1);
        if (s->count > SHELF_MOST)
            bring_back(s, SHELF_STEP);
    }
    spin_unlock(&s->lock);
    return open;
}

bool shelf_has_zeroed(void)
{
    return read_once(own_shelf()->zeroed) != NULL;
}

void shelves_clear(void)
{
    for (struct shelf *s = shelves; s < shelves + cpus_online; s++) {
        spin_lock(&s->lock);
        if (!read_once(shelves_open))
            bring_back(s, s->count);
        spin_unlock(&s->lock);
    }
}

/* Of a word of each shelf, by its place there. */
static uint32_t sum(size_t word)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < cpus_online; i++)
        n += read_once(*(const uint32_t *)((const char *)&shelves[i] + word));
    return n;
}

uint32_t shelves_free(void)
{
    return sum(offsetof(struct shelf, count));
}

uint32_t shelves_taken(void)
{
    return sum(offsetof(struct shelf, taken));
}

uint32_t shelves_count(enum frame_kind kind)
{
    return sum(offsetof(struct shelf, kinds) + kind * sizeof(uint32_t));
}
