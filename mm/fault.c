/* clang-format off */
/*
 * The page fault: from (space, address, access) to a mapped page, by this table.
 *
 *   vma            anon              object page   access   action                        mapped as
 *   -------------  ----------------  ------------  -------  ----------------------------  ---------
 *   none, guard                                    any      grow a stack, else MAPERR
 *   any                                            denied   SIGSEGV (ACCERR)
 *   private        in swap                         any   1S page in (major), retry
 *   private        1 owner                         any   1A use it as it is               vma prot
 *   private        shared                          read  1A share it                      read-only
 *   private        shared                          write 1B copy, drop the old            vma prot
 *   private, anon  none                            read  0  the zero frame                read-only
 *   private, anon  none                            write 0  a zeroed frame                vma prot
 *   with object    none              past the end  any      SIGBUS
 *   with object    none              not resident  any   2S pager get (major), retry
 *   private file   none              resident      read  2A the cached frame itself       read-only
 *   private file   none              resident      write 2B copy into a new anon          vma prot
 *   shared                           resident      any   2A the cached frame itself       vma prot
 *   any                              (entry already right)  spurious: return
 *   with a server  none, or protected              any      the server is asked first (served/)
 *
 * A debugger's access (VM_*_FORCED) is denied only what the program could never allow itself; then
 * the rows count as they stand, but that an area without rights has nothing mapped.
 *
 * Nothing here decides from a page-table entry. A decision is made under vm_lock and never sleeps; if
 * something is needed first, bring_in() sees to that and all starts over from the top. Each case
 * allocates all it needs, then changes the amap, then the pmap; out of memory on the way leaves a
 * state the table describes.
 */
/* clang-format on */
#include "arch/processors.h"
#include "libc/errno.h"
#include "mm/fork/share.h"
#include "mm/port.h"
#include "mm/seen/trace.h"
#include "mm/served/asked.h"

#define AROUND      16u /* pages mapped around a read fault on a file */
#define AHEAD       64u /* the same with MADV_SEQUENTIAL, whose misses bring in VM_RUN_MAX */
#define STACK_GUARD (256u << PAGE_SHIFT)

struct fault {
    struct vm_space *space;
    struct vma *vma;
    vaddr_t addr;
    vaddr_t page; /* that addr is in */
    bool write;
    bool forced; /* a debugger's */
    bool alone;  /* without the kernel lock: vm_fault_alone() */
    bool major;
    bool grew;      /* the stack */
    uint8_t why;    /* enum vm_fault_case: the row of the table, for the trace */
    uint8_t more;   /* pages mapped around it */
    bool balanced;  /* the writer has seen to it that not too much is dirty */
    bool reclaimed; /* once for a fault: again could drop the very page that it waited for */
    int failed;     /* what bring_in() could not do */
    struct need *need;
};

enum outcome { DONE, NEEDED, BAD_ADDRESS, BAD_ACCESS, PAST_END, NO_MEMORY };

static uint64_t total_minor, total_major; /* [v] and cpu->faults */
struct frame *zero_frame;

void fault_totals(uint64_t *minor, uint64_t *major)
{
    *minor = total_minor;
    *major = total_major;
    for (unsigned i = 0; i < cpus_online; i++)
        *minor += cpu_get(i)->faults;
}

/* ---- Stacks ---- */

/* Grows the stack above addr down to it, if there is one in reach. man 2 mmap, MAP_GROWSDOWN. */
static __attribute__((noinline)) struct vma *grow_stack(struct vm_space *s, struct vma *above,
                                                        vaddr_t addr)
{
    vaddr_t start = page_down(addr);
    struct vma *below;
    uint32_t pages;

    if (!above || !(above->flags & VM_GROWSDOWN) || start < USER_MIN)
        return NULL;
    if (above->end - start > s->limits.stack)
        return NULL;
    pages = (above->start - start) >> PAGE_SHIFT;
    if (s->pages + pages > s->limits.as >> PAGE_SHIFT || !commit_allows(pages, above->flags))
        return NULL;
    below = vma_prev(s, above);
    if (below && below->prot && !(below->flags & VM_GROWSDOWN) && start - below->end < STACK_GUARD)
        return NULL;
    if (above->object)
        above->pgoff -= pages;
    vma_set_range(s, above, start, above->end);
    return above;
}

/* ---- The upper layer: anons ---- */

static enum outcome enter(struct fault *f, struct frame *frame, uint8_t prot)
{
    if (__builtin_expect(!f->vma->prot, 0))
        return DONE;
    if (__builtin_expect(f->vma->server != NULL, 0))
        prot = served_rights(f->vma, f->write, prot);
    return pmap_enter(&f->space->pmap, f->page, frame, prot) ? NO_MEMORY : DONE;
}

static uint8_t read_only(const struct vma *v)
{
    return v->prot & ~VM_PROT_WRITE;
}

/* Where a new anon goes: once both are had, putting it there cannot fail. */
struct place {
    struct anon **slot;
    pte_t *entry;
};

static bool reserve(struct fault *f, struct place *at)
{
    at->slot = amap_reserve(&f->space->amap, f->page >> PAGE_SHIFT);
    at->entry = at->slot ? pmap_reserve(&f->space->pmap, f->page) : NULL;
    return at->entry != NULL;
}

/* Commit: puts a, if there is memory for one, in place of what the page had. */
static enum outcome install(struct fault *f, const struct place *at, struct anon *a)
{
    if (!a) {
        pmap_drop_empty(&f->space->pmap, f->page);
        return NO_MEMORY;
    }
    amap_set(at->slot, a);
    if (__builtin_expect(!f->vma->prot, 0)) {
        pmap_drop_empty(&f->space->pmap, f->page);
        return DONE;
    }
    return pmap_enter_at(&f->space->pmap, at->entry, f->page, a->frame, f->vma->prot) ? NO_MEMORY
                                                                                      : DONE;
}

/* 1B, 2B: a private copy of frame. */
static enum outcome copy_into_anon(struct fault *f, struct frame *from)
{
    struct place at;
    struct anon *a;

    if (!reserve(f, &at))
        return NO_MEMORY;
    a = anon_new();
    if (a)
        page_copy(frame_kva(a->frame), frame_kva(from));
    return install(f, &at, a);
}

/* 1S, or wait until somebody else has done that */
static __attribute__((noinline)) enum outcome need_anon(struct fault *f, struct frame *frame)
{
    *f->need =
        frame ? (struct need){.what = NEED_FRAME, .frame = frame}
              : (struct need){.what = NEED_ANON, .space = f->space, .index = f->page >> PAGE_SHIFT};
    return NEEDED;
}

/* 1A, 1B */
static enum outcome fault_anon(struct fault *f, struct anon *a)
{
    struct frame *frame = a->frame;

    if (!frame || read_bit(frame->flags, FRAME_BUSY))
        return need_anon(f, frame);
    f->why = f->write ? VM_CASE_COPY : VM_CASE_SHARE;
    if (amap_owns(&f->space->amap, f->page >> PAGE_SHIFT))
        f->why = VM_CASE_OWN;
    switch (f->why) {
    case VM_CASE_OWN:
        return enter(f, frame, f->vma->prot);
    case VM_CASE_SHARE:
        return enter(f, frame, read_only(f->vma));
    default:
        return copy_into_anon(f, frame);
    }
}

struct frame *zero_frame_get(void)
{
    if (!zero_frame)
        zero_frame = frame_alloc_zeroed(FRAME_ZERO);
    return zero_frame;
}

/* 0: the first touch of anonymous memory. */
static enum outcome fault_zero(struct fault *f)
{
    struct place at;

    f->why = f->write ? VM_CASE_ZERO_WRITE : VM_CASE_ZERO_READ;
    if (!f->write)
        return zero_frame_get() ? enter(f, zero_frame, read_only(f->vma)) : NO_MEMORY;
    return reserve(f, &at) ? install(f, &at, anon_new_zeroed()) : NO_MEMORY;
}

/* ---- The lower layer: objects ---- */

/* The cached frames of n pages from start on, NULL where there is none or an anon is in front. */
static void gather(const struct fault *f, vaddr_t start, unsigned n, struct frame **out)
{
    struct vma *v = f->vma;
    uint32_t index = vma_page_index(v, start), run = 0;
    void **cached = NULL;

    for (unsigned i = 0; i < n; i++, run--, cached += cached != NULL) {
        if (run == 0)
            cached = radix_run(&v->object->pages, index + i, &run);
        out[i] = cached ? item_frame(*cached) : NULL;
        if (!out[i])
            continue;
        if (read_bit(out[i]->flags, FRAME_BUSY) ||
            (vma_is_private(v) && amap_get(&f->space->amap, (start >> PAGE_SHIFT) + i)))
            out[i] = NULL;
    }
}

/* Maps the pages around a read fault that are in memory already, so that they need no fault. */
static __attribute__((noinline)) void map_around(struct fault *f)
{
    struct vma *v = f->vma;
    uint32_t span = (v->flags & VM_SEQUENTIAL ? AHEAD : AROUND) * PAGE_SIZE;
    vaddr_t start = f->page & ~(span - 1), end = start + span;
    struct frame *around[AHEAD];
    unsigned n;

    start = start < v->start ? v->start : start;
    end = end > v->end ? v->end : end;
    n = (end - start) >> PAGE_SHIFT;
    gather(f, start, n, around);
    f->more = (uint8_t)pmap_enter_absent(&f->space->pmap, start, around, n, read_only(v));
}

/* A page with a home becomes dirty, for which its writer may have to write others first: before,
 * and once, since what is dirty already might be sent again and the store never come to pass. */
static __attribute__((noinline)) bool make_dirty(struct fault *f, struct frame *frame)
{
    if (f->alone)
        return false;
    if (!(frame->flags & FRAME_DIRTY) && !f->balanced && dirty_many()) {
        f->balanced = true;
        object_need_balance(frame->object, f->need);
        return false;
    }
    object_dirtied(frame);
    return true;
}

/* 2A: the rights to write only once the pager has made sure of a place for what is written, and the
 * page counts as dirty. */
static enum outcome fault_cached(struct fault *f, struct frame *frame)
{
    struct vma *v = f->vma;
    uint8_t prot = v->prot;

    f->why = VM_CASE_CACHED;
    if (vma_is_private(v) || (!f->write && object_first_store_faults(v->object, frame))) {
        prot = read_only(v);
    } else if (f->write) {
        if (object_needs_place(v->object, frame)) {
            if (f->alone)
                return NEEDED;
            object_need_place(frame, f->need);
            return NEEDED;
        }
        if (v->object->pager->put && !make_dirty(f, frame))
            return NEEDED;
    }
    if (enter(f, frame, prot) != DONE)
        return NO_MEMORY;
    if (f->write && v->object->pager->written) {
        if (f->alone)
            return NEEDED; /* it is mapped, and told of when it comes again */
        v->object->pager->written(v->object);
    }
    if (!f->write && !f->forced && !(v->flags & VM_RANDOM))
        map_around(f);
    return DONE;
}

/* 2S, SIGBUS */
static __attribute__((noinline)) enum outcome fault_absent(struct fault *f, uint32_t index)
{
    struct vma *v = f->vma;
    struct frame *ignored;

    if (f->alone)
        return NEEDED;
    switch (object_find(v->object, index, v->flags & VM_SEQUENTIAL ? VM_RUN_MAX : 1, &ignored,
                        f->need)) {
    case OBJECT_PAST_END:
        return PAST_END;
    case OBJECT_HOLE:
        object_need_page(v->object, index, f->need);
        return NEEDED;
    default:
        return NEEDED;
    }
}

/* The lower layer */
static enum outcome fault_object(struct fault *f)
{
    struct vma *v = f->vma;
    uint32_t index = vma_page_index(v, f->page);
    struct frame *frame = object_lookup(v->object, index);

    if (!frame)
        return fault_absent(f, index);
    if (f->write && vma_is_private(v)) {
        f->why = VM_CASE_COPY_FILE;
        return copy_into_anon(f, frame);
    }
    return fault_cached(f, frame);
}

/* ---- The fault ---- */

static bool access_allowed(const struct fault *f, const struct vma *v)
{
    if (f->forced && f->write)
        return v->prot & VM_PROT_WRITE || (vma_is_private(v) && (v->maxprot & VM_PROT_WRITE));
    if (f->forced)
        return v->maxprot & VM_PROT_READ;
    return f->write ? v->prot & VM_PROT_WRITE : v->prot != 0;
}

/* Whether v, the area that vma_find found, is none for this fault. */
static bool is_refused(const struct fault *f, const struct vma *v)
{
    return !v || f->page < v->start || !access_allowed(f, v);
}

/* Has the pageout thread woken, or, if it is too late for that, memory made free here and now:
 * once, since again could drop the very page that was waited for. */
static __attribute__((noinline)) bool must_reclaim(struct fault *f)
{
    if (f->alone)
        return true;
    if (f->reclaimed)
        return false;
    pageout_wake();
    if (!frame_low())
        return false;
    f->reclaimed = true;
    *f->need = (struct need){.what = NEED_MEMORY};
    return true;
}

static enum outcome fault_once(struct fault *f)
{
    struct vma *v = vma_find(f->space, f->page);

    if (__builtin_expect(f->space->changing, false) &&
        (f->alone || change_bars(f->space, f->page, is_refused(f, v)))) {
        *f->need = (struct need){.what = NEED_CHANGE, .space = f->space};
        return NEEDED;
    }
    if (!v || f->page < v->start) {
        v = grow_stack(f->space, v, f->page);
        f->grew = v != NULL;
    }
    if (!v)
        return BAD_ADDRESS;
    f->vma = v;
    if (!access_allowed(f, v))
        return BAD_ACCESS;
    if (frame_short() && must_reclaim(f))
        return NEEDED;
    if (__builtin_expect(v->server != NULL, false) &&
        (f->alone || served_asks(v, f->page, f->write))) {
        *f->need = (struct need){
            .what = NEED_SERVER, .space = f->space, .index = f->addr, .write = f->write};
        return NEEDED;
    }
    if (vma_is_private(v)) {
        struct anon *a = amap_get(&f->space->amap, f->page >> PAGE_SHIFT);
        if (a)
            return fault_anon(f, a);
        if (!v->object)
            return fault_zero(f);
    }
    return fault_object(f);
}

static enum vm_result result_of(const struct fault *f, enum outcome o)
{
    switch (o) {
    case BAD_ADDRESS:
        return VM_BAD_ADDRESS;
    case BAD_ACCESS:
        return VM_BAD_ACCESS;
    case PAST_END:
        return VM_PAST_END;
    case NO_MEMORY:
        return VM_NO_MEMORY;
    default:
        return f->major ? VM_MAJOR : VM_MINOR;
    }
}

/* ---- With the trace on ---- */

struct tracing {
    struct vm_fault_event event;
    struct frame *before; /* mapped there before */
    bool was_enough;      /* with the rights that were asked for */
    uint64_t began;
};

static uint8_t case_of(const struct fault *f, enum outcome o, const struct tracing *t,
                       const struct frame *after)
{
    static const uint8_t failed[] = {[BAD_ADDRESS] = VM_CASE_BAD_ADDRESS,
                                     [BAD_ACCESS] = VM_CASE_BAD_ACCESS,
                                     [PAST_END] = VM_CASE_PAST_END,
                                     [NO_MEMORY] = VM_CASE_NO_MEMORY};

    if (o != DONE)
        return failed[o];
    return t->before && t->before == after && t->was_enough ? VM_CASE_SPURIOUS : f->why;
}

/* [v] */
static __attribute__((noinline)) void trace_outcome(const struct fault *f, enum outcome o,
                                                    struct tracing *t)
{
    struct vm_fault_event *e = &t->event;
    const struct frame *after;
    bool ignored;

    e->cycles = (uint32_t)(cpu_cycles() - t->began);
    after = o == DONE ? pmap_lookup(&f->space->pmap, f->page, &ignored) : NULL;
    e->frame = after ? frame_number(after) : 0;
    e->why = case_of(f, o, t, after);
    e->flags |= (f->major ? VM_EVENT_MAJOR : 0) | (f->grew ? VM_EVENT_GREW : 0) |
                (t->before ? VM_EVENT_MAPPED : 0);
    if (o != BAD_ADDRESS && f->vma) {
        e->kind = trace_area(f->vma);
        e->area = f->vma->start;
        e->prot = f->vma->prot;
    }
    e->around = f->more;
    ring_add(&fault_ring, e);
}

/* ---- The loop of rule 3 ---- */

/* [v] */
static enum outcome give_up(struct fault *f)
{
    if (f->failed == -EINTR) /* back to the program: its signal comes first, then it faults again */
        return DONE;
    f->vma = vma_find(f->space, f->page);
    return f->failed == -ENOMEM ? NO_MEMORY : PAST_END;
}

static enum outcome decide(struct fault *f, struct tracing *t)
{
    enum outcome o;

    spin_lock(&vm_lock);
    o = f->failed ? give_up(f) : fault_once(f);
    if (o == DONE)
        ++*(f->major ? &total_major : &total_minor);
    if (t && o != NEEDED)
        trace_outcome(f, o, t);
    spin_unlock(&vm_lock);
    return o;
}

static __attribute__((noinline)) int bring_in_timed(struct need *n, struct vm_fault_event *e)
{
    uint64_t began = mm_port->now();
    int err = bring_in(n);

    e->waited += (uint32_t)(mm_port->now() - began) / 1000;
    if (n->slot)
        e->slot = n->slot;
    return err;
}

static enum outcome resolve(struct fault *f, struct tracing *t)
{
    struct need need;
    enum outcome o;

    f->need = &need; // cppcheck-suppress autoVariables ; f goes no further than this function
    while ((o = decide(f, t)) == NEEDED && !f->alone) {
        f->failed = t ? bring_in_timed(f->need, &t->event) : bring_in(f->need);
        f->major |= f->need->major;
    }
    return o;
}

static __attribute__((noinline)) enum vm_result fault_traced(struct fault *f, vaddr_t addr)
{
    bool writable = false;
    struct tracing t;

    trace_begin(&t.event, addr, f->write);
    t.began = cpu_cycles();
    spin_lock(&vm_lock);
    t.before = pmap_lookup(&f->space->pmap, f->page, &writable);
    spin_unlock(&vm_lock);
    t.was_enough = writable || !f->write;
    return result_of(f, resolve(f, &t));
}

static inline void begin(struct fault *f, struct vm_space *s, vaddr_t addr, enum vm_access access)
{
    f->space = s; /* one by one: the compiler would clear the whole by a loop */
    f->addr = addr;
    f->page = page_down(addr);
    f->write = access == VM_WRITE || access == VM_WRITE_FORCED;
    f->forced = access >= VM_READ_FORCED;
    f->vma = NULL;
    f->alone = f->major = f->grew = f->reclaimed = f->balanced = false;
    f->why = f->more = 0;
    f->failed = 0;
}

enum vm_result vm_fault(struct vm_space *s, vaddr_t addr, enum vm_access access)
{
    struct fault f;

    begin(&f, s, addr, access);
    if (addr >= USER_TOP)
        return VM_BAD_ADDRESS;
    if (__builtin_expect(fault_ring.on, false))
        return fault_traced(&f, addr);
    return result_of(&f, resolve(&f, NULL));
}

/*
 * What the fault will map, if it is of the rows 0, 1A of an own anon, or 2A for a load, and changes
 * nothing that another space looks at but a frame's reverse map: its areas, a leaf and a table that
 * no other space has, the frame if it is an anon's. NULL: it is not. Shared, and the space's lock.
 */
static const struct frame *stays_in_space(const struct fault *f)
{
    struct vm_space *s = f->space;
    const uint32_t page = f->page >> PAGE_SHIFT;
    const struct vma *v = vma_find(s, f->page);
    const struct anon *a;

    if (s->changing || is_refused(f, v) || v->server)
        return NULL;
    a = vma_is_private(v) ? amap_get(&s->amap, page) : NULL;
    if (a)
        return amap_owns(&s->amap, page) ? a->frame : NULL;
    if (v->object)
        return f->write ? NULL : object_lookup(v->object, vma_page_index(v, f->page));
    return f->write && amap_leaf_shared(&s->amap, page) ? NULL : zero_frame;
}

/* Whether it could be resolved so. */
static bool fault_beside(struct fault *f)
{
    const struct frame *frame;
    bool done;

    spin_lock_shared(&vm_lock);
    spin_lock(&f->space->lock);
    frame = stays_in_space(f);
    done = frame && !read_bit(frame->flags, FRAME_BUSY) &&
           pmap_enters_alone(&f->space->pmap, f->page, frame) && fault_once(f) == DONE;
    if (done)
        CPU_LOCAL(faults)++;
    spin_unlock(&f->space->lock);
    spin_unlock_shared(&vm_lock);
    return done;
}

/*
 * The common rows of the table, by who holds vm_lock only, or shares it: it wakes nobody, sleeps
 * for nothing, calls no pager and changes nothing that is not [v] or [f]. What it leaves,
 * vm_fault() finds in a state of the table.
 */
bool vm_fault_alone(struct vm_space *s, vaddr_t addr, enum vm_access access, bool absent)
{
    struct fault f;

    begin(&f, s, addr, access);
    f.alone = true;
    if (fault_ring.on)
        return false;
    if (f.write && absent)
        frame_zero_ahead();
    return fault_beside(&f) || resolve(&f, NULL) == DONE;
}

enum vm_result fault_counted(struct vm_space *s, vaddr_t addr, enum vm_access access)
{
    enum vm_result r = vm_fault(s, addr, access);

    if (r == VM_MINOR || r == VM_MAJOR)
        mm_port->count_fault(r == VM_MAJOR);
    return r;
}
