/*
 * The table of address ranges and ports that are taken. It grows at boot only, on one CPU; so it is
 * read without a lock.
 */
#include "arch/resource.h"
#include "arch/i386/i386.h"
#include "libc/string.h"

#define RESOURCES 128u

static struct resource table[RESOURCES] = {
    /* What every PC has and this kernel uses. */
    {0x0020, 0x0021, "pic1", RESOURCE_PORTS, 0},
    {0x0040, 0x0043, "timer0", RESOURCE_PORTS, 0},
    {0x0060, 0x0060, "keyboard", RESOURCE_PORTS, 0},
    {0x0064, 0x0064, "keyboard", RESOURCE_PORTS, 0},
    {0x0070, 0x0077, "rtc0", RESOURCE_PORTS, 0},
    {0x00a0, 0x00a1, "pic2", RESOURCE_PORTS, 0},
    {0x0cf8, 0x0cff, "PCI conf1", RESOURCE_PORTS, 0},
};
static unsigned count = 7;

static bool holds(const struct resource *outer, const struct resource *r)
{
    return outer->kind == r->kind && outer->start <= r->start && outer->end >= r->end;
}

/* Sorted by address, the larger first. */
static bool before(const struct resource *a, const struct resource *b)
{
    return a->start < b->start || (a->start == b->start && a->end > b->end);
}

void resource_add(enum resource_kind kind, uint32_t start, uint32_t end, const char *name)
{
    struct resource new = {.start = start, .end = end, .kind = (uint8_t)kind};
    unsigned at = 0;

    if (count == RESOURCES || end < start)
        return;
    strlcpy(new.name, name, sizeof(new.name));
    for (unsigned i = 0; i < count; i++) {
        if (holds(&table[i], &new))
            new.depth++;
        else if (holds(&new, &table[i]))
            table[i].depth++;
    }
    while (at < count && !before(&new, &table[at]))
        at++;
    memmove(&table[at + 1], &table[at], (count - at) * sizeof(table[0]));
    table[at] = new;
    count++;
}

const struct resource *resource_get(enum resource_kind kind, unsigned n)
{
    for (unsigned i = 0; i < count; i++)
        if (table[i].kind == kind && n-- == 0)
            return &table[i];
    return NULL;
}
