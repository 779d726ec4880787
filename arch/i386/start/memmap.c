/*
 * Which physical memory the kernel may use: the boot loader's map without everything that is
 * occupied. Where RAM and something reserved overlap, it is reserved.
 *
 * ranges[] is sorted, disjoint and page-aligned from memmap_parse() on.
 */
#include "arch/i386/i386.h"
#include "arch/i386/start/handover.h"
#include "arch/resource.h"
#include "kernel/base/boot.h"
#include "libc/printf.h"
#include "libc/string.h"

#define MAX_RANGES 256u
#define MM_RANGES  32u      /* as many as mm_init() takes */
#define LOW_END    0x9f000u /* below it is RAM, unless the extended BIOS data starts earlier */
#define HIGH_START 0x100000u
#define BDA_EBDA   0x40eu /* real-mode segment of the extended BIOS data area */

static struct mem_range ranges[MAX_RANGES];
static unsigned nranges;
static paddr_t top;

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Inserts [start, end) in order; what does not fit any more is lost. */
static void add_range(paddr_t start, paddr_t end)
{
    unsigned i = nranges;

    if (start >= end || nranges == MAX_RANGES)
        return;
    for (; i > 0 && ranges[i - 1].start > start; i--)
        ranges[i] = ranges[i - 1];
    ranges[i] = (struct mem_range){start, end};
    nranges++;
}

static void drop_range(unsigned i)
{
    nranges--;
    memmove(&ranges[i], &ranges[i + 1], (nranges - i) * sizeof(ranges[0]));
}

static void merge_ranges(void)
{
    for (unsigned i = 0; i + 1 < nranges;) {
        if (ranges[i + 1].start > ranges[i].end) {
            i++;
            continue;
        }
        if (ranges[i + 1].end > ranges[i].end)
            ranges[i].end = ranges[i + 1].end;
        drop_range(i + 1);
    }
}

/* Takes the pages of [start, end) out of every range. */
static void cut(uint64_t start64, uint64_t end64)
{
    paddr_t start = (paddr_t)min64(start64, PHYS_WINDOW_SIZE) & PAGE_MASK;
    paddr_t end = (paddr_t)(min64(end64, PHYS_WINDOW_SIZE) + PAGE_SIZE - 1) & PAGE_MASK;

    if (start64 >= end64)
        return;
    for (unsigned i = 0; i < nranges;) {
        struct mem_range r = ranges[i];
        if (r.end <= start || r.start >= end) {
            i++;
            continue;
        }
        drop_range(i);
        add_range(r.start, r.start < start ? start : r.start);
        add_range(end, r.end);
    }
}

static void align_ranges(void)
{
    for (unsigned i = 0; i < nranges;) {
        paddr_t start = (ranges[i].start + PAGE_SIZE - 1) & PAGE_MASK;
        paddr_t end = ranges[i].end & PAGE_MASK;
        if (start >= end) {
            drop_range(i);
            continue;
        }
        ranges[i++] = (struct mem_range){start, end};
    }
}

static void add_ram(uint64_t start, uint64_t len, uint64_t limit)
{
    uint64_t end = start + len;
    uint64_t used_end = min64(end, limit);
    uint64_t unused = start < used_end ? end - used_end : len;

    boot_info.ram_unused_kib +=
        (uint32_t)min64(unused >> 10, UINT32_MAX - boot_info.ram_unused_kib);
    if (start < used_end)
        add_range((paddr_t)start, (paddr_t)used_end);
}

static void add_all_ram(const struct handover *h, uint64_t limit)
{
    for (unsigned i = 0; i < h->nmemory; i++)
        if (h->memory[i].type == HANDOVER_RAM)
            add_ram(h->memory[i].addr, h->memory[i].len, limit);
}

static void cut_reserved(const struct handover *h)
{
    for (unsigned i = 0; i < h->nmemory; i++)
        if (h->memory[i].type != HANDOVER_RAM)
            cut(h->memory[i].addr, h->memory[i].addr + h->memory[i].len);
}

static uint32_t ranges_kib(void)
{
    uint32_t kib = 0;

    for (unsigned i = 0; i < nranges; i++)
        kib += (ranges[i].end - ranges[i].start) >> 10;
    return kib;
}

/* "mem=64M": RAM is used up to that address. */
static uint64_t memory_limit(void)
{
    char buf[24];
    char *end;
    uint64_t v;

    if (!boot_option("mem", buf, sizeof(buf)))
        return PHYS_WINDOW_SIZE;
    v = strtoul(buf, &end, 0);
    if (*end == 'k' || *end == 'K')
        v <<= 10;
    else if (*end == 'm' || *end == 'M')
        v <<= 20;
    else if (*end == 'g' || *end == 'G')
        v <<= 30;
    return v ? min64(v, PHYS_WINDOW_SIZE) : PHYS_WINDOW_SIZE;
}

static void cut_low_memory(void)
{
    uint32_t ebda = (uint32_t) * (volatile uint16_t *)phys_to_virt(BDA_EBDA) << 4;
    uint32_t low_end = ebda >= 0x80000 && ebda < LOW_END ? ebda : LOW_END;

    cut(0, PAGE_SIZE); /* interrupt vectors and BIOS data */
    cut(low_end, HIGH_START);
}

static void cut_occupied(const struct handover *h)
{
    cut_low_memory();
    cut(HIGH_START, virt_to_phys(kernel_end));
    for (unsigned i = 0; i < h->nmodules; i++)
        cut(h->modules[i].start, h->modules[i].end);
}

static void find_top(const struct handover *h)
{
    top = nranges ? ranges[nranges - 1].end : 0;
    for (unsigned i = 0; i < h->nmodules; i++)
        if (h->modules[i].end > top && h->modules[i].end <= PHYS_WINDOW_SIZE)
            top = h->modules[i].end;
}

/* For /proc/iomem. */
static void tell_ram(void)
{
    for (unsigned i = 0; i < nranges && i < MM_RANGES; i++)
        resource_add(RESOURCE_MEMORY, ranges[i].start, ranges[i].end - 1, "System RAM");
}

void memmap_parse(const struct handover *h)
{
    nranges = 0;
    boot_info.ram_unused_kib = 0;
    add_all_ram(h, memory_limit());
    merge_ranges();
    align_ranges();
    tell_ram();
    boot_info.ram_total_kib = ranges_kib() + boot_info.ram_unused_kib;
    cut_reserved(h);
    cut_occupied(h);
    find_top(h);
}

bool memmap_is_ram(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < nranges; i++)
        if (start < ranges[i].end && end > ranges[i].start)
            return true;
    return start < virt_to_phys(kernel_end);
}

paddr_t memmap_top(void)
{
    return top;
}

paddr_t memmap_take_frame(paddr_t limit)
{
    paddr_t pa;

    if (nranges == 0 || ranges[0].start >= limit)
        return 0;
    pa = ranges[0].start;
    ranges[0].start += PAGE_SIZE;
    if (ranges[0].start == ranges[0].end)
        drop_range(0);
    return pa;
}

static void drop_smallest(void)
{
    unsigned least = 0;

    for (unsigned i = 1; i < nranges; i++)
        if (ranges[i].end - ranges[i].start < ranges[least].end - ranges[least].start)
            least = i;
    drop_range(least);
}

void memmap_hand_over(paddr_t mapped)
{
    cut(mapped, PHYS_WINDOW_SIZE);
    while (nranges > MM_RANGES)
        drop_smallest();
    boot_info.memory = ranges;
    boot_info.nmemory = nranges;
}
