/*
 * ext2: the format on the disk (little-endian, as the machine), and what its files share. ext3 and
 * ext4 are the same format with more features; those of which reading knows enough are read here,
 * too.
 *
 * Every number from the disk is checked before it is used: ext2_super.c checks the geometry once,
 * ext2_meta.c that a block is one of the file system's, the others what they read themselves.
 *
 * Locks, in this order: inode->lock (the VFS's), super->commit, super->cached, node->punch, an
 * operation (ext2_begin, which waits), node->map, super->alloc. All of them are sleep locks; under
 * them, super->changing. Within an operation nobody commits, nor waits for pages of files that are
 * on their way out: those are operations, too.
 */
#ifndef FS_DISK_EXT2_H
#define FS_DISK_EXT2_H

#include "fs/block/block.h"
#include "fs/vfs/vfs.h"
#include "libc/errno.h"

#define EXT2_MAGIC       0xef53
#define EXT2_ROOT_INO    2u
#define EXT2_NDIR        12u
#define EXT2_NBLOCKS     15u
#define EXT2_LINK_MAX    32000u
#define EXT2_STATE_VALID 1u
#define EXT2_FL_INDEX    0x1000u
#define EXT4_FL_EXTENTS  0x80000u
#define EXT2_RAW_INODE   128u
#define EXT2_LOG_INO     8u
#define EXT2_LOG_BLOCKS  1024u /* the least that e2fsck knows; the most used here */

/* Features; compatible: who does not know them may write. */
#define EXT3_FEATURE_JOURNAL    4u
#define EXT2_FEATURE_ATTRIBUTES 8u
/* Incompatible: who does not know them cannot read. */
#define EXT2_FEATURE_TYPES   2u /* directory entries tell types */
#define EXT3_FEATURE_RECOVER 4u /* the journal has what is not yet in its place */
#define EXT4_FEATURE_EXTENTS 0x40u
#define EXT4_FEATURE_64BIT   0x80u
#define EXT4_FEATURE_MMP     0x100u
#define EXT4_FEATURE_FLEX_BG 0x200u
#define EXT4_FEATURE_SEED    0x2000u
#define EXT4_FEATURES_READ                                                                         \
    (EXT2_FEATURE_TYPES | EXT3_FEATURE_RECOVER | EXT4_FEATURE_EXTENTS | EXT4_FEATURE_64BIT |       \
     EXT4_FEATURE_MMP | EXT4_FEATURE_FLEX_BG | EXT4_FEATURE_SEED)
/* Read-only compatible: who does not know them must not write. */
#define EXT2_FEATURE_SPARSE 1u
#define EXT2_FEATURE_LARGE  2u /* files of 2 GiB and more */
#define EXT2_FEATURES_WRITE (EXT2_FEATURE_SPARSE | EXT2_FEATURE_LARGE)

struct ext2_raw_super {
    uint32_t inodes, blocks, reserved, free_blocks, free_inodes, first_data;
    uint32_t log_block_size, log_frag_size, blocks_per_group, frags_per_group, inodes_per_group;
    uint32_t mtime, wtime;
    uint16_t mounts, max_mounts, magic, state, errors, minor_rev;
    uint32_t lastcheck, interval, os, rev;
    uint16_t resuid, resgid;
    uint32_t first_ino;
    uint16_t inode_size, group_nr;
    uint32_t compat, incompat, ro_compat;
    uint8_t uuid[16], label[16], last_mounted[64];
    uint32_t bitmaps;
    uint8_t prealloc[4], journal_uuid[16];
    uint32_t journal_ino, journal_dev, last_orphan, hash_seed[4];
    uint8_t hash_version, journal_backup;
    uint16_t desc_size;
    uint32_t mount_options, first_meta_bg, mkfs_time, journal_blocks[17], blocks_high;
};

struct ext2_raw_group {
    uint32_t block_bitmap, inode_bitmap, inode_table;
    uint16_t free_blocks, free_inodes, used_dirs, flags;
    uint32_t unused[3];
};

struct ext2_raw_inode {
    uint16_t mode, uid;
    uint32_t size, atime, ctime, mtime, dtime;
    uint16_t gid, links;
    uint32_t sectors, flags, osd1, block[EXT2_NBLOCKS];
    uint32_t generation, file_acl, size_high, faddr;
    uint16_t osd2_frag, osd2_pad, uid_high, gid_high;
    uint32_t osd2_reserved;
};
_Static_assert(sizeof(struct ext2_raw_inode) == EXT2_RAW_INODE, "inode on disk");
_Static_assert(offsetof(struct ext2_raw_super, blocks_high) == 0x150, "super block on disk");
_Static_assert(sizeof(struct ext2_raw_group) == 32, "group descriptor on disk");

struct ext2_raw_entry {
    uint32_t ino;
    uint16_t rec_len;
    uint8_t name_len, type;
    char name[];
};
#define EXT2_ENTRY_HEAD 8u

/* A group's bitmap in memory, which writes go through. */
struct ext2_bitmap {
    uint8_t *bits; /* a frame */
    uint32_t group;
    bool valid;
};

#define EXT2_CHANGE_HASH 64u

/* Blocks of metadata that were changed: ext2_change.c. */
struct ext2_changes {
    struct list all;                            /* in order of their coming */
    struct ext2_change *hash[EXT2_CHANGE_HASH]; /* by number */
    uint32_t count;
};

/* What is to be on the disk whole or not at all; on its caller's stack. */
struct ext2_operation {
    struct list link; /* [super->changing] */
    struct thread *thread;
};

struct ext2_log;

struct ext2_super {
    struct superblock *sb;
    struct block_device *dev;
    struct vm_object *cache; /* the device's pages, where metadata live; borrowed */
    uint32_t block_size, block_shift, pointers; /* pointers: in a block */
    uint32_t blocks, inodes, first_data, first_ino;
    uint32_t blocks_per_group, inodes_per_group, inode_size, groups, desc_size;
    uint32_t reserved, resuid, resgid;
    uint16_t state;  /* as it was found */
    bool types;      /* entries tell types */
    bool attributes; /* inodes have extended ones */
    bool large;      /* [alloc] the disk says that there are large files */
    bool only_read;  /* a feature forbids writing */
    bool marked;     /* the disk says that it is in use */
    bool is_ext4;    /* mounted as one: with features that can only be read */
    bool no_journal; /* what its journal has is to be left alone */

    struct mutex alloc;                        /* bitmaps, descriptors, counts */
    struct ext2_bitmap block_bits, inode_bits; /* [alloc] */
    uint32_t free_blocks, free_inodes;         /* [alloc] */
    uint32_t frozen_blocks;                    /* [alloc] free, but not before the next commit */
    uint32_t frozen_inodes;                    /* [alloc] the same */
    uint32_t promised;                         /* [alloc] blocks of pages that have no place yet */
    struct list frozen;                        /* [alloc] struct ext2_frozen */
    uint32_t next_generation;                  /* [alloc] */

    struct mutex cached; /* the list of nodes in memory */
    struct list nodes;   /* [cached] those with a name on the disk, least recently used first */
    uint32_t count;      /* [cached] */
    struct mutex commit; /* one at a time; before cached */
    uint32_t epoch;      /* [cached] of the commit under way */
    uint32_t complaints; /* atomic: errors told */
    uint32_t orphans;    /* atomic: files without a name that are still in use */

    struct ext2_log *log; /* [changing] NULL: none, changes go straight to the page cache */
    uint32_t lent;        /* [commit] blocks of a log that goes with the mount */
    struct spinlock changing;
    struct ext2_changes running, leaving; /* [changing] of operations; of the commit under way */
    struct list operations;               /* [changing] */
    bool closing;                         /* [changing] a commit waits until there are none */
    struct waitq turn;                    /* for that, and for its end */
};

/* What is known of one inode beyond the VFS's. It lives as long as the page cache of its file. */
struct ext2_node {
    struct ext2_super *super;
    struct inode *inode; /* NULL once that is gone */
    uint32_t ino;
    struct mutex map;             /* changes to the block map */
    struct mutex punch;           /* held while a hole is made; before map */
    bool punching;                /* atomic: no page may be read in until punch is free */
    uint32_t block[EXT2_NBLOCKS]; /* [map] or the text of a short link */
    uint32_t sectors;             /* [map] */
    uint32_t flags;               /* as it was read: how its blocks are told */
    uint32_t generation, file_acl;
    uint32_t inside;                 /* [inode->lock] where a large inode has attributes, or 0 */
    bool foreign;                    /* [inode->lock] some of its attributes are not understood */
    uint32_t last_index, last_block; /* [map] what was allocated last: the next goes behind it */
    uint32_t promised;               /* [super->alloc] of super->promised */
    char *path;                      /* where it was when it was mapped, or NULL */
    struct mapped_write written;
    bool orphan, is_dir, short_link; /* once inode is gone: nothing names it; what it was */
    struct list link;                /* [super->cached] */
    bool listed;                     /* [super->cached] the list has a reference to the inode */
    uint32_t epoch;                  /* [super->cached] the last commit that wrote it */
};

static inline struct ext2_super *ext2_super(const struct inode *i)
{
    return i->sb->private;
}

static inline struct ext2_node *ext2_node(const struct inode *i)
{
    return i->private;
}

/* Which file system the log tells of. */
static inline const char *ext2_name(const struct ext2_super *s)
{
    return s->is_ext4 ? "EXT4-fs" : "EXT2-fs";
}

static inline bool ext2_is_block(const struct ext2_super *s, uint32_t block)
{
    return block >= s->first_data && block < s->blocks;
}

/* ---- ext2_meta.c: parts of blocks, through the page cache of the device. All may sleep. ---- */

int ext2_meta_read(struct ext2_super *s, uint32_t block, uint32_t at, void *buf, uint32_t len);
int ext2_meta_write(struct ext2_super *s, uint32_t block, uint32_t at, const void *buf,
                    uint32_t len);
/* A whole block of data, where blocks are smaller than pages. */
int ext2_data_write(struct ext2_super *s, uint32_t block, const void *buf);
/* A new block of metadata: zeros, on the disk before anything can point to it. */
int ext2_meta_clear(struct ext2_super *s, uint32_t block);
int ext2_group_read(struct ext2_super *s, uint32_t group, struct ext2_raw_group *out);
int ext2_group_write(struct ext2_super *s, uint32_t group, const struct ext2_raw_group *g);

/* ---- ext2_change.c: operations, and what they change, until the log has it ---- */

/* Around everything that changes metadata. An operation within another of the same thread is part
 * of that. May sleep. */
void ext2_begin(struct ext2_super *s, struct ext2_operation *op);
void ext2_end(struct ext2_super *s, struct ext2_operation *op);
/* The same for one that a program asks for, which first lets a commit make room: for blocks and an
 * inode, where some are frozen, and for what it changes. -EIO: nothing can be written. */
int ext2_begin_change(struct ext2_super *s, struct ext2_operation *op);
/* A commit, if that makes room for so many blocks and an inode, or so much has changed that one
 * should not wait. Not within an operation. */
void ext2_make_room(struct ext2_super *s, uint32_t blocks);
/* Whether the current thread is within one. */
bool ext2_is_within(struct ext2_super *s);
void ext2_changes_init(struct ext2_super *s);
/* False: nobody has changed the block. */
bool ext2_change_read(struct ext2_super *s, uint32_t block, uint32_t at, void *buf, uint32_t len);
int ext2_change_write(struct ext2_super *s, uint32_t block, uint32_t at, const void *buf,
                      uint32_t len);
/* Whether so much has changed that a commit should not wait. */
bool ext2_changes_many(struct ext2_super *s);
/* [commit] When no operation is under way: what they changed begins to leave; last: and from then
 * on there is no log. */
void ext2_changes_close(struct ext2_super *s, bool last);
/* [commit] What leaves is in the log: on to the page cache of the device; what did not get there
 * has not left. */
int ext2_changes_settle(struct ext2_super *s);
void ext2_changes_return(struct ext2_super *s); /* [commit] it could not be written */
/* [commit] Each in turn that leaves, NULL: the first. */
struct ext2_change *ext2_change_next(struct ext2_super *s, struct ext2_change *c);
uint32_t ext2_change_block(const struct ext2_change *c, const uint8_t **bytes);

/* ---- ext2_log.c, ext2_replay.c: the log, in ext3's format ---- */

/* Writing begins; where there can be no log, there is none. [commit] */
void ext2_log_start(struct ext2_super *s);
/* It ends, and all is in its place: no log is needed any more. [commit] */
int ext2_log_stop(struct ext2_super *s);
/* What has changed is in the log, and data that were written before on the medium. [commit] */
int ext2_log_commit(struct ext2_super *s);
/* The same is in its place, so that what was freed before may be used again. [commit] */
int ext2_log_checkpoint(struct ext2_super *s);
/* After a power cut: what the log has goes to its place. -EINVAL: not a log of this kind. */
int ext2_replay(struct ext2_super *s, const struct ext2_raw_super *raw);

/* ---- ext2_attr.c ---- */

/* [inode->lock] inode_ops.load_xattrs and store_xattrs, fs_type.charge_xattr. */
int ext2_attr_load(struct inode *i);
int ext2_attr_store(struct inode *i);
int ext2_attr_charge(struct superblock *sb, int32_t pages);
/* [in an operation] The inode goes: so does its block, unless others have it, too. */
void ext2_attr_drop(struct ext2_node *n);

/* ---- ext2_alloc.c, ext2_balloc.c, ext2_ialloc.c ---- */

/* The first bit from from on, below end, that is neither set nor frozen; end: none. [alloc] */
int ext2_bitmap_load(struct ext2_super *s, struct ext2_bitmap *b, uint32_t group);
uint32_t ext2_bitmap_find(struct ext2_super *s, struct ext2_bitmap *b, uint32_t from, uint32_t end);
int ext2_bitmap_change(struct ext2_super *s, struct ext2_bitmap *b, uint32_t bit, bool set);
bool ext2_bitmap_test(const struct ext2_bitmap *b, uint32_t bit);
/* What was freed stays unused until the disk knows. A commit begins: what is frozen now ages; it
 * has ended well: that thaws. [alloc] */
int ext2_freeze(struct ext2_super *s, struct ext2_bitmap *b, uint32_t bit);
void ext2_age(struct ext2_super *s);
void ext2_thaw(struct ext2_super *s, bool all);

/* A free block at goal or after it. -ENOSPC. data: the page cache of the device forgets it. */
int ext2_block_alloc(struct ext2_super *s, uint32_t goal, bool data, uint32_t *out);
void ext2_block_free(struct ext2_super *s, uint32_t block);
/* Makes sure that a page of the node can be written to later. -ENOSPC. */
int ext2_promise(struct ext2_node *n);
void ext2_promise_end(struct ext2_node *n, uint32_t blocks);
/* Whether so many blocks are there for the current process. -ENOSPC. */
int ext2_check_room(struct ext2_super *s, uint32_t blocks);
/* Whether a commit would make room for that many and for an inode, which now is not there. */
bool ext2_wants_commit(struct ext2_super *s, uint32_t blocks);

int ext2_inode_alloc(struct ext2_super *s, uint32_t parent, bool dir, uint32_t *out);
void ext2_inode_free(struct ext2_super *s, uint32_t ino, bool dir);

/* ---- ext2_map.c: where the blocks of a file are ---- */

/* 0 in *out: a hole, or a place that was never written to. -EIO. No lock. */
int ext2_map_find(struct ext2_node *n, uint32_t index, uint32_t *out);
/* [map] The same; makes it. *fresh: it was a hole. */
int ext2_map_make(struct ext2_node *n, uint32_t index, bool data, uint32_t *out, bool *fresh);
uint32_t ext2_own_group(const struct ext2_node *n); /* the first block of the inode's group */
/* [map] Frees the blocks of [index, end). */
void ext2_map_cut(struct ext2_node *n, uint32_t index, uint64_t end);
/* The first block from *index on that is there, with its place: 1. 0: none before end. -EIO. No
 * lock.
 */
int ext2_map_next(struct ext2_node *n, uint64_t end, uint32_t *index, uint32_t *block);

/* The same for a file of ext4 whose map is a tree of extents: ext4_extent.c. */
int ext4_extent_find(struct ext2_node *n, uint32_t index, uint32_t *out);
int ext4_extent_next(struct ext2_node *n, uint32_t *index, uint32_t *block);

/* ---- ext2_space.c ---- */

int ext2_extent(struct inode *i, uint64_t at, struct file_extent *out);
int ext2_punch(struct inode *i, uint64_t from, uint64_t len);
void ext2_await_punch(struct ext2_node *n); /* before a page is read in */

/* ---- ext2_inode.c ---- */

int ext2_iget(struct superblock *sb, uint32_t ino, struct inode **out);
/* A new file in dir, with a place on the disk and no name yet. */
int ext2_inode_make(struct inode *dir, uint32_t mode, uint32_t rdev, struct inode **out);
int ext2_inode_write(struct inode *i); /* what the VFS has becomes a change */
int ext2_setattr(struct inode *i);     /* the same, asked for */
/* [map] The places of its blocks, and a size that covers them, do the same. */
int ext2_map_write(struct ext2_node *n, uint64_t size);
/* As it is on the disk. */
int ext2_raw_read(struct ext2_super *s, uint32_t ino, struct ext2_raw_inode *raw);
/* What a large inode has behind the usual size: all of it. */
int ext2_inode_rest(struct ext2_super *s, uint32_t ino, void *buf, bool write);
int ext2_raw_write(struct ext2_super *s, uint32_t ino, const struct ext2_raw_inode *raw);
/* A node that no inode of the VFS has: of the log. */
void ext2_node_init(struct ext2_node *n, struct ext2_super *s, uint32_t ino);
/* The last name is gone: it lives only as long as it is in use. */
void ext2_inode_orphan(struct inode *i);
void ext2_inode_adopt(struct inode *i); /* it has a name again */
int ext2_nodes_write(struct ext2_super *s, bool data);
void ext2_nodes_drop(struct ext2_super *s); /* unmounting */
bool ext2_nodes_busy(struct ext2_super *s);
bool ext2_nodes_written(struct ext2_super *s); /* are open or mapped for that, or about to go */
/* The last of a node goes; with the last name of its file gone, so do its blocks. */
void ext2_node_free(struct ext2_node *n);

/* ---- ext2_dir.c ---- */

struct ext2_place {             /* an entry */
    uint32_t block, at, before; /* on the disk; offsets in it; before == at: the first */
    uint32_t ino;
    uint8_t type;
};
int ext2_dir_find(struct inode *dir, const char *name, size_t len, struct ext2_place *out);
int ext2_dir_add(struct inode *dir, const char *name, size_t len, struct inode *i);
int ext2_dir_remove(struct inode *dir, const struct ext2_place *p);
int ext2_dir_set(struct inode *dir, const struct ext2_place *p, struct inode *i);
int ext2_dir_make(struct inode *dir, struct inode *parent); /* "." and ".." */
int ext2_dir_is_empty(struct inode *dir);                   /* 1, 0 or -errno */
int ext2_dir_iterate(struct file *f, struct dir_context *ctx);

/* ---- ext2_namei.c, ext2_file.c, ext2_super.c ---- */

extern const struct inode_ops ext2_dir_ops, ext2_link_ops, ext2_file_inode_ops, ext2_special_ops;
extern const struct pager ext2_pager;
extern struct file_ops ext2_file_ops;
void ext2_file_init(void);
int ext2_fsync(struct inode *i);
void ext2_inode_destroy(struct inode *i);
uint64_t ext2_blocks(const struct inode *i);
/* All of it is in its place on the medium after; not within an operation. */
int ext2_commit(struct ext2_super *s, bool data);
int ext2_super_read(struct ext2_super *s, struct ext2_raw_super *raw);
int ext2_super_write(struct ext2_super *s, const struct ext2_raw_super *raw);
int ext2_super_set_large(struct ext2_super *s);
uint64_t ext2_max_size(const struct ext2_super *s); /* of a file */
/* Something is wrong on the disk; told once in a while. Returns -EIO. */
int ext2_corrupt(struct ext2_super *s, const char *what, uint32_t where);

#endif
