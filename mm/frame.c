/*
 * Physical frames: who owns each, and the free ones.
 *
 * Free frames are linked lists whose nodes are in the free frames themselves. Memory never used yet
 * is on no list: each range keeps the address up to which it has been handed out, so boot costs the
 * same however much RAM there is, and a struct frame is initialised when its frame is first used.
 *
 * Where several processors run and there is plenty, each has some free frames of its own
 * (percpu/shelf.c); here is where they come from.
 *
 * Invariants: a frame of kind FREE is on exactly one list; struct frames at or above their range's
 * mark are garbage and are never looked at; counts[], with what shelves add, agrees with the kinds.
 */
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/percpu/shelf.h"
#include "mm/port.h"
#include "mm/see.h"
#include "mm/seen/check.h"

#define MAX_RANGES   32
#define RESERVE_MIN  24u
#define RESERVE_PART 64u /* one frame in so many is kept for the kernel */
#define NEVER        UINT32_MAX

struct frame *frames;
const struct mm_port *mm_port;
/* Who shares vm_lock only looks at it: nothing that is written more often lies in its cache line.
 */
struct spinlock vm_lock __attribute__((aligned(64))) = SPINLOCK_INIT("vm", LOCK_RANK_VM);

static struct spinlock frame_lock __attribute__((aligned(64))) =
    SPINLOCK_INIT("frames", LOCK_RANK_FRAME);

static struct ram_range {
    paddr_t start, mark, end; /* [f] handed out at least once: [start, mark) */
} ranges[MAX_RANGES];
static unsigned nranges;
static unsigned fresh_range;         /* [f] the first with mark < end */
static struct free_frame *free_list; /* [f] */
static struct free_frame *zero_list; /* [f] all zero but for the node */
static uint32_t free_frames;         /* [f] listed here or never used; hints read it without */
static uint32_t fresh_frames;        /* [f] part of it: never used */
static uint32_t total_frames;
static uint32_t reserve;             /* frames that user pages may not take */
static uint32_t counts[FRAME_KINDS]; /* [f] */
static uint32_t taken;               /* [f] how many were handed out ever */
static uint32_t shelves_at = NEVER;  /* [f] so many free frames, and shelves are open */
bool shelves_open;
static bool several; /* processors: shelves may have been used */

static pfn_t count_ranges(const struct mem_range *usable, unsigned count)
{
    pfn_t top = 0;

    nranges = 0;
    total_frames = 0;
    for (unsigned i = 0; i < count && nranges < MAX_RANGES; i++) {
        if (usable[i].end <= usable[i].start)
            continue;
        ranges[nranges++] = (struct ram_range){usable[i].start, usable[i].start, usable[i].end};
        total_frames += (usable[i].end - usable[i].start) >> PAGE_SHIFT;
        if (usable[i].end >> PAGE_SHIFT > top)
            top = usable[i].end >> PAGE_SHIFT;
    }
    return top;
}

/* The frame array goes to the start of the first range that can hold it. */
static int place_array(pfn_t top)
{
    uint32_t bytes = (top * sizeof(struct frame) + PAGE_SIZE - 1) & PAGE_MASK;

    for (unsigned i = 0; i < nranges; i++) {
        struct ram_range *r = &ranges[i];
        if (r->end - r->start < bytes)
            continue;
        frames = phys_to_virt(r->start);
        r->start += bytes;
        r->mark = r->start;
        counts[FRAME_RESERVED] = bytes >> PAGE_SHIFT;
        return 0;
    }
    return -ENOMEM;
}

int mm_init(const struct mem_range *usable, unsigned count, const struct mm_port *port)
{
    pfn_t top = count_ranges(usable, count);
    int err;

    mm_port = port;
    memset(counts, 0, sizeof(counts));
    free_list = zero_list = NULL;
    shelves_at = NEVER;
    shelves_open = several = false;
    shelves_init();
    fresh_range = 0;
    zero_frame = NULL;
    reclaim_init();
    space_forget_kept();
    err = place_array(top);
    if (err)
        return err;
    free_frames = fresh_frames = total_frames - counts[FRAME_RESERVED];
    reserve = total_frames / RESERVE_PART;
    if (reserve < RESERVE_MIN)
        reserve = RESERVE_MIN;
    if (free_frames <= 2 * reserve)
        return -ENOMEM;
    kmalloc_init();
    return 0;
}

/* ---- Allocation ---- */

static struct frame *take_fresh(void)
{
    struct ram_range *r;
    struct frame *f;

    fresh_frames--;
    while (ranges[fresh_range].mark == ranges[fresh_range].end)
        fresh_range++;
    r = &ranges[fresh_range];
    f = frame_of_pa(r->mark);
    *f = (struct frame){.kind = FRAME_FREE}; /* before others may look at it */
    write_release(r->mark, r->mark + PAGE_SIZE);
    return f;
}

static struct frame *take_free(void)
{
    struct free_frame *node = free_pop(&free_list);

    free_verify(node);
    return frame_of(node);
}

static bool may_take(void)
{
    if (__builtin_expect(mm_may_fail, 0) && mm_injected_failure())
        return false;
    return read_once(free_frames) > 0;
}

static struct frame *hand_out(struct frame *f, enum frame_kind kind)
{
    *f = (struct frame){.kind = (uint8_t)kind};
    write_once(free_frames, free_frames - 1);
    counts[kind]++;
    taken++;
    return f;
}

/* *zeroed: on entry whether zeros are wanted, on return whether the frame is known to hold them. */
static inline __attribute__((always_inline)) struct frame *take(enum frame_kind kind, bool *zeroed)
{
    struct frame *f = NULL;

    spin_lock(&frame_lock);
    if (may_take()) {
        *zeroed = zero_list && (*zeroed || !(free_list || fresh_frames));
        f = hand_out(*zeroed     ? frame_of(free_pop(&zero_list))
                     : free_list ? take_free()
                                 : take_fresh(),
                     kind);
    }
    spin_unlock(&frame_lock);
    return f;
}

/* By the processor's shelf, if that has any. Out of line: with one processor it costs a look. */
static __attribute__((noinline)) struct frame *alloc_at_hand(enum frame_kind kind, bool zeroes)
{
    bool zeroed = zeroes;
    struct frame *f = mm_may_fail ? NULL : shelf_take(kind, &zeroed);

    if (!f)
        f = take(kind, &zeroed);
    if (f && zeroes && !zeroed)
        page_zero(frame_kva(f));
    return f;
}

struct frame *frame_alloc(enum frame_kind kind)
{
    bool zeroed = false;

    if (__builtin_expect(read_once(shelves_open), 0))
        return alloc_at_hand(kind, false);
    return take(kind, &zeroed);
}

struct frame *frame_alloc_zeroed(enum frame_kind kind)
{
    bool zeroed = true;
    struct frame *f;

    if (__builtin_expect(read_once(shelves_open), 0))
        return alloc_at_hand(kind, true);
    f = take(kind, &zeroed);
    if (f && !zeroed)
        page_zero(frame_kva(f));
    return f;
}

/* [f] */
static void open_at(uint32_t at)
{
    write_once(shelves_at, at);
    write_once(shelves_open, free_frames >= at);
}

/* Opens them, if they are shut and there is plenty again. */
static void shelves_look(void)
{
    if (read_once(shelves_open) || read_once(free_frames) < read_once(shelves_at))
        return;
    spin_lock(&frame_lock);
    open_at(shelves_at);
    spin_unlock(&frame_lock);
}

static inline __attribute__((always_inline)) void give_back(struct frame *f,
                                                            struct free_frame **list)
{
    struct free_frame *node = frame_kva(f);

    spin_lock(&frame_lock);
    KASSERT(f->kind != FRAME_FREE && f->kind != FRAME_RESERVED);
    counts[f->kind]--;
    f->kind = FRAME_FREE;
    free_push(list, node);
    write_once(free_frames, free_frames + 1);
    spin_unlock(&frame_lock);
}

static __attribute__((noinline)) void give_at_hand(struct frame *f, struct free_frame **list)
{
    if (!shelf_give(f, list == &zero_list))
        give_back(f, list);
}

void frame_free(struct frame *f)
{
    DEBUG_ASSERT(f->kind != FRAME_FREE);
    free_fill(frame_kva(f));
    if (__builtin_expect(read_once(shelves_open), 0))
        give_at_hand(f, &free_list);
    else
        give_back(f, &free_list);
}

void frame_free_zeroed(struct frame *f)
{
    if (__builtin_expect(read_once(shelves_open), 0))
        give_at_hand(f, &zero_list);
    else
        give_back(f, &zero_list);
}

void frame_zero_ahead(void)
{
    struct frame *f;
    bool ready;

    shelves_look();
    ready = read_once(shelves_open) ? shelf_has_zeroed() : read_once(zero_list) != NULL;
    if (!ready && !frame_short() && (f = frame_alloc_zeroed(FRAME_KERNEL)))
        frame_free_zeroed(f);
}

void frame_become(struct frame *f, enum frame_kind kind)
{
    spin_lock(&frame_lock);
    counts[f->kind]--;
    counts[kind]++;
    f->kind = (uint8_t)kind;
    spin_unlock(&frame_lock);
}

void frame_release(struct frame *f)
{
    KASSERT(f->rmap == 0);
    if (f->pins == 0) {
        frame_free(f);
        return;
    }
    frame_become(f, FRAME_ORPHAN);
    f->anon = NULL;
}

struct frame *frame_alloc_orphan(void)
{
    struct frame *f;

    spin_lock(&vm_lock);
    f = frame_alloc(FRAME_ORPHAN);
    if (f)
        frame_pin(f);
    spin_unlock(&vm_lock);
    return f;
}

void frame_adopt(struct frame *f)
{
    KASSERT(f->kind == FRAME_ORPHAN && f->pins && f->rmap == 0);
    frame_become(f, FRAME_OBJECT);
}

void frame_pin(struct frame *f)
{
    f->pins++;
    KASSERT(f->pins != 0);
}

void frame_unpin(struct frame *f)
{
    KASSERT(f->pins != 0);
    if (--f->pins == 0 && f->kind == FRAME_ORPHAN)
        frame_free(f);
}

void *kalloc(void)
{
    struct frame *f = frame_alloc(FRAME_KERNEL);

    return f ? frame_kva(f) : NULL;
}

void *kalloc_zeroed(void)
{
    struct frame *f = frame_alloc_zeroed(FRAME_KERNEL);

    return f ? frame_kva(f) : NULL;
}

void kfree(void *page)
{
    struct frame *f = frame_of(page);

    KASSERT(((uintptr_t)page & (PAGE_SIZE - 1)) == 0 && f->kind == FRAME_KERNEL);
    frame_free(f);
}

/* ---- Shelves ---- */

/* Open with 4 times the reserve, and shut at 3, where reclaim is content (frame_plenty()). */
void frames_at_hand(void)
{
    spin_lock(&frame_lock);
    several = true;
    open_at(4 * reserve + cpus_online * SHELF_MOST);
    spin_unlock(&frame_lock);
}

/* [f] One that is not known to be zeroed; NULL. */
static struct free_frame *take_to_lend(void)
{
    struct free_frame *node;

    if (free_list)
        return free_pop(&free_list);
    if (fresh_frames == 0)
        return NULL;
    node = frame_kva(take_fresh());
    free_fill(node);
    return node;
}

uint32_t frames_lend(struct free_frame **list)
{
    struct free_frame *node;
    uint32_t n = 0;

    spin_lock(&frame_lock);
    while (shelves_open && n < SHELF_STEP && free_frames - n > 3 * reserve + SHELF_STEP &&
           (node = take_to_lend())) {
        free_push(list, node);
        n++;
    }
    write_once(free_frames, free_frames - n);
    if (n == 0 && free_frames <= 3 * reserve + SHELF_STEP)
        write_once(shelves_open, false);
    spin_unlock(&frame_lock);
    return n;
}

uint32_t frames_return(struct free_frame **list, bool zeroed, uint32_t n)
{
    uint32_t back = 0;

    spin_lock(&frame_lock);
    for (; back < n && *list; back++)
        free_push(zeroed ? &zero_list : &free_list, free_pop(list));
    write_once(free_frames, free_frames + back);
    spin_unlock(&frame_lock);
    return back;
}

/* ---- Figures ---- */

uint32_t frame_reserve(void)
{
    return reserve;
}

bool frame_low(void)
{
    return read_once(free_frames) <= reserve;
}

bool frame_scarce(void)
{
    return read_once(free_frames) <= reserve / 2;
}

bool frame_short(void)
{
    return read_once(free_frames) <= 2 * reserve;
}

bool frame_plenty(void)
{
    return read_once(free_frames) > 3 * reserve;
}

uint32_t frame_count(enum frame_kind kind)
{
    uint32_t n;

    spin_lock(&frame_lock);
    n = counts[kind] + (several ? shelves_count(kind) : 0);
    spin_unlock(&frame_lock);
    return n;
}

uint32_t frame_changes(uint32_t *out)
{
    uint32_t n;

    spin_lock(&frame_lock);
    /* More by one for each that is taken or given back. */
    n = 2 * (taken + shelves_taken()) + free_frames + shelves_free();
    for (unsigned kind = 0; kind < FRAME_KINDS; kind++)
        out[kind] = counts[kind] + shelves_count(kind);
    spin_unlock(&frame_lock);
    return n;
}

uint32_t frame_free_count(void)
{
    return read_once(free_frames) + (read_once(shelves_open) ? shelves_free() : 0);
}

uint32_t frame_total(void)
{
    return total_frames;
}

struct frame *frame_next(struct frame *f)
{
    paddr_t pa = f ? frame_pa(f) + PAGE_SIZE : 0;

    for (unsigned i = 0; i < nranges; i++) {
        if (pa < ranges[i].start)
            pa = ranges[i].start;
        if (pa < read_acquire(ranges[i].mark))
            return frame_of_pa(pa);
    }
    return NULL;
}

enum frame_place frame_place(pfn_t n)
{
    for (unsigned i = 0; i < nranges; i++) {
        const struct ram_range *r = &ranges[i];
        if (n < r->start >> PAGE_SHIFT)
            break;
        if (n < read_acquire(r->mark) >> PAGE_SHIFT)
            return FRAME_IN_USE;
        if (n < r->end >> PAGE_SHIFT)
            return FRAME_NEVER_USED;
    }
    return FRAME_ELSEWHERE;
}

pfn_t vm_frame_end(void)
{
    return ranges[nranges - 1].end >> PAGE_SHIFT;
}

unsigned vm_free_list(pfn_t *out, unsigned n)
{
    const struct free_frame *node;
    unsigned found = 0;

    spin_lock(&frame_lock);
    for (node = free_list; node && found < n; node = node->next)
        out[found++] = frame_number(frame_of(node));
    spin_unlock(&frame_lock);
    return found;
}

static uint32_t list_length(const struct free_frame *node, int *errors)
{
    uint32_t n = 0;

    for (; node && n <= total_frames; node = node->next, n++) {
        if (frame_of(node)->kind != FRAME_FREE)
            ++*errors;
    }
    return n;
}

int frame_check_free_lists(void)
{
    uint32_t marked = 0, listed, counted, at;
    struct frame *f = NULL;
    int errors = 0;

    spin_lock(&frame_lock);
    at = shelves_at;
    open_at(NEVER);
    spin_unlock(&frame_lock);
    shelves_clear();
    spin_lock(&frame_lock);
    listed = list_length(free_list, &errors) + list_length(zero_list, &errors);
    while ((f = frame_next(f)))
        marked += f->kind == FRAME_FREE;
    counted = free_frames - fresh_frames;
    open_at(at);
    spin_unlock(&frame_lock);
    if (listed != marked || listed != counted)
        errors++;
    if (errors)
        check_complain("mm_check: %u free frames listed, %u marked, %u counted", listed, marked,
                       counted);
    return errors;
}
