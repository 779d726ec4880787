/*
 * What the boot loader handed over, in one form for both versions of multiboot. Pure functions on
 * what boot/multiboot.asm copied: nothing in it is believed before it is checked. Whether addresses
 * make sense is asked by those who use them.
 */
#ifndef ARCH_I386_HANDOVER_H
#define ARCH_I386_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kernel/base/boot.h"

#define HANDOVER_MAX_MEMORY  160u
#define HANDOVER_MAX_MODULES 8u
#define HANDOVER_CMDLINE     2048u
#define HANDOVER_RSDP_MAX    36u
#define HANDOVER_RAM         1u

struct handover_memory {
    uint64_t addr, len; /* addr + len does not overflow, len is not 0 */
    uint32_t type;      /* HANDOVER_RAM; everything else is reserved */
};

struct handover_module {
    uint32_t start, end; /* start < end */
};

struct handover {
    char cmdline[HANDOVER_CMDLINE];
    struct handover_memory memory[HANDOVER_MAX_MEMORY];
    unsigned nmemory;
    unsigned memory_lost; /* entries that did not fit */
    struct handover_module modules[HANDOVER_MAX_MODULES];
    unsigned nmodules;
    bool has_framebuffer;
    struct boot_framebuffer framebuffer;
    uint8_t rsdp[HANDOVER_RSDP_MAX]; /* ACPI's root pointer */
    unsigned rsdp_len;               /* 0: the loader knows of none */
};

struct multiboot_info;
struct multiboot_module;

/* The pieces of multiboot 1 as they were copied; cmdline ends in a zero. */
struct multiboot1 {
    const struct multiboot_info *info;
    const char *cmdline;
    const struct multiboot_module *modules;
    uint32_t nmodules;
    const void *mmap;
    uint32_t mmap_len;
};

void handover_parse1(struct handover *h, const struct multiboot1 *mb);
/* The tags of multiboot 2, len bytes of them. */
void handover_parse2(struct handover *h, const void *tags, uint32_t len);

#endif
