/*
 * A boot loader gone mad: QEMU starts it in the kernel's place, with the kernel and the ramdisk as
 * modules. It loads the kernel and hands it multiboot 2 information that is wrong in the way that
 * its last word on the command line says. Linked at 16 MiB, out of the kernel's way; no libraries.
 */
#include <stddef.h>
#include <stdint.h>

#define MB1_MAGIC 0x1badb002u
#define MB2_MAGIC 0x36d76289u

__asm__(".section .start, \"ax\"\n"
        ".align 4\n"
        ".long 0x1badb002, 3, -(0x1badb002 + 3)\n"
        ".globl start\n"
        "start: mov $stack_top, %esp\n"
        "push %ebx\n"
        "call load\n"
        ".section .bss\n"
        ".space 16384\n"
        "stack_top:\n"
        ".text\n");

struct info {
    uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr;
};

struct module {
    uint32_t start, end, string, reserved;
};

struct elf {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version, entry, phoff, shoff, flags;
    uint16_t ehsize, phentsize, phnum;
};

struct segment {
    uint32_t type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

static uint8_t tags[65536] __attribute__((aligned(8)));
static uint32_t used = 8;
static const struct module *ramdisk;
static const char *fault;

static void copy(void *to, const void *from, uint32_t n)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static void fill(void *to, uint8_t with, uint32_t n)
{
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(with) : "memory");
}

static int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

static int is(const char *name)
{
    return same(fault, name);
}

static const char *last_word(const char *s)
{
    const char *word = s;

    for (; *s; s++)
        if (*s == ' ')
            word = s + 1;
    return word;
}

/* ---- Tags --------------------------------------------------------------------------------------
 */

static void tag(uint32_t type, const void *body, uint32_t len)
{
    uint32_t head[2] = {type, len + 8};

    copy(tags + used, head, 8);
    copy(tags + used + 8, body, len);
    used = (used + 8 + len + 7) & ~7u;
}

static uint64_t map[1 + 3 * 1200];
static uint32_t entries;

static void range(uint64_t start, uint64_t end, uint32_t type)
{
    uint64_t *e = map + 1 + 3 * entries++;

    e[0] = start;
    e[1] = end - start;
    e[2] = type;
}

static void good_map(void)
{
    range(0, 0x9fc00, 1);
    range(0x9fc00, 0x100000, 2);
    range(0x100000, 0x4000000, 1);
}

static void mad_map(void)
{
    if (is("overlaps")) {
        range(0x2000000, 0x4000000, 1);
        range(0x100000, 0x2800123, 1);
        range(0x3000000, 0x3100000, 2);
        range(0x2fff001, 0x3000fff, 20);
        range(0x400000, 0x3800000, 1);
        range(0, 0x9fc00, 1);
    } else if (is("holes")) {
        for (uint32_t at = 0x3fc0000; at >= 0x1f00000; at -= 0x80000)
            range(at + 0x123, at + 0x40000, 1);
        range(0x100000, 0x1f80000, 1);
        range(0x9fc00, 0x9fc00, 1);
    } else if (is("many")) {
        good_map();
        for (uint32_t i = 0; i < 1000; i++)
            range(0x80000000ull + i * 0x10000, 0x80008000ull + i * 0x10000, 1 + i % 2);
    } else if (is("wraps")) {
        good_map();
        range(0xfffffffffffff000ull, 0x1000, 1);
        range(0xfffffffff0000000ull, 0xffffffffffffffffull, 2);
    } else if (is("reserved")) {
        range(0, 0xffffffffffffffffull, 2);
        good_map();
    } else if (!is("nomap")) {
        good_map();
    }
}

static void put_map(void)
{
    uint32_t *head = (uint32_t *)map;

    mad_map();
    head[0] = is("tinyentries") ? 4 : is("zeroentries") ? 0 : 24;
    if (entries)
        tag(6, map, 8 + 24 * entries);
}

static void put_module(void)
{
    uint32_t m[3] = {ramdisk->start, ramdisk->end, 0};

    if (is("overkernel"))
        m[0] = 0x180000;
    if (is("highmodule"))
        m[0] = 0xf0000000u, m[1] = 0xf0100000u;
    if (is("backwards"))
        m[0] = ramdisk->end, m[1] = ramdisk->start;
    if (!is("nomodule"))
        tag(3, m, 9);
}

static void put_framebuffer(void)
{
    struct {
        uint64_t addr;
        uint32_t pitch, width, height;
        uint8_t bpp, type;
        uint16_t reserved;
        uint8_t colours[6];
    } __attribute__((packed)) fb = {0xe0000000u, 4096, 1024, 768, 32, 1, 0, {16, 8, 8, 8, 0, 8}};

    if (is("fbhuge"))
        fb.width = fb.height = 0x7fffffff;
    else if (is("fbpitch"))
        fb.pitch = 3;
    else if (is("fbdepth"))
        fb.bpp = 7;
    else if (is("fbram"))
        fb.addr = 0x2000000;
    else if (is("fbkernel"))
        fb.addr = 0x200000;
    else if (is("fbaddress"))
        fb.addr = 0xffffffffffff0000ull;
    else if (is("fbtall"))
        fb.pitch = 65536, fb.width = 16000, fb.height = 16000;
    else
        return;
    tag(8, &fb, sizeof(fb));
}

static void put_acpi(void)
{
    uint8_t rsdp[36] = "RSD PTR ";
    uint8_t sum = 0;

    if (!is("rsdpsum") && !is("rsdtgone") && !is("rsdtmad"))
        return;
    *(uint32_t *)(rsdp + 16) = is("rsdtgone") ? 0xfffff000u : (uint32_t)map;
    for (int i = 0; i < 20; i++)
        sum = (uint8_t)(sum + rsdp[i]);
    rsdp[8] = (uint8_t)(is("rsdpsum") ? 1 - sum : -sum);
    if (is("rsdpsum"))
        rsdp[8]++;
    tag(14, rsdp, 20);
}

static void put_cmdline(void)
{
    static char line[6000] = "console=tty1 console=ttyS0 panic=-1 ";
    uint32_t n = sizeof("console=tty1 console=ttyS0 panic=-1 ");

    if (is("longline")) {
        fill(line + n - 1, 'x', sizeof(line) - n + 1);
        n = sizeof(line);
    }
    tag(1, line, n);
}

/* ---- The kernel --------------------------------------------------------------------------------
 */

static uint32_t load_kernel(const struct module *m)
{
    const struct elf *e = (const void *)m->start;
    const struct segment *s = (const void *)(m->start + e->phoff);

    for (uint32_t i = 0; i < e->phnum; i++) {
        if (s[i].type != 1)
            continue;
        copy((void *)s[i].paddr, (const void *)(m->start + s[i].offset), s[i].filesz);
        fill((void *)(s[i].paddr + s[i].filesz), 0, s[i].memsz - s[i].filesz);
    }
    return e->entry;
}

_Noreturn void load(const struct info *info)
{
    const struct module *mods = (const void *)info->mods_addr;
    uint32_t entry = load_kernel(&mods[0]), magic = MB2_MAGIC;

    ramdisk = &mods[1];
    fault = last_word((const char *)info->cmdline);
    put_cmdline();
    put_module();
    put_framebuffer();
    put_acpi();
    put_map();
    tag(0, NULL, 0);
    *(uint32_t *)tags = used;
    if (is("garbage"))
        for (uint32_t i = 8; i < used; i++)
            tags[i] = (uint8_t)(tags[i] * 7 + i);
    if (is("toolong"))
        *(uint32_t *)tags = 0xffffffffu;
    if (is("empty"))
        *(uint32_t *)tags = 8;
    if (is("magic"))
        magic = 0x12345678;
    __asm__ volatile("jmp *%2" : : "a"(magic), "b"(tags), "r"(entry));
    __builtin_unreachable();
}
