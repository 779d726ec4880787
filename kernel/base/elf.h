/* ELF files of the i386, as they lie on the disk: programs (exec_elf.c) and cores (kernel/dump,
 * fs/proc/kcore.c).
 * man 5 elf */
#ifndef KERNEL_ELF_H
#define KERNEL_ELF_H

#include <stdint.h>

#define ET_EXEC      2
#define ET_DYN       3
#define ET_CORE      4
#define EM_386       3
#define EM_486       6
#define PT_LOAD      1
#define PT_INTERP    3
#define PT_NOTE      4
#define PT_GNU_STACK 0x6474e551u
#define PF_X         1u
#define PF_W         2u
#define PF_R         4u
#define PN_XNUM      0xffffu /* the number is in the first section header */
#define SHT_NULL     0

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_phdr {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct elf_shdr {
    uint32_t name, type, flags, addr, offset, size, link, info, addralign, entsize;
};
_Static_assert(sizeof(struct elf_header) == 52 && sizeof(struct elf_phdr) == 32 &&
                   sizeof(struct elf_shdr) == 40,
               "ELF's layout");

#endif
