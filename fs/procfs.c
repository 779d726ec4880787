/*
 * procfs: the file system. Directories are tables of entries, processes, threads and descriptors,
 * looked up anew by every walk; files are texts made when they are read from the start.
 */
#include "fs/procfs.h"
#include "arch/uaccess.h"
#include "fs/file.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define PROCFS_MAGIC  0x9fa0u
#define FIRST_NUMBER  256 /* position of number 0 in a directory; before it, the table */
#define STORE_MAX     256
#define NUMBER_BATCH  32
#define FD_LINK_BYTES 64 /* st_size of a descriptor's link, as on Linux */
#define ROOT_INO      1

struct proc_inode {
    const struct proc_entry *entry;
    struct target who;
};

/* An open file that is a text. */
struct proc_file {
    struct mutex lock;
    bool made;        /* [lock] */
    struct text text; /* [lock] */
};

static const struct inode_ops dir_ops, file_ops, link_ops, place_ops;
static const struct file_ops text_file_ops;

static const struct proc_entry root_entry = {
    .name = "/", .kind = ENTRY_ROOT, .mode = 0555, .children = system_entries};
static const struct proc_entry process_entry = {
    .name = "", .kind = ENTRY_DIR, .mode = 0555, .children = process_entries};
static const struct proc_entry thread_entry = {
    .name = "", .kind = ENTRY_DIR, .mode = 0555, .children = thread_entries};

static struct proc_inode *proc_inode(const struct inode *i)
{
    return i->private;
}

const struct target *inode_target(const struct inode *i)
{
    return &proc_inode(i)->who;
}

/* ---- Whom it is about ----------------------------------------------------------------------- */

struct proc *target_lock(const struct target *who)
{
    struct proc *p;

    spin_lock(&proc_lock);
    p = proc_find(who->pid);
    if (p && p->start_ns == who->start_ns)
        return p;
    spin_unlock(&proc_lock);
    return NULL;
}

struct thread *target_thread(const struct target *who, struct proc *p)
{
    struct thread *t;

    if (who->tid) {
        t = thread_find(who->tid);
        return t && t->proc == p ? t : NULL;
    }
    return list_empty(&p->threads) ? NULL : list_first_entry(&p->threads, struct thread, proc_link);
}

bool may_inspect(const struct proc *p)
{
    const struct cred *me = &proc_current()->cred, *c = &p->cred;

    if (p == proc_current() || me->fsuid == 0)
        return true;
    return p->dumpable && me->fsuid == c->euid && me->fsuid == c->suid && me->fsuid == c->uid &&
           me->fsgid == c->egid && me->fsgid == c->sgid && me->fsgid == c->gid;
}

struct vm_space *target_space(const struct target *who, bool check, int *err)
{
    struct proc *p = target_lock(who);
    struct vm_space *s = NULL;

    *err = p ? 0 : -ESRCH;
    if (!p)
        return NULL;
    if (check && !may_inspect(p))
        *err = -EACCES;
    else
        s = p->space;
    if (s)
        vm_space_ref(s);
    spin_unlock(&proc_lock);
    return s;
}

struct files *target_files(const struct target *who, int *err)
{
    struct proc *p = target_lock(who);
    struct files *f = NULL;

    *err = p ? 0 : -ESRCH;
    if (!p)
        return NULL;
    if (!may_inspect(p))
        *err = -EACCES;
    else
        f = p->files;
    if (f)
        files_ref(f);
    spin_unlock(&proc_lock);
    return f;
}

static bool target_exists(const struct target *who)
{
    struct proc *p;
    bool there;

    if (who->pid == 0)
        return true;
    p = target_lock(who);
    there = p && (who->tid == 0 || target_thread(who, p));
    if (p)
        spin_unlock(&proc_lock);
    return there;
}

/* ---- Inodes --------------------------------------------------------------------------------- */

/* Stable numbers, so that getdents and stat agree: the table's index, the process, the descriptor.
 */
static uint32_t entry_ino(const struct target *who, uint32_t index)
{
    if (who->fd)
        return 0x40000000u | (uint32_t)who->pid << 13 | (index & 1) << 12 | (who->fd & 0xfffu);
    if (who->tid)
        return 0x20000000u | (uint32_t)who->tid << 8 | index;
    if (who->pid)
        return 0x10000000u | (uint32_t)who->pid << 8 | index;
    return 0xf0000000u + index;
}

static const struct file_ops *entry_fops(const struct proc_entry *e)
{
    if (e->kind != ENTRY_FILE)
        return NULL;
    return e->fops ? e->fops : &text_file_ops;
}

static const struct inode_ops *entry_ops(const struct proc_entry *e)
{
    switch (e->kind) {
    case ENTRY_FILE:
        return &file_ops;
    case ENTRY_LINK:
        return &link_ops;
    case ENTRY_PLACE:
        return &place_ops;
    default:
        return &dir_ops;
    }
}

static uint32_t entry_type(const struct proc_entry *e)
{
    if (e->kind == ENTRY_FILE)
        return S_IFREG;
    return e->kind == ENTRY_LINK || e->kind == ENTRY_PLACE ? S_IFLNK : S_IFDIR;
}

/* Files of a process belong to it; what it hides from others belongs to root. */
static void set_owner(struct inode *i, const struct target *who)
{
    struct proc *p = who->pid ? target_lock(who) : NULL;

    i->uid = i->gid = 0;
    if (!p)
        return;
    if (p->dumpable) {
        i->uid = p->cred.euid;
        i->gid = p->cred.egid;
    }
    spin_unlock(&proc_lock);
}

static struct inode *make_inode(struct superblock *sb, const struct proc_entry *e,
                                const struct target *who, uint32_t ino)
{
    struct inode *i = inode_new(sb, entry_type(e) | e->mode);
    struct proc_inode *pi = kmalloc(sizeof(*pi));

    if (!i || !pi) {
        if (i)
            inode_unref(i);
        kmfree(pi);
        return NULL;
    }
    pi->entry = e;
    pi->who = *who;
    i->private = pi;
    i->ino = ino;
    i->ops = entry_ops(e);
    i->fops = entry_fops(e);
    if (S_ISDIR(i->mode))
        i->nlink = 2;
    set_owner(i, who);
    return i;
}

static void proc_destroy(struct inode *i)
{
    kmfree(i->private);
}

/* ---- Numbers: processes, threads, descriptors ----------------------------------------------- */

/* The target of a number in dir, when there is one. */
static bool number_target(const struct proc_inode *dir, int32_t n, struct target *out)
{
    struct proc *p;
    struct thread *t;

    *out = dir->who;
    if (n <= 0)
        return false;
    if (dir->entry->kind == ENTRY_ROOT) {
        spin_lock(&proc_lock);
        t = thread_find(n);
        p = t ? t->proc : proc_find(n);
        if (p && p->pid != n)
            p = proc_find(p->pid); /* a thread's id finds its process, as on Linux */
        if (p) {
            out->pid = p->pid;
            out->start_ns = p->start_ns;
        }
        spin_unlock(&proc_lock);
        return p != NULL;
    }
    if (dir->entry->kind == ENTRY_TASKS) {
        out->tid = n;
        return target_exists(out);
    }
    out->fd = n;
    return true;
}

/* The access mode (O_RDONLY...) of a descriptor, or -1 when there is none. */
static int fd_access(const struct target *who, int32_t fd)
{
    int err, at = fd, access = -1;
    struct files *files = target_files(who, &err);
    struct file *f = files ? files_next(files, &at) : NULL;

    if (f && at == fd)
        access = f->flags & O_ACCMODE;
    if (f)
        file_put(f);
    if (files)
        files_put(files);
    return access;
}

/* A descriptor's link shows by its permissions how the file is open. */
static uint32_t access_mode(int access)
{
    return (access != O_WRONLY ? 0500 : 0) | (access != O_RDONLY ? 0300 : 0);
}

static const struct proc_entry *number_entry(const struct proc_entry *dir)
{
    switch (dir->kind) {
    case ENTRY_ROOT:
        return &process_entry;
    case ENTRY_TASKS:
        return &thread_entry;
    case ENTRY_FDS:
        return &fd_entry;
    case ENTRY_FDINFO:
        return &fdinfo_entry;
    default:
        return NULL;
    }
}

/* A descriptor's inode remembers fd + 1, so that 0 is "none". */
static uint32_t number_ino(const struct proc_entry *dir, const struct target *who)
{
    return entry_ino(who, dir->kind == ENTRY_FDINFO ? 1 : 0);
}

/* A decimal number without leading zeros, as names are. */
static bool parse_name(const char *name, int32_t *out)
{
    int32_t n = 0;

    if (!*name || (name[0] == '0' && name[1]))
        return false;
    for (; *name; name++) {
        if (!isdigit(*name) || n > 100000000)
            return false;
        n = n * 10 + (*name - '0');
    }
    *out = n;
    return true;
}

static int lookup_number(struct inode *dir, struct dentry *d)
{
    struct proc_inode *pi = proc_inode(dir);
    const struct proc_entry *e = number_entry(pi->entry);
    struct target who;
    int access = 0;
    int32_t n;

    if (!e || !parse_name(d->name, &n))
        return -ENOENT;
    if (e == &fd_entry || e == &fdinfo_entry) {
        access = fd_access(&pi->who, n++);
        if (access < 0)
            return -ENOENT;
    }
    if (!number_target(pi, n, &who))
        return -ENOENT;
    d->inode = make_inode(dir->sb, e, &who, number_ino(pi->entry, &who));
    if (!d->inode)
        return -ENOMEM;
    if (e == &fd_entry) {
        d->inode->mode = S_IFLNK | access_mode(access);
        d->inode->bytes = FD_LINK_BYTES;
    }
    return 0;
}

static uint32_t child_ino(const struct proc_inode *dir, const struct proc_entry *e)
{
    const struct proc_entry *table = dir->entry->children;
    uint32_t index = (uint32_t)(e - table) + 1;

    if (!dir->who.pid && table != system_entries)
        index += ((uintptr_t)table >> 2 & 0xffff) << 8;
    return entry_ino(&dir->who, index);
}

static int proc_lookup(struct inode *dir, struct dentry *d)
{
    struct proc_inode *pi = proc_inode(dir);
    const struct proc_entry *table = pi->entry->children, *e;

    if (!target_exists(&pi->who))
        return -ESRCH;
    for (e = table; e && e->name; e++) {
        if (strcmp(e->name, d->name) == 0) {
            d->inode = make_inode(dir->sb, e, &pi->who, child_ino(pi, e));
            return d->inode ? 0 : -ENOMEM;
        }
    }
    return lookup_number(dir, d);
}

/* ---- Directories ---------------------------------------------------------------------------- */

/* Puts n into the sorted batch of the smallest numbers seen. */
static void batch_insert(int32_t *batch, unsigned *count, int32_t n)
{
    unsigned i = *count;

    if (i == NUMBER_BATCH) {
        if (batch[i - 1] <= n)
            return;
        i--;
    } else {
        ++*count;
    }
    for (; i > 0 && batch[i - 1] > n; i--)
        batch[i] = batch[i - 1];
    batch[i] = n;
}

static unsigned batch_processes(int32_t *batch, int32_t from)
{
    unsigned count = 0;
    struct proc *p;

    spin_lock(&proc_lock);
    list_for_each_entry (p, &all_procs, all_link)
        if (p->pid >= from && p->pid > 0)
            batch_insert(batch, &count, p->pid);
    spin_unlock(&proc_lock);
    return count;
}

static unsigned batch_threads(const struct target *who, int32_t *batch, int32_t from)
{
    struct proc *p = target_lock(who);
    unsigned count = 0;
    struct thread *t;

    if (!p)
        return 0;
    list_for_each_entry (t, &p->threads, proc_link)
        if (t->tid >= from)
            batch_insert(batch, &count, t->tid);
    spin_unlock(&proc_lock);
    return count;
}

static unsigned batch_files(const struct target *who, int32_t *batch, int32_t from)
{
    int err, fd = from;
    struct files *files = target_files(who, &err);
    unsigned count = 0;

    while (files && count < NUMBER_BATCH) {
        struct file *f = files_next(files, &fd);

        if (!f)
            break;
        file_put(f);
        batch[count++] = fd++;
    }
    if (files)
        files_put(files);
    return count;
}

/* The next numbers of the directory from the given one on, in order. */
static unsigned next_batch(const struct proc_inode *pi, int32_t *batch, int32_t from)
{
    switch (pi->entry->kind) {
    case ENTRY_ROOT:
        return batch_processes(batch, from);
    case ENTRY_TASKS:
        return batch_threads(&pi->who, batch, from);
    case ENTRY_FDS:
    case ENTRY_FDINFO:
        return batch_files(&pi->who, batch, from);
    default:
        return 0;
    }
}

static bool emit_number(const struct proc_inode *pi, struct dir_context *ctx, int32_t n)
{
    const struct proc_entry *e = number_entry(pi->entry);
    struct target who = pi->who;
    char name[12];
    int len = snprintf(name, sizeof(name), "%d", n);

    if (pi->entry->kind == ENTRY_ROOT)
        who.pid = n;
    else if (pi->entry->kind == ENTRY_TASKS)
        who.tid = n;
    else
        who.fd = n + 1;
    if (!dir_emit(ctx, name, (size_t)len, number_ino(pi->entry, &who), entry_type(e)))
        return false;
    ctx->pos = (uint64_t)(FIRST_NUMBER + n + 1);
    return true;
}

/* The entries of the table, which have the positions below FIRST_NUMBER. False: the buffer is full.
 */
static bool emit_table(const struct proc_inode *pi, struct dir_context *ctx)
{
    const struct proc_entry *table = pi->entry->children;
    uint64_t count = 0;

    while (table && table[count].name)
        count++;
    for (; ctx->pos - 2 < count; ctx->pos++) {
        const struct proc_entry *e = &table[ctx->pos - 2];

        if (!dir_emit(ctx, e->name, strlen(e->name), child_ino(pi, e), entry_type(e)))
            return false;
    }
    if (ctx->pos < FIRST_NUMBER)
        ctx->pos = FIRST_NUMBER;
    return true;
}

static int proc_iterate(struct file *f, struct dir_context *ctx)
{
    struct proc_inode *pi = proc_inode(f->inode);
    int32_t batch[NUMBER_BATCH];
    unsigned count;

    if (!target_exists(&pi->who))
        return -ENOENT;
    if (!emit_table(pi, ctx) || ctx->pos > INT32_MAX)
        return 0;
    do {
        count = next_batch(pi, batch, (int32_t)(ctx->pos - FIRST_NUMBER));
        for (unsigned i = 0; i < count; i++)
            if (!emit_number(pi, ctx, batch[i]))
                return 0;
    } while (count == NUMBER_BATCH);
    return 0;
}

/* ---- Links ---------------------------------------------------------------------------------- */

static int link_readlink(struct inode *i, char *buf, size_t size)
{
    struct proc_inode *pi = proc_inode(i);
    struct text t;
    int err, n;

    text_init(&t);
    err = pi->entry->show(&t, &pi->who);
    n = err ? err : (int)text_copy(&t, buf, size);
    text_free(&t);
    return n;
}

static int place_follow(struct inode *i, struct dentry **out)
{
    struct proc_inode *pi = proc_inode(i);
    int err = -ENOENT;

    *out = pi->entry->place(&pi->who, &err);
    return *out ? 0 : err;
}

static int place_readlink(struct inode *i, char *buf, size_t size)
{
    struct dentry *d;
    char *page, *path;
    int err = place_follow(i, &d), n = -ENAMETOOLONG;

    if (err)
        return err;
    page = kalloc();
    if (!page) {
        dentry_unref(d);
        return -ENOMEM;
    }
    path = dentry_path(d, page, PAGE_SIZE);
    if (path) {
        n = (int)strlen(path);
        n = (size_t)n < size ? n : (int)size;
        memcpy(buf, path, (size_t)n);
    }
    kfree(page);
    dentry_unref(d);
    return n;
}

/* ---- Texts ---------------------------------------------------------------------------------- */

static int text_open(struct inode *i, struct file *f)
{
    struct proc_file *pf = kzalloc(sizeof(*pf));

    (void)i;
    if (!pf)
        return -ENOMEM;
    mutex_init(&pf->lock);
    text_init(&pf->text);
    f->private = pf;
    return 0;
}

static void text_release(struct file *f)
{
    struct proc_file *pf = f->private;

    text_free(&pf->text);
    kmfree(pf);
}

/* [pf->lock held] The text anew. */
static int text_make(struct proc_file *pf, const struct proc_inode *pi)
{
    int err;

    text_free(&pf->text);
    pf->made = false;
    if (!target_exists(&pi->who))
        return -ESRCH;
    err = pi->entry->show ? pi->entry->show(&pf->text, &pi->who) : -EINVAL;
    if (!err && pf->text.failed)
        err = -ENOMEM;
    pf->made = !err;
    return err;
}

static long text_file_read(struct file *f, void *ubuf, size_t len, uint64_t *pos)
{
    struct proc_file *pf = f->private;
    long n = 0;

    mutex_lock(&pf->lock);
    if (*pos == 0 || !pf->made)
        n = text_make(pf, proc_inode(f->inode));
    if (n == 0)
        n = text_read(&pf->text, *pos, ubuf, len);
    mutex_unlock(&pf->lock);
    if (n > 0)
        *pos += (uint64_t)n;
    return n;
}

static long text_file_write(struct file *f, const void *ubuf, size_t len, uint64_t *pos)
{
    struct proc_inode *pi = proc_inode(f->inode);
    char *buf;
    int err;

    if (!pi->entry->store)
        return -EIO;
    if (len >= STORE_MAX)
        return -EINVAL;
    buf = kmalloc(STORE_MAX);
    if (!buf)
        return -ENOMEM;
    err = copy_from_user(buf, ubuf, len);
    buf[len] = '\0';
    if (!err)
        err = pi->entry->store(buf, len, &pi->who);
    kmfree(buf);
    if (err)
        return err;
    *pos += len;
    return (long)len;
}

/* O_TRUNC means nothing here. */
static int file_truncate(struct inode *i, uint64_t size)
{
    (void)i, (void)size;
    return 0;
}

static const struct file_ops text_file_ops = {
    .open = text_open,
    .release = text_release,
    .read = text_file_read,
    .write = text_file_write,
};

static const struct inode_ops dir_ops = {
    .lookup = proc_lookup,
    .iterate = proc_iterate,
    .destroy = proc_destroy,
};

static const struct inode_ops file_ops = {
    .truncate = file_truncate,
    .destroy = proc_destroy,
};

static const struct inode_ops link_ops = {
    .readlink = link_readlink,
    .destroy = proc_destroy,
};

static const struct inode_ops place_ops = {
    .readlink = place_readlink,
    .follow = place_follow,
    .destroy = proc_destroy,
};

/* ---- Mounting ------------------------------------------------------------------------------- */

static int procfs_mount(struct superblock *sb, const char *source, const char *data)
{
    struct target nobody = {0};
    struct inode *root = make_inode(sb, &root_entry, &nobody, ROOT_INO);

    (void)source, (void)data;
    sb->root = root ? dentry_root(sb, root) : NULL;
    if (sb->root)
        return 0;
    if (root)
        inode_unref(root);
    return -ENOMEM;
}

static void procfs_statfs(struct superblock *sb, struct kstatfs *out)
{
    (void)sb;
    memset(out, 0, sizeof(*out));
    out->type = PROCFS_MAGIC;
    out->bsize = PAGE_SIZE;
    out->namelen = NAME_MAX;
}

static struct fs_type procfs_type = {
    .name = "proc",
    .nodev = true,
    .mount = procfs_mount,
    .statfs = procfs_statfs,
};

void procfs_init(void)
{
    fs_register(&procfs_type);
}
