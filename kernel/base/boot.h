/*
 * What the boot loader handed over, which arch/ fills in, and the boot options.
 */
#ifndef KERNEL_BOOT_H
#define KERNEL_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/mmu.h"

/* Where a colour is in a pixel. */
struct boot_colour {
    uint8_t position, size; /* in bits */
};

/* A linear framebuffer as the boot loader describes it: not checked. */
struct boot_framebuffer {
    uint64_t addr; /* physical */
    uint32_t pitch, width, height;
    uint8_t bpp;
    struct boot_colour red, green, blue;
};

#define BOOT_ARCHIVES 8

struct boot_archive {
    const void *data;
    size_t size;
};

struct boot_info {
    const char *cmdline;                       /* without the kernel's file name */
    struct boot_archive initrd[BOOT_ARCHIVES]; /* the modules, in the 1:1 window */
    unsigned initrds;
    uint32_t ram_total_kib;         /* all RAM in the map */
    uint64_t entry_cycles;          /* cpu_cycles() when the kernel was entered */
    uint32_t ram_unused_kib;        /* above the window */
    const struct mem_range *memory; /* what mm_init() may have: sorted, disjoint */
    unsigned nmemory;
    const struct boot_framebuffer *framebuffer; /* NULL: the screen, if any, shows text */
    void *framebuffer_memory; /* mapped, write-combining where the CPU can; NULL: not yet */
};
extern struct boot_info boot_info;

/* The name of an option that the kernel takes, a literal: whoever asks for it has it in the table
 * of names that are not init's (linker.ld), too. */
#define BOOT_NAME(name)                                                                            \
    ({                                                                                             \
        static const char *const taken __attribute__((section(".boot_names"), used)) = (name);     \
        taken;                                                                                     \
    })

/* The value of "name=value" on the command line, copied into buf; false when it is not there.
 * The last one wins. boot_flag: whether the bare word "name" is there. */
#define boot_option(name, buf, size) boot_find_option(BOOT_NAME(name), buf, size)
#define boot_flag(name)              boot_find_flag(BOOT_NAME(name))
bool boot_find_option(const char *name, char *buf, size_t size);
bool boot_find_flag(const char *name);
bool boot_is_taken(const char *name, size_t len); /* by the kernel */

#endif
