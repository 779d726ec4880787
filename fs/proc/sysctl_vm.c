/*
 * /proc/sys/vm: how freely memory is promised, and how finely a space may be divided.
 */
#include "arch/thread.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"

#define SWAPPINESS_MAX 200

static int show_number(struct text *t, uint32_t n)
{
    text_printf(t, "%u\n", n);
    return 0;
}

/* ---- Overcommit ---- */

static int show_overcommit_memory(struct text *t, const struct target *who)
{
    struct vm_overcommit o;

    (void)who;
    vm_overcommit_get(&o);
    return show_number(t, o.mode);
}

static int show_overcommit_ratio(struct text *t, const struct target *who)
{
    struct vm_overcommit o;

    (void)who;
    vm_overcommit_get(&o);
    return show_number(t, o.ratio);
}

static int show_overcommit_kbytes(struct text *t, const struct target *who)
{
    struct vm_overcommit o;

    (void)who;
    vm_overcommit_get(&o);
    return show_number(t, o.kbytes);
}

static int store_overcommit_memory(const char *text, size_t len, const struct target *who)
{
    struct vm_overcommit o;
    int err;

    (void)who;
    vm_overcommit_get(&o);
    err = sysctl_number(text, len, VM_OVERCOMMIT_NEVER, &o.mode);
    return err ? err : vm_overcommit_set(&o);
}

/* Setting one of the two takes the other back. */
static int store_overcommit_ratio(const char *text, size_t len, const struct target *who)
{
    struct vm_overcommit o;
    int err;

    (void)who;
    vm_overcommit_get(&o);
    err = sysctl_number(text, len, INT32_MAX, &o.ratio);
    o.kbytes = 0;
    return err ? err : vm_overcommit_set(&o);
}

static int store_overcommit_kbytes(const char *text, size_t len, const struct target *who)
{
    struct vm_overcommit o;
    int err;

    (void)who;
    vm_overcommit_get(&o);
    err = sysctl_number(text, len, UINT32_MAX, &o.kbytes);
    o.ratio = 0;
    return err ? err : vm_overcommit_set(&o);
}

/* ---- Areas ---- */

static int show_max_map_count(struct text *t, const struct target *who)
{
    (void)who;
    return show_number(t, vm_max_areas);
}

static int store_max_map_count(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, INT32_MAX, &vm_max_areas);
}

/* 1: pages, 2: kernel objects, 3: both, 4: no line in the log about it. */
static int store_drop_caches(const char *text, size_t len, const struct target *who)
{
    uint32_t what;
    int err = sysctl_number(text, len, 4, &what);

    (void)who;
    if (err || !what)
        return -EINVAL;
    vm_drop_caches();
    thread_drop_cached_stacks();
    return 0;
}

static int show_drop_caches(struct text *t, const struct target *who)
{
    (void)who;
    return show_number(t, 0);
}

static int show_mmap_min_addr(struct text *t, const struct target *who)
{
    (void)who;
    return show_number(t, USER_MIN);
}

/* Kept for those who set it: the clock looks at all frames alike. */
static uint32_t swappiness = 60;

static int show_swappiness(struct text *t, const struct target *who)
{
    (void)who;
    return show_number(t, swappiness);
}

static int store_swappiness(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, SWAPPINESS_MAX, &swappiness);
}

static int show_writeback(struct text *t, const struct target *who)
{
    (void)who;
    return show_number(t, flush_centisecs);
}

static int store_writeback(const char *text, size_t len, const struct target *who)
{
    (void)who;
    return sysctl_number(text, len, INT32_MAX, &flush_centisecs);
}

const struct proc_entry sysctl_vm_entries[] = {
    STORE_ENTRY("dirty_writeback_centisecs", 0644, show_writeback, store_writeback),
    STORE_ENTRY("drop_caches", 0200, show_drop_caches, store_drop_caches),
    STORE_ENTRY("max_map_count", 0644, show_max_map_count, store_max_map_count),
    FILE_ENTRY("mmap_min_addr", 0444, show_mmap_min_addr),
    STORE_ENTRY("overcommit_kbytes", 0644, show_overcommit_kbytes, store_overcommit_kbytes),
    STORE_ENTRY("overcommit_memory", 0644, show_overcommit_memory, store_overcommit_memory),
    STORE_ENTRY("overcommit_ratio", 0644, show_overcommit_ratio, store_overcommit_ratio),
    STORE_ENTRY("swappiness", 0644, show_swappiness, store_swappiness),
    {0},
};
