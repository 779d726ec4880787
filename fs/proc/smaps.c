/*
 * /proc/PID/smaps, smaps_rollup and clear_refs: what each area of a space has in memory, counted
 * from the page tables when it is read.
 */
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/see.h"
#include "mm/served/served.h"

#define KIB(pages)      ((pages) * (PAGE_SIZE / 1024))
#define PSS_KIB(pss)    ((uint32_t)((pss) >> (VM_PSS_SHIFT + 10)))
#define CLEAR_SOFTDIRTY 4 /* nothing is kept for it, as on a 32-bit Linux */
#define CLEAR_PEAK      5

static void row(struct text *t, const char *name, uint32_t kib)
{
    text_printf(t, "%-16s%8u kB\n", name, kib);
}

static void show_figures(struct text *t, const struct vm_range_stats *r, uint32_t locked_kib,
                         bool rollup)
{
    row(t, "Rss:", KIB(r->resident));
    row(t, "Pss:", PSS_KIB(r->pss));
    row(t, "Pss_Dirty:", PSS_KIB(r->pss_dirty));
    if (rollup) {
        row(t, "Pss_Anon:", PSS_KIB(r->pss_anon));
        row(t, "Pss_File:", PSS_KIB(r->pss - r->pss_anon - r->pss_shmem));
        row(t, "Pss_Shmem:", PSS_KIB(r->pss_shmem));
    }
    row(t, "Shared_Clean:", KIB(r->shared_clean));
    row(t, "Shared_Dirty:", KIB(r->shared_dirty));
    row(t, "Private_Clean:", KIB(r->private_clean));
    row(t, "Private_Dirty:", KIB(r->private_dirty));
    row(t, "Referenced:", KIB(r->referenced));
    row(t, "Anonymous:", KIB(r->anonymous));
    row(t, "LazyFree:", KIB(r->lazy));
    row(t, "AnonHugePages:", 0);
    row(t, "ShmemPmdMapped:", 0);
    row(t, "FilePmdMapped:", 0);
    row(t, "Shared_Hugetlb:", 0);
    row(t, "Private_Hugetlb:", 0);
    row(t, "Swap:", KIB(r->swap));
    row(t, "SwapPss:", PSS_KIB(r->swap_pss));
    row(t, "Locked:", locked_kib);
}

/* The flags in Linux's order and names. */
static void show_flags(struct text *t, const struct vm_area_info *a)
{
    bool shared = a->flags & VM_SHARED;
    bool accounted = (a->prot & VM_PROT_WRITE) && !(a->flags & (VM_SHARED | VM_NORESERVE));
    const struct {
        bool on;
        const char *name;
    } flags[] = {
        {a->prot & VM_PROT_READ, "rd"},
        {a->prot & VM_PROT_WRITE, "wr"},
        {a->prot & VM_PROT_EXEC, "ex"},
        {shared && (a->maxprot & VM_PROT_WRITE), "sh"},
        {a->maxprot & VM_PROT_READ, "mr"},
        {a->maxprot & VM_PROT_WRITE, "mw"},
        {a->maxprot & VM_PROT_EXEC, "me"},
        {shared, "ms"},
        {a->flags & VM_GROWSDOWN, "gd"},
        {a->served & VM_SERVE_MISSING, "um"},
        {a->served & VM_SERVE_WRITES, "uw"},
        {a->flags & VM_LOCKED, "lo"},
        {a->flags & VM_SEQUENTIAL, "sr"},
        {a->flags & VM_RANDOM, "rr"},
        {a->flags & VM_DONTFORK, "dc"},
        {a->flags & VM_LOCKONFAULT, "lf"},
        {accounted, "ac"},
        {a->flags & VM_NORESERVE, "nr"},
        {a->flags & VM_WIPEONFORK, "wf"},
        {a->flags & VM_DONTDUMP, "dd"},
    };

    text_printf(t, "VmFlags: ");
    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (flags[i].on)
            text_printf(t, "%s ", flags[i].name);
    text_write(t, "\n", 1);
}

static uint32_t locked_kib(const struct vm_area_info *a, const struct vm_range_stats *r)
{
    return (a->flags & VM_LOCKED) ? PSS_KIB(r->pss) : 0;
}

int show_smaps(struct text *t, const struct target *who)
{
    int err;
    struct vm_space *s = target_space(who, true, &err);
    struct vm_area_info a;

    if (!s)
        return err;
    for (vaddr_t at = 0; !t->failed && vm_next_area(s, at, &a); at = a.end) {
        struct vm_range_stats r = {0};

        vm_range_stats(s, a.start, a.end, &r);
        show_area(t, &a);
        row(t, "Size:", (a.end - a.start) / 1024);
        row(t, "KernelPageSize:", PAGE_SIZE / 1024);
        row(t, "MMUPageSize:", PAGE_SIZE / 1024);
        show_figures(t, &r, locked_kib(&a, &r), false);
        text_printf(t, "THPeligible:    0\n");
        show_flags(t, &a);
        sched_point();
    }
    vm_space_unref(s);
    return 0;
}

int show_smaps_rollup(struct text *t, const struct target *who)
{
    int err;
    struct vm_space *s = target_space(who, true, &err);
    struct vm_range_stats all = {0};
    struct vm_area_info a, whole = {.name = "[rollup]"};
    uint64_t locked = 0;

    if (!s)
        return err ? err : -ESRCH;
    for (vaddr_t at = 0; vm_next_area(s, at, &a); at = a.end) {
        uint64_t before = all.pss;

        if (!whole.end)
            whole.start = a.start;
        whole.end = a.end;
        vm_range_stats(s, a.start, a.end, &all);
        if ((a.flags & VM_LOCKED))
            locked += all.pss - before;
        sched_point();
    }
    vm_space_unref(s);
    show_area(t, &whole);
    show_figures(t, &all, PSS_KIB(locked), true);
    return 0;
}

int store_clear_refs(const char *text, size_t len, const struct target *who)
{
    char *end;
    unsigned long which = strtoul(text, &end, 10);
    struct vm_space *s;
    int err;

    if (len == 0 || end == text || which < VM_CLEAR_ALL || which > CLEAR_PEAK)
        return -EINVAL;
    s = target_space(who, true, &err);
    if (!s)
        return err;
    if (which == CLEAR_PEAK)
        vm_reset_peak(s);
    else if (which != CLEAR_SOFTDIRTY)
        vm_clear_referenced(s, (int)which);
    vm_space_unref(s);
    return 0;
}
