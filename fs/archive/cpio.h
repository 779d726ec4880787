/*
 * What the parts of the archive loader share: cpio_header.c decodes entries, cpio.c makes files of
 * them, later.c has that wait.
 */
#ifndef FS_CPIO_H
#define FS_CPIO_H

#include "fs/archive/archive.h"
#include "fs/vfs/vfs.h"
#include "libc/bytes.h"

#define LINK_HASH  32
#define LINK_DEPTH 8 /* symbolic links followed for one entry's directory */

#define FIELDS 12 /* of eight hexadecimal digits, after the magic; a 13th is unused */

struct cpio_entry {
    union {
        uint16_t half[2 * FIELDS];
        struct {
            uint32_t ino, mode, uid, gid, nlink, mtime, size;
            uint32_t dev_major, dev_minor, rdev_major, rdev_minor, name_size;
        };
    };
    const char *name; /* without slashes around it */
    uint32_t name_len;
    uint32_t data; /* offset of the contents */
};

/* A file of several links, remembered until its archive ends. */
struct link {
    struct link *next;
    struct inode *inode; /* a reference */
    uint32_t ino, dev_major, dev_minor;
};

struct loader {
    const struct archive *src;
    uint32_t pos;   /* the next byte to look at */
    uint32_t entry; /* offset of the entry at hand, for messages */
    struct dentry *root;
    char *name_buf, *target_buf; /* frames for a name and a link target in pieces */
    struct link *links[LINK_HASH];
    struct dentry *dir; /* of the last entry: most share it with the one before */
    char dir_path[128];
    uint32_t dir_len;
    uint32_t depth;   /* symbolic links followed so far */
    uint32_t entries; /* that something was made of */
    struct run *run;  /* that the last entry became a part of, or NULL: later.c */
    struct inode *run_dir;
    uint32_t run_end; /* where that entry ends */
    struct cpio_entry at;
    uint32_t last_halves[2 * FIELDS]; /* the digits that at was decoded from */
};

/* Says in the log what is wrong with the entry at hand: -EINVAL. */
int cpio_bad(const struct loader *l, const char *what);
/* The same where the archive goes on behind it. */
int cpio_bad_entry(const struct loader *l, const char *what);

/* Decodes the entry at l->pos into l->at and moves l->pos past it. 0, or -EINVAL after cpio_bad. */
int cpio_read_entry(struct loader *l);
/* Cuts its name down to the last component; the length of what went. */
uint32_t cpio_cut_name(struct cpio_entry *e);

/* For what goes below root. NULL: no memory. */
struct loader *cpio_loader_new(struct dentry *root);
void cpio_loader_free(struct loader *l);
/* Makes e, whose name has one component, in dir, all of whose names are made. -ENOMEM, or what is
 * wrong with it was said. */
int cpio_add_named(struct loader *l, const struct cpio_entry *e, struct dentry *dir);
/* Whether the entry at hand was put off until somebody asks for a name in dir. */
bool cpio_put_off(struct loader *l, const struct cpio_entry *e, struct dentry *dir);

#endif
