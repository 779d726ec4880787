/*
 * What the files of the virtual file layer share among themselves; no file system or other part
 * includes it.
 */
#ifndef FS_INTERNAL_H
#define FS_INTERNAL_H

#include "arch/processors.h"
#include "fs/vfs/file.h"
#include "fs/vfs/mount.h"
#include "fs/vfs/vfs.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define F_RDLCK 0 /* of locks and leases */
#define F_WRLCK 1
#define F_UNLCK 2

#define MAX_RW_COUNT  0x7ffff000u      /* the most one read or write moves, as on Linux */
#define MAX_FILE_SIZE 0xfffffffffffull /* s_maxbytes: 2^32 pages, less one byte */
#define MAX_NON_LFS   0x7fffffffull    /* the largest size without O_LARGEFILE */

static inline void ref_get(uint32_t *refs)
{
    __atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);
}

/* Drops a reference; true when it was the last. */
static inline bool ref_put(uint32_t *refs)
{
    return __atomic_sub_fetch(refs, 1, __ATOMIC_ACQ_REL) == 0;
}

/* The same when it is not the last; else nothing happens: false. */
static inline bool ref_put_shared(uint32_t *refs)
{
    uint32_t n = __atomic_load_n(refs, __ATOMIC_RELAXED);

    while (n > 1) {
        if (__atomic_compare_exchange_n(refs, &n, n - 1, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
            return true;
    }
    return false;
}

/* ---- dcache.c ---- */

extern struct spinlock dentry_lock;

#define NAME_HASH_INIT 5381u
static inline uint32_t name_hash_step(uint32_t h, char c)
{
    return h * 33 + (uint8_t)c;
}
uint32_t name_hash(const char *name, size_t len);

/* [dentry_lock held] A borrowed dentry or NULL. */
struct dentry *dcache_find(struct dentry *dir, const char *name, size_t len, uint32_t hash);
/* A nameless-in-the-tree dentry with one reference, parent referenced, inode NULL. NULL: no memory.
 */
struct dentry *dentry_new(struct dentry *parent, const char *name, size_t len);
/* [parent's inode lock held] d->inode was set: makes the name visible; in-memory trees pin it. */
void dentry_link(struct dentry *d);
/* [both parents' inode locks held] Gives d the parent and name of fresh, a dentry_new(), and takes
 * them from gone, or NULL. */
void dentry_move(struct dentry *d, struct dentry *fresh, struct dentry *gone);
/* [both parents' inode locks held] Swaps the places of two names. Inline or allocated names alike.
 */
void dentry_exchange(struct dentry *a, struct dentry *b);
/* [parent's inode lock held] d is about to be removed or moved: from now on nothing is mounted on
 * it. False: something is. dentry_stays: it is not any more. */
bool dentry_leaves(struct dentry *d);
void dentry_stays(struct dentry *d);
/* Whether d is ancestor or one above it, within one file system. */
bool dentry_is_below(struct dentry *d, const struct dentry *ancestor);
/* Whether anybody but the tree itself, which no mount shows, holds a reference into it. A marked
 * point. */
bool dentry_tree_busy(struct dentry *root);
/* A name of the file with that number, in a tree that lives in memory alone: a reference, or NULL.
 */
struct dentry *dentry_tree_find(struct dentry *root, uint32_t ino);
/* The path from the root of the file system. */
char *dentry_print(struct dentry *d, char *buf, size_t size);
/* [dentry_lock held] As path_of_dentry, without a reference. */
struct path mount_that_shows(struct dentry *d);
/* Takes a tree nobody refers to apart, root included. */
void dentry_tree_free(struct dentry *root);

/* While it is so, who walks without the kernel lock takes it first. */
extern uint32_t walks_barred; /* [dentry_lock] */
void walks_bar(bool bar);

/* Who accesses files, and by which capabilities he may do more than the modes say. */
struct access_ids {
    uint32_t uid, gid;
    bool overrides; /* CAP_DAC_OVERRIDE */
    bool searches;  /* CAP_DAC_READ_SEARCH */
};

/* ---- path.c ---- */

/* openat2: no other mounts; no magic links; no links; not out of the directory; it is the root. */
#define RESOLVE_NO_XDEV       0x01u
#define RESOLVE_NO_MAGICLINKS 0x02u
#define RESOLVE_NO_SYMLINKS   0x04u
#define RESOLVE_BENEATH       0x08u
#define RESOLVE_IN_ROOT       0x10u
#define RESOLVE_CACHED        0x20u
#define RESOLVE_SCOPED        (RESOLVE_BENEATH | RESOLVE_IN_ROOT)

#define LOOKUP_QUIET 0x100 /* with the LOOKUP_* of vfs.h: to walk into a mount is no use of it */

/* LAST_PLACE: a magic link led to walk.at itself. */
enum last_kind { LAST_ROOT, LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_PLACE };

struct link_level;
struct walk {
    struct path at;            /* where the walk stands; a reference between the calls */
    struct path scope;         /* RESOLVE_SCOPED: what is the root; a reference */
    const char *rest;          /* what is left of the string */
    char *body;                /* the frame rest points into: a link's target, or NULL */
    struct link_level *levels; /* what is left of the strings around it */
    const char *name;          /* the component found last */
    size_t len;
    uint32_t hash;
    enum last_kind kind;
    bool from_root;        /* it begins at the root, not at the working directory */
    bool last;             /* it is the last of all */
    bool must_be_dir;      /* slashes follow the last component */
    bool parent_only;      /* stop before the last component */
    unsigned flags;        /* LOOKUP_* */
    unsigned links;        /* followed so far */
    unsigned resolve;      /* RESOLVE_* of openat2 */
    bool who_known;        /* false: those of the current process, when somebody asks */
    struct access_ids who; /* whose permissions count: walk_who() */
};

/* Walks to the directory of the last component, which is left in name, len and kind. walk_end gives
 * back all of it, also after an error. */
int walk_parent(struct walk *w, int dirfd, const char *path);
/* The same with RESOLVE_*. */
int walk_parent_within(struct walk *w, int dirfd, const char *path, unsigned resolve);
/* As path_lookup. */
int path_lookup_within(int dirfd, const char *path, unsigned flags, unsigned resolve,
                       struct path *out);
/* The same to the place itself, with w's resolve and who told: a reference in *out, or -errno; w is
 * ended. */
int walk_whole(struct walk *w, int dirfd, const char *path, unsigned flags, struct path *out);
void walk_end(struct walk *w);
/* Looks the last component up in w->at: a reference to what is there, mounts not crossed. -ENOENT.
 * May sleep; the inode lock of the directory is held or not, as told. */
int walk_last(struct walk *w, bool locked, struct dentry **out);
/* The last component is the symbolic link at link (consumed): goes on through it, up to the next
 * parent. */
int walk_follow_last(struct walk *w, struct path *link);

/* ---- user_path.c ---- */

/* A user's path for the time of one call: in place as long as it is short. */
struct user_path {
    const char *text;
    char small[96];
};
int user_path_begin(struct user_path *p, const char __user *upath); /* as path_from_user */
static inline void user_path_end(struct user_path *p)
{
    if (p->text != p->small)
        kfree((char *)p->text);
}

/* path_from_user, path_lookup and kfree in one. AT_EMPTY_PATH in at_flags: "" means dirfd itself;
 * AT_SYMLINK_NOFOLLOW: the link itself. */
int user_lookup(int dirfd, const char __user *upath, uint32_t at_flags, struct path *out);
/* The same with the permissions of the given user. */
int user_lookup_as(int dirfd, const char __user *upath, uint32_t at_flags,
                   const struct access_ids *who, struct path *out);
/* The same for umount2: what it finds is not used by that. */
int user_lookup_mount(const char __user *upath, bool follow, struct path *out);
/* A user's path, walked to its parent: path is freed by the caller after walk_end. */
int user_parent(struct walk *w, int dirfd, const char __user *upath, char **path);

/* ---- inode.c ---- */

int inode_permission_as(const struct inode *i, unsigned want, const struct access_ids *who);
/* Whether that, and access_ids_current(), can be asked as things are: with the kernel lock, or
 * where the mode alone says and nobody else changes who the process is. */
bool inode_may_judge(const struct inode *i);
static inline bool cred_is_stable(void)
{
    return kernel_held() || proc_current()->nthreads == 1;
}
/* Of the current process: as it accesses files; real: as access(2) asks. */
struct access_ids access_ids_current(bool real);
bool inode_is_special(const struct inode *i); /* neither file, directory nor link */
bool in_group(uint32_t gid);                  /* of the current process, by file-system gid */
bool is_owner(const struct inode *i);         /* or may act as one */
struct timestamp timestamp_now(void);
struct timestamp timestamp_from_ns(uint64_t ns);
/* Reading through a mount: the access time, as its flags have it. */
void inode_accessed(struct inode *i, const struct mount *m);
/* Writing: times, and the set-id bits go unless root writes. */
int inode_modified(struct inode *i);
bool inode_strip_setid(struct inode *i); /* true when a bit went */
static inline bool sb_readonly(const struct superblock *sb)
{
    return sb && (sb->flags & MS_RDONLY);
}
/* O_TRUNC, truncate, ftruncate; permissions were checked. -EFBIG with SIGXFSZ past RLIMIT_FSIZE. */
int inode_truncate(struct inode *i, uint64_t size);
/* [i->lock held] The same within a larger change: neither locks nor touches the times. */
int inode_set_size(struct inode *i, uint64_t size);
long file_map_ioctl(struct file *f, void __user *uarg); /* fs/calls/fiemap.c */
/* fs/calls/share_blocks.c */
long file_clone(struct file *to, int fd);
long file_clone_range(struct file *to, const void __user *uarg);
long file_dedupe(struct file *f, const void __user *uarg);
uint64_t inode_blocks(const struct inode *i); /* of 512 bytes */
/* seek of regular files, which knows where the holes are: allocate.c */
int64_t object_seek(struct file *f, int64_t offset, int whence);

/* ---- file.c, fd.c ---- */

static inline bool file_readable(const struct file *f)
{
    return (f->flags + 1) & 1;
}
static inline bool file_writable(const struct file *f)
{
    return (f->flags + 1) & 2;
}
int fd_check_free(int min);                        /* 0 or -EMFILE */
bool inode_goes_direct(const struct inode *i);     /* whether O_DIRECT is for it: it is on a disk */
int fd_dup(struct file *f, int min, bool cloexec); /* F_DUPFD; consumes nothing */
int fd_set_cloexec(int fd, bool on);
/* Nobody else can use f while this call lasts: it needs no position lock. f came from fd_get. */
static inline bool file_is_private(const struct file *f)
{
    const struct proc *p = proc_current();

    return f->refs == 2 && p->nthreads == 1 && p->files_use != FILES_SHARED;
}
/* The position of f for one call; file_pos_end unlocks it. */
static inline bool file_pos_begin(struct file *f)
{
    bool lock = !f->ops->stream && !file_is_private(f);

    if (lock)
        mutex_lock(&f->pos_lock);
    return lock;
}
static inline void file_pos_end(struct file *f, bool locked)
{
    if (locked)
        mutex_unlock(&f->pos_lock);
}
/* open(2) of a place found already. created: by this call, so no permission is asked. */
int path_open(const struct path *p, uint32_t flags, bool created, struct file **out);
static inline struct path path_of_file(const struct file *f)
{
    return (struct path){f->mount, f->dentry};
}
static inline bool file_readonly(const struct file *f)
{
    return (f->mount->flags & MS_RDONLY) || sb_readonly(f->inode->sb);
}
/* Counts a writer of i, unless somebody runs it: 0 or -ETXTBSY. */
int inode_get_write(struct inode *i);
void inode_put_write(struct inode *i);
/* The flags of f, and those of the call (RWF_APPEND and kin) that the current thread is in. */
uint32_t file_rw_flags(const struct file *f);
int64_t generic_seek(struct file *f, int64_t offset, int whence, uint64_t size);

/* [no lock] The current process's directory or root, referenced. */
struct path fs_context_cwd(void);
struct path fs_context_root(void);

/* In c old becomes new, a reference each time: how often old's were given up to the caller. */
unsigned fs_context_replace(struct fs_context *c, const struct path *old, const struct path *new);

/* ---- create.c ---- */

/* Locks the directory of a new name and makes its dentry; for_dir: slashes may follow the name.
 * refused: 0, or an error that is told before those of the directory's permissions.
 * new_name_end unlocks; with err 0 the name becomes visible. Consumes d. */
int new_name_begin(struct walk *w, bool for_dir, int refused, struct dentry **out);
void new_name_end(struct dentry *d, int err);
/* May an entry be made in, or taken out of, this directory? [dir->lock held] */
int may_change_dir(const struct dentry *dir);
/* May the entry d be removed from its directory? want_dir: as a directory. */
int may_delete(const struct dentry *d, bool want_dir);
/* Whether the file system alone decides which names there are (procfs). */
bool dir_is_made_up(const struct dentry *dir);
/* A node that is no device at a kernel string: a reference to its name. out NULL: nothing is made,
 * only whether it could be told. -EEXIST. */
int path_mknod(const char *path, uint32_t mode, struct dentry **out);
/* mode without what umask takes. */
uint32_t apply_umask(uint32_t mode);
uint32_t new_file_mode(const struct inode *dir, uint32_t mode); /* no directory; before umask */

/* ---- rw.c ---- */

/* A transfer at pos with what read(2) and write(2) do beside it. May it be at all? -EBADF, -EINVAL.
 */
int file_may_transfer(const struct file *f, bool out);
long file_transfer(struct file *f, bool out, struct iov_set *s, uint64_t pos);
/* RWF_* of the transfers through f that the current thread does from now on, until rw_end_flags():
 * 0, or -EOPNOTSUPP: f does not know them. */
int rw_set_flags(const struct file *f, bool out, uint32_t flags);
void rw_end_flags(void);

/* ---- others ---- */

extern struct mutex rename_lock;           /* rename.c: keeps ancestry as it is */
extern const struct file_ops dir_file_ops; /* readdir.c */
/* ---- anon.c, epoll.c ---- */

/* An inode for a file without a name; NULL: no memory. */
struct inode *anon_inode(uint32_t mode);
bool inode_is_anon(const struct inode *i);
/* A descriptor of a file on one. When it fails private is released, through ops->release with a
 * file of which only that field is set. */
int anon_fd(const struct file_ops *ops, void *private, uint32_t flags);
void epoll_file_closed(struct file *f); /* leaves every set */

extern const struct file_ops path_file_ops; /* O_PATH: nothing works */
extern const struct file_ops fifo_file_ops; /* pipe.c */

/* ---- memfd.c: what seals forbid. Each is 0 or -EPERM; [i->lock held] but for mapping. ---- */

int seals_check_size(const struct inode *i, uint64_t size);
int seals_check_mapping(const struct inode *i, struct vm_mapping *m);
/* How much of a write of len at pos they let through: as far as whole pages do not grow the file.
 */
long seals_writable_length(const struct inode *i, uint64_t pos, size_t len);
long seals_fcntl(struct file *f, uint32_t cmd, uint32_t arg);

/* locks.c: what closing gives up. */
void locks_close_posix(struct inode *i, struct files *owner);
void locks_close_file(struct file *f);
long locks_fcntl(struct file *f, int fd, uint32_t cmd, uint32_t arg);

/* A 64-bit argument of a system call comes in two words. */
static inline uint64_t make64(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

/* ---- Leases: leases.c ---- */

extern uint32_t lease_break_seconds; /* /proc/sys/fs/lease-break-time; 0: for ever */
extern uint32_t leases_enabled;      /* leases-enable */
long lease_set(struct file *f, int fd, uint32_t arg); /* F_SETLEASE */
long lease_get(struct file *f);                       /* F_GETLEASE */
void lease_close(struct file *f);                     /* it is being closed */
/* Before i, which has leases, is opened or (write) changed: tells their holders and waits until
 * none is in the way. -EAGAIN if it may not wait, -ERESTARTSYS. */
int lease_break(struct inode *i, bool write, bool nonblock);

#endif
