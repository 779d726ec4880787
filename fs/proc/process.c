/*
 * /proc/PID and /proc/PID/task/TID: the tables, and the small files in them.
 */
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

static int show_comm(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    char comm[COMM_LEN];

    if (!p)
        return -ESRCH;
    strlcpy(comm, p->comm, sizeof(comm));
    spin_unlock(&proc_lock);
    text_printf(t, "%s\n", comm);
    return 0;
}

static int store_comm(const char *text, size_t len, const struct target *who)
{
    struct proc *p = target_lock(who);
    int err = 0;

    if (!p)
        return -ESRCH;
    if (p != proc_current()) {
        err = -EINVAL;
    } else {
        len = len < COMM_LEN ? len : COMM_LEN - 1;
        memset(p->comm, 0, COMM_LEN);
        memcpy(p->comm, text, len);
        if (len && p->comm[len - 1] == '\n')
            p->comm[len - 1] = '\0';
    }
    spin_unlock(&proc_lock);
    return err;
}

static void limit_value(struct text *t, uint32_t v)
{
    if (v == UINT32_MAX)
        text_printf(t, "%-20s ", "unlimited");
    else
        text_printf(t, "%-20u ", v);
}

static int show_limits(struct text *t, const struct target *who)
{
    static const struct {
        const char *name, *unit;
    } limits[RLIM_NLIMITS] = {
        {"Max cpu time", "seconds"},     {"Max file size", "bytes"},
        {"Max data size", "bytes"},      {"Max stack size", "bytes"},
        {"Max core file size", "bytes"}, {"Max resident set", "bytes"},
        {"Max processes", "processes"},  {"Max open files", "files"},
        {"Max locked memory", "bytes"},  {"Max address space", "bytes"},
        {"Max file locks", "locks"},     {"Max pending signals", "signals"},
        {"Max msgqueue size", "bytes"},  {"Max nice priority", ""},
        {"Max realtime priority", ""},   {"Max realtime timeout", "us"},
    };
    struct rlimit32 values[RLIM_NLIMITS];
    struct proc *p = target_lock(who);

    if (!p)
        return -ESRCH;
    memcpy(values, p->rlimits, sizeof(values));
    spin_unlock(&proc_lock);
    text_printf(t, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
    for (unsigned i = 0; i < RLIM_NLIMITS; i++) {
        text_printf(t, "%-25s ", limits[i].name);
        limit_value(t, values[i].cur);
        limit_value(t, values[i].max);
        if (limits[i].unit[0])
            text_printf(t, "%-10s\n", limits[i].unit);
        else
            text_write(t, "\n", 1);
    }
    return 0;
}

/* With the children that were waited for. There is no storage to read from or write to. */
static int show_io(struct text *t, const struct target *who)
{
    struct rusage_counts u = {0};
    struct proc *p = target_lock(who);
    bool allowed;

    if (!p)
        return -ESRCH;
    allowed = proc_may_inspect(p, INSPECT_FS);
    if (who->tid && target_thread(who, p))
        thread_add_usage(&u, target_thread(who, p));
    else
        proc_usage(p, &u);
    if (!who->tid)
        usage_add(&u, &p->child_usage);
    spin_unlock(&proc_lock);
    if (!allowed)
        return -EACCES;
    text_printf(t, "rchar: %llu\nwchar: %llu\nsyscr: %u\nsyscw: %u\n",
                (unsigned long long)u.read_bytes, (unsigned long long)u.written_bytes, u.read_calls,
                u.write_calls);
    text_printf(t, "read_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n");
    return 0;
}

/* Which memory its core will hold: man 5 core. */
static int show_core_filter(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    uint32_t filter;
    bool has_space;

    if (!p)
        return -ESRCH;
    filter = p->core_filter;
    has_space = p->space != NULL;
    spin_unlock(&proc_lock);
    if (has_space)
        text_printf(t, "%08x\n", (unsigned)filter);
    return 0;
}

static int store_core_filter(const char *text, size_t len, const struct target *who)
{
    struct proc *p;
    char *end;
    uint32_t filter = (uint32_t)strtoul(text, &end, 0);

    if (end == text || (*end && *end != '\n') || len == 0)
        return -EINVAL;
    p = target_lock(who);
    if (!p)
        return -ESRCH;
    p->core_filter = filter & CORE_FILTER_ALL;
    spin_unlock(&proc_lock);
    return 0;
}

static int show_cgroup(struct text *t, const struct target *who)
{
    (void)who;
    text_write(t, "0::/\n", 5);
    return 0;
}

#define MOUNTS_ENTRY(n, fn)                                                                        \
    {                                                                                              \
        .name = (n), .kind = ENTRY_FILE, .mode = 0444, .show = (fn), .changes = &mount_changes,    \
        .changed = &mount_changed                                                                  \
    }
#define COMMON_ENTRIES                                                                             \
    DIR_ENTRY("attr", 0555, attr_entries), GUARDED_ENTRY("auxv", 0400, show_auxv),                 \
        FILE_ENTRY("cgroup", 0444, show_cgroup),                                                   \
        STORE_ENTRY("clear_refs", 0200, NULL, store_clear_refs),                                   \
        FILE_ENTRY("cmdline", 0444, show_cmdline),                                                 \
        STORE_ENTRY("coredump_filter", 0644, show_core_filter, store_core_filter),                 \
        STORE_ENTRY("comm", 0644, show_comm, store_comm), PLACE_ENTRY("cwd", place_cwd),           \
        GUARDED_ENTRY("environ", 0400, show_environ), PLACE_ENTRY("exe", place_exe),               \
        {.name = "fd", .kind = ENTRY_FDS, .mode = 0500},                                           \
        {.name = "fdinfo", .kind = ENTRY_FDINFO, .mode = 0555},                                    \
        STORE_ENTRY("gid_map", 0644, show_id_map, store_id_map), FILE_ENTRY("io", 0400, show_io),  \
        FILE_ENTRY("limits", 0444, show_limits),                                                   \
        STORE_ENTRY("loginuid", 0644, show_loginuid, store_loginuid),                              \
        GUARDED_ENTRY("maps", 0444, show_maps),                                                    \
        {.name = "mem", .kind = ENTRY_FILE, .mode = 0600, .fops = &process_mem_ops},               \
        MOUNTS_ENTRY("mountinfo", show_mountinfo), MOUNTS_ENTRY("mounts", show_mounts),            \
        DIR_ENTRY("net", 0555, net_entries), DIR_ENTRY("ns", 0511, ns_entries),                    \
        STORE_ENTRY("oom_adj", 0644, show_oom_adj, store_oom_adj),                                 \
        FILE_ENTRY("oom_score", 0444, show_oom_score),                                             \
        STORE_ENTRY("oom_score_adj", 0644, show_oom_score_adj, store_oom_score_adj),               \
        {.name = "pagemap", .kind = ENTRY_FILE, .mode = 0400, .fops = &pagemap_ops},               \
        {.name = "pagedir", .kind = ENTRY_FILE, .mode = 0400, .fops = &pagedir_ops},               \
        {.name = "pagetable", .kind = ENTRY_FILE, .mode = 0400, .fops = &pagetable_ops},           \
        GUARDED_ENTRY("personality", 0400, show_personality),                                      \
        STORE_ENTRY("projid_map", 0644, show_id_map, store_id_map),                                \
        PLACE_ENTRY("root", place_root), FILE_ENTRY("sched", 0444, show_sched),                    \
        FILE_ENTRY("schedstat", 0444, show_schedstat),                                             \
        FILE_ENTRY("sessionid", 0444, show_sessionid),                                             \
        STORE_ENTRY("setgroups", 0644, show_setgroups, store_setgroups),                           \
        GUARDED_ENTRY("smaps", 0444, show_smaps),                                                  \
        GUARDED_ENTRY("smaps_rollup", 0444, show_smaps_rollup),                                    \
        FILE_ENTRY("stat", 0444, show_stat), FILE_ENTRY("statm", 0444, show_statm),                \
        FILE_ENTRY("stack", 0400, show_stack), FILE_ENTRY("status", 0444, show_status),            \
        FILE_ENTRY("syscall", 0400, show_syscall),                                                 \
        STORE_ENTRY("uid_map", 0644, show_id_map, store_id_map),                                   \
        FILE_ENTRY("wchan", 0444, show_wchan)

const struct proc_entry process_entries[] = {
    COMMON_ENTRIES,
    {.name = "map_files", .kind = ENTRY_MAPS, .mode = 0500},
    FILE_ENTRY("mountstats", 0400, show_mountstats),
    {.name = "task", .kind = ENTRY_TASKS, .mode = 0555},
    FILE_ENTRY("timers", 0444, show_timers),
    STORE_ENTRY("timerslack_ns", 0666, show_timer_slack, store_timer_slack),
    {0},
};

const struct proc_entry thread_entries[] = {
    COMMON_ENTRIES,
    FILE_ENTRY("children", 0444, show_children),
    {0},
};
