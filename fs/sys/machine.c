/*
 * What /sys tells of the machine itself: its CPU, its memory in blocks, its console. Tools read it
 * instead of asking the hardware: lscpu, lsmem, htop, agetty.
 */
#include "arch/processors.h"
#include "arch/resource.h"
#include "fs/sys/sysfs.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "libc/printf.h"
#include "libc/string.h"

#define BLOCK_SHIFT 27 /* of memory: 128 MiB, as on Linux */

static int show_constant(struct text *t, void *arg)
{
    text_printf(t, "%s\n", (const char *)arg);
    return 0;
}

/* A line that never changes. */
static void constant(struct sys_node *dir, const char *name, const char *line)
{
    if (dir)
        (void)sysfs_file(dir, name, show_constant, NULL, (void *)(uintptr_t)line);
}

/* ---- The processors: a package each, of one core ---- */

static int show_number(struct text *t, void *arg)
{
    text_printf(t, "%u\n", (unsigned)(uintptr_t)arg);
    return 0;
}

static int show_mask(struct text *t, void *arg)
{
    text_printf(t, "%x\n", 1u << (uintptr_t)arg);
    return 0;
}

static int show_all_cpus(struct text *t, void *arg)
{
    (void)arg;
    text_printf(t, cpus_online > 1 ? "0-%u\n" : "%u\n", cpus_online - 1);
    return 0;
}

static void add_cpu(unsigned cpu)
{
    static const char *const own[] = {"core_cpus", "core_siblings", "die_cpus", "package_cpus",
                                      "thread_siblings"};
    void *number = (void *)(uintptr_t)cpu;
    struct sys_node *topology;
    char name[64];

    snprintf(name, sizeof(name), "devices/system/cpu/cpu%u/topology", cpu);
    topology = sysfs_path(name);
    if (!topology)
        return;
    constant(topology, "core_id", "0");
    constant(topology, "die_id", "0");
    (void)sysfs_file(topology, "physical_package_id", show_number, NULL, number);
    for (unsigned i = 0; i < sizeof(own) / sizeof(*own); i++) {
        (void)sysfs_file(topology, own[i], show_mask, NULL, number);
        snprintf(name, sizeof(name), "%s_list", own[i]);
        (void)sysfs_file(topology, name, show_number, NULL, number);
    }
}

static void add_cpus(void)
{
    static const char *const all[] = {"online", "possible", "present"};
    struct sys_node *cpus = sysfs_path("devices/system/cpu");

    constant(cpus, "isolated", "");
    constant(cpus, "offline", "");
    for (unsigned i = 0; cpus && i < sizeof(all) / sizeof(*all); i++)
        (void)sysfs_file(cpus, all[i], show_all_cpus, NULL, NULL);
    if (cpus)
        (void)sysfs_file(cpus, "kernel_max", show_number, NULL, (void *)(CPUS_MAX - 1));
    for (unsigned cpu = 0; cpu < cpus_online; cpu++)
        add_cpu(cpu);
}

/* ---- Memory, in blocks ---- */

static int show_index(struct text *t, void *arg)
{
    text_printf(t, "%08x\n", (unsigned)(uintptr_t)arg);
    return 0;
}

static bool has_ram(uint32_t block)
{
    const struct resource *r;

    for (unsigned n = 0; (r = resource_get(RESOURCE_MEMORY, n)); n++)
        if (strcmp(r->name, "System RAM") == 0 && r->start >> BLOCK_SHIFT <= block &&
            r->end >> BLOCK_SHIFT >= block)
            return true;
    return false;
}

static void add_memory(void)
{
    struct sys_node *memory = sysfs_path("devices/system/memory"), *dir;
    char name[32];

    constant(memory, "block_size_bytes", "8000000");
    constant(memory, "auto_online_blocks", "offline");
    for (uint32_t block = 0; block < 1u << (32 - BLOCK_SHIFT); block++) {
        if (!memory || !has_ram(block))
            continue;
        snprintf(name, sizeof(name), "memory%u", block);
        dir = sysfs_dir(memory, name);
        constant(dir, "online", "1");
        constant(dir, "phys_device", "0");
        constant(dir, "removable", "0");
        constant(dir, "state", "online");
        constant(dir, "valid_zones", "none");
        if (dir)
            (void)sysfs_file(dir, "phys_index", show_index, NULL, (void *)(uintptr_t)block);
    }
}

/* ---- The console ---- */

static int show_consoles(struct text *t, void *arg)
{
    char last[16];
    bool any = false;

    (void)arg;
    console_device_name(last, sizeof(last));
    for (const struct console *c = console_first(); c; c = c->next)
        if (console_is_named(c->name) && strcmp(c->name, last) != 0) {
            text_printf(t, "%s%s", any ? " " : "", strcmp(c->name, "tty1") ? c->name : "tty0");
            any = true;
        }
    text_printf(t, "%s%s\n", any ? " " : "", strcmp(last, "tty1") ? last : "tty0");
    return 0;
}

static void sysfs_machine_init(void)
{
    struct sys_node *console = sysfs_path("devices/virtual/tty/console");

    add_cpus();
    add_memory();
    if (console)
        (void)sysfs_file(console, "active", show_consoles, NULL, NULL);
    constant(sysfs_path("kernel"), "fscaps", "1");
}
INIT_AT(INIT_SYSFS, sysfs_machine_init);
