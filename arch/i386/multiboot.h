/* What boot/multiboot.asm copied of the boot loader's information. [Multiboot 0.6.96, 3.3] */
#ifndef ARCH_I386_MULTIBOOT_H
#define ARCH_I386_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_LOADER_MAGIC 0x2badb002u
#define MULTIBOOT_HAS_MEMORY   (1u << 0)
#define MULTIBOOT_HAS_MMAP     (1u << 6)
#define MULTIBOOT_RAM          1u

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper; /* KiB; never trusted where there is a map */
    uint32_t boot_device, cmdline, mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
    uint32_t drives_length, drives_addr, config_table, boot_loader_name, apm_table;
    uint32_t vbe_control_info, vbe_mode_info;
    uint16_t vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
    uint64_t framebuffer_addr;
    uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
    uint8_t framebuffer_bpp, framebuffer_type, color_info[6];
} __attribute__((packed));

struct multiboot_module {
    uint32_t start, end, string, reserved;
};

struct multiboot_mmap_entry {
    uint32_t size; /* of what follows it */
    uint64_t addr, len;
    uint32_t type;
} __attribute__((packed));

extern uint32_t boot_magic;
extern struct multiboot_info boot_mbi;
extern char boot_cmdline[];
extern struct multiboot_module boot_mods[];
extern uint32_t boot_mods_count;
extern uint8_t boot_mmap[];
extern uint32_t boot_mmap_len;

#endif
