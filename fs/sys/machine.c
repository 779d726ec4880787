/*
 * What /sys tells of the machine itself: its CPU, its memory in blocks, its console. Tools read it
 * instead of asking the hardware: lscpu, lsmem, htop, agetty.
 */
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

/* ---- The CPU: there is one, of one core ---- */

static void add_cpu(void)
{
    static const char *const numbers[] = {"core_id", "physical_package_id", "die_id"};
    static const char *const masks[] = {"core_cpus", "core_siblings", "die_cpus", "package_cpus",
                                        "thread_siblings"};
    struct sys_node *cpus = sysfs_path("devices/system/cpu");
    struct sys_node *topology = sysfs_path("devices/system/cpu/cpu0/topology");
    char list[32];

    constant(cpus, "isolated", "");
    constant(cpus, "kernel_max", "0");
    constant(cpus, "offline", "");
    constant(cpus, "online", "0");
    constant(cpus, "possible", "0");
    constant(cpus, "present", "0");
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
        constant(topology, numbers[i], "0");
    for (unsigned i = 0; i < sizeof(masks) / sizeof(*masks); i++) {
        constant(topology, masks[i], "1");
        snprintf(list, sizeof(list), "%s_list", masks[i]);
        constant(topology, list, "0");
    }
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
    struct sys_node *console = sysfs_path("class/tty/console");

    add_cpu();
    add_memory();
    if (console)
        (void)sysfs_file(console, "active", show_consoles, NULL, NULL);
    constant(console, "dev", "5:1");
    constant(sysfs_path("kernel"), "fscaps", "1");
}
INIT_AT(INIT_DEVICE, sysfs_machine_init);
