/*
 * A text that grows as it is written: what a file of /proc shows. Kept in a chain of frames.
 */
#ifndef FS_TEXT_H
#define FS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/user.h"

struct text_chunk;
struct text {
    struct text_chunk *first, *last;
    bool failed; /* no memory: what came after is lost */
};

void text_init(struct text *t);
void text_free(struct text *t); /* as after text_init */

/* At most a frame's worth at a time. */
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_write(struct text *t, const void *bytes, size_t n);
/* A path or name as /proc/mounts and maps show it: the characters of escape, and backslashes, in
 * octal. How long that is. */
size_t text_escape(struct text *t, const char *s, const char *escape);

/* Copies the beginning, at most size bytes: how many. */
size_t text_copy(const struct text *t, char *buf, size_t size);

/* Copies up to len bytes from offset to user memory: how many, or -EFAULT. May sleep. */
long text_read(const struct text *t, uint64_t offset, void __user *ubuf, size_t len);

#endif
