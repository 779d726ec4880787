/*
 * /proc/sys/vm: how freely memory is promised, how finely a space may be divided, how much may
 * be dirty.
 */
#include "arch/thread.h"
#include "fs/proc/procfs.h"
#include "fs/vfs/limits.h"
#include "kernel/machine/random.h"
#include "libc/errno.h"
#include "mm/dirty.h"

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

SYSCTL_WORD(static, max_map_count, vm_max_areas, 0, INT32_MAX)

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

SYSCTL_WORD(static, legacy_va_layout, legacy_va_layout, 0, INT32_MAX)
SYSCTL_WORD(static, swappiness, swappiness, 0, SWAPPINESS_MAX)

/* ---- Dirty pages ---- */

#define DIRTY_BYTES_MIN (2 * PAGE_SIZE)

#define DIRTY_SETTING(field)                                                                       \
    static int show_dirty_##field(struct text *t, const struct target *who)                        \
    {                                                                                              \
        struct vm_dirty_settings s;                                                                \
                                                                                                   \
        (void)who;                                                                                 \
        vm_dirty_get(&s);                                                                          \
        return show_number(t, s.field);                                                            \
    }                                                                                              \
                                                                                                   \
    static int store_dirty_##field(const char *text, size_t len, const struct target *who)         \
    {                                                                                              \
        struct vm_dirty_settings s;                                                                \
        uint32_t n;                                                                                \
        int err;                                                                                   \
                                                                                                   \
        (void)who;                                                                                 \
        err = sysctl_number(text, len, UINT32_MAX, &n);                                            \
        vm_dirty_get(&s);                                                                          \
        return err || !change_##field(&s, n) ? -EINVAL : (vm_dirty_set(&s), 0);                    \
    }

/* Of ratio and bytes, setting one takes the other back: of the limits' pair if that is a change, as
 * on Linux. False: out of range. */
static bool change_background_ratio(struct vm_dirty_settings *s, uint32_t n)
{
    s->background_ratio = n;
    s->background_bytes = 0;
    return n <= 100;
}

static bool change_background_bytes(struct vm_dirty_settings *s, uint32_t n)
{
    s->background_bytes = n;
    s->background_ratio = 0;
    return n > 0;
}

static bool change_ratio(struct vm_dirty_settings *s, uint32_t n)
{
    if (s->ratio != n)
        s->bytes = 0;
    s->ratio = n;
    return n <= 100;
}

static bool change_bytes(struct vm_dirty_settings *s, uint32_t n)
{
    if (s->bytes != n)
        s->ratio = 0;
    s->bytes = n;
    return n >= DIRTY_BYTES_MIN;
}

static bool change_expire_centisecs(struct vm_dirty_settings *s, uint32_t n)
{
    s->expire_centisecs = n;
    return n <= INT32_MAX;
}

static bool change_turn_centisecs(struct vm_dirty_settings *s, uint32_t n)
{
    s->turn_centisecs = n;
    return n <= INT32_MAX;
}

DIRTY_SETTING(background_ratio)
DIRTY_SETTING(background_bytes)
DIRTY_SETTING(ratio)
DIRTY_SETTING(bytes)
DIRTY_SETTING(expire_centisecs)
DIRTY_SETTING(turn_centisecs)

SYSCTL_WORD(static, unprivileged, unprivileged_userfaultfd, 0, 1)

const struct proc_entry sysctl_vm_entries[] = {
    STORE_ENTRY("dirty_background_bytes", 0644, show_dirty_background_bytes,
                store_dirty_background_bytes),
    STORE_ENTRY("dirty_background_ratio", 0644, show_dirty_background_ratio,
                store_dirty_background_ratio),
    STORE_ENTRY("dirty_bytes", 0644, show_dirty_bytes, store_dirty_bytes),
    STORE_ENTRY("dirty_expire_centisecs", 0644, show_dirty_expire_centisecs,
                store_dirty_expire_centisecs),
    STORE_ENTRY("dirty_ratio", 0644, show_dirty_ratio, store_dirty_ratio),
    STORE_ENTRY("dirty_writeback_centisecs", 0644, show_dirty_turn_centisecs,
                store_dirty_turn_centisecs),
    STORE_ENTRY("drop_caches", 0200, show_drop_caches, store_drop_caches),
    STORE_ENTRY("legacy_va_layout", 0644, show_legacy_va_layout, store_legacy_va_layout),
    STORE_ENTRY("max_map_count", 0644, show_max_map_count, store_max_map_count),
    FILE_ENTRY("mmap_min_addr", 0444, show_mmap_min_addr),
    STORE_ENTRY("overcommit_kbytes", 0644, show_overcommit_kbytes, store_overcommit_kbytes),
    STORE_ENTRY("overcommit_memory", 0644, show_overcommit_memory, store_overcommit_memory),
    STORE_ENTRY("overcommit_ratio", 0644, show_overcommit_ratio, store_overcommit_ratio),
    STORE_ENTRY("swappiness", 0644, show_swappiness, store_swappiness),
    STORE_ENTRY("unprivileged_userfaultfd", 0644, show_unprivileged, store_unprivileged),
    {0},
};
