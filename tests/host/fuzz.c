/*
 * The model-based fuzzer: random fork, mmap, munmap, mprotect, brk, mremap, madvise, mlock,
 * mincore, msync, load, store, file read, write, truncate, hole and exit over mm/ on the fake
 * machine, beside a model so simple that it is obviously right: every page of every space is one
 * record. Loads and stores go through software TLBs that keep what is not flushed. Allocation
 * failures are injected; an operation that fails must change nothing.
 *
 * With swap, pages go out and come back under all of it; while they do, other things happen.
 *
 *     fuzz [operations] [seed] [KiB of RAM] [pages of swap]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/host/program.h"
#include "libc/errno.h"
#include "mm/mm.h"
#include "mm/swap.h"

#define SPACES    6
#define OBJECTS   5
#define FILE_MAX  40 /* pages */
#define WORDS     2  /* words watched in each page: the first and the last */
#define WIN_PAGES 48
#define WINDOWS   3

/* A window across a page-table boundary, the heap, and the stack with room for its guard. */
static const vaddr_t window[WINDOWS] = {0x20000000 - 20 * PAGE_SIZE, 0x08100000, 0x7ffc0000};
#define HEAP      1
#define STACK     2
#define STACK_TOP (window[STACK] + WIN_PAGES * PAGE_SIZE)

struct page {
    bool mapped, shared, grows, own;
    bool locked, dontfork, wipe; /* mlock and madvise, in the area */
    bool freed;                  /* MADV_FREE: holds its value, or zeros */
    uint8_t prot, maxprot;
    int object; /* -1: anonymous */
    uint32_t index;
    uint32_t value[WORDS]; /* when own */
};

struct space {
    struct vm_space *real;
    struct page page[WINDOWS][WIN_PAGES];
    vaddr_t brk;
};

/* What the pager of a file knows: it outlives the object below when mappings do. */
struct contents {
    unsigned id;
    uint32_t kept; /* bytes that were never cut off: the pattern; then zeros */
};

struct object {
    struct vm_object *real;
    bool anonymous;
    struct contents *contents;
    uint32_t bytes;
    uint32_t value[FILE_MAX][WORDS];
};

static struct space spaces[SPACES];
static struct object objects[OBJECTS];
static unsigned next_id, destroyed, created;
static uint64_t rng_state;
static unsigned long operation;
static unsigned no_memory;

static uint32_t rnd(uint32_t n)
{
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 20) % n;
}

#define FAIL(...)                                                                                  \
    do {                                                                                           \
        fprintf(stderr, "operation %lu: ", operation);                                             \
        fprintf(stderr, __VA_ARGS__);                                                              \
        fputc('\n', stderr);                                                                       \
        exit(1);                                                                                   \
    } while (0)

/* ---- Objects ---- */

static uint32_t pattern(unsigned id, uint32_t index, uint32_t word)
{
    return (id * 2654435761u) ^ (index * 40503u) ^ (word * 97u) ^ 0x1234;
}

static uint32_t content(const struct contents *c, uint32_t index, uint32_t word)
{
    return index * PAGE_SIZE + word * 4 < c->kept ? pattern(c->id, index, word) : 0;
}

/* Fills as much of the run as it likes. */
static int file_get(struct vm_object *o, struct vm_run *run)
{
    unsigned count = 1 + rnd(run->count);

    if (rnd(200) == 0)
        return -ENOMEM;
    for (unsigned n = 0; n < count; n++) {
        uint32_t *w = run->page[n];
        for (uint32_t i = 0; i < PAGE_SIZE / 4; i++)
            w[i] = content(vm_object_private(o), run->index + n, i);
    }
    return (int)count;
}

static void file_destroy(struct vm_object *o)
{
    free(vm_object_private(o));
    destroyed++;
}

static const struct pager file_pager = {
    .name = "test", .get = file_get, .ahead = 8, .destroy = file_destroy};

static uint32_t offset_of_word(unsigned w)
{
    return w ? PAGE_SIZE - 4 : 0;
}

static uint32_t initial(const struct object *o, uint32_t index, unsigned w)
{
    return o->anonymous ? 0 : content(o->contents, index, offset_of_word(w) / 4);
}

static uint32_t object_pages(const struct object *o)
{
    return (o->bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

static void new_object(struct object *o)
{
    *o = (struct object){.anonymous = rnd(3) == 0};
    o->bytes = (1 + rnd(FILE_MAX - 1)) * PAGE_SIZE - (rnd(2) ? rnd(PAGE_SIZE / 4) * 4 : 0);
    if (o->anonymous) {
        o->real = vm_object_create_anon(o->bytes);
    } else {
        o->contents = malloc(sizeof(*o->contents));
        *o->contents = (struct contents){next_id++, o->bytes};
        o->real = vm_object_create(&file_pager, o->contents, o->bytes);
        created += o->real != NULL;
        if (!o->real)
            free(o->contents);
    }
    for (uint32_t i = 0; o->real && i < FILE_MAX; i++) {
        for (unsigned w = 0; w < WORDS; w++)
            o->value[i][w] = initial(o, i, w);
    }
}

/* ---- The model of one access ---- */

static uint32_t *model_word(struct page *p, unsigned w)
{
    if (p->object >= 0 && !p->own)
        return &objects[p->object].value[p->index][w];
    return &p->value[w];
}

static vaddr_t address(unsigned win, unsigned i)
{
    return window[win] + i * PAGE_SIZE;
}

/* Grows the stack area above (win, i) in the model if the kernel should. */
static void model_grow(struct space *s, unsigned win, unsigned i)
{
    unsigned above = i, below;

    while (above < WIN_PAGES && !s->page[win][above].mapped)
        above++;
    if (above == WIN_PAGES || !s->page[win][above].grows)
        return;
    for (below = i; below > 0 && !s->page[win][below - 1].mapped; below--)
        ;
    if (below > 0 && s->page[win][below - 1].prot && !s->page[win][below - 1].grows)
        return;
    for (unsigned k = i; k < above; k++) {
        s->page[win][k] = s->page[win][above];
        s->page[win][k].own = false;
        memset(s->page[win][k].value, 0, sizeof(s->page[win][k].value));
    }
}

static enum vm_result expected(struct space *s, unsigned win, unsigned i, bool write)
{
    struct page *p = &s->page[win][i];

    if (!p->mapped)
        return VM_BAD_ADDRESS;
    if (write ? !(p->prot & VM_PROT_WRITE) : !p->prot)
        return VM_BAD_ACCESS;
    if (p->object >= 0 && !p->own && p->index >= object_pages(&objects[p->object]))
        return VM_PAST_END;
    return VM_MINOR;
}

/* A page that MADV_FREE gave up was accessed: is it there still? A write keeps what is. */
static void settle_freed(struct space *s, struct page *p, unsigned win, unsigned i, unsigned w,
                         bool write, uint32_t value)
{
    unsigned other = !w;
    uint32_t seen = 0;

    if (write && vm_copy_from(s->real, &seen, address(win, i) + offset_of_word(other), 4) != 4)
        FAIL("a page just written cannot be read");
    if (write ? seen == 0 && p->value[other] != 0 : value == 0 && p->value[w] != 0)
        memset(p->value, 0, sizeof(p->value));
    if (write && seen != p->value[other])
        FAIL("a freed page holds %08x, neither %08x nor zero", seen, p->value[other]);
    if (write)
        p->freed = false;
}

static struct space *current;  /* whose operation is under way */
static struct space *changing; /* the same, unless that is but an access */
static bool changing_object;   /* any space may have it mapped */
static bool disturbing;        /* inside an operation on the swap device */

static void op_access(struct space *s)
{
    unsigned win = rnd(WINDOWS), i = rnd(WIN_PAGES), w = rnd(WORDS), cpu = rnd(HOST_CPUS);
    struct page *p = &s->page[win][i];
    bool write = rnd(2);
    uint32_t value = rnd(UINT32_MAX), *model;
    vaddr_t va = address(win, i) + offset_of_word(w);
    enum vm_result want, got;

    if (!disturbing)
        changing = NULL;
    if (!p->mapped)
        model_grow(s, win, i);
    want = expected(s, win, i, write);
    got = write ? program_store(cpu, s->real, va, value) : program_load(cpu, s->real, va, &value);
    mm_inject_failure(0);
    if (got == VM_NO_MEMORY || (got == VM_PAST_END && want == VM_MINOR)) {
        no_memory++;
        return;
    }
    if (got == VM_MAJOR)
        got = VM_MINOR;
    if (got != want)
        FAIL("%s of %08x gave %d, not %d", write ? "store" : "load", va, got, want);
    if (got != VM_MINOR)
        return;
    model = model_word(p, w);
    if (p->freed)
        settle_freed(s, p, win, i, w, write, value);
    if (!write) {
        if (value != *model)
            FAIL("load of %08x gave %08x, not %08x", va, value, *model);
        return;
    }
    if (!p->shared && p->object >= 0 && !p->own) {
        for (unsigned k = 0; k < WORDS; k++)
            p->value[k] = objects[p->object].value[p->index][k];
    }
    if (!p->shared)
        p->own = true;
    *model_word(p, w) = value;
}

static int remap(struct vm_space *sp, vaddr_t addr, size_t old, size_t new, unsigned flags,
                 vaddr_t to, vaddr_t *at)
{
    const struct vm_remap r = {addr, old, new, flags, to, UINT32_MAX};

    return vm_remap(sp, &r, at);
}

/* ---- Changing the map ---- */

static uint8_t random_prot(void)
{
    static const uint8_t prots[] = {0, 1, 3, 3, 3, 5, 7, 2};

    return prots[rnd(sizeof(prots))];
}

static void random_range(unsigned *win, unsigned *first, unsigned *count)
{
    *win = rnd(WINDOWS);
    *first = rnd(WIN_PAGES);
    *count = 1 + rnd(rnd(3) ? 4 : WIN_PAGES);
    if (*first + *count > WIN_PAGES)
        *count = WIN_PAGES - *first;
}

static bool failed_for_memory(int err, bool allowed)
{
    mm_inject_failure(0);
    if (err != -ENOMEM)
        return false;
    if (!allowed)
        FAIL("-ENOMEM where memory was there");
    no_memory++;
    return true;
}

static void op_map(struct space *s)
{
    unsigned win, first, count, k = rnd(OBJECTS);
    struct vm_mapping m = {.prot = random_prot(), .maxprot = 7, .flags = VM_FIXED};
    bool with_object = rnd(2), occupied = false;
    vaddr_t at;
    int err;

    random_range(&win, &first, &count);
    if (with_object && rnd(3))
        count = count > 6 ? 6 : count;
    m.addr = address(win, first);
    m.len = count * PAGE_SIZE - rnd(PAGE_SIZE);
    if (rnd(8) == 0)
        m.flags |= VM_NOREPLACE;
    if (with_object && objects[k].real) {
        m.object = objects[k].real;
        m.pgoff = rnd(FILE_MAX - count > 0 && count < FILE_MAX ? FILE_MAX - count : 1);
        if (m.pgoff + count > FILE_MAX)
            return;
        m.flags |= rnd(2) ? VM_SHARED : 0;
        if ((m.flags & VM_SHARED) && rnd(4) == 0) {
            m.maxprot &= ~VM_PROT_WRITE;
            m.prot &= ~VM_PROT_WRITE;
        }
    } else if (win == STACK && first + count == WIN_PAGES && rnd(2)) {
        m.flags |= VM_GROWSDOWN;
    }
    for (unsigned i = first; i < first + count; i++)
        occupied |= s->page[win][i].mapped;
    err = vm_map(s->real, &m, &at);
    if (failed_for_memory(err, true))
        return;
    if ((m.flags & VM_NOREPLACE) && occupied) {
        if (err != -EEXIST)
            FAIL("mapping over a mapping gave %d", err);
        return;
    }
    if (err || at != m.addr)
        FAIL("vm_map at %08x gave %d, %08x", m.addr, err, at);
    for (unsigned i = 0; i < count; i++) {
        s->page[win][first + i] = (struct page){
            .mapped = true,
            .shared = m.flags & VM_SHARED,
            .grows = m.flags & VM_GROWSDOWN,
            .prot = m.prot,
            .maxprot = m.maxprot,
            .object = m.object ? (int)k : -1,
            .index = m.pgoff + i,
        };
    }
}

static void op_unmap(struct space *s)
{
    unsigned win, first, count;

    random_range(&win, &first, &count);
    if (failed_for_memory(vm_unmap(s->real, address(win, first), count * PAGE_SIZE - rnd(4095)),
                          true))
        return;
    memset(&s->page[win][first], 0, count * sizeof(struct page));
}

static void op_protect(struct space *s)
{
    unsigned win, first, count;
    uint8_t prot = random_prot();
    bool hole = false, denied = false;
    unsigned asked = 0;
    int err;

    random_range(&win, &first, &count);
    for (unsigned i = first; i < first + count; i++) {
        hole = !s->page[win][i].mapped;
        denied = !hole && (prot & ~s->page[win][i].maxprot);
        if (hole || denied) {
            asked = count;
            count = i - first;
            break;
        }
    }
    if (hole)
        mm_inject_failure(0);
    err = vm_protect(s->real, address(win, first), (asked ? asked : count) * PAGE_SIZE, prot);
    if (!hole && failed_for_memory(err, true))
        return;
    mm_inject_failure(0);
    if (err != (denied ? -EACCES : hole ? -ENOMEM : 0))
        FAIL("mprotect gave %d", err);
    for (unsigned i = first; i < first + count; i++)
        s->page[win][i].prot = prot;
}

static void op_brk(struct space *s)
{
    vaddr_t want = window[HEAP] + rnd(WIN_PAGES * PAGE_SIZE + 1), old = s->brk, got;
    unsigned from = (old - window[HEAP] + PAGE_SIZE - 1) / PAGE_SIZE;
    unsigned to = (want - window[HEAP] + PAGE_SIZE - 1) / PAGE_SIZE;
    bool blocked = false;

    for (unsigned i = from; i < to; i++)
        blocked |= s->page[HEAP][i].mapped;
    got = vm_brk(s->real, want);
    mm_inject_failure(0);
    if (got != want) {
        if (got != old)
            FAIL("brk moved to %08x, asked was %08x", got, want);
        no_memory += !blocked;
        return;
    }
    if (blocked)
        FAIL("brk grew over a mapping");
    s->brk = want;
    for (unsigned i = from; i < to; i++)
        s->page[HEAP][i] = (struct page){.mapped = true, .prot = 3, .maxprot = 7, .object = -1};
    for (unsigned i = to; i < from; i++)
        s->page[HEAP][i] = (struct page){0};
}

/* A place of the kernel's choice: it is zero, and nobody else's. */
static void op_map_anywhere(struct space *s)
{
    struct vm_mapping m = {.len = (1 + rnd(8)) * PAGE_SIZE, .prot = 3, .maxprot = 7};
    uint32_t value = 1;
    vaddr_t at;

    if (failed_for_memory(vm_map(s->real, &m, &at), true))
        return;
    for (vaddr_t va = at; va < at + m.len; va += PAGE_SIZE) {
        if (program_load(rnd(HOST_CPUS), s->real, va, &value) == VM_MINOR && value != 0)
            FAIL("fresh memory at %08x holds %08x", va, value);
        program_store(rnd(HOST_CPUS), s->real, va, 0xdeadbeef);
    }
    while (vm_unmap(s->real, at, m.len) == -ENOMEM)
        no_memory++;
}

/* ---- The rest of the mmap family ---- */

/* The page's private copy, if it has one, is given up. */
static void forget(struct page *p)
{
    p->own = p->freed = false;
    memset(p->value, 0, sizeof(p->value));
}

/* Where the area that holds (win, i) ends, in pages of the window; the model knows pages only. */
static unsigned area_end(struct space *s, unsigned win, unsigned i)
{
    struct vm_area_info a;

    if (!vm_next_area(s->real, address(win, i), &a) || a.start > address(win, i))
        FAIL("no area at %08x, where a page is mapped", address(win, i));
    return (a.end - window[win]) / PAGE_SIZE;
}

/* Want of memory may stop mremap half-way: the target is cleared already, or the end cut off. */
static void follow_unmapped(struct space *s, unsigned win, unsigned first, unsigned count)
{
    struct vm_area_info a;

    for (unsigned i = first; i < first + count; i++) {
        if (!vm_next_area(s->real, address(win, i), &a) || a.start > address(win, i))
            memset(&s->page[win][i], 0, sizeof(struct page));
    }
}

struct move {
    unsigned win, first, old; /* from */
    unsigned to_win, to, new; /* to; old may be 0: a second view */
    bool stay;                /* MREMAP_DONTUNMAP */
};

static void model_move(struct space *s, const struct move *m)
{
    struct page *from = &s->page[m->win][m->first], *to = &s->page[m->to_win][m->to];
    struct page like = from[0];

    for (unsigned i = 0; i < m->new; i++) {
        if (i < m->old) {
            to[i] = from[i];
        } else {
            to[i] = like;
            to[i].index = like.index + i;
            forget(&to[i]);
        }
    }
    for (unsigned i = 0; i < m->old; i++) {
        if (m->stay) {
            forget(&from[i]);
            from[i].locked = false; /* as on Linux */
        } else {
            memset(&from[i], 0, sizeof(from[i]));
        }
    }
}

static bool index_fits(const struct page *p, unsigned pages)
{
    return p->object < 0 || p->index + pages <= FILE_MAX;
}

/* What a fixed mremap should give, after it has cleared the target and cut the source short. */
static int expected_move(struct space *s, const struct move *m)
{
    struct page *p = &s->page[m->win][m->first];

    if (!p->mapped)
        return -EFAULT;
    if (m->old == 0 && !p->shared)
        return -EINVAL;
    return m->first + m->old > area_end(s, m->win, m->first) ? -EFAULT : 0;
}

static void op_move(struct space *s)
{
    struct move m = {.stay = rnd(4) == 0};
    vaddr_t at;
    int err, want;

    random_range(&m.win, &m.first, &m.old);
    random_range(&m.to_win, &m.to, &m.new);
    if (m.stay)
        m.new = m.old;
    else if (rnd(8) == 0)
        m.old = 0;
    if (m.to + m.new > WIN_PAGES || !index_fits(&s->page[m.win][m.first], m.new) ||
        (m.win == m.to_win && m.first < m.to + m.new &&m.to < m.first + m.old + (m.old == 0)))
        return;
    if (rnd(2))
        mm_inject_failure(0);
    err = remap(s->real, address(m.win, m.first), m.old * PAGE_SIZE, m.new *PAGE_SIZE,
                VM_REMAP_MAYMOVE | VM_REMAP_FIXED | (m.stay ? VM_REMAP_DONTUNMAP : 0),
                address(m.to_win, m.to), &at);
    mm_inject_failure(0);
    if (err == -ENOMEM) {
        no_memory++;
        follow_unmapped(s, m.to_win, m.to, m.new);
        follow_unmapped(s, m.win, m.first, m.old);
        return;
    }
    memset(&s->page[m.to_win][m.to], 0, m.new * sizeof(struct page));
    for (; m.old > m.new; m.old--)
        memset(&s->page[m.win][m.first + m.old - 1], 0, sizeof(struct page));
    want = err ? expected_move(s, &m) : 0;
    if (err != want)
        FAIL("mremap of %u pages at %08x to %08x gave %d, not %d", m.old, address(m.win, m.first),
             address(m.to_win, m.to), err, want);
    if (!err)
        model_move(s, &m);
}

/* Without MREMAP_MAYMOVE: shrinks, or grows into free pages. */
static void op_resize(struct space *s)
{
    unsigned win, first, old, new, end = 0;
    struct page *p;
    bool room = true;
    vaddr_t at;
    int err, want;

    random_range(&win, &first, &old);
    new = 1 + rnd(old + 4);
    p = &s->page[win][first];
    if (first + new > WIN_PAGES || !index_fits(p, new))
        return;
    if (p->mapped)
        end = area_end(s, win, first);
    for (unsigned i = old; i < new; i++)
        room &= !p[i].mapped;
    want = !p->mapped || (new >= old &&first + old > end) ? -EFAULT : 0;
    if (!want && new > old && (first + old != end || !room))
        want = -ENOMEM;
    err = remap(s->real, address(win, first), old * PAGE_SIZE, new *PAGE_SIZE, 0, 0, &at);
    if (want != -ENOMEM && failed_for_memory(err, true))
        return;
    mm_inject_failure(0);
    if (err != want)
        FAIL("mremap at %08x from %u to %u pages gave %d, not %d", address(win, first), old, new,
             err, want);
    if (err)
        return;
    for (unsigned i = old; i < new; i++) {
        p[i] = p[0];
        p[i].index = p[0].index + i;
        forget(&p[i]);
    }
    if (new < old)
        memset(p + new, 0, (old - new) * sizeof(*p));
}

static bool refuses(const struct page *p, int advice)
{
    switch (advice) {
    case VM_ADVICE_DONTNEED:
    case VM_ADVICE_COLD:
    case VM_ADVICE_PAGEOUT:
        return p->locked;
    case VM_ADVICE_FREE:
        return p->locked || p->object >= 0;
    case VM_ADVICE_WIPEONFORK:
        return p->object >= 0;
    default:
        return false;
    }
}

static void model_advice(struct page *p, int advice)
{
    switch (advice) {
    case VM_ADVICE_DONTNEED:
        if (!p->shared)
            forget(p);
        break;
    case VM_ADVICE_FREE:
        p->freed = p->own;
        break;
    case VM_ADVICE_DONTFORK:
    case VM_ADVICE_DOFORK:
        p->dontfork = advice == VM_ADVICE_DONTFORK;
        break;
    case VM_ADVICE_WIPEONFORK:
    case VM_ADVICE_KEEPONFORK:
        p->wipe = advice == VM_ADVICE_WIPEONFORK;
        break;
    default:
        break;
    }
}

/* How far advice goes: to the first page that refuses; past holes, but for an error at the end. */
static void op_advise(struct space *s)
{
    static const int advices[] = {VM_ADVICE_DONTNEED, VM_ADVICE_DONTNEED,   VM_ADVICE_FREE,
                                  VM_ADVICE_FREE,     VM_ADVICE_DONTFORK,   VM_ADVICE_DOFORK,
                                  VM_ADVICE_DOFORK,   VM_ADVICE_WIPEONFORK, VM_ADVICE_KEEPONFORK,
                                  VM_ADVICE_COLD,     VM_ADVICE_PAGEOUT,    VM_ADVICE_RANDOM,
                                  VM_ADVICE_NORMAL,   VM_ADVICE_WILLNEED};
    int advice = advices[rnd(sizeof(advices) / sizeof(*advices))], want = 0, err;
    unsigned win, first, count, end;
    struct mem_stats m;

    random_range(&win, &first, &count);
    end = first + count;
    for (unsigned i = first; i < end; i++) {
        if (!s->page[win][i].mapped) {
            want = -ENOMEM;
        } else if (refuses(&s->page[win][i], advice)) {
            want = -EINVAL;
            end = i;
        }
    }
    mm_stats(&m);
    if (advice == VM_ADVICE_DONTNEED && count > 1 && m.free < 100)
        return; /* in several areas want of memory could stop it half-way */
    if (want == -ENOMEM || count > 1)
        mm_inject_failure(0);
    err = vm_advise(s->real, address(win, first), count * PAGE_SIZE, advice);
    mm_inject_failure(0);
    if (err == -ENOMEM && want != -ENOMEM && (count == 1 || m.free < 100)) {
        no_memory++;
        return;
    }
    if (err != want)
        FAIL("advice %d for %u pages at %08x gave %d, not %d", advice, count, address(win, first),
             err, want);
    for (unsigned i = first; i < end; i++) {
        if (s->page[win][i].mapped)
            model_advice(&s->page[win][i], advice);
    }
}

/* Locks that fault nothing in: whether populating worked is not for a model of contents. */
static void op_lock(struct space *s)
{
    uint16_t flags = rnd(2) ? VM_LOCKED | VM_LOCKONFAULT : 0;
    unsigned win, first, count, whole;
    int err;

    random_range(&win, &first, &count);
    for (whole = 0; whole < count && s->page[win][first + whole].mapped; whole++)
        ;
    if (whole < count)
        mm_inject_failure(0);
    err = vm_lock_range(s->real, address(win, first), count * PAGE_SIZE, flags, UINT32_MAX);
    if (whole == count && failed_for_memory(err, true))
        return;
    mm_inject_failure(0);
    if (err != (whole < count ? -ENOMEM : 0))
        FAIL("locking %u pages at %08x gave %d", count, address(win, first), err);
    for (unsigned i = first; i < first + whole; i++)
        s->page[win][i].locked = flags != 0;
}

/* mincore and msync, which change nothing. */
static void op_ask(struct space *s)
{
    unsigned win, first, count;
    uint8_t vec[WIN_PAGES];
    int want = 0, err;

    random_range(&win, &first, &count);
    for (unsigned i = first; i < first + count; i++)
        want = s->page[win][i].mapped ? want : -ENOMEM;
    mm_inject_failure(0);
    err = rnd(2) ? vm_resident(s->real, address(win, first), count, vec)
                 : vm_sync(s->real, address(win, first), count * PAGE_SIZE, rnd(2), false);
    if (err != want)
        FAIL("mincore or msync of %u pages at %08x gave %d", count, address(win, first), err);
}

/* ---- Processes ---- */

static void kill_space(struct space *s)
{
    vm_space_unref(s->real);
    s->real = NULL;
}

/* What madvise keeps from a child, and what it clears; locks are not inherited. */
static void inherit(struct space *child)
{
    for (unsigned n = 0; n < WINDOWS * WIN_PAGES; n++) {
        struct page *p = &child->page[n / WIN_PAGES][n % WIN_PAGES];
        if (p->dontfork)
            memset(p, 0, sizeof(*p));
        if (p->wipe)
            forget(p);
        p->locked = false;
    }
}

static void op_fork(struct space *parent)
{
    struct space *child = &spaces[rnd(SPACES)];
    struct vm_space *real;
    int err;

    if (child == parent)
        return;
    if (child->real)
        kill_space(child);
    err = vm_space_fork(parent->real, &real);
    if (failed_for_memory(err, true))
        return;
    *child = *parent;
    child->real = real;
    inherit(child);
}

static void new_space(struct space *s)
{
    memset(s, 0, sizeof(*s));
    mm_inject_failure(0);
    s->real = vm_space_create();
    if (!s->real) {
        no_memory++;
        return;
    }
    vm_space_set_limits(s->real,
                        &(struct vm_limits){WIN_PAGES * PAGE_SIZE, UINT32_MAX, UINT32_MAX});
    s->brk = window[HEAP];
    vm_set_brk(s->real, s->brk, s->brk);
}

/* ---- Files ---- */

/* What mappings wrote past the end of the last page is gone when the file grows over it. */
static void clear_tail(struct object *o, uint32_t to)
{
    uint32_t index = o->bytes / PAGE_SIZE;

    for (unsigned w = 0; o->bytes % PAGE_SIZE && w < WORDS; w++) {
        uint32_t at = index * PAGE_SIZE + offset_of_word(w);
        if (at + 4 > o->bytes && at < to && at >= o->bytes)
            o->value[index][w] = 0;
    }
}

static void op_file_io(struct object *o)
{
    uint32_t index = rnd(FILE_MAX), w = rnd(WORDS), value = rnd(UINT32_MAX);
    uint64_t at = (uint64_t)index * PAGE_SIZE + offset_of_word(w);
    bool write = rnd(2);
    long got = write ? vm_object_write_kernel(o->real, at, &value, 4)
                     : vm_object_read_kernel(o->real, at, &value, 4);

    mm_inject_failure(0);
    if (got < 0) {
        no_memory++;
        return;
    }
    if (write) {
        if (got != 4)
            FAIL("a write of 4 bytes gave %ld", got);
        clear_tail(o, (uint32_t)at);
        o->value[index][w] = value;
        if (at + 4 > o->bytes)
            o->bytes = (uint32_t)at + 4;
        return;
    }
    if (got != (at < o->bytes ? (o->bytes - at < 4 ? (long)(o->bytes - at) : 4) : 0))
        FAIL("a read at %llu of a file of %u gave %ld", (unsigned long long)at, o->bytes, got);
    if (got == 4 && value != o->value[index][w])
        FAIL("page %u of a file reads %08x, not %08x", index, value, o->value[index][w]);
}

static void drop_private_copies(const struct object *o, uint32_t first)
{
    for (unsigned n = 0; n < SPACES * WINDOWS * WIN_PAGES; n++) {
        struct page *p =
            &spaces[n / WIN_PAGES / WINDOWS].page[n / WIN_PAGES % WINDOWS][n % WIN_PAGES];
        if (p->mapped && p->object >= 0 && &objects[p->object] == o && p->index >= first)
            p->own = false;
    }
}

/* What is cut off is gone, private copies of it too: it reads as zeros when the file grows again.
 */
static void op_truncate(struct object *o)
{
    uint32_t bytes = rnd(FILE_MAX * PAGE_SIZE / 4) * 4;
    int err;

    err = vm_object_resize(o->real, bytes);
    mm_inject_failure(0);
    if (err) {
        no_memory++;
        return;
    }
    if (!o->anonymous && bytes < o->contents->kept)
        o->contents->kept = bytes;
    clear_tail(o, bytes);
    if (bytes < o->bytes)
        drop_private_copies(o, (bytes + PAGE_SIZE - 1) / PAGE_SIZE);
    for (uint32_t i = 0; i < FILE_MAX && bytes < o->bytes; i++) {
        for (unsigned w = 0; w < WORDS; w++) {
            if (i * PAGE_SIZE + offset_of_word(w) >= bytes)
                o->value[i][w] = 0;
        }
    }
    o->bytes = bytes;
}

/* A hole in one page, or over many where no page has to be made for it. */
static void op_punch(struct object *o)
{
    uint32_t from = rnd(FILE_MAX * PAGE_SIZE / 4) * 4, len = 4 + rnd(PAGE_SIZE / 4) * 4;
    int err;

    if (o->anonymous && rnd(2)) {
        from &= PAGE_MASK;
        len = (1 + rnd(8)) * PAGE_SIZE;
    } else if (from % PAGE_SIZE + len > PAGE_SIZE) {
        len = PAGE_SIZE - from % PAGE_SIZE;
    }
    err = vm_object_punch(o->real, from, len);
    mm_inject_failure(0);
    if (err) {
        no_memory++;
        /* Whole pages need no memory and come first; the one with the end was to be brought in. */
        len = from + len < o->bytes ? len : o->bytes > from ? o->bytes - from : 0;
        len = from & ~PAGE_MASK ? 0 : len & PAGE_MASK;
    }
    for (uint32_t i = 0; i < FILE_MAX; i++) {
        for (unsigned w = 0; w < WORDS; w++) {
            uint32_t at = i * PAGE_SIZE + offset_of_word(w);
            if (at >= from && at < from + len && at < o->bytes)
                o->value[i][w] = 0;
        }
    }
}

/* ---- Swap: an array ---- */

#define SWAP_MAX 4096

static uint8_t swap_contents[SWAP_MAX][PAGE_SIZE];
/* While pages are on their way out programs go on using them; but for what is just
 * being changed, where before or after would be as right. */
static int swap_dev_write(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    unsigned written = rnd(10) ? n : 1 + rnd(n);

    (void)d;
    for (unsigned i = 0; i < written; i++)
        memcpy(swap_contents[slot + i], pages[i], PAGE_SIZE);
    if (!disturbing) {
        disturbing = true;
        mm_inject_failure(0);
        for (unsigned i = rnd(3); i > 0; i--) {
            struct space *s = &spaces[rnd(SPACES)];
            if (s->real && s != changing && !changing_object)
                op_access(s);
        }
        disturbing = false;
    }
    return rnd(50) ? (int)written : -EIO;
}

/* While pages are on their way in, other spaces that share them may vanish. */
static int swap_dev_read(struct swap_device *d, uint32_t slot, unsigned n, void *const *pages)
{
    struct space *s = &spaces[rnd(SPACES)];

    (void)d;
    if (!disturbing && s != current && s->real && rnd(8) == 0) {
        disturbing = true;
        mm_inject_failure(0);
        if (rnd(2))
            kill_space(s);
        else
            op_unmap(s);
        disturbing = false;
    }
    for (unsigned i = 0; i < n; i++)
        memcpy(pages[i], swap_contents[slot + i], PAGE_SIZE);
    return rnd(100) ? 0 : -EIO;
}

static struct swap_device swap_dev = {.read = swap_dev_read, .write = swap_dev_write};
static uint32_t swap_slots;

/* Off and on again: what is there comes back, or it stays on. */
static void op_swapoff(void)
{
    int err = vm_swap_off(&swap_dev);

    if (err && err != -ENOMEM && err != -EIO && err != -EBUSY)
        FAIL("swapoff gave %d", err);
    if (!err && vm_swap_on(&swap_dev, swap_slots, -1))
        swap_slots = 0; /* no memory for the bitmap */
}

/* ---- The run ---- */

static void step(void)
{
    struct space *s = &spaces[rnd(SPACES)];
    struct object *o = &objects[rnd(OBJECTS)];

    if (!s->real) {
        new_space(s);
        return;
    }
    if (!o->real) {
        new_object(o);
        return;
    }
    current = changing = s;
    changing_object = false;
    if (swap_slots && rnd(300) == 0)
        op_swapoff();
    if (rnd(20) == 0)
        mm_inject_failure(1 + rnd(6));
    switch (rnd(48)) {
    case 0:
    case 1:
    case 2:
    case 3:
        op_map(s);
        break;
    case 4:
    case 5:
        op_unmap(s);
        break;
    case 6:
    case 7:
        op_protect(s);
        break;
    case 8:
        op_brk(s);
        break;
    case 9:
        op_fork(s);
        break;
    case 10:
        if (rnd(6) == 0)
            kill_space(s);
        break;
    case 11:
    case 12:
    case 13:
        changing_object = true;
        op_file_io(o);
        break;
    case 14:
        changing_object = true;
        if (rnd(4) == 0)
            op_truncate(o);
        break;
    case 15:
        op_map_anywhere(s);
        break;
    case 16:
        op_move(s);
        break;
    case 17:
        op_resize(s);
        break;
    case 18:
    case 19:
    case 20:
        op_advise(s);
        break;
    case 21:
        op_lock(s);
        break;
    case 22:
        op_ask(s);
        break;
    case 23:
        changing_object = true;
        op_punch(o);
        break;
    default: /* programs use their memory more than they change its map */
        for (unsigned n = 1 + rnd(12); n > 0 && s->real; n--)
            op_access(s);
    }
    mm_inject_failure(0);
}

static void check_all(void)
{
    static unsigned nth;
    bool sums = true;

    if (mm_check())
        FAIL("mm_check found faults");
    if (nth++ % 8 == 0 && (mm_check_steps(&sums) || !sums))
        FAIL("mm_check_steps found faults, or changes");
}

static void finish(void)
{
    struct vm_swap_stats swap;
    struct mem_stats st;

    for (unsigned i = 0; i < SPACES; i++) {
        if (spaces[i].real)
            kill_space(&spaces[i]);
    }
    for (unsigned i = 0; i < OBJECTS; i++) {
        if (objects[i].real)
            vm_object_unref(objects[i].real);
    }
    check_all();
    mm_stats(&st);
    vm_swap_stats(&swap);
    if (swap.used)
        FAIL("%u slots left over", swap.used);
    if (st.anon || st.cached || st.tables || destroyed != created)
        FAIL("left over: %u anon, %u cached, %u tables, %u objects", st.anon, st.cached, st.tables,
             created - destroyed);
}

int main(int argc, char **argv)
{
    unsigned long operations = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000;
    struct vm_events ev;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    uint32_t kib = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 2048;

    rng_state = seed * 0x9e3779b97f4a7c15ull | 1;
    machine_with_mm(kib * 1024);
    swap_slots = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 0) : 0;
    if (swap_slots && vm_swap_on(&swap_dev, swap_slots, -1))
        return 2;
    for (operation = 0; operation < operations; operation++) {
        step();
        if (operation % 64 == 0)
            check_all();
    }
    finish();
    vm_events(&ev);
    printf("%lu operations, seed %llu, %u KiB: no difference (%u for want of memory; %u pages out, "
           "%u in)\n",
           operations, (unsigned long long)seed, kib, no_memory, (unsigned)ev.pswpout,
           (unsigned)ev.pswpin);
    machine_off();
    return 0;
}
