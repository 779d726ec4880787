/*
 * Every allocation of every operation, failed in turn: each operation runs on each of some prepared
 * states with the first allocation failing, then with the second, and so on until none is left to
 * fail. What ends with -ENOMEM has changed nothing: the same areas, the same contents, the same
 * accounts; and mm_check() finds nothing to say. Afterwards all is torn down and no frame is left
 * over.
 */
#include <string.h>
#include "tests/host/program.h"
#include "libc/errno.h"
#include "mm/mm.h"
#include "tests/host/check.h"

#define RAM    (6u << 20)
#define AT     0x20000000u /* 1,100 pages: the leaf before it ends there */
#define PAGES  1100u
#define FILES  0x30000000u /* 8 pages of a file, private; then 8 shared */
#define LOCKED 0x38000000u /* 4 pages, locked, after 4 that are not */
#define HEAP   0x08100000u
#define STACK  0x7fff0000u /* 4 pages that grow down */
#define RW     (VM_PROT_READ | VM_PROT_WRITE)
#define ALL    7
#define P(n)   ((n)*PAGE_SIZE)

static struct vm_space *s, *child, *made;
static struct vm_object *file;

static int file_get(struct vm_object *o, struct vm_run *run)
{
    (void)o;
    memset(run->page[0], 0x40 + (int)run->index, PAGE_SIZE);
    return 1;
}

static const struct pager file_pager = {.name = "test", .get = file_get};

/* ---- States ---- */

static void map(vaddr_t at, unsigned pages, uint8_t prot, uint16_t flags, struct vm_object *o)
{
    struct vm_mapping m = {.addr = at,
                           .len = P(pages),
                           .prot = prot,
                           .maxprot = ALL,
                           .flags = flags | VM_FIXED,
                           .object = o};

    EXPECT_EQ(vm_map(s, &m, NULL), 0);
}

static void store(struct vm_space *sp, vaddr_t va, uint32_t value)
{
    EXPECT(program_store(0, sp, va, value) <= VM_MAJOR);
}

/* Touched pages at both ends of leaves, and little in between. */
static void make_areas(void)
{
    static const unsigned touched[] = {0, 1, 500, 1023, 1024, 1099};

    map(AT, PAGES, RW, 0, NULL);
    for (unsigned i = 0; i < sizeof(touched) / sizeof(touched[0]); i++)
        store(s, AT + P(touched[i]), 100 + i);
    map(FILES, 8, RW, 0, file);
    map(FILES + P(8), 8, RW, VM_SHARED, file);
    for (unsigned i = 0; i < 8; i += 3)
        store(s, FILES + P(i), 200 + i);
    store(s, FILES + P(9), 209);
    map(LOCKED - P(4), 4, RW, 0, NULL);
    map(LOCKED, 4, RW, VM_LOCKED, NULL);
    store(s, LOCKED, 300);
    store(s, LOCKED - P(1), 301);
    map(STACK, 4, RW, VM_GROWSDOWN, NULL);
    store(s, STACK, 400);
    vm_set_brk(s, HEAP, HEAP);
    EXPECT_EQ(vm_brk(s, HEAP + P(6) + 1), HEAP + P(6) + 1);
    store(s, HEAP + P(6), 500);
}

/* Every leaf is shared with a child. */
static void make_forked(void)
{
    make_areas();
    EXPECT_EQ(vm_space_fork(s, &child), 0);
}

/* Some leaves are shared, some anons too, and the areas are in pieces. */
static void make_broken_up(void)
{
    make_forked();
    store(s, AT + P(3), 103);
    store(child, FILES + P(1), 201);
    EXPECT_EQ(vm_protect(s, AT + P(10), P(20), VM_PROT_READ), 0);
    EXPECT_EQ(vm_advise(s, AT + P(600), P(3), VM_ADVICE_DONTFORK), 0);
    EXPECT_EQ(vm_advise(s, AT + P(700), P(3), VM_ADVICE_WIPEONFORK), 0);
    EXPECT_EQ(vm_unmap(s, AT + P(1030), P(5)), 0);
}

static void (*const states[])(void) = {make_areas, make_forked, make_broken_up};

static void power_on(unsigned state)
{
    machine_with_mm(RAM);
    child = made = NULL;
    s = vm_space_create();
    file = vm_object_create(&file_pager, NULL, P(8) - 100);
    states[state]();
}

static void power_off(void)
{
    struct mem_stats st;

    EXPECT_EQ(mm_check(), 0);
    if (made)
        vm_space_unref(made);
    if (child)
        vm_space_unref(child);
    vm_space_unref(s);
    vm_object_unref(file);
    EXPECT_EQ(mm_check(), 0);
    mm_stats(&st);
    EXPECT_EQ(st.anon + st.cached + st.tables + frame_count(FRAME_LEAF), 0);
    machine_off();
}

/* ---- Fingerprints ---- */

static uint64_t mix(uint64_t h, uint64_t value)
{
    return (h ^ value) * 0x100000001b3ull;
}

static uint64_t of_area(uint64_t h, struct vm_space *sp, const struct vma *v)
{
    h = mix(mix(mix(mix(h, v->start), v->end), v->prot | v->maxprot << 8), v->flags);
    h = mix(mix(h, (uintptr_t)v->object), v->pgoff);
    for (uint32_t page = v->start >> PAGE_SHIFT; page < v->end >> PAGE_SHIFT; page++) {
        const struct anon *a = amap_get(&sp->amap, page);
        if (a)
            h = mix(mix(h, page), *(uint32_t *)frame_kva(a->frame));
    }
    return h;
}

static uint64_t of_space(uint64_t h, struct vm_space *sp)
{
    const struct vma *v;

    list_for_each_entry (v, &sp->vmas, link)
        h = of_area(h, sp, v);
    h = mix(mix(mix(h, sp->pages), sp->data_pages), sp->locked_pages);
    return mix(mix(mix(h, sp->brk), sp->areas), sp->future_flags);
}

/* All that a program, or the accounts, could tell the difference by. */
static uint64_t fingerprint(void)
{
    uint64_t h = mix(0xcbf29ce484222325ull, committed_pages);

    h = mix(mix(of_space(h, s), vm_object_size(file)), anon_total());
    return child ? of_space(h, child) : h;
}

/* ---- Operations: 0 or -errno ---- */

static int remap(vaddr_t addr, unsigned old, unsigned pages, unsigned flags, vaddr_t to)
{
    const struct vm_remap r = {addr, P(old), P(pages), flags, to, UINT32_MAX};
    vaddr_t at;

    return vm_remap(s, &r, &at);
}

static int map_over(vaddr_t at, unsigned pages, struct vm_object *o, uint16_t flags)
{
    struct vm_mapping m = {.addr = at,
                           .len = P(pages),
                           .prot = RW,
                           .maxprot = ALL,
                           .flags = VM_FIXED | flags,
                           .object = o};

    return vm_map(s, &m, NULL);
}

static int brk_to(vaddr_t at)
{
    return vm_brk(s, at) == at ? 0 : -ENOMEM;
}

static int fault(struct vm_space *sp, vaddr_t va, enum vm_access access)
{
    return vm_fault(sp, va, access) == VM_NO_MEMORY ? -ENOMEM : 0;
}

#define MOVE  VM_REMAP_MAYMOVE
#define FIXED (VM_REMAP_MAYMOVE | VM_REMAP_FIXED)
#define OPS(OP)                                                                                    \
    OP(map_in_the_middle, map_over(AT + P(400), 300, NULL, 0))                                     \
    OP(map_file_over_leaf_end, map_over(AT + P(1000), 50, file, 0))                                \
    OP(map_over_several, map_over(FILES + P(2), 12, NULL, 0))                                      \
    OP(unmap_in_the_middle, vm_unmap(s, AT + P(2), P(1021)))                                       \
    OP(unmap_all_but_ends, vm_unmap(s, AT + P(1), P(1098)))                                        \
    OP(unmap_files, vm_unmap(s, FILES + P(1), P(10)))                                              \
    OP(protect_middle, vm_protect(s, AT + P(40), P(40), VM_PROT_READ))                             \
    OP(protect_nothing, vm_protect(s, FILES + P(1), P(9), 0))                                      \
    OP(move_down, remap(AT, PAGES, PAGES, FIXED, AT - P(PAGES)))                                   \
    OP(move_up, remap(AT, 20, 20, FIXED, AT + P(1100)))                                            \
    OP(move_over, remap(FILES, 8, 8, FIXED, AT + P(1020)))                                         \
    OP(move_and_grow, remap(LOCKED - P(4), 4, 9, MOVE, 0))                                         \
    OP(grow_in_place, remap(LOCKED, 4, 8, 0, 0))                                                   \
    OP(shrink, remap(AT, PAGES, 30, 0, 0))                                                         \
    OP(move_and_keep, remap(FILES, 8, 8, MOVE | VM_REMAP_DONTUNMAP, 0))                            \
    OP(brk_up, brk_to(HEAP + P(12)))                                                               \
    OP(brk_down, brk_to(HEAP + P(2)))                                                              \
    OP(dont_fork, vm_advise(s, AT + P(3), P(4), VM_ADVICE_DONTFORK))                               \
    OP(dont_need, vm_advise(s, AT + P(1), P(1023), VM_ADVICE_DONTNEED))                            \
    OP(give_up, vm_advise(s, AT, P(500), VM_ADVICE_FREE))                                          \
    OP(lock, vm_lock_range(s, AT + P(40), P(2), VM_LOCKED | VM_LOCKONFAULT, UINT32_MAX))           \
    OP(unlock, vm_lock_range(s, LOCKED + P(1), P(2), 0, UINT32_MAX))                               \
    OP(lock_all, vm_lock_all(s, VM_LOCKED | VM_LOCKONFAULT, 0, false, UINT32_MAX))                 \
    OP(fork, vm_space_fork(s, &made))                                                              \
    OP(fault_zero, fault(s, AT + P(501), VM_WRITE))                                                \
    OP(fault_copy, fault(s, AT + P(500), VM_WRITE))                                                \
    OP(fault_new_leaf, fault(s, AT + P(1050), VM_WRITE))                                           \
    OP(fault_copy_file, fault(s, FILES + P(2), VM_WRITE))                                          \
    OP(fault_shared, fault(s, FILES + P(12), VM_WRITE))                                            \
    OP(cut_file, vm_object_resize(file, P(3) + 50))                                                \
    OP(grow_file, vm_object_resize(file, P(20)))                                                   \
    OP(shared_again, vm_remap_file_pages(s, FILES + P(9), P(2), 3))

#define DEFINE(name, call)                                                                         \
    static int op_##name(void)                                                                     \
    {                                                                                              \
        return call;                                                                               \
    }
OPS(DEFINE)

struct operation {
    const char *name;
    int (*run)(void);
};

#define LIST(name, call) {#name, op_##name},
static const struct operation operations[] = {OPS(LIST)};

/* Whether the n-th allocation was there to fail. */
static bool fails_cleanly(unsigned state, const struct operation *op, unsigned n)
{
    int before = test_failures, err;
    uint64_t was;
    bool failed;

    power_on(state);
    was = fingerprint();
    mm_inject_failure(n);
    err = op->run();
    failed = mm_inject_failure(0) == 0;
    EXPECT(failed ? err == 0 || err == -ENOMEM : err != -ENOMEM);
    EXPECT(err != -ENOMEM || fingerprint() == was);
    power_off();
    if (test_failures != before)
        fprintf(stderr, "    state %u, %s, allocation %u fails\n", state, op->name, n);
    return failed;
}

TEST(what_fails_for_memory_changes_nothing)
{
    for (unsigned i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        for (unsigned state = 0; state < sizeof(states) / sizeof(states[0]); state++) {
            unsigned n = 1;

            while (fails_cleanly(state, &operations[i], n) && test_failures < 10)
                n++;
        }
    }
}

int main(void)
{
    return run_tests(NULL, NULL);
}
