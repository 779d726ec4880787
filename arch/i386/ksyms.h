/* The symbol table that the build makes of the linked kernel (scripts/ksyms), for backtraces. */
#ifndef ARCH_I386_KSYMS_H
#define ARCH_I386_KSYMS_H

#include <stdint.h>

extern const uint32_t ksyms_count;
extern const uint32_t ksyms_addr[]; /* ascending */
extern const uint32_t ksyms_name[]; /* where each name starts in ksyms_strings */
extern const char ksyms_strings[];

#endif
