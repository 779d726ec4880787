/*
 * A text that grows as it is written: what a file of /proc or /sys shows. Kept in a chain of
 * frames.
 */
#ifndef FS_TEXT_H
#define FS_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/user.h"
#include "kernel/thread/sched.h"

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

/* ---- Files that are texts ---- */

struct inode;

/* An open one. Its text is made whenever it is read from the start. */
struct text_file {
    struct mutex lock;
    bool made;        /* [lock] */
    struct text text; /* [lock] */
};

void text_file_init(struct text_file *tf);
void text_file_end(struct text_file *tf);
/* show writes the text of i, or says why there is none. */
long text_file_read(struct text_file *tf, int (*show)(struct text *t, const struct inode *i),
                    const struct inode *i, void __user *ubuf, size_t len, uint64_t *pos);
/* What is written, less than max bytes and at most a frame, is taken as a whole; a NUL is behind
 * it. */
long text_file_write(int (*store)(const struct inode *i, char *buf, size_t len),
                     const struct inode *i, size_t max, const void __user *ubuf, size_t len,
                     uint64_t *pos);

#endif
