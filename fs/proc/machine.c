/*
 * Files of /proc about what the machine and the kernel consist of: addresses, ports, symbols,
 * consoles, locks, zones.
 */
#include "arch/debug.h"
#include "arch/resource.h"
#include "fs/dev/devfs.h"
#include "fs/proc/procfs.h"
#include "fs/vfs/file.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/log.h"
#include "kernel/machine/power.h"
#include "kernel/thread/load.h"
#include "libc/printf.h"
#include "libc/string.h"
#include "mm/see.h"

#define ORDERS     11
#define MIGRATABLE "Unmovable"

/* ---- Resources ---- */

static void show_resources(struct text *t, enum resource_kind kind, int width)
{
    bool told = capable(CAP_SYS_ADMIN); /* the others see that there is something */
    const struct resource *r;

    for (unsigned n = 0; (r = resource_get(kind, n)); n++)
        text_printf(t, "%*s%0*x-%0*x : %s\n", 2 * r->depth, "", width, told ? r->start : 0, width,
                    told ? r->end : 0, r->name);
}

int show_iomem(struct text *t, const struct target *who)
{
    (void)who;
    show_resources(t, RESOURCE_MEMORY, 8);
    return 0;
}

int show_ioports(struct text *t, const struct target *who)
{
    (void)who;
    show_resources(t, RESOURCE_PORTS, 4);
    return 0;
}

/* ---- Symbols ---- */

uint32_t symbols_restricted;

static bool tells_addresses(void)
{
    return symbols_restricted < 2 && capable(CAP_SYSLOG);
}

static int symbol_line(void *from, uint64_t *item, char *buf, size_t size)
{
    uint32_t addr;
    const char *name = debug_symbol((uint32_t)*item, &addr);

    (void)from;
    if (!name)
        return 0;
    return snprintf(buf, size, "%08x t %s\n", tells_addresses() ? addr : 0, name);
}

static long kallsyms_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f;
    return lines_read(NULL, symbol_line, ubuf, len, pos);
}

const struct file_ops kallsyms_ops = {.read = kallsyms_read};

/* ---- Interrupts ---- */

int show_softirqs(struct text *t, const struct target *who)
{
    /* There is no second half of interrupts: timers run in the tick, the rest in threads. */
    static const char *const rows[] = {"HI",       "TIMER",   "NET_TX", "NET_RX",  "BLOCK",
                                       "IRQ_POLL", "TASKLET", "SCHED",  "HRTIMER", "RCU"};
    uint64_t ticks[CPU_USES], sum = 0;

    (void)who;
    load_times(ticks);
    for (unsigned i = 0; i < CPU_USES; i++)
        sum += ticks[i];
    text_printf(t, "                    CPU0       \n");
    for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        text_printf(t, "%12s: %10u\n", rows[i], i == 1 ? (uint32_t)sum : 0);
    return 0;
}

/* ---- Consoles ---- */

static void console_row(struct text *t, const char *name, unsigned major, unsigned minor)
{
    char last[16];
    bool enabled = console_is_named(name);

    console_device_name(last, sizeof(last));
    text_printf(t, "%-21s-W- (%c%c %c a)  %5u:%u\n", strcmp(name, "tty1") == 0 ? "tty0" : name,
                enabled ? 'E' : ' ', strcmp(name, last) == 0 ? 'C' : ' ',
                strncmp(name, "tty1", 4) == 0 ? ' ' : 'p', major, minor);
}

int show_consoles(struct text *t, const struct target *who)
{
    (void)who;
    for (const struct console *c = console_first(); c; c = c->next)
        if (console_is_named(c->name))
            console_row(t, c->name, 4, c->name[3] == 'S' ? 64 : 0);
    return 0;
}

/* ---- Memory by zones: there is one ---- */

int show_zoneinfo(struct text *t, const struct target *who)
{
    struct mem_stats m;

    (void)who;
    mm_stats(&m);
    text_printf(t, "Node 0, zone   Normal\n  per-node stats\n");
    text_printf(t, "      nr_inactive_anon 0\n      nr_active_anon %u\n", m.anon);
    text_printf(t, "      nr_inactive_file 0\n      nr_active_file %u\n", m.cached);
    text_printf(t, "  pages free     %u\n        boost    0\n", m.free);
    text_printf(t, "        min      %u\n        low      %u\n        high     %u\n", m.reserve,
                2 * m.reserve, 3 * m.reserve);
    text_printf(t, "        spanned  %u\n        present  %u\n        managed  %u\n", m.total,
                m.total, m.total);
    text_printf(t, "        cma      0\n        protection: (0)\n      nr_free_pages %u\n", m.free);
    text_printf(t, "  node_unreclaimable:  0\n  start_pfn:           0\n");
    return 0;
}

/* Frames are single, and of one kind. */
int show_pagetypeinfo(struct text *t, const struct target *who)
{
    struct mem_stats m;

    (void)who;
    mm_stats(&m);
    text_printf(t, "Page block order: 10\nPages per block:  1024\n\n");
    text_printf(t, "Free pages count per migrate type at order ");
    for (unsigned order = 0; order < ORDERS; order++)
        text_printf(t, "%6u ", order);
    text_printf(t, "\nNode    0, zone   Normal, type %12s ", MIGRATABLE);
    for (unsigned order = 0; order < ORDERS; order++)
        text_printf(t, "%6u ", order ? 0 : m.free);
    text_printf(t, "\n\nNumber of blocks type %12s \n", MIGRATABLE);
    text_printf(t, "Node 0, zone   Normal %12u \n", (m.total + 1023) / 1024);
    return 0;
}

int show_execdomains(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "0-0\tLinux           \t[kernel]\n");
    return 0;
}

static long locks_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    (void)f;
    return lines_read(NULL, locks_line, ubuf, len, pos);
}

const struct file_ops locks_ops = {.read = locks_read};

/* ---- Devices of major 10; the system request ---- */

int show_fb(struct text *t, const struct target *who)
{
    (void)who;
    if (framebuffer_name)
        text_printf(t, "0 %s\n", framebuffer_name);
    return 0;
}

int show_misc(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%3u loop-control\n", 237);
    return 0;
}

/* Only the first character counts. man 5 proc, sysrq-trigger */
int store_sysrq(const char *text, size_t len, const struct target *who)
{
    (void)who;
    if (len == 0)
        return 0;
    switch (text[0]) {
    case 'b':
        klog(LOG_INFO, "sysrq: Resetting\n");
        machine_restart();
    case 'c':
        panic("sysrq triggered crash");
    case 'f':
        klog(LOG_INFO, "sysrq: Manual OOM execution\n");
        (void)oom_kill();
        return 0;
    case 'o':
        klog(LOG_INFO, "sysrq: Power Off\n");
        machine_power_off(true);
    case 's':
        klog(LOG_INFO, "sysrq: Emergency Sync\n");
        vfs_sync();
        return 0;
    default:
        klog(LOG_INFO,
             "sysrq: HELP : reboot(b) crash(c) memory-full-oom-kill(f) poweroff(o) sync(s)\n");
        return 0;
    }
}
