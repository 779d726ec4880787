/*
 * The files of /proc that are about the machine as a whole, and the table of its root.
 */
#include "arch/processors.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "fs/block/file.h"
#include "fs/dev/syslog.h"
#include "fs/proc/procfs.h"
#include "mm/swap.h"
#include "fs/ram/ramfs.h"
#include "kernel/base/boot.h"
#include "kernel/thread/load.h"
#include "kernel/thread/runqueue.h"
#include "kernel/thread/stall.h"
#include "kernel/base/log.h"
#include "kernel/time/time.h"
#include "kernel/base/version.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/dirty.h"
#include "mm/see.h"

#define IRQ_LINES 16
#define MAJORS    256
#define KIB(n)    ((n) * (PAGE_SIZE / 1024))

/* ---- Memory ---- */

static void memory_row(struct text *t, const char *name, uint32_t pages)
{
    text_printf(t, "%-16s%8u kB\n", name, KIB(pages));
}

static int show_meminfo(struct text *t, const struct target *who)
{
    struct vm_swap_stats swap;
    struct vm_dirty_stats dirty;
    struct frame_census census;
    struct vm_overcommit commit;
    struct mem_stats m;
    uint32_t shared; /* in no file that could be read again */

    (void)who;
    vm_swap_stats(&swap);
    vm_dirty_stats(&dirty);
    mm_stats(&m);
    vm_frame_census(&census);
    vm_overcommit_get(&commit);
    shared = m.cached_shmem + ramfs_total_pages();
    if (shared > m.cached)
        shared = m.cached;
    memory_row(t, "MemTotal:", m.total);
    memory_row(t, "MemFree:", m.free);
    memory_row(t, "MemAvailable:", m.free + m.cached - shared);
    memory_row(t, "Buffers:", 0);
    memory_row(t, "Cached:", m.cached);
    memory_row(t, "SwapCached:", swap.cached);
    memory_row(t, "Active:", census.active_anon + census.active_file);
    memory_row(t, "Inactive:", census.inactive_anon + census.inactive_file);
    memory_row(t, "Active(anon):", census.active_anon);
    memory_row(t, "Inactive(anon):", census.inactive_anon);
    memory_row(t, "Active(file):", census.active_file);
    memory_row(t, "Inactive(file):", census.inactive_file);
    memory_row(t, "Unevictable:", census.locked + census.kept);
    memory_row(t, "Mlocked:", census.locked);
    memory_row(t, "SwapTotal:", swap.total);
    memory_row(t, "SwapFree:", swap.total - swap.used);
    memory_row(t, "Dirty:", dirty.dirty);
    memory_row(t, "Writeback:", dirty.writing);
    memory_row(t, "AnonPages:", m.anon);
    memory_row(t, "Mapped:", census.mapped_file);
    memory_row(t, "Shmem:", shared);
    memory_row(t, "Slab:", m.slab);
    memory_row(t, "SReclaimable:", 0);
    memory_row(t, "SUnreclaim:", m.slab);
    memory_row(t, "KernelStack:", proc_count_threads() * (KSTACK_SIZE / PAGE_SIZE));
    memory_row(t, "PageTables:", m.tables);
    memory_row(t, "CommitLimit:", commit.limit);
    memory_row(t, "Committed_AS:", commit.committed);
    return 0;
}

/* For tests: audits mm/ and tells what it found; a debug kernel, which nobody works on, as a whole.
 */
static int show_mm_check(struct text *t, const struct target *who)
{
    struct mem_stats m;
    bool sums = true;
#ifdef CONFIG_DEBUG
    int violations = mm_check();
#else
    int violations = mm_check_steps(&sums);
#endif

    (void)who;
    mm_stats(&m);
    text_printf(t, "violations %d\nsums %s\n", violations, sums ? "compared" : "not compared");
    text_printf(t,
                "total %u\nfree %u\nkernel %u\nslab %u\ntables %u\nanon %u\ncached %u\nshmem %u\n",
                m.total, m.free, m.kernel, m.slab, m.tables, m.anon, m.cached, m.cached_shmem);
    return 0;
}

static int show_partitions(struct text *t, const struct target *who)
{
    (void)who;
    block_show_partitions(t);
    return 0;
}

static int show_diskstats(struct text *t, const struct target *who)
{
    (void)who;
    block_show_diskstats(t);
    return 0;
}

static int show_swaps(struct text *t, const struct target *who)
{
    struct vm_swap_info info;

    (void)who;
    text_printf(t, "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    for (unsigned n = 0; vm_swap_info(n, &info); n++) {
        unsigned length = text_escape(t, info.device->name, " \t\n");

        text_printf(t, "%*s%s\t%u\t%s%u\t%s%d\n", length < 40 ? 40 - length : 1, "",
                    info.device->type, info.slots * (PAGE_SIZE / 1024),
                    info.slots < 2500000 ? "\t" : "", info.used * (PAGE_SIZE / 1024),
                    info.used < 2500000 ? "\t" : "", info.priority);
    }
    return 0;
}

static int show_memory_pressure(struct text *t, const struct target *who)
{
    static const char *const kind[] = {[STALL_SOME] = "some", [STALL_FULL] = "full"};
    static const unsigned seconds[] = {10, 60, 300};
    struct stall_figures f[STALL_KINDS];

    (void)who;
    stall_figures(f);
    for (unsigned k = 0; k < STALL_KINDS; k++) {
        text_printf(t, "%s", kind[k]);
        for (unsigned i = 0; i < 3; i++)
            text_printf(t, " avg%u=%u.%02u", seconds[i], f[k].average[i] >> STALL_SHIFT,
                        (f[k].average[i] & ((1u << STALL_SHIFT) - 1)) * 100 >> STALL_SHIFT);
        text_printf(t, " total=%llu\n", (unsigned long long)(f[k].total_ns / 1000));
    }
    return 0;
}

static const struct proc_entry pressure_entries[] = {
    FILE_ENTRY("memory", 0444, show_memory_pressure),
    {0},
};

/* ---- Time and load ---- */

static int show_uptime(struct text *t, const struct target *who)
{
    uint64_t up = time_mono_ns() / (NSEC_PER_SEC / 100), ticks[CPU_USES];
    uint32_t idle;

    (void)who;
    load_times(ticks);
    idle = (uint32_t)(ticks[CPU_IDLE] * 100 / HZ);
    text_printf(t, "%u.%02u %u.%02u\n", (uint32_t)(up / 100), (uint32_t)(up % 100), idle / 100,
                idle % 100);
    return 0;
}

static int show_loadavg(struct text *t, const struct target *who)
{
    uint32_t average[3];

    (void)who;
    load_average(average);
    for (int i = 0; i < 3; i++) {
        uint32_t a = average[i] + (1 << LOAD_SHIFT) / 200; /* rounded to hundredths */

        text_printf(t, "%u.%02u ", a >> LOAD_SHIFT,
                    ((a & ((1 << LOAD_SHIFT) - 1)) * 100) >> LOAD_SHIFT);
    }
    text_printf(t, "%u/%u %d\n", sched_runnable(), proc_count_threads(), proc_last_pid());
    return 0;
}

static void cpu_row(struct text *t, const char *name, const uint64_t ticks[CPU_USES])
{
    text_printf(t, "%s %llu %llu %llu %llu 0 0 0 0 0 0\n", name,
                (unsigned long long)ticks[CPU_USER], (unsigned long long)ticks[CPU_NICE],
                (unsigned long long)ticks[CPU_SYSTEM], (unsigned long long)ticks[CPU_IDLE]);
}

static const char *irq_name(unsigned irq)
{
    switch (irq) {
    case 0:
        return "timer";
    case 1:
    case 12:
        return "i8042";
    case 4:
        return "ttyS0";
    case 8:
        return "rtc0";
    default:
        return "device";
    }
}

/* One line of what processors send each other; where: in struct cpu. */
static void sent_row(struct text *t, const char *name, size_t where, const char *what)
{
    text_printf(t, "%3s:", name);
    for (unsigned cpu = 0; cpu < cpus_online; cpu++)
        text_printf(t, " %10u", *(uint32_t *)((char *)cpu_get(cpu) + where));
    text_printf(t, "   %s\n", what);
}

/* The lines of devices all go to the first processor. */
static void line_row(struct text *t, unsigned irq, uint32_t count)
{
    text_printf(t, "%3u: %10u", irq, count);
    for (unsigned cpu = 1; cpu < cpus_online; cpu++)
        text_printf(t, " %10u", 0u);
    text_printf(t, "  %8s  %2u-%-8s  %s\n", irq_chip(irq), irq, "edge", irq_name(irq));
}

static int show_interrupts(struct text *t, const struct target *who)
{
    uint32_t count;

    (void)who;
    text_printf(t, "    ");
    for (unsigned cpu = 0; cpu < cpus_online; cpu++)
        text_printf(t, "       CPU%-2u", cpu);
    text_printf(t, "\n");
    for (unsigned irq = 0; irq < IRQ_LINES; irq++)
        if (irq_count(irq, &count))
            line_row(t, irq, count);
    if (cpus_online > 1) {
        sent_row(t, "LOC", offsetof(struct cpu, ticks), "Ticks passed on");
        sent_row(t, "RES", offsetof(struct cpu, kicks), "Rescheduling interrupts");
        sent_row(t, "TLB", offsetof(struct cpu, shootdowns), "TLB shootdowns");
    }
    return 0;
}

/* The sum first, then each line. */
static void intr_row(struct text *t)
{
    uint32_t counts[IRQ_LINES] = {0};
    uint64_t sum = 0;

    for (unsigned irq = 0; irq < IRQ_LINES; irq++) {
        irq_count(irq, &counts[irq]);
        sum += counts[irq];
    }
    text_printf(t, "intr %llu", (unsigned long long)sum);
    for (unsigned irq = 0; irq < IRQ_LINES; irq++)
        text_printf(t, " %u", counts[irq]);
    text_write(t, "\n", 1);
}

static int show_system_stat(struct text *t, const struct target *who)
{
    uint64_t ticks[CPU_USES];
    uint64_t up = time_mono_ns();
    char name[16];

    (void)who;
    load_times(ticks);
    cpu_row(t, "cpu ", ticks);
    for (unsigned cpu = 0; cpu < cpus_online; cpu++) {
        snprintf(name, sizeof(name), "cpu%u", cpu);
        load_times_of(cpu, ticks);
        cpu_row(t, name, ticks);
    }
    intr_row(t);
    text_printf(t, "ctxt %llu\nbtime %u\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n",
                (unsigned long long)sched_switches(),
                (uint32_t)((time_real_ns() - up) / NSEC_PER_SEC), proc_last_pid(),
                sched_runnable());
    return 0;
}

/* [Linux's Documentation/scheduler/sched-stats.rst, version 15]; its second figure is always 0. */
static int show_all_schedstat(struct text *t, const struct target *who)
{
    struct sched_counts n;
    uint64_t busy;

    (void)who;
    text_printf(t, "version 15\ntimestamp %u\n", (uint32_t)(time_mono_ns() / NSEC_PER_TICK));
    for (unsigned cpu = 0; cpu < cpus_online; cpu++) {
        sched_counts_of(cpu, &n, &busy);
        text_printf(t, "cpu%u %u 0 %u %u %u %u %llu %llu %u\n", cpu, n.yields, (uint32_t)n.switches,
                    n.to_idle, n.wakes, n.wakes - n.wakes_away, (unsigned long long)busy,
                    (unsigned long long)n.waited, (uint32_t)n.switches - n.to_idle);
    }
    return 0;
}

/* ---- What the machine is ---- */

static int show_version(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%s version %s (gcc %s) %s\n", UTS_SYSNAME, UTS_RELEASE, __VERSION__,
                UTS_VERSION);
    return 0;
}

static int show_cpuinfo(struct text *t, const struct target *who)
{
    char *page = kalloc();
    int n;

    (void)who;
    if (!page)
        return -ENOMEM;
    for (unsigned cpu = 0; cpu < cpus_online; cpu++) {
        n = cpu_describe(cpu, page, PAGE_SIZE);
        if (n > 0)
            text_write(t, page, (size_t)n < PAGE_SIZE ? (size_t)n : PAGE_SIZE - 1);
    }
    kfree(page);
    return 0;
}

static int show_boot_cmdline(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%s\n", boot_info.cmdline);
    return 0;
}

static int show_filesystems(struct text *t, const struct target *who)
{
    (void)who;
    for (const struct fs_type *f = fs_types; f; f = f->next)
        if (strcmp(f->name, "rootfs") != 0) /* nobody can mount it */
            text_printf(t, "%s\t%s\n", f->nodev ? "nodev" : "", f->name);
    return 0;
}

/* The names of a major number, each on a line of its own. */
static void show_chrdevs(struct text *t, uint32_t major, const char *names)
{
    for (const char *end; names && *names; names = *end ? end + 1 : end) {
        end = strchr(names, ' ');
        end = end ? end : names + strlen(names);
        text_printf(t, "%3u %.*s\n", major, (int)(end - names), names);
    }
}

static int show_devices(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "Character devices:\n");
    for (uint32_t major = 0; major < MAJORS; major++)
        show_chrdevs(t, major, chrdev_name(major));
    text_printf(t, "\nBlock devices:\n");
    block_show_majors(t);
    return 0;
}

static int show_nothing(struct text *t, const struct target *who)
{
    (void)t, (void)who;
    return 0;
}

static int show_self(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%d", proc_current()->pid);
    return 0;
}

static int show_thread_self(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%d/task/%d", proc_current()->pid, thread_current()->tid);
    return 0;
}

static int show_mounts_link(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "self/mounts");
    return 0;
}

static int show_net_link(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "self/net");
    return 0;
}

/* ---- kmsg ---- */

#define SYSLOG_READ        2
#define SYSLOG_SIZE_UNREAD 9

static long kmsg_file_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)pos;
    if ((f->flags & O_NONBLOCK) && log_syslog(SYSLOG_SIZE_UNREAD, NULL, 0) == 0)
        return -EAGAIN;
    return log_syslog(SYSLOG_READ, ubuf, (int)(len < INT32_MAX ? len : INT32_MAX));
}

static const struct file_ops kmsg_file_ops = {
    .read = kmsg_file_read,
};

/* ---- The root's table ---- */

#define TTY_ENTRIES 4

static struct proc_entry tty_entries[TTY_ENTRIES];

void proc_tty_add(const struct proc_entry *e)
{
    proc_table_add(tty_entries, TTY_ENTRIES, e);
}

const struct proc_entry system_entries[] = {
    FILE_ENTRY("buddyinfo", 0444, show_buddyinfo),
    FILE_ENTRY("cmdline", 0444, show_boot_cmdline),
    FILE_ENTRY("consoles", 0444, show_consoles),
    FILE_ENTRY("cpuinfo", 0444, show_cpuinfo),
    FILE_ENTRY("devices", 0444, show_devices),
    FILE_ENTRY("diskstats", 0444, show_diskstats),
    FILE_ENTRY("execdomains", 0444, show_execdomains),
    {.name = "faults", .kind = ENTRY_FILE, .mode = 0600, .fops = &faults_ops},
    FILE_ENTRY("fb", 0444, show_fb),
    FILE_ENTRY("filesystems", 0444, show_filesystems),
    FILE_ENTRY("freelist", 0400, show_freelist),
    FILE_ENTRY("interrupts", 0444, show_interrupts),
    FILE_ENTRY("iomem", 0444, show_iomem),
    FILE_ENTRY("ioports", 0444, show_ioports),
    {.name = "kallsyms", .kind = ENTRY_FILE, .mode = 0444, .fops = &kallsyms_ops},
    {.name = "kcore", .kind = ENTRY_FILE, .mode = 0400, .fops = &kcore_ops, .size = kcore_size},
    {.name = "kmsg", .kind = ENTRY_FILE, .mode = 0400, .fops = &kmsg_file_ops},
    {.name = "kpagecount", .kind = ENTRY_FILE, .mode = 0400, .fops = &kpagecount_ops},
    {.name = "kpageflags", .kind = ENTRY_FILE, .mode = 0400, .fops = &kpageflags_ops},
    STORE_ENTRY("latency", 0600, show_latency, reset_latency),
    FILE_ENTRY("loadavg", 0444, show_loadavg),
    {.name = "locks", .kind = ENTRY_FILE, .mode = 0444, .fops = &locks_ops},
    FILE_ENTRY("meminfo", 0444, show_meminfo),
    FILE_ENTRY("mm_check", 0400, show_mm_check),
    FILE_ENTRY("misc", 0444, show_misc),
    FILE_ENTRY("modules", 0444, show_nothing),
    LINK_ENTRY("mounts", show_mounts_link),
    LINK_ENTRY("net", show_net_link),
    {.name = "pageout", .kind = ENTRY_FILE, .mode = 0600, .fops = &pageout_ops},
    FILE_ENTRY("pagetypeinfo", 0400, show_pagetypeinfo),
    FILE_ENTRY("partitions", 0444, show_partitions),
    DIR_ENTRY("pressure", 0555, pressure_entries),
    LINK_ENTRY("self", show_self),
    STORE_ENTRY("sched_latency", 0600, show_sched_latency, store_sched_latency),
    FILE_ENTRY("schedstat", 0444, show_all_schedstat),
    FILE_ENTRY("slabinfo", 0400, show_slabinfo),
    FILE_ENTRY("softirqs", 0444, show_softirqs),
    FILE_ENTRY("stat", 0444, show_system_stat),
    {.name = "sysrq-trigger", .kind = ENTRY_FILE, .mode = 0200, .store = store_sysrq},
    FILE_ENTRY("swaps", 0444, show_swaps),
    DIR_ENTRY("sys", 0555, sysctl_entries),
    DIR_ENTRY("sysvipc", 0555, sysvipc_entries),
    LINK_ENTRY("thread-self", show_thread_self),
    DIR_ENTRY("tty", 0555, tty_entries),
    FILE_ENTRY("uptime", 0444, show_uptime),
    FILE_ENTRY("version", 0444, show_version),
    FILE_ENTRY("vmstat", 0444, show_vmstat),
    FILE_ENTRY("zoneinfo", 0444, show_zoneinfo),
    {0},
};
