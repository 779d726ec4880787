/*
 * The virtual file layer: inodes (files), dentries (names), files (open descriptions).
 *
 * A file system implements inode_ops for its directories and file_ops for what it opens. A
 * directory of a file system without a lookup operation (ramdisk, /dev) lives wholly in its
 * dentries, which are then pinned; with one (procfs) dentries are made on demand.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/lock.h"
#include "kernel/thread/sched.h"
#include "libc/list.h"
#include "mm/vm.h"

#define S_IFMT      0170000
#define S_IFSOCK    0140000
#define S_IFLNK     0120000
#define S_IFREG     0100000
#define S_IFBLK     0060000
#define S_IFDIR     0040000
#define S_IFCHR     0020000
#define S_IFIFO     0010000
#define S_ISUID     04000
#define S_ISGID     02000
#define S_ISVTX     01000
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISLNK(m)  (((m)&S_IFMT) == S_IFLNK)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m)&S_IFMT) == S_IFBLK)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISSOCK(m) (((m)&S_IFMT) == S_IFSOCK)

#define O_ACCMODE   00000003
#define O_RDONLY    00000000
#define O_WRONLY    00000001
#define O_RDWR      00000002
#define O_CREAT     00000100
#define O_EXCL      00000200
#define O_NOCTTY    00000400
#define O_TRUNC     00001000
#define O_APPEND    00002000
#define O_NONBLOCK  00004000
#define O_DSYNC     00010000
#define O_DIRECT    00040000
#define O_LARGEFILE 00100000
#define O_DIRECTORY 00200000
#define O_NOFOLLOW  00400000
#define O_NOATIME   01000000
#define O_CLOEXEC   02000000
#define O_PATH      010000000
#define O_TMPFILE   020200000

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100
#define AT_REMOVEDIR        0x200
#define AT_SYMLINK_FOLLOW   0x400
#define AT_NO_AUTOMOUNT     0x800
#define AT_EMPTY_PATH       0x1000
#define AT_RECURSIVE        0x8000

#define AT_EACCESS 0x200

#define SEEK_SET  0
#define SEEK_CUR  1
#define SEEK_END  2
#define SEEK_DATA 3
#define SEEK_HOLE 4

#define MS_RDONLY      1u
#define MS_NOSUID      2u
#define MS_NODEV       4u
#define MS_NOEXEC      8u
#define MS_SYNCHRONOUS 16u
#define MS_REMOUNT     32u
#define MS_MANDLOCK    64u
#define MS_DIRSYNC     128u
#define MS_NOSYMFOLLOW 256u
#define MS_NOATIME     1024u
#define MS_NODIRATIME  2048u
#define MS_RELATIME    0x200000u
#define MS_LAZYTIME    0x2000000u

#define PATH_MAX 4096
#define NAME_MAX 255

#define F_SEAL_SEAL         0x01u
#define F_SEAL_SHRINK       0x02u
#define F_SEAL_GROW         0x04u
#define F_SEAL_WRITE        0x08u
#define F_SEAL_FUTURE_WRITE 0x10u
#define F_SEALABLE          0x8000u /* internal: files of this kind have seals at all */

#define POLLIN     0x0001
#define POLLPRI    0x0002
#define POLLOUT    0x0004
#define POLLERR    0x0008
#define POLLHUP    0x0010
#define POLLNVAL   0x0020
#define POLLRDNORM 0x0040
#define POLLWRNORM 0x0100

/* Device numbers as Linux's dev_t of 32 bits: the major has 12, the minor 20, in two pieces. */
#define MKDEV(major, minor)                                                                        \
    ((uint32_t)(major) << 8 | ((uint32_t)(minor)&0xff) | ((uint32_t)(minor)&0xfff00) << 12)
#define DEV_MAJOR(dev) ((dev) >> 8 & 0xfff)
#define DEV_MINOR(dev) (((dev)&0xff) | ((dev) >> 12 & 0xfff00))

struct inode;
struct dentry;
struct file;
struct mount;
struct superblock;
struct poll_table;
struct dir_context;
struct file_lock;
struct notify_mark;
struct async_items;
struct async_list;
struct text;
struct iov_set;

/* What statfs(2) tells; the VFS fills in the identifier and the mount flags. */
struct kstatfs {
    uint32_t type; /* magic number, as in man 2 statfs */
    uint32_t bsize;
    uint64_t blocks, bfree, bavail; /* in bsize */
    uint64_t files, ffree;
    uint32_t namelen;
};

struct timestamp {
    int64_t sec; /* since 1970 */
    uint32_t nsec;
};

/* A place: a name, and the mount through which it is seen. Both are referenced, or neither. */
struct path {
    struct mount *mount;
    struct dentry *dentry;
};

/* What a pager remembers of writes through mappings, until the inode's times are looked at. */
struct mapped_write {
    bool pending;
    struct timestamp at;
};

struct inode {
    uint32_t refs; /* atomic */
    uint32_t ino;
    uint32_t mode; /* type and permissions */
    uint32_t nlink;
    uint32_t uid, gid;
    uint32_t rdev;  /* device nodes */
    uint32_t bytes; /* st_size of what has no object: directories */
    struct timestamp atime, mtime, ctime;
    struct superblock *sb;
    const struct inode_ops *ops;
    const struct file_ops *fops; /* how it opens; device nodes are resolved through devices */
    struct vm_object *object;    /* regular files: the page cache, which also holds the size */
    struct mutex lock;           /* serialises changes: directory entries, write, truncate */
    struct dentry *alias;        /* [dentry_lock] one of its linked names or NULL; no reference */
    struct file_lock *locks;     /* [lock_lock, fs/vfs/locks.c] POSIX and flock locks */
    int32_t writers;             /* atomic: open for writing; below 0: running, -ETXTBSY */
    int32_t readers;             /* atomic: regular files open for reading alone */
    struct lease *leases;        /* [lease_lock, fs/vfs/leases.c] */
    uint32_t flags;              /* [lock] INODE_* */
    uint32_t seals;              /* [lock] F_SEAL_*: fs/ram/memfd.c */
    union {
        struct pipe *pipe;     /* [lock] a FIFO that is open: fs/event/pipe.c */
        struct socket *socket; /* [net_lock] bound to this node: fs/net/address.c */
    };
    struct xattr *xattrs;      /* [lock] fs/vfs/xattr.c */
    uint8_t write_hint;        /* F_SET_RW_HINT */
    bool xattrs_known;         /* [lock] they are all there is, where ops->load_xattrs is */
    struct acls *acls;         /* [lock, acl_lock] fs/vfs/acl.c; once there it stays */
    struct notify_mark *marks; /* [notify_lock] who wants to know of changes: fs/notify */
    void *private;             /* the file system's own */
};

/* What chattr(1) sets, by Linux's numbers. */
#define INODE_IMMUTABLE 0x10u /* neither it nor what it says changes, names included */
#define INODE_APPEND    0x20u /* it only grows */
#define INODE_NODUMP    0x40u /* for programs that copy trees */
#define INODE_NOATIME   0x80u
#define INODE_FLAGS     (INODE_IMMUTABLE | INODE_APPEND | INODE_NODUMP | INODE_NOATIME)
/* What lsattr(1) sees; a file system may have more of its own, which nobody changes. */
#define INODE_FLAGS_SHOWN 0x705bdfffu

static inline bool inode_is_fixed(const struct inode *i)
{
    return i->flags & (INODE_IMMUTABLE | INODE_APPEND);
}

struct dentry {
    uint32_t refs;            /* atomic */
    struct dentry *parent;    /* NULL in a root */
    struct inode *inode;      /* NULL: known not to exist */
    struct list children;     /* [dentry_lock] newest first */
    uint32_t child_count;     /* [dentry_lock] how many they are */
    struct list sibling;      /* [dentry_lock] in parent->children */
    struct dentry *read_next; /* [dentry_lock] the child that its last reader stopped at, or NULL */
    struct dentry *hash_next; /* [dentry_lock] by parent and name */
    uint32_t cookie;          /* grows with every entry made in a directory: for getdents */
    struct mount *mounted;    /* [dentry_lock] those on this name, each in a mount of its own */
    bool unlinked;            /* no longer reachable by name */
    bool leaving;             /* [dentry_lock] about to be, or to move: nothing is mounted on it */
    bool pinned;              /* [dentry_lock] the tree itself holds a reference */
    bool hashed;              /* [dentry_lock] */
    uint8_t name_len;
    uint32_t hash;        /* of the name alone */
    uint32_t next_cookie; /* [dentry_lock] for the next entry made in this directory */
    char *name;           /* kmalloc'd or in place */
    char inline_name[32];
};

struct superblock {
    const struct fs_type *type;
    struct dentry *root;
    uint32_t dev;       /* st_dev */
    uint32_t block;     /* bytes of a block, st_blksize; 0: a page */
    uint32_t flags;     /* [mount_lock] MS_RDONLY and what else is not of one mount alone */
    struct list mounts; /* [mount_lock] that show it, by of_sb */
    struct list link;   /* [mount_lock] all that exist */
    void *private;
};

static inline uint32_t inode_block_size(const struct inode *i)
{
    return i->sb && i->sb->block ? i->sb->block : PAGE_SIZE;
}

struct fs_type {
    const char *name;
    bool nodev;        /* as /proc/filesystems shows it */
    bool cache_names;  /* with a lookup op: names stay true once looked up */
    bool keeps_flags;  /* inode->flags can be set */
    bool narrow_times; /* seconds are kept in 32 bits, with a sign: 1901 to 2038 */
    bool keeps_acls;   /* inode->acls can be set */
    bool single;       /* one file system, however often it is mounted */
    /* Of what is on devices: the number of source, by which one that is mounted already is found.
     */
    int (*device)(const char *source, uint32_t *dev);
    /* Fills sb->root. data: kernel string of options. */
    int (*mount)(struct superblock *sb, const char *source, const char *data);
    void (*leave)(struct superblock *sb); /* before the tree is freed; or NULL */
    void (*unmount)(struct superblock *sb);
    void (*statfs)(struct superblock *sb, struct kstatfs *out);
    /* All of it is on the medium after. NULL: nothing to write. May sleep. */
    int (*sync)(struct superblock *sb);
    /* The same of metadata: so that what was written of files can be found. May be NULL. */
    int (*commit)(struct superblock *sb);
    /* [mount_lock] The flags are about to become these: whether it may be written changes. data:
     * options, NULL: none. */
    int (*remount)(struct superblock *sb, uint32_t flags, const char *data);
    /* Extended attributes need that many pages more, or (below 0) less: 0 or -ENOSPC. NULL: it has
     * no attributes. Does not sleep. */
    int (*charge_xattr)(struct superblock *sb, int32_t pages);
    bool no_user_xattrs; /* none that everybody may make: the file system has no bound */
    /* [mount_lock] Whether somebody uses a file without having a name of it: a mapping. */
    bool (*busy)(struct superblock *sb);
    /* [mount_lock] Whether somebody is about to write: an open file, a mapping, a file that goes
     * with its last use. Then -EBUSY to make it read-only. NULL: nobody. */
    bool (*written)(struct superblock *sb);
    /* For fsconfig, which looks at each option when it is set: the names, up to a NULL, and whether
     * "name=value" is right. NULL: all options are looked at when it is mounted. */
    const char *const *known;
    int (*check)(const char *option);
    /* What /proc/mounts shows after the flags: ",size=64k" or nothing. */
    void (*options)(struct superblock *sb, char *buf, size_t size);
    struct fs_type *next;
};
/* Finds name= or name in a comma-separated string of options: points *value at the last one's
 * value, *len bytes. */
bool mount_option(const char *data, const char *name, const char **value, size_t *len);
bool mount_has_option(const char *data, const char *name);
/* Whether all of it are names out of known, which ends with NULL. */
bool mount_options_are(const char *data, const char *const *known);
bool mount_option_names_are(const char *data, const char *const *known); /* whatever the values */
void fs_register(struct fs_type *t);
extern struct fs_type *fs_types; /* every one, linked by next; only ever grows */

/* A piece of a file that is data, in bytes. */
struct file_extent {
    uint64_t at, len; /* may begin before what was asked for, by less than a block */
    uint64_t place;   /* on the device, unless */
    bool unplaced;    /* only memory has it */
};

/*
 * Called with dir->lock held for directory operations. A new dentry comes with name and parent set
 * and inode NULL; the operation sets d->inode (consuming a reference).
 */
struct inode_ops {
    int (*lookup)(struct inode *dir, struct dentry *d); /* NULL: dentries are all there is, after */
    int (*fill)(struct dentry *dir); /* makes them; NULL: they are there. 0 or -ENOMEM */
    int (*create)(struct inode *dir, struct dentry *d, uint32_t mode); /* regular file */
    /* The same of one without a name. NULL: create, where dentries are all there is. */
    int (*tmpfile)(struct inode *dir, struct dentry *d, uint32_t mode);
    int (*mkdir)(struct inode *dir, struct dentry *d, uint32_t mode);
    int (*mknod)(struct inode *dir, struct dentry *d, uint32_t mode, uint32_t rdev);
    int (*symlink)(struct inode *dir, struct dentry *d, const char *target);
    int (*link)(struct inode *dir, struct dentry *d, struct inode *target);
    int (*unlink)(struct inode *dir, struct dentry *d);
    int (*rmdir)(struct inode *dir, struct dentry *d); /* emptiness is checked by the op */
    int (*rename)(struct inode *olddir, struct dentry *old, struct inode *newdir,
                  struct dentry *new);
    /* The target of a link, into buf; its length or -errno. */
    int (*readlink)(struct inode *inode, char *buf, size_t size);
    /* Magic links (/proc/PID/exe, fd): the place itself instead of a text. A reference in *out. */
    int (*follow)(struct inode *inode, struct path *out);
    int (*truncate)(struct inode *inode, uint64_t size);
    /* [lock] Gives back the space of a range, which reads as zeros; the size stays. NULL: cannot.
     */
    int (*punch)(struct inode *inode, uint64_t from, uint64_t len);
    /* The first page at or after *index that holds data; false: none does. NULL: all do. */
    bool (*next_data)(const struct inode *inode, uint32_t *index);
    uint64_t (*blocks)(const struct inode *inode); /* st_blocks; NULL: the resident pages */
    /* The first data at or after a place: 1; 0: none is left; -errno. NULL: pages that are in
     * memory are all there is. May sleep. */
    int (*extent)(struct inode *inode, uint64_t at, struct file_extent *out);
    /* Where a page lies whole on the device of the file system, for swap files: its sector.
     * -EINVAL: in a hole, or in pieces. NULL: on none. May sleep. */
    int (*place)(struct inode *inode, uint32_t page, uint64_t *sector);
    int (*setattr)(struct inode *inode); /* after the fields were changed */
    /* Whether the mode, or (owner) the owner, can be changed at all: -EPERM. NULL: it can. */
    int (*changeable)(const struct inode *inode, bool owner);
    int (*fsync)(struct inode *inode); /* NULL: memory is all there is */
    /* [lock] inode->xattrs is filled from the medium; what it says now is what the medium is to
     * have. NULL: memory is all there is. */
    int (*load_xattrs)(struct inode *inode);
    int (*store_xattrs)(struct inode *inode);
    /* The times take in what was written through mappings. NULL: nothing is. */
    void (*settle)(struct inode *inode);
    /* The last word on access, after what the mode says (0 or -EACCES). */
    int (*permission)(const struct inode *inode, unsigned want, int err);
    /* Directories with a lookup: names beyond "." and "..", see dir_emit. */
    int (*iterate)(struct file *f, struct dir_context *ctx);
    void (*destroy)(struct inode *inode); /* the last reference is gone */
};

/* getdents: iterate calls dir_emit for each entry from ctx->pos on, and sets ctx->pos after each
 * accepted one; dir_emit returns false when the buffer is full. pos 0 and 1 are "." and "..",
 * which the VFS emits itself. */
struct dir_context {
    uint64_t pos;
    bool (*emit)(struct dir_context *ctx, const char *name, size_t len, uint32_t ino,
                 uint32_t type);
};
static inline bool dir_emit(struct dir_context *ctx, const char *name, size_t len, uint32_t ino,
                            uint32_t mode)
{
    return ctx->emit(ctx, name, len, ino, (mode & S_IFMT) >> 12);
}

/* Who gets the signals of an open file, and which: fs/notify/owner.c */
struct file_owner {
    int32_t pid;         /* 0: nobody */
    uint8_t type, signo; /* signo 0: SIGIO, without more */
    uint32_t uid, euid;  /* who made him that */
};

struct file {
    uint32_t refs;  /* atomic */
    uint32_t flags; /* O_*, changed by fcntl */
    uint64_t pos;   /* [pos_lock] */
    struct mutex pos_lock;
    struct inode *inode;
    struct mount *mount;   /* through which it was opened; of what has no place: nowhere */
    struct dentry *dentry; /* NULL for pipes */
    const struct file_ops *ops;
    void *private;
    bool counts_writer;         /* holds one of inode->writers */
    bool counts_mount;          /* and of mount->writers */
    bool counts_reader;         /* and of inode->readers */
    bool denies_write;          /* holds minus one of inode->writers, see file_deny_write */
    bool opened;                /* by name: who watches was told, and is told of its end */
    uint32_t dnotify;           /* [notify_lock] F_NOTIFY requests through it */
    struct file_owner owner;    /* F_SETOWN */
    struct async_items *async;  /* [async_lock] O_ASYNC */
    struct epoll_item *watches; /* [fs/event/epoll.c] the epoll sets that it is in */
    struct vm_backing mapped;   /* all areas that map it hold one of refs */
};

#define BESIDE_READ  1u /* read and readv */
#define BESIDE_WRITE 2u /* write and writev */
#define BESIDE_OPEN  4u
#define BESIDE_MMAP  8u
#define BESIDE_POLL  16u

/*
 * Buffers are user memory, range-checked by the caller; use arch/uaccess.h. *pos is the offset to
 * use and to advance. Any may be NULL: then the call fails as Linux's would (read: -EINVAL, ioctl:
 * -ENOTTY, mmap: -ENODEV, ...).
 */
struct file_ops {
    int (*open)(struct inode *inode, struct file *f);
    void (*release)(struct file *f); /* the last reference is gone */
    void (*flush)(struct file *f);   /* a descriptor of it was closed, by the current process */
    long (*read)(struct file *f, void __user *ubuf, size_t len, uint64_t *pos);
    long (*write)(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos);
    /* The same with kernel memory, for splice and its kin: NULL: they are -EINVAL. nonblock: as if
     * the file were O_NONBLOCK. */
    long (*read_kernel)(struct file *f, void *buf, size_t len, uint64_t *pos, bool nonblock);
    long (*write_kernel)(struct file *f, const void *buf, size_t len, uint64_t *pos);
    /* A vector as a whole; NULL: read and write, part after part. Where one is, so is the other. */
    long (*readv)(struct file *f, const struct iov_set *iov);
    long (*writev)(struct file *f, const struct iov_set *iov);
    long (*ioctl)(struct file *f, uint32_t cmd, uint32_t arg);
    /* Mask of POLL*; registers with pt (may be NULL) every queue whose wake-up may change it. */
    uint32_t (*poll)(struct file *f, struct poll_table *pt);
    int64_t (*seek)(struct file *f, int64_t offset, int whence); /* NULL: the regular rule */
    /* Fills m->object (a reference is given) or leaves NULL for anonymous memory. m->backing is set
     * to f; NULL: the mapping has nothing more to do with it. */
    int (*mmap)(struct file *f, struct vm_mapping *m);
    int (*fsync)(struct file *f);
    /* O_ASYNC: whose changes the owner hears of, for reading or (out) for writing; NULL: of none.
     */
    struct async_list *(*async)(struct file *f, bool out);
    uint32_t (*held)(const struct file *f); /* bytes of kernel memory that the open file holds */
    /* BESIDE_*: which operations do without the kernel lock. What they touch has locks of its own,
     * is the thread's, or is one word. They may sleep, and take it where they need it. */
    uint8_t beside;
    /* Of the flags of preadv2 and pwritev2 it knows RWF_NOWAIT, too; or none but RWF_HIPRI: what
     * Linux reads, or writes, without a vector. */
    bool nowait, plain_read, plain_write;
    bool stream; /* no position: pread gives -ESPIPE, and so does lseek
                  * unless there is a seek */
    /* Of files without a name: what /proc/PID/fd shows behind "anon_inode:", and what fdinfo adds.
     */
    const char *name;
    void (*fdinfo)(struct file *f, struct text *t);
};

/* seek of what has no position, but does not say so: it is always 0. */
int64_t seek_nowhere(struct file *f, int64_t offset, int whence);
extern const struct file_ops object_file_ops; /* regular files on inode->object; fs/vfs/regular.c */

/* poll: adds the caller to q; woken when q is. */
void poll_wait(struct poll_table *pt, struct waitq *q);

/* Device drivers, by number. Opening a node calls ops->open with f->inode->rdev known. name: as
 * /proc/devices shows it, or several, with blanks between. */
int chrdev_register(uint32_t major, const char *name, const struct file_ops *ops);
const struct file_ops *chrdev_find(uint32_t major);
const char *chrdev_name(uint32_t major); /* NULL: nobody's; for /proc/devices */

/* ---- inodes, dentries, paths ---- */

/* A new inode with one reference, times now, nlink 1, ids of the current process. NULL: no memory
 */
struct inode *inode_new(struct superblock *sb, uint32_t mode);
/* The same without times and owner, which the caller sets. */
struct inode *inode_bare(struct superblock *sb, uint32_t mode);
void inode_ref(struct inode *i);
void inode_unref(struct inode *i);
bool inode_try_ref(struct inode *i); /* false: its last reference is gone already */
void inode_touch(struct inode *i, bool atime, bool mtime, bool ctime);
void mapped_write_note(struct mapped_write *w); /* does not sleep */
void inode_settle_from(struct inode *i, struct mapped_write *w);
/* Before the times are read or changed. */
static inline void inode_settle(struct inode *i)
{
    if (i->ops && i->ops->settle)
        i->ops->settle(i);
}
uint64_t inode_size(const struct inode *i);

void dentry_ref(struct dentry *d);
void dentry_unref(struct dentry *d);
struct dentry *dentry_root(struct superblock *sb, struct inode *inode); /* consumes inode */
/* In-memory file systems: adds name to dir, pinned, consuming the inode (on failure too).
 * The dentry (borrowed) or NULL: no memory. */
struct dentry *dentry_add(struct dentry *dir, const char *name, size_t len, struct inode *inode);
bool dentry_is_empty(struct dentry *dir); /* in-memory: no children */
/* [parent's inode lock held] The name is gone: unhashes, unpins, marks. */
void dentry_drop(struct dentry *d);
struct dentry *dentry_find(struct dentry *dir, const char *name,
                           size_t len);   /* a reference or NULL */
void path_accessed(const struct path *p); /* as a read moves the access time */
void path_ref(const struct path *p);
void path_release(const struct path *p); /* path_unref, of one that is not empty */
static inline void path_unref(const struct path *p)
{
    if (p->dentry)
        path_release(p);
}
static inline bool path_same(const struct path *a, const struct path *b)
{
    return a->dentry == b->dentry && a->mount == b->mount;
}
/* The path from the process's root, written at the end of buf; a pointer into buf, or NULL if it
 * does not fit. */
char *path_print(const struct path *p, char *buf, size_t size);
/* The same from another root, and whether that is where it begins; what is gone is not marked. */
char *path_print_from(const struct path *p, const struct path *root, char *buf, size_t size,
                      bool *reached);
/* Where d, a reference to which is consumed, shows: in a mount of its file system, or nowhere. */
struct path path_of_dentry(struct dentry *d);
/* The name beside p, with what is mounted there: a reference. False: none. */
bool path_beside(const struct path *p, const char *name, struct path *out);
/* The same for a name of the inode (inode->alias); "" when it has none: for pager.describe. */
void inode_path(struct inode *i, char *buf, size_t size);

#define LOOKUP_FOLLOW    1 /* follow a symbolic link in the last component */
#define LOOKUP_DIRECTORY 2 /* -ENOTDIR unless it is one */

/* Walks a kernel string from dirfd (or AT_FDCWD). A reference in *out. May sleep. */
int path_lookup(int dirfd, const char *path, unsigned flags, struct path *out);
/* Copies a path from user memory into a fresh frame (free with kfree). -EFAULT, -ENAMETOOLONG... */
int path_from_user(const char __user *upath, char **out);

#define MAY_EXEC  1
#define MAY_WRITE 2
#define MAY_READ  4
int inode_permission(const struct inode *i, unsigned want); /* 0, -EACCES, -EROFS */

/* open(2) on a kernel string: a new file with one reference. */
int file_open(int dirfd, const char *path, uint32_t flags, uint32_t mode, struct file **out);
int path_unlink(const char *path); /* unlink(2) on a kernel string */
void file_ref(struct file *f);
void file_put(struct file *f); /* drops a reference; may sleep */
struct file *file_new(struct inode *inode, const struct path *at, const struct file_ops *ops,
                      uint32_t flags); /* consumes nothing; at may be NULL; NULL: no memory, or too
                                          many are open */
int file_new_error(void);              /* why it gave NULL: -ENFILE or -ENOMEM */

/* The place of an open file, made up when it has none (pipes): for /proc/PID/fd/N. A reference, or
 * -ENOMEM. */
int file_path(struct file *f, struct path *out);
uint32_t file_mount_id(const struct file *f);
uint32_t mount_flags(const struct mount *m); /* MS_NOSUID ... */
/* For exec: nobody may open the file for writing until f's last reference is gone. -ETXTBSY when
 * somebody has it open so. */
int file_deny_write(struct file *f);
void file_forget_writer(struct file *f); /* f, open for writing, is no reason for -ETXTBSY */

/* mount_lock is a sleep lock. */
extern struct mutex mount_lock;
extern uint32_t mount_changes;     /* [mount_lock] how often the table has changed, read without */
extern struct waitq mount_changed; /* woken then */

/* Boot: mounts the ramdisk as the root. -errno with the reason in the log. */
void vfs_init(void); /* calls the *_init below, each of which registers its types */
void ramfs_init(void);
void devfs_init(void);
void procfs_init(void);
void disk_filesystems_init(void);
struct boot_archive;
/* Mounts an empty "rootfs" (fs/ram/ramfs.c), then hands its root to cpio_load. */
int vfs_mount_root(const struct boot_archive *archives, unsigned count);
/* fs/archive/cpio.c */
int cpio_load(struct dentry *root, const struct boot_archive *archives, unsigned count);
/* Mounts the root from a disk (root=): source as "/dev/sda1". Tries every type that has a device.
 */
int vfs_mount_root_disk(const char *source, uint32_t flags);
/* Something can be written to: the thread that does so from time to time starts. */
void flush_start(void);
void vfs_sync(void);   /* every mount; may sleep */
void vfs_commit(void); /* the same, metadata only */
/* The end of the machine: nothing is written to any mount after, and all of it is on the medium. */
void vfs_shutdown(void);
int vfs_mount(const char *fstype, const char *source, const struct path *where, uint32_t flags,
              const char *data);
/* The first mount: its root, a reference, and the name of its type. */
struct path vfs_root(void);
const char *vfs_root_type(void);

#endif
