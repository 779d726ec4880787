/*
 * ISO 9660, read-only: the format on the disk, and what its files share. [ECMA-119; SUSP 1.12 and
 * RRIP 1.12 for Rock Ridge; the Joliet specification]
 *
 * Numbers in it have no alignment and are there in both byte orders; the first is used. Nothing is
 * believed: a record is checked when it is loaded (iso_record.c), a place when it is read. A file
 * is known by where its first directory record is, a directory by where its contents begin, which
 * is its own record ".".
 *
 * Locks: inode->lock (the VFS's), super->cached. Both are sleep locks.
 */
#ifndef FS_DISK_ISO_H
#define FS_DISK_ISO_H

#include "fs/block/block.h"
#include "fs/vfs/vfs.h"
#include "libc/bytes.h"
#include "libc/errno.h"

#define ISO_MAGIC        0x9660
#define ISO_BLOCK        2048u
#define ISO_BLOCK_SHIFT  11
#define ISO_SECTIONS_MAX 100u /* pieces of one file */
#define ISO_BUCKETS      64u

#define ISO_FL_HIDDEN     1u
#define ISO_FL_DIR        2u
#define ISO_FL_ASSOCIATED 4u
#define ISO_FL_MORE       0x80u /* the next record is about the same file */

struct iso_raw_record {
    uint8_t len, attributes; /* attributes: blocks at the start that are not contents */
    uint8_t extent[8], size[8], date[7], flags, unit, gap, volume[4], name_len;
    uint8_t name[];
};
#define ISO_RECORD_HEAD 33u
_Static_assert(sizeof(struct iso_raw_record) == ISO_RECORD_HEAD, "record on disk");

enum iso_names { ISO_PLAIN, ISO_JOLIET, ISO_ROCK };

struct iso_place {
    uint32_t block, at; /* at: within it */
};

struct iso_super {
    struct superblock *sb;
    struct block_device *dev;
    struct vm_object *cache; /* the device's pages, where directories are read from; borrowed */
    uint32_t blocks;         /* of the device */
    uint32_t volume_blocks;
    enum iso_names names;
    uint32_t skip; /* ISO_ROCK: bytes that each record has before its entries */
    struct iso_place root;
    uint32_t told;                    /* atomic: complaints */
    struct mutex cached;              /* the nodes in memory */
    struct list buckets[ISO_BUCKETS]; /* [cached] by place */
};

struct iso_section {
    uint32_t block, bytes;
};

/* What is known of one file beyond the VFS's inode. It lives as long as the page cache of it. */
struct iso_node {
    struct iso_super *super;
    struct inode *inode; /* [super->cached] NULL once that is gone */
    struct iso_place place;
    struct list link; /* [super->cached] */
    uint32_t ino;
    char *path; /* where it was when it was mapped, or NULL */
    unsigned count;
    struct iso_section section[]; /* all but the last are whole blocks */
};

static inline struct iso_super *iso_super(const struct inode *i)
{
    return i->sb->private;
}

static inline struct iso_node *iso_node(const struct inode *i)
{
    return i->private;
}

static inline bool iso_is_dots(const struct iso_raw_record *r)
{
    return r->name_len == 1 && r->name[0] <= 1;
}

/* ---- iso_record.c: directory records, one after the other ---- */

struct iso_reader {
    struct iso_super *s;
    uint8_t *frame; /* a block, and room for another behind it */
    struct iso_place place;
    uint32_t end;    /* the first block behind the directory */
    uint32_t loaded; /* the block in the frame */
    const struct iso_raw_record *record;
};

/* iso_reader_end also after an error. -ENOMEM. */
int iso_reader_begin(struct iso_reader *r, struct iso_super *s, struct iso_place place,
                     uint32_t end);
void iso_reader_end(struct iso_reader *r);
/* The record at the place or the first one behind it: 1, and 0 at the end. -EIO, -EINTR. */
int iso_reader_load(struct iso_reader *r);
void iso_reader_step(struct iso_reader *r); /* past the record */
int iso_read(struct iso_super *s, struct iso_place place, void *buf, uint32_t len);
int iso_corrupt(struct iso_super *s, const char *what, uint32_t where);
uint32_t iso_time(const uint8_t date[7]); /* seconds since 1970; 0: no such date */

/* ---- iso_rock.c: what Rock Ridge says of a file ---- */

struct iso_rock {
    bool has_mode, has_device, relocated; /* relocated: seen from elsewhere, not from here */
    uint32_t mode, nlink, uid, gid, rdev;
    uint32_t atime, mtime, ctime; /* 0: not told */
    uint32_t child;               /* the directory is there, at this block; 0: here */
    unsigned name_len;            /* 0: none told */
    char name[NAME_MAX];
};

/* The type and rights of a file that rock is about; without Rock Ridge anybody may read and run it.
 */
uint32_t iso_mode(const struct iso_raw_record *r, const struct iso_rock *rock);
/* Of the record loaded, zeros without Rock Ridge. target (may be NULL): room for the text of a
 * symbolic link, size bytes; returns how long that is, or -errno. */
int iso_rock_read(struct iso_reader *r, struct iso_rock *out, char *target, size_t size);
/* Whether the root directory's first record says that there is Rock Ridge; sets s->skip. */
bool iso_rock_is_used(struct iso_super *s);

/* ---- iso_dir.c, iso_inode.c ---- */

extern const struct inode_ops iso_dir_ops;
int iso_iget(struct superblock *sb, struct iso_place place, bool is_dir, struct inode **out);
bool iso_nodes_busy(struct iso_super *s);
uint32_t iso_ino(struct iso_place place);
void iso_inode_init(void);
void iso_inode_destroy(struct inode *i);

#endif
