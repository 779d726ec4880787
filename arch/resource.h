/*
 * Who has which addresses and ports: /proc/iomem and /proc/ioports. Whoever takes a range says so,
 * once; nothing is decided by it.
 */
#ifndef ARCH_RESOURCE_H
#define ARCH_RESOURCE_H

#include <stdbool.h>
#include <stdint.h>

enum resource_kind { RESOURCE_MEMORY, RESOURCE_PORTS };

struct resource {
    uint32_t start, end; /* inclusive */
    char name[24];
    uint8_t kind;
    uint8_t depth; /* how many others it lies in */
};

/* What does not fit into the table is left out. */
void resource_add(enum resource_kind kind, uint32_t start, uint32_t end, const char *name);
/* The n-th of its kind, in order of addresses, what lies in another one behind that. */
const struct resource *resource_get(enum resource_kind kind, unsigned n);

#endif
