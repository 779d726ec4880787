/*
 * The boot of the machine, from boot/multiboot.asm to kernel_main(): traps first, so that a mistake
 * shows; then consoles, the memory map, interrupts.
 */
#include "arch/processors.h"
#include "arch/i386/i386.h"
#include "arch/i386/platform/acpi.h"
#include "arch/i386/platform/apic.h"
#include "arch/i386/start/handover.h"
#include "arch/i386/vector/wide.h"
#include "arch/resource.h"
#include "arch/i386/start/multiboot.h"
#include "arch/thread.h"
#include "arch/upcalls.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "libc/ctype.h"
#include "libc/string.h"

#define LEAST_RAM_KIB 5120u
#define KERNEL_START  0x100000u

static struct handover handover;

/* QEMU puts the kernel's file name in front of the options, GRUB may. */
static const char *skip_file_name(const char *s)
{
    const char *end;

    while (isspace(*s))
        s++;
    for (end = s; *end && !isspace(*end); end++)
        ;
    if (*s != '/' && *s != '.' && (end - s < 4 || memcmp(end - 4, ".elf", 4) != 0))
        return s;
    while (isspace(*end))
        end++;
    return end;
}

static void take_initrd(const struct handover_module *m)
{
    if (m->end > memmap_top())
        boot_fail("A module, at %08x-%08x, is above the memory that the kernel maps.\n",
                  (unsigned)m->start, (unsigned)m->end);
    if (m->start < virt_to_phys(kernel_end) && m->end > KERNEL_START)
        boot_fail("A module, at %08x-%08x, lies over the kernel, at %08x-%08x.\n",
                  (unsigned)m->start, (unsigned)m->end, KERNEL_START,
                  (unsigned)virt_to_phys(kernel_end));
    boot_info.initrd[boot_info.initrds++] =
        (struct boot_archive){phys_to_virt(m->start), m->end - m->start};
}

static void find_initrds(void)
{
    for (unsigned i = 0; i < handover.nmodules && boot_info.initrds < BOOT_ARCHIVES; i++)
        take_initrd(&handover.modules[i]);
}

/* False when it was no multiboot loader that started us. */
static bool read_handover(void)
{
    const struct multiboot1 mb = {
        .info = &boot_mbi,
        .cmdline = boot_cmdline,
        .modules = boot_mods,
        .nmodules = boot_mods_count,
        .mmap = boot_mmap,
        .mmap_len = boot_mmap_len,
    };

    if (boot_magic == MULTIBOOT2_LOADER_MAGIC)
        handover_parse2(&handover, boot_tags, boot_tags_len);
    else if (boot_magic == MULTIBOOT_LOADER_MAGIC)
        handover_parse1(&handover, &mb);
    else
        return false;
    boot_info.cmdline = skip_file_name(handover.cmdline);
    if (handover.has_framebuffer)
        boot_info.framebuffer = &handover.framebuffer;
    return true;
}

/* For reports of machines. */
static void log_handover(void)
{
    klog(LOG_DEBUG, "Boot: multiboot %u, %u modules, %u entries in the memory map (%u lost)\n",
         boot_magic == MULTIBOOT2_LOADER_MAGIC ? 2 : 1, handover.nmodules, handover.nmemory,
         handover.memory_lost);
    for (unsigned i = 0; i < handover.nmemory; i++) {
        const struct handover_memory *m = &handover.memory[i];
        klog(LOG_DEBUG, "Boot: memory %llx-%llx type %u\n", (unsigned long long)m->addr,
             (unsigned long long)(m->addr + m->len), (unsigned)m->type);
    }
    if (boot_info.framebuffer)
        klog(LOG_DEBUG, "Boot: framebuffer %llx, %ux%u, %u bits, %u bytes a line\n",
             (unsigned long long)boot_info.framebuffer->addr,
             (unsigned)boot_info.framebuffer->width, (unsigned)boot_info.framebuffer->height,
             boot_info.framebuffer->bpp, (unsigned)boot_info.framebuffer->pitch);
}

void *map_framebuffer(uint64_t pa, uint32_t size, const char **why)
{
    void *memory = NULL;

    *why = "it lies over memory";
    if (!memmap_is_ram(pa, pa + size)) {
        memory = kmap_framebuffer(pa, size);
        *why = memory ? NULL : "it does not fit into the kernel's address space";
    }
    return memory;
}

/* Without large pages a framebuffer's tables need memory that is mapped. */
static void init_screen(bool memory_mapped)
{
    bool needs_memory = boot_info.framebuffer && !(cpu_features & CPU_PSE);

    if (memory_mapped == needs_memory)
        init_run(INIT_SCREEN);
}

static void init_memory(void)
{
    paddr_t mapped;

    find_initrds();
    if (boot_info.ram_total_kib - boot_info.ram_unused_kib < LEAST_RAM_KIB)
        boot_fail("Too little memory: %u KiB usable, %u KiB needed.\n",
                  (unsigned)(boot_info.ram_total_kib - boot_info.ram_unused_kib), LEAST_RAM_KIB);
    mapped = kmap_init();
    init_screen(true);
    if (!kmap_init_top(boot_info.ram_total_kib - boot_info.ram_unused_kib))
        boot_fail("Too little memory: nothing is left beside the kernel and its modules.\n");
    trampoline_reserve();
    memmap_hand_over(mapped);
}

static void tell_image(void)
{
    uint32_t text = virt_to_phys(kernel_text_start), rodata = virt_to_phys(kernel_text_end),
             data = virt_to_phys(kernel_rodata_end), end = virt_to_phys(kernel_end);

    resource_add(RESOURCE_MEMORY, text, rodata - 1, "Kernel code");
    resource_add(RESOURCE_MEMORY, rodata, data - 1, "Kernel rodata");
    resource_add(RESOURCE_MEMORY, data, end - 1, "Kernel data");
}

/* From boot/multiboot.asm on the boot stack, interrupts off, the first 8 MiB mapped. */
NO_STACK_GUARD _Noreturn void boot_main(void)
{
    bool known_loader;

    gdt_init(&boot_cpu);
    idt_init();
    report_init();
    panic_register_end(debug_exit, power_reset);
    panic_register_stop(cpus_stop);
    cpuid_init();
    boot_info.entry_cycles = cpu_cycles();
    cpu_control_init();
    fpu_init();
    wide_init();
    known_loader = read_handover();
    init_run(INIT_CONSOLE);
    cpu_protection_init();
    latency_init();
    sysenter_init();
    memmap_parse(&handover);
    tell_image();
    init_screen(false);
    if (!known_loader)
        boot_fail("Not started by a multiboot loader (magic %08x).\n", (unsigned)boot_magic);
    init_memory();
    log_handover();
    pic_init();
    acpi_init(handover.rsdp, handover.rsdp_len);
    apic_init();
    kernel_main();
}
