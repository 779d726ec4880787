/* What boot/multiboot.asm copied of the boot loader's information. [Multiboot 0.6.96, 3.3]
 * [Multiboot 2.0, 3.6] */
#ifndef ARCH_I386_MULTIBOOT_H
#define ARCH_I386_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_LOADER_MAGIC  0x2badb002u
#define MULTIBOOT2_LOADER_MAGIC 0x36d76289u

#define MULTIBOOT_HAS_MEMORY      (1u << 0)
#define MULTIBOOT_HAS_MMAP        (1u << 6)
#define MULTIBOOT_HAS_FRAMEBUFFER (1u << 12)
#define MULTIBOOT_DIRECT_COLOUR   1u /* type of a framebuffer */

struct multiboot_framebuffer {
    uint64_t addr;
    uint32_t pitch, width, height;
    uint8_t bpp, type;
} __attribute__((packed));

struct multiboot_colours {
    uint8_t red_position, red_size, green_position, green_size, blue_position, blue_size;
};

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper; /* KiB; never trusted where there is a map */
    uint32_t boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
    uint32_t drives_length, drives_addr, config_table, boot_loader_name, apm_table;
    uint32_t vbe_control_info, vbe_mode_info;
    uint16_t vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
    struct multiboot_framebuffer framebuffer;
    struct multiboot_colours colours;
} __attribute__((packed));

struct multiboot_module {
    uint32_t start, end, string, reserved;
};

struct multiboot_mmap_entry {
    uint32_t size; /* of what follows it */
    uint64_t addr, len;
    uint32_t type;
} __attribute__((packed));

/* Multiboot 2: every tag starts on eight bytes. */
enum multiboot2_tag_type {
    TAG_CMDLINE = 1,
    TAG_MODULE = 3,
    TAG_MEMORY_MAP = 6,
    TAG_FRAMEBUFFER = 8,
    TAG_ACPI_OLD = 14,
    TAG_ACPI_NEW = 15,
};

struct multiboot2_tag {
    uint32_t type, size;
};

struct multiboot2_module {
    uint32_t start, end;
};

struct multiboot2_memory_map {
    uint32_t entry_size, entry_version;
};

struct multiboot2_memory {
    uint64_t addr, len;
    uint32_t type, reserved;
} __attribute__((packed));

struct multiboot2_framebuffer {
    struct multiboot_framebuffer fb;
    uint16_t reserved;
    struct multiboot_colours colours;
} __attribute__((packed));

extern uint32_t boot_magic;
extern struct multiboot_info boot_mbi;
extern char boot_cmdline[];
extern struct multiboot_module boot_mods[];
extern uint32_t boot_mods_count;
extern uint8_t boot_mmap[];
extern uint32_t boot_mmap_len;
extern uint8_t boot_tags[];
extern uint32_t boot_tags_len;

#endif
