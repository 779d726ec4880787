/*
 * The model-based fuzzer: random fork, mmap, munmap, mprotect, brk, load, store, file read, write,
 * truncate and exit over mm/ on the fake machine, beside a model so simple that it is obviously
 * right: every page of every space is one record. Loads and stores go through software TLBs that
 * keep what is not flushed. Allocation failures are injected; an operation that fails must change
 * nothing.
 *
 *     fuzz [operations] [seed] [KiB of RAM]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/host/machine.h"
#include "libc/errno.h"
#include "mm/mm.h"

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

struct object {
    struct vm_object *real;
    bool anonymous;
    unsigned id;
    uint32_t bytes;
    uint32_t value[FILE_MAX][WORDS];
    bool holds[FILE_MAX]; /* differs from the pattern of the pager: value[] counts */
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

static int file_get(struct vm_object *o, uint32_t index, void *page)
{
    unsigned id = (unsigned)(uintptr_t)vm_object_private(o);
    uint32_t *w = page;

    if (rnd(200) == 0)
        return -ENOMEM;
    for (uint32_t i = 0; i < PAGE_SIZE / 4; i++)
        w[i] = pattern(id, index, i);
    return VM_PAGE_READ;
}

static void file_destroy(struct vm_object *o)
{
    (void)o;
    destroyed++;
}

static const struct pager file_pager = {.name = "test", .get = file_get, .destroy = file_destroy};

static uint32_t offset_of_word(unsigned w)
{
    return w ? PAGE_SIZE - 4 : 0;
}

static uint32_t initial(const struct object *o, uint32_t index, unsigned w)
{
    return o->anonymous ? 0 : pattern(o->id, index, offset_of_word(w) / 4);
}

static uint32_t object_pages(const struct object *o)
{
    return (o->bytes + PAGE_SIZE - 1) / PAGE_SIZE;
}

static void new_object(struct object *o)
{
    *o = (struct object){.anonymous = rnd(3) == 0, .id = next_id++};
    o->bytes = (1 + rnd(FILE_MAX - 1)) * PAGE_SIZE - (rnd(2) ? rnd(PAGE_SIZE / 4) * 4 : 0);
    if (o->anonymous) {
        o->real = vm_object_create_anon(o->bytes);
    } else {
        o->real = vm_object_create(&file_pager, (void *)(uintptr_t)o->id, o->bytes);
        created += o->real != NULL;
    }
    for (uint32_t i = 0; i < FILE_MAX; i++) {
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

static void op_access(struct space *s)
{
    unsigned win = rnd(WINDOWS), i = rnd(WIN_PAGES), w = rnd(WORDS), cpu = rnd(HOST_CPUS);
    struct page *p = &s->page[win][i];
    bool write = rnd(2);
    uint32_t value = rnd(UINT32_MAX), *model;
    vaddr_t va = address(win, i) + offset_of_word(w);
    enum vm_result want, got;

    if (!p->mapped)
        model_grow(s, win, i);
    want = expected(s, win, i, write);
    got = write ? machine_store(cpu, s->real, va, value) : machine_load(cpu, s->real, va, &value);
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
        if (machine_load(rnd(HOST_CPUS), s->real, va, &value) == VM_MINOR && value != 0)
            FAIL("fresh memory at %08x holds %08x", va, value);
        machine_store(rnd(HOST_CPUS), s->real, va, 0xdeadbeef);
    }
    while (vm_unmap(s->real, at, m.len) == -ENOMEM)
        no_memory++;
}

/* ---- Processes ---- */

static void kill_space(struct space *s)
{
    vm_space_unref(s->real);
    s->real = NULL;
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
    vm_set_brk_base(s->real, s->brk);
}

/* ---- Files ---- */

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

/* What is cut off is gone: it reads as the pager's pattern (a hole, for a real file) when the file
 * grows again, and zeros in the page that was cut in two. */
static void op_truncate(struct object *o)
{
    uint32_t bytes = rnd(FILE_MAX * PAGE_SIZE / 4) * 4;
    int err = vm_object_resize(o->real, bytes);

    mm_inject_failure(0);
    if (err) {
        no_memory++;
        return;
    }
    if (bytes < o->bytes)
        drop_private_copies(o, (bytes + PAGE_SIZE - 1) / PAGE_SIZE);
    for (uint32_t i = 0; i < FILE_MAX; i++) {
        for (unsigned w = 0; w < WORDS && bytes < o->bytes; w++) {
            uint32_t at = i * PAGE_SIZE + offset_of_word(w);
            if (i >= (bytes + PAGE_SIZE - 1) / PAGE_SIZE && i < object_pages(o))
                o->value[i][w] = initial(o, i, w);
            else if (at >= bytes && i < object_pages(o))
                o->value[i][w] = 0;
        }
    }
    o->bytes = bytes;
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
    if (rnd(20) == 0)
        mm_inject_failure(1 + rnd(6));
    switch (rnd(40)) {
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
        op_file_io(o);
        break;
    case 14:
        if (rnd(4) == 0)
            op_truncate(o);
        break;
    case 15:
        op_map_anywhere(s);
        break;
    default:
        op_access(s);
    }
    mm_inject_failure(0);
}

static void check_all(void)
{
    if (mm_check())
        FAIL("mm_check found faults");
}

static void finish(void)
{
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
    if (st.anon || st.cached || st.tables || destroyed != created)
        FAIL("left over: %u anon, %u cached, %u tables, %u objects", st.anon, st.cached, st.tables,
             created - destroyed);
}

int main(int argc, char **argv)
{
    unsigned long operations = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
    uint32_t kib = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 0) : 2048;

    rng_state = seed * 0x9e3779b97f4a7c15ull | 1;
    machine_init(kib * 1024);
    for (operation = 0; operation < operations; operation++) {
        step();
        if (operation % 64 == 0)
            check_all();
    }
    finish();
    printf("%lu operations, seed %llu, %u KiB: no difference (%u for want of memory)\n", operations,
           (unsigned long long)seed, kib, no_memory);
    machine_off();
    return 0;
}
