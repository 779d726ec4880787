/* The parts of mm_check() that stand with what they look at. Each tells how many violations. */
#ifndef MM_SEEN_CHECK_H
#define MM_SEEN_CHECK_H

#include "mm/mm.h"

int frame_check_free_lists(void);
int rmap_check(const struct frame *f); /* [v] */
/* check.c: a line for the log about what was found. */
void check_complain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
