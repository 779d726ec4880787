/*
 * Kernel stacks: KSTACK_SIZE bytes each, with an unmapped guard page below, so that an overflow is
 * a double fault with a readable report and not silent damage.
 *
 * The area at KSTACK_BASE is an array of slots, guard page first. A free slot is either cached
 * (still mapped; the next one's index is in its top word) or empty (not mapped; the next one's
 * index is in its guard page's entry, which is never present). Slots from fresh on were never used.
 */
#include "arch/i386/i386.h"
#include "arch/lock.h"
#include "arch/thread.h"

#define SLOT_SIZE (KSTACK_SIZE + PAGE_SIZE)
#define NO_SLOT   0xffffu
#define CACHE_MAX 32u

static struct spinlock kstack_lock = SPINLOCK_INIT("kstack", LOCK_RANK_SLAB);
static uint32_t fresh;                 /* [kstack_lock] */
static uint32_t cached_head = NO_SLOT; /* [kstack_lock] */
static uint32_t cached_count;          /* [kstack_lock] */
static uint32_t empty_head = NO_SLOT;  /* [kstack_lock] */

static vaddr_t slot_guard(uint32_t slot)
{
    return KSTACK_BASE + slot * SLOT_SIZE;
}

static uint32_t slot_top(uint32_t slot)
{
    return slot_guard(slot) + SLOT_SIZE;
}

static uint32_t *cached_link(uint32_t slot)
{
    return (uint32_t *)slot_top(slot) - 1;
}

uint32_t kstack_limit(void)
{
    return kmap_kstack_bytes() / SLOT_SIZE;
}

bool kstack_is_guard(uint32_t addr)
{
    if (addr >= (uint32_t)boot_stack_guard && addr < (uint32_t)boot_stack_guard + PAGE_SIZE)
        return true;
    return addr >= KSTACK_BASE && addr < KSTACK_BASE + kmap_kstack_bytes() &&
           (addr - KSTACK_BASE) % SLOT_SIZE < PAGE_SIZE;
}

/* A slot without pages, or NO_SLOT. */
static uint32_t take_empty(void)
{
    uint32_t slot = NO_SLOT;

    spin_lock(&kstack_lock);
    if (empty_head != NO_SLOT) {
        slot = empty_head;
        empty_head = *kmap_entry(slot_guard(slot)) >> 1;
        *kmap_entry(slot_guard(slot)) = 0;
    } else if (fresh < kstack_limit()) {
        slot = fresh++;
    }
    spin_unlock(&kstack_lock);
    return slot;
}

static void put_empty(uint32_t slot)
{
    spin_lock(&kstack_lock);
    *kmap_entry(slot_guard(slot)) = empty_head << 1;
    empty_head = slot;
    spin_unlock(&kstack_lock);
}

static pte_t *slot_entry(uint32_t slot, unsigned page)
{
    return kmap_entry(slot_guard(slot) + (1 + page) * PAGE_SIZE);
}

static uint32_t take_cached(void)
{
    uint32_t slot;

    spin_lock(&kstack_lock);
    slot = cached_head;
    if (slot != NO_SLOT) {
        cached_head = *cached_link(slot);
        cached_count--;
    }
    spin_unlock(&kstack_lock);
    return slot;
}

uint32_t kstack_reuse(void)
{
    uint32_t slot = take_cached();

    return slot == NO_SLOT ? 0 : slot_top(slot);
}

uint32_t kstack_make(void *const pages[KSTACK_PAGES])
{
    uint32_t global = cpu_features & CPU_PGE ? PTE_G : 0;
    uint32_t slot = take_empty();

    if (slot == NO_SLOT)
        return 0;
    for (unsigned i = 0; i < KSTACK_PAGES; i++)
        *slot_entry(slot, i) = virt_to_phys(pages[i]) | PTE_P | PTE_W | global;
    return slot_top(slot);
}

static bool keep(uint32_t slot)
{
    bool kept;

    spin_lock(&kstack_lock);
    kept = cached_count < CACHE_MAX;
    if (kept) {
        *cached_link(slot) = cached_head;
        cached_head = slot;
        cached_count++;
    }
    spin_unlock(&kstack_lock);
    return kept;
}

static void take_apart(uint32_t slot, void *pages[KSTACK_PAGES])
{
    for (unsigned i = 0; i < KSTACK_PAGES; i++) {
        pages[i] = phys_to_virt(PTE_ADDR(mmu_exchange(slot_entry(slot, i), 0)));
        mmu_flush_page(kernel_pgdir, slot_guard(slot) + (1 + i) * PAGE_SIZE);
    }
    put_empty(slot);
}

bool kstack_put(uint32_t top, void *pages[KSTACK_PAGES])
{
    uint32_t slot = (top - KSTACK_BASE) / SLOT_SIZE - 1;

    if (keep(slot))
        return false;
    take_apart(slot, pages);
    return true;
}

bool kstack_drop_cached(void *pages[KSTACK_PAGES])
{
    uint32_t slot = take_cached();

    if (slot == NO_SLOT)
        return false;
    take_apart(slot, pages);
    return true;
}
