/* Multiboot 1 and 2 become one struct handover. */
#include "arch/i386/start/handover.h"
#include "arch/i386/start/multiboot.h"
#include "libc/string.h"

/* Entries as they come; memmap.c sorts them. One that wraps ends at the top. */
static void add_memory(struct handover *h, uint64_t addr, uint64_t len, uint32_t type)
{
    if (len == 0)
        return;
    if (h->nmemory == HANDOVER_MAX_MEMORY) {
        h->memory_lost++;
        return;
    }
    if (addr + len < addr)
        len = UINT64_MAX - addr;
    h->memory[h->nmemory++] = (struct handover_memory){addr, len, type};
}

static void add_module(struct handover *h, uint32_t start, uint32_t end)
{
    if (start < end && h->nmodules < HANDOVER_MAX_MODULES)
        h->modules[h->nmodules++] = (struct handover_module){start, end};
}

/* Text and palettes come in the same structure: neither is a framebuffer for us. */
static void set_framebuffer(struct handover *h, const struct multiboot_framebuffer *fb,
                            const struct multiboot_colours *c)
{
    if (fb->type != MULTIBOOT_DIRECT_COLOUR)
        return;
    h->has_framebuffer = true;
    h->framebuffer = (struct boot_framebuffer){
        .addr = fb->addr,
        .pitch = fb->pitch,
        .width = fb->width,
        .height = fb->height,
        .bpp = fb->bpp,
        .red = {c->red_position, c->red_size},
        .green = {c->green_position, c->green_size},
        .blue = {c->blue_position, c->blue_size},
    };
}

/* ---- Multiboot 1 ---- */

/* An entry says how long it is; one that is too short for its fields ends the map. */
static void memory_map1(struct handover *h, const uint8_t *map, uint32_t len)
{
    struct multiboot_mmap_entry e;
    uint32_t off = 0;

    while (len >= sizeof(e) && off <= len - sizeof(e)) {
        memcpy(&e, map + off, sizeof(e));
        if (e.size < sizeof(e) - sizeof(e.size) || e.size > len)
            return;
        add_memory(h, e.addr, e.len, e.type);
        off += e.size + (uint32_t)sizeof(e.size);
    }
}

void handover_parse1(struct handover *h, const struct multiboot1 *mb)
{
    memset(h, 0, sizeof(*h));
    strlcpy(h->cmdline, mb->cmdline, sizeof(h->cmdline));
    for (uint32_t i = 0; i < mb->nmodules; i++)
        add_module(h, mb->modules[i].start, mb->modules[i].end);
    if (mb->info->flags & MULTIBOOT_HAS_MMAP) {
        memory_map1(h, mb->mmap, mb->mmap_len);
    } else if (mb->info->flags & MULTIBOOT_HAS_MEMORY) {
        add_memory(h, 0, (uint64_t)mb->info->mem_lower << 10, HANDOVER_RAM);
        add_memory(h, 0x100000, (uint64_t)mb->info->mem_upper << 10, HANDOVER_RAM);
    }
    if (mb->info->flags & MULTIBOOT_HAS_FRAMEBUFFER)
        set_framebuffer(h, &mb->info->framebuffer, &mb->info->colours);
}

/* ---- Multiboot 2 ---- */

/* Entries may be longer than the ones we know, never shorter. */
static void memory_map2(struct handover *h, const uint8_t *body, uint32_t len)
{
    struct multiboot2_memory_map head;
    struct multiboot2_memory e;

    if (len < sizeof(head))
        return;
    memcpy(&head, body, sizeof(head));
    if (head.entry_size < sizeof(e) - sizeof(e.reserved))
        return;
    for (uint32_t off = sizeof(head); off <= len && len - off >= head.entry_size;
         off += head.entry_size) {
        memcpy(&e, body + off, sizeof(e) - sizeof(e.reserved));
        add_memory(h, e.addr, e.len, e.type);
    }
}

static void framebuffer2(struct handover *h, const uint8_t *body, uint32_t len)
{
    struct multiboot2_framebuffer tag;

    if (len < sizeof(tag))
        return;
    memcpy(&tag, body, sizeof(tag));
    set_framebuffer(h, &tag.fb, &tag.colours);
}

static void module2(struct handover *h, const uint8_t *body, uint32_t len)
{
    struct multiboot2_module tag;

    if (len < sizeof(tag))
        return;
    memcpy(&tag, body, sizeof(tag));
    add_module(h, tag.start, tag.end);
}

static void cmdline2(struct handover *h, const uint8_t *body, uint32_t len)
{
    if (len > sizeof(h->cmdline))
        len = sizeof(h->cmdline);
    if (len == 0)
        return;
    memcpy(h->cmdline, body, len);
    h->cmdline[len - 1] = '\0';
}

/* The newer pointer is the longer one, and wins. */
static void rsdp2(struct handover *h, const uint8_t *body, uint32_t len)
{
    if (len > sizeof(h->rsdp))
        len = sizeof(h->rsdp);
    if (len <= h->rsdp_len)
        return;
    memcpy(h->rsdp, body, len);
    h->rsdp_len = len;
}

static void tag2(struct handover *h, uint32_t type, const uint8_t *body, uint32_t len)
{
    switch (type) {
    case TAG_CMDLINE:
        cmdline2(h, body, len);
        break;
    case TAG_MODULE:
        module2(h, body, len);
        break;
    case TAG_MEMORY_MAP:
        memory_map2(h, body, len);
        break;
    case TAG_FRAMEBUFFER:
        framebuffer2(h, body, len);
        break;
    case TAG_ACPI_OLD:
    case TAG_ACPI_NEW:
        rsdp2(h, body, len);
        break;
    }
}

/* Tags follow each other at multiples of 8; one that says nonsense about its size ends them. */
void handover_parse2(struct handover *h, const void *tags, uint32_t len)
{
    const uint8_t *p = tags;
    struct multiboot2_tag tag;

    memset(h, 0, sizeof(*h));
    for (uint32_t off = 0; off <= len && len - off >= sizeof(tag);) {
        memcpy(&tag, p + off, sizeof(tag));
        if (tag.type == 0 || tag.size < sizeof(tag) || tag.size > len - off)
            return;
        tag2(h, tag.type, p + off + sizeof(tag), tag.size - (uint32_t)sizeof(tag));
        off += (tag.size + 7) & ~7u;
    }
}
