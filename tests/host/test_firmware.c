/*
 * What firmware and boot loaders hand over, sane and mad: multiboot information, memory maps, ACPI
 * tables, framebuffers. Under the sanitizers nothing may be read that was not given, and what comes
 * out must be usable whatever went in.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "arch/i386/platform/acpi_tables.h"
#include "arch/i386/platform/mp_table.h"
#include "arch/i386/start/handover.h"
#include "arch/i386/i386.h"
#include "arch/i386/start/multiboot.h"
#include "drivers/video/fb.h"
#include "drivers/video/font.h"
#include "mm/vm.h"
#include "tests/host/check.h"

#define RAM_BYTES  0x500000u
#define KERNEL_END 0x400000u
#define PAGES      16384u /* the universe of the memory maps: 64 MiB */

/* memmap.c sees the kernel's end here, and low memory below. */
char ram[RAM_BYTES];
__asm__(".globl kernel_end\n.set kernel_end, ram + 0x400000");
uintptr_t host_ram_base = (uintptr_t)ram;
static struct cpu cpu;
_Thread_local struct cpu *host_self = &cpu;
struct boot_info boot_info = {.cmdline = ""};
static const char *mem_option, *scale_option;

/* The font is made at build time; any will do here. */
const uint8_t font_glyphs[2][FONT_HEIGHT] = {{0}, {0xff, 0x81, 0x55}};
const struct font_entry font_map[] = {{'?', 1}, {0xe9, 1}, {0xfffd, 1}};
const unsigned font_map_size = 3;
const uint16_t font_ascii[128] = {['A'] = 1};

static struct mem_range got[64];
static unsigned ngot;

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            printf("%s:%d: %s\n", __func__, __LINE__, #x);                                         \
            return false;                                                                          \
        }                                                                                          \
    } while (0)

bool boot_find_option(const char *name, char *buf, size_t size)
{
    const char *value = strcmp(name, "mem") == 0 ? mem_option : scale_option;

    if (!value)
        return false;
    snprintf(buf, size, "%s", value);
    return true;
}

/* What the kernel would get of the memory. */
static void take_memory(void)
{
    memmap_hand_over(PHYS_WINDOW_SIZE);
    ngot = boot_info.nmemory;
    memcpy(got, boot_info.memory, ngot * sizeof(*got));
}

static uint32_t seed;

static uint32_t rnd(uint32_t n)
{
    seed = seed * 1664525u + 1013904223u;
    return n ? (uint32_t)((uint64_t)(seed >> 4) * n >> 28) : 0;
}

/* ---- Memory maps ---- */

static struct handover h;

static void random_map(void)
{
    memset(&h, 0, sizeof(h));
    h.nmemory = 1 + rnd(20);
    for (unsigned i = 0; i < h.nmemory; i++) {
        struct handover_memory *m = &h.memory[i];
        unsigned unit = rnd(4) ? PAGE_SIZE : 1;
        m->addr = (uint64_t)rnd(PAGES) * PAGE_SIZE + rnd(PAGE_SIZE) / unit;
        m->len = 1 + (uint64_t)rnd(PAGES / 4) * PAGE_SIZE + rnd(PAGE_SIZE) / unit;
        m->type = rnd(3) ? HANDOVER_RAM : rnd(30);
        if (rnd(20) == 0)
            m->addr = UINT64_MAX - rnd(100000), m->len = UINT64_MAX - m->addr;
        if (rnd(20) == 0)
            m->addr = 0xf0000000u, m->len = 0x20000000u;
        if (m->type == 1 && rnd(30) == 0)
            m->addr = 0, m->len = (uint64_t)PAGES * PAGE_SIZE;
    }
    h.nmodules = rnd(3);
    for (unsigned i = 0; i < h.nmodules; i++) {
        h.modules[i].start = rnd(PAGES) * PAGE_SIZE + rnd(100);
        h.modules[i].end = h.modules[i].start + 1 + rnd(1u << 22);
    }
}

/* Whether [start, end) is whole RAM by some union of entries, a page at a time. */
static bool page_covered(uint64_t start)
{
    uint64_t at = start, end = start + PAGE_SIZE;

    for (bool more = true; more && at < end;) {
        more = false;
        for (unsigned i = 0; i < h.nmemory; i++) {
            const struct handover_memory *m = &h.memory[i];
            if (m->type == HANDOVER_RAM && m->addr <= at && m->addr + m->len > at)
                at = m->addr + m->len, more = true;
        }
    }
    return at >= end;
}

static bool touches(uint64_t start, uint64_t a, uint64_t b)
{
    return start < b && start + PAGE_SIZE > a;
}

static bool page_usable(uint64_t start)
{
    if (start < PAGE_SIZE || touches(start, 0x9f000, KERNEL_END) || !page_covered(start))
        return false;
    for (unsigned i = 0; i < h.nmemory; i++) {
        const struct handover_memory *m = &h.memory[i];
        if (m->type != HANDOVER_RAM && touches(start, m->addr, m->addr + m->len))
            return false;
    }
    for (unsigned i = 0; i < h.nmodules; i++)
        if (touches(start, h.modules[i].start, h.modules[i].end))
            return false;
    return true;
}

static bool page_in_got(uint64_t start)
{
    for (unsigned i = 0; i < ngot; i++)
        if (start >= got[i].start && start < got[i].end)
            return true;
    return false;
}

static bool ranges_sane(void)
{
    CHECK(ngot <= 32);
    for (unsigned i = 0; i < ngot; i++) {
        CHECK(got[i].start < got[i].end && got[i].end <= PHYS_WINDOW_SIZE);
        CHECK((got[i].start | got[i].end) % PAGE_SIZE == 0);
        CHECK(i == 0 || got[i].start >= got[i - 1].end);
    }
    return true;
}

static bool try_maps(void)
{
    for (unsigned i = 0; i < 400; i++) {
        random_map();
        memmap_parse(&h);
        take_memory();
        CHECK(ranges_sane());
        for (uint32_t page = 0; page < PAGES * 2; page++) {
            uint64_t start = (uint64_t)page * PAGE_SIZE;
            bool want = page_usable(start), have = page_in_got(start);
            CHECK(!have || want);
            CHECK(have || !want || ngot == 32);
        }
    }
    return true;
}

static bool try_map_of_many_pieces(void)
{
    memset(&h, 0, sizeof(h));
    h.nmemory = HANDOVER_MAX_MEMORY;
    for (unsigned i = 0; i < h.nmemory; i++)
        h.memory[i] = (struct handover_memory){0x1000000 + i * 0x8000ull, 0x1000 * (1 + i % 5), 1};
    memmap_parse(&h);
    take_memory();
    CHECK(ngot == 32);
    return ranges_sane();
}

static bool try_mem_option_and_window(void)
{
    memset(&h, 0, sizeof(h));
    h.nmemory = 1;
    h.memory[0] = (struct handover_memory){0, 5ull << 30, 1};
    memmap_parse(&h);
    CHECK(boot_info.ram_total_kib >= (5u << 20) - 1024 && boot_info.ram_total_kib <= 5u << 20);
    CHECK(boot_info.ram_unused_kib == (5u << 20) - (PHYS_WINDOW_SIZE >> 10));
    mem_option = "64M";
    memmap_parse(&h);
    CHECK(memmap_top() == 64u << 20);
    mem_option = NULL;
    return true;
}

/* ---- Multiboot ---- */

static uint32_t put_tag(uint8_t *at, uint32_t type, const void *body, uint32_t len)
{
    struct multiboot2_tag tag = {type, len + 8};

    memcpy(at, &tag, 8);
    memcpy(at + 8, body, len);
    return (len + 8 + 7) & ~7u;
}

static bool try_tags(void)
{
    static uint8_t tags[1024];
    uint32_t n = 0;
    uint32_t module[3] = {0x200000, 0x280000, 0};
    struct {
        struct multiboot2_memory_map head;
        struct multiboot2_memory e[2];
    } map = {{24, 0}, {{0, 0x9fc00, 1, 0}, {0x100000, 0x3f00000, 1, 0}}};
    struct multiboot2_framebuffer fb = {
        {0xe0000000, 3200, 800, 600, 32, 1}, 0, {16, 8, 8, 8, 0, 8}};

    n += put_tag(tags + n, TAG_CMDLINE, "quiet x", 8);
    n += put_tag(tags + n, TAG_MODULE, module, sizeof(module));
    n += put_tag(tags + n, TAG_MEMORY_MAP, &map, sizeof(map));
    n += put_tag(tags + n, TAG_FRAMEBUFFER, &fb, sizeof(fb));
    n += put_tag(tags + n, TAG_ACPI_OLD, "RSD PTR xxxxxxxxxxxx", 20);
    handover_parse2(&h, tags, n);
    CHECK(strcmp(h.cmdline, "quiet x") == 0 && h.nmodules == 1 && h.modules[0].end == 0x280000);
    CHECK(h.nmemory == 2 && h.memory[1].len == 0x3f00000);
    CHECK(h.has_framebuffer && h.framebuffer.width == 800 && h.framebuffer.red.position == 16);
    CHECK(h.rsdp_len == 20);
    return true;
}

/* Bytes of no meaning, of half a meaning, cut short. Exactly so long, for the sanitizer. */
static bool try_mad_handovers(void)
{
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t len = rnd(400);
        uint8_t *bytes = malloc(len + 1);
        for (uint32_t j = 0; j < len; j++)
            bytes[j] = (uint8_t)rnd(256);
        for (uint32_t j = 0; j + 8 <= len && rnd(8); j += 8 + rnd(6) * 8) {
            struct multiboot2_tag tag = {rnd(20), rnd(4) ? 8 + rnd(60) : rnd(0x0fffffff) * 16};
            memcpy(bytes + j, &tag, 8);
        }
        uint8_t *exact = malloc(len ? len : 1);
        memcpy(exact, bytes, len);
        handover_parse2(&h, exact, len);
        CHECK(h.nmemory <= HANDOVER_MAX_MEMORY && h.nmodules <= HANDOVER_MAX_MODULES);
        CHECK(h.rsdp_len <= HANDOVER_RSDP_MAX && memchr(h.cmdline, 0, sizeof(h.cmdline)));
        struct multiboot_info info = {.flags = rnd(0x1fff)};
        struct multiboot1 mb = {&info, "x", NULL, 0, exact, len};
        handover_parse1(&h, &mb);
        CHECK(h.nmemory <= HANDOVER_MAX_MEMORY);
        memmap_parse(&h);
        take_memory();
        CHECK(ranges_sane());
        free(bytes);
        free(exact);
    }
    return true;
}

/* ---- ACPI ---- */

#define ACPI_BYTES 2048u

static uint8_t acpi_memory[ACPI_BYTES];
static void *lent[600];
static unsigned nlent;

/* A copy of just what was asked for. */
static const void *lend(uint64_t pa, uint32_t len)
{
    if (pa >= ACPI_BYTES || len > ACPI_BYTES - pa || nlent == 600)
        return NULL;
    lent[nlent] = malloc(len ? len : 1);
    memcpy(lent[nlent], acpi_memory + pa, len);
    return lent[nlent++];
}

static void seal(uint32_t at, uint32_t len, uint32_t checksum_at)
{
    uint8_t sum = 0;

    acpi_memory[checksum_at] = 0;
    for (uint32_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + acpi_memory[at + i]);
    acpi_memory[checksum_at] = (uint8_t)-sum;
}

static void table(uint32_t at, const char *name, uint32_t len)
{
    memcpy(acpi_memory + at, name, 4);
    memcpy(acpi_memory + at + 4, &len, 4);
    seal(at, len, at + 9);
}

static void put32(uint32_t at, uint32_t v)
{
    memcpy(acpi_memory + at, &v, 4);
}

/* RSDP at 0, RSDT at 64, FADT at 128, MADT at 512, DSDT at 768, HPET at 1024. */
static void make_acpi(void)
{
    static const uint8_t s5[] = {0x08, '_',  'S',  '5',  '_',  0x12, 0x0a,
                                 0x04, 0x0a, 0x05, 0x0a, 0x07, 0,    0};
    static const uint8_t apics[] = {0,    8,    0, 0,  1, 0, 0, 0,  1, 12, 0,  0, 0, 0,
                                    0xc0, 0xfe, 0, 0,  0, 0, 2, 10, 0, 0,  2,  0, 0, 0,
                                    0,    0,    2, 10, 0, 9, 9, 0,  0, 0,  15, 0};

    memset(acpi_memory, 0, sizeof(acpi_memory));
    memcpy(acpi_memory, "RSD PTR ", 8);
    put32(16, 64);
    seal(0, 20, 8);
    put32(64 + 36, 128);
    put32(64 + 40, 512);
    put32(64 + 44, 1024);
    table(64, "RSDT", 48);
    put32(128 + 40, 768);
    acpi_memory[128 + 46] = 9;
    put32(128 + 56, 0x600);
    put32(128 + 64, 0x604);
    acpi_memory[128 + 88] = 4;
    put32(128 + 112, 1u << 10);
    acpi_memory[128 + 116] = 1;
    put32(128 + 120, 0xcf9);
    acpi_memory[128 + 128] = 6;
    table(128, "FACP", 244);
    put32(512 + 36, 0xfee00000);
    memcpy(acpi_memory + 512 + 44, apics, sizeof(apics));
    table(512, "APIC", 44 + sizeof(apics));
    memcpy(acpi_memory + 768 + 40, s5, sizeof(s5));
    table(768, "DSDT", 60);
    put32(1024 + 44, 0xfed00000);
    table(1024, "HPET", 56);
}

static void read_acpi(struct acpi_tables *a)
{
    acpi_read(a, acpi_memory, 20, lend);
    acpi_find_off(a);
    while (nlent)
        free(lent[--nlent]);
}

static bool try_acpi(void)
{
    struct acpi_tables a;

    make_acpi();
    CHECK(acpi_rsdp_ok(acpi_memory, 20));
    read_acpi(&a);
    CHECK(a.present && a.refused == 0 && a.found == 5);
    CHECK(a.power.has_off && a.power.off_a == 5 && a.power.off_b == 7);
    CHECK(a.power.has_reset && a.power.reset.address == 0xcf9 && a.power.reset_value == 6);
    CHECK(a.power.pm1a_control == 0x604 && a.power.sci_irq == 9);
    CHECK(a.apics.present && a.apics.cpus == 1 && a.apics.nio == 1 && a.apics.isa[0].gsi == 2);
    CHECK(a.apics.isa[9].level && a.apics.isa[9].low && a.hpet == 0xfed00000);
    return true;
}

static bool try_acpi_checksums(void)
{
    struct acpi_tables a;

    make_acpi();
    for (unsigned n = 0; n < 256; n++) { /* whatever the bytes carry into each other */
        memset(acpi_memory + 9, (int)n, 7);
        put32(16, 0xffe0f0e0 - n * 0x01030507);
        seal(0, 20, 8);
        CHECK(acpi_rsdp_ok(acpi_memory, 20));
        acpi_memory[9 + n % 7] ^= 0x80;
        CHECK(!acpi_rsdp_ok(acpi_memory, 20));
    }
    make_acpi();
    acpi_memory[3] ^= 1;
    CHECK(!acpi_rsdp_ok(acpi_memory, 20));
    make_acpi();
    acpi_memory[64 + 20] ^= 1;
    read_acpi(&a);
    CHECK(!a.present && !a.power.present && a.refused == 1);
    make_acpi();
    acpi_memory[768 + 50] ^= 0x10; /* the DSDT: everything but power off is there */
    read_acpi(&a);
    CHECK(a.present && a.power.present && !a.power.has_off && a.apics.present);
    make_acpi();
    acpi_memory[512 + 40] ^= 1;
    read_acpi(&a);
    CHECK(a.power.has_off && !a.apics.present);
    return true;
}

static void spoil(void)
{
    static const uint32_t at[] = {64, 128, 512, 768, 1024};
    uint32_t table_at = at[rnd(5)], len;

    for (unsigned n = 1 + rnd(6); n; n--)
        acpi_memory[rnd(3) ? table_at + rnd(100) : rnd(ACPI_BYTES)] = (uint8_t)rnd(256);
    if (rnd(2))
        put32(table_at + 4, rnd(3) ? rnd(300) : rnd(0x0fffffff) * 16);
    /* Most often the checksum is right again: the contents are what is mad. */
    memcpy(&len, acpi_memory + table_at + 4, 4);
    if (rnd(4) && len >= 36 && len <= ACPI_BYTES - table_at)
        seal(table_at, len, table_at + 9);
}

static bool try_mad_acpi(void)
{
    struct acpi_tables a;

    for (unsigned i = 0; i < 20000; i++) {
        make_acpi();
        for (unsigned n = 1 + rnd(3); n; n--)
            spoil();
        read_acpi(&a);
        CHECK(a.apics.nio <= ACPI_MAX_IOAPICS);
    }
    return true;
}

/* The pointer at 0, the table at 64: two processors and one that is off, ISA behind an I/O APIC
 * whose line 2 has the timer and line 9 is level-triggered and low. */
static uint32_t make_mp(void)
{
    static const uint8_t entries[] = {
        0, 0, 0x14, 3,   0,   0,   0,    0,    0, 0, 0,    0,   0,   0,   0,   0,   0,
        0, 0, 0, /* processor 0 */
        0, 4, 0x14, 1,   0,   0,   0,    0,    0, 0, 0,    0,   0,   0,   0,   0,   0,
        0, 0, 0, /* processor 4 */
        0, 6, 0x14, 0,   0,   0,   0,    0,    0, 0, 0,    0,   0,   0,   0,   0,   0,
        0, 0, 0,                                                                    /* off */
        1, 0, 'P',  'C', 'I', ' ', ' ',  ' ',  1, 1, 'I',  'S', 'A', ' ', ' ', ' ', /* buses */
        2, 7, 0x11, 1,   0,   0,   0xc0, 0xfe,                                      /* I/O APIC */
        3, 0, 0,    0,   1,   0,   7,    2,    3, 0, 0x0f, 0,   1,   9,   7,   9,   /* lines 0 and 9
                                                                                     */
        3, 0, 0x0f, 0,   0,   5,   7,    16,   3, 3, 0,    0,   1,   0,   7,   0,   /* PCI's, the
                                                                                       8259's */
        4, 3, 0,    0,   1,   0,   0xff, 0,
    };
    uint32_t len = 44 + sizeof(entries);

    memset(acpi_memory, 0, sizeof(acpi_memory));
    memcpy(acpi_memory, "_MP_", 4);
    put32(4, 64);
    acpi_memory[8] = 1;
    acpi_memory[9] = 4;
    seal(0, 16, 10);
    memcpy(acpi_memory + 64, "PCMP", 4);
    acpi_memory[68] = (uint8_t)len;
    acpi_memory[64 + 34] = 11; /* entries */
    put32(64 + 36, 0xfee00000);
    memcpy(acpi_memory + 64 + 44, entries, sizeof(entries));
    seal(64, len, 64 + 7);
    return len;
}

static bool read_mp(struct acpi_apics *a)
{
    bool ok;

    memset(a, 0, sizeof(*a));
    ok = mp_read(a, acpi_memory, lend);
    while (nlent)
        free(lent[--nlent]);
    return ok;
}

static bool try_mp(void)
{
    struct acpi_apics a;

    make_mp();
    CHECK(mp_pointer_ok(acpi_memory) && read_mp(&a));
    CHECK(a.present && a.cpus == 2 && a.cpu_id[0] == 0 && a.cpu_id[1] == 4);
    CHECK(a.local_address == 0xfee00000 && a.nio == 1 && a.io[0].address == 0xfec00000);
    CHECK(a.isa[0].gsi == 2 && !a.isa[0].level && a.isa[9].level && a.isa[9].low);
    CHECK(a.isa[5].gsi == 5 && !a.isa[5].told);
    acpi_memory[64 + 60] ^= 1;
    CHECK(!read_mp(&a) && !a.present);
    acpi_memory[5] ^= 1;
    CHECK(!mp_pointer_ok(acpi_memory));
    return true;
}

static bool try_mad_mp(void)
{
    struct acpi_apics a;

    for (unsigned i = 0; i < 20000; i++) {
        uint32_t len = make_mp();
        for (unsigned n = 1 + rnd(6); n; n--)
            acpi_memory[64 + 8 + rnd(len - 8)] = (uint8_t)rnd(256);
        if (rnd(3) == 0)
            acpi_memory[68] = (uint8_t)(len = 44 + rnd(200));
        seal(64, len, 64 + 7);
        if (read_mp(&a))
            CHECK(a.nio <= ACPI_MAX_IOAPICS && a.present);
    }
    return true;
}

static bool try_mad_aml(void)
{
    for (unsigned i = 0; i < 20000; i++) {
        uint32_t len = rnd(40);
        uint8_t *aml = malloc(len ? len : 1), x, y;
        for (uint32_t j = 0; j < len; j++)
            aml[j] = (uint8_t)(rnd(4) ? rnd(0x14) : rnd(256));
        if (len > 6) {
            uint32_t at = rnd(len - 5);
            aml[at] = 0x08;
            memcpy(aml + at + 1, "_S5_", 4);
        }
        acpi_find_s5(aml, len, &x, &y);
        free(aml);
    }
    return true;
}

/* ---- Framebuffers ---- */

static struct boot_framebuffer random_framebuffer(void)
{
    static const uint8_t depths[] = {15, 16, 24, 32};
    struct boot_framebuffer fb = {.addr = 0xe0000000, .bpp = depths[rnd(4)]};

    fb.width = 1 + rnd(rnd(3) ? 1400 : 4000);
    fb.height = 1 + rnd(rnd(3) ? 1100 : 3000);
    fb.pitch = fb.width * ((fb.bpp + 7u) / 8) + rnd(3) * rnd(300);
    fb.red = (struct boot_colour){(uint8_t)rnd(40), (uint8_t)rnd(12)};
    fb.green = (struct boot_colour){(uint8_t)rnd(40), (uint8_t)rnd(12)};
    fb.blue = (struct boot_colour){(uint8_t)rnd(256), (uint8_t)rnd(256)};
    if (rnd(6) == 0)
        fb.bpp = (uint8_t)rnd(256);
    if (rnd(6) == 0)
        fb.width = rnd(0x0fffffff) * 16;
    if (rnd(6) == 0)
        fb.pitch = rnd(0x0fffffff) * 16;
    if (rnd(6) == 0)
        fb.height = rnd(0x0fffffff) * 16;
    if (rnd(6) == 0)
        fb.addr = (uint64_t)rnd(0x0fffffff) << rnd(36);
    return fb;
}

/* Corners and the last columns, on memory that is exactly so large. */
static bool draw_all_over(const struct boot_framebuffer *fb, unsigned scale)
{
    uint32_t bytes = fb->pitch * (fb->height - 1) + fb->width * ((fb->bpp + 7u) / 8);
    vt_cell_t cells[] = {VT_CELL(0x07, 'A'), VT_CELL(0xf0, 0xe9), VT_CELL(0x4e, 0x1234)};
    char text[12];
    uint16_t rows, cols;

    snprintf(text, sizeof(text), "%u", scale);
    scale_option = text;
    boot_info.framebuffer = fb;
    boot_info.framebuffer_memory = malloc(bytes);
    CHECK(fb_init(&rows, &cols));
    for (unsigned i = 0; i < 8; i++)
        fb_painter.draw(NULL, i & 1 ? rows - 1u : 0, i & 2 ? cols - 3u : 0, cells, 3);
    fb_painter.cursor(NULL, rows - 1u, cols - 1u, true);
    free(boot_info.framebuffer_memory);
    scale_option = NULL;
    return true;
}

static bool try_framebuffers(void)
{
    unsigned good = 0;

    for (unsigned i = 0; i < 3000; i++) {
        struct boot_framebuffer fb = random_framebuffer();
        struct fb_geometry g;
        unsigned scale = rnd(12);
        if (fb_geometry(&g, &fb, scale))
            continue;
        CHECK(g.cols >= 40 && g.rows >= 12 && g.cols <= VT_MAX_COLS && g.rows <= VT_MAX_ROWS);
        CHECK(g.cols * 8u * g.scale <= fb.width && g.rows * 16u * g.scale <= fb.height);
        CHECK(g.pitch >= g.width * g.bytes);
        if ((uint64_t)fb.pitch * fb.height < 40u << 20 && ++good)
            CHECK(draw_all_over(&fb, scale));
    }
    CHECK(good > 100);
    return true;
}

static bool try_colours(void)
{
    struct boot_framebuffer fb = {
        .addr = 0xe0000000, .pitch = 1600, .width = 800, .height = 600, .bpp = 16};
    struct fb_geometry g;

    CHECK(!fb_geometry(&g, &fb, 0)); /* no colours told: 5:6:5 */
    CHECK(g.palette[15] == 0xffff && g.palette[12] == (0x1fu << 11 | 0x15u << 5 | 0xau));
    fb.red = (struct boot_colour){0, 5};
    fb.green = (struct boot_colour){5, 6};
    fb.blue = (struct boot_colour){11, 5};
    CHECK(!fb_geometry(&g, &fb, 0));
    CHECK(g.palette[4] == 0x15);
    return true;
}

TEST(memory_maps_of_any_kind_give_the_pages_that_are_ram_and_free)
{
    seed = 12345;
    EXPECT(try_maps());
}

TEST(a_map_of_many_pieces_keeps_the_largest)
{
    seed = 12345;
    EXPECT(try_map_of_many_pieces());
}

TEST(mem_and_the_window_limit_what_is_used)
{
    seed = 12345;
    EXPECT(try_mem_option_and_window());
}

TEST(tags_of_multiboot_2_are_understood)
{
    seed = 12345;
    EXPECT(try_tags());
}

TEST(mad_multiboot_information_is_survived)
{
    seed = 12345;
    EXPECT(try_mad_handovers());
}

TEST(acpi_tables_are_understood)
{
    seed = 12345;
    EXPECT(try_acpi());
}

TEST(a_wrong_checksum_costs_one_table)
{
    seed = 12345;
    EXPECT(try_acpi_checksums());
}

TEST(mad_acpi_tables_are_survived)
{
    seed = 12345;
    EXPECT(try_mad_acpi());
}

TEST(an_mp_table_is_understood)
{
    seed = 12345;
    EXPECT(try_mp());
}

TEST(mad_mp_tables_are_survived)
{
    seed = 12345;
    EXPECT(try_mad_mp());
}

TEST(mad_aml_is_survived)
{
    seed = 12345;
    EXPECT(try_mad_aml());
}

TEST(framebuffers_of_any_geometry_are_refused_or_stay_inside)
{
    seed = 12345;
    EXPECT(try_framebuffers());
}

TEST(colours_go_where_the_loader_says)
{
    seed = 12345;
    EXPECT(try_colours());
}

int main(void)
{
    return run_tests(NULL, NULL);
}
