/*
 * The table of the MultiProcessor Specification: what machines without ACPI, or with acpi=off, tell
 * of processors and APICs. Pure functions, as those over ACPI's tables, and with the same outcome.
 * [MP Specification 1.4, 4]
 */
#ifndef ARCH_I386_MP_TABLE_H
#define ARCH_I386_MP_TABLE_H

#include "arch/i386/platform/acpi_tables.h"

#define MP_POINTER_LEN    16u
#define MP_POINTER_BEGINS 0x5f504d5fu /* "_MP_" */

bool mp_pointer_ok(const void *pointer);
/* From a pointer that is ok. False, and *a as it was: there is no table that can be believed. */
bool mp_read(struct acpi_apics *a, const void *pointer, acpi_map_fn map);

#endif
