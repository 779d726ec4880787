/*
 * The directories of procfs: tables of entries, processes, threads and descriptors, looked up anew
 * by every walk.
 */
#include "fs/vfs/file.h"
#include "fs/proc/procfs.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define FIRST_NUMBER  256 /* position of number 0 in a directory; before it, the table */
#define NUMBER_BATCH  32
#define FD_LINK_BYTES 64 /* st_size of a descriptor's link, as on Linux */

static const struct proc_entry process_entry = {
    .name = "", .kind = ENTRY_DIR, .mode = 0555, .children = process_entries};
static const struct proc_entry thread_entry = {
    .name = "", .kind = ENTRY_DIR, .mode = 0555, .children = thread_entries};

/* ---- Numbers: processes, threads, descriptors ---- */

/* The target of a number in dir, when there is one. */
static bool number_target(const struct inode *of, int32_t n, struct target *out)
{
    const struct proc_inode *dir = proc_inode(of);
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
        if (p && proc_hides(of->sb, p, PROC_INVISIBLE))
            p = NULL;
        if (p) {
            out->pid = p->pid;
            out->by = n == p->pid ? 0 : n;
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
    int err, access = -1;
    struct files *files = target_files(who, false, &err);
    struct file *f = files ? files_get(files, fd) : NULL;

    if (f) {
        access = f->flags & O_ACCMODE;
        file_put(f);
    }
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
    return proc_entry_ino(who, dir->kind == ENTRY_FDINFO ? 1 : 0);
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
    int access = 0, err;
    int32_t n;

    if (!e || !parse_name(d->name, &n))
        return -ENOENT;
    err = e == &fdinfo_entry ? target_inspect(&pi->who)
                             : 0; /* a walk asks no directory of mode 0555 */
    if (err)
        return err;
    if (e == &fd_entry || e == &fdinfo_entry) {
        access = fd_access(&pi->who, n++);
        if (access < 0)
            return -ENOENT;
    }
    if (!number_target(dir, n, &who))
        return -ENOENT;
    d->inode = proc_make_inode(dir->sb, e, &who, number_ino(pi->entry, &who));
    if (!d->inode)
        return -ENOMEM;
    if (e == &process_entry)
        d->inode->flags = INODE_IMMUTABLE;
    if (e == &fd_entry) {
        d->inode->mode = S_IFLNK | access_mode(access);
        d->inode->bytes = FD_LINK_BYTES;
    }
    return 0;
}

static int lookup_area(struct inode *dir, struct dentry *d)
{
    struct target who;
    uint32_t mode;
    int err = map_files_find(&proc_inode(dir)->who, d->name, &who, &mode);

    if (err)
        return err;
    d->inode = proc_make_inode(dir->sb, &map_file_entry, &who, proc_entry_ino(&who, 0));
    if (!d->inode)
        return -ENOMEM;
    d->inode->mode = S_IFLNK | mode;
    d->inode->bytes = FD_LINK_BYTES;
    return 0;
}

static uint32_t child_ino(const struct proc_inode *dir, const struct proc_entry *e)
{
    const struct proc_entry *table = dir->entry->children;
    uint32_t index = (uint32_t)(e - table) + 1;

    if (!dir->who.pid && table != system_entries)
        index += ((uintptr_t)table >> 2 & 0xffff) << 8;
    return proc_entry_ino(&dir->who, index);
}

/* subset=pid leaves nothing but processes, and links to them. */
static bool is_shown(const struct inode *dir, const struct proc_entry *e)
{
    if (proc_inode(dir)->entry->kind != ENTRY_ROOT || !proc_only_processes(dir->sb))
        return true;
    return strcmp(e->name, "self") == 0 || strcmp(e->name, "thread-self") == 0;
}

/* Of the directory of a process: whether it is hidden. */
static int may_enter(const struct inode *dir)
{
    const struct proc_inode *pi = proc_inode(dir);

    return pi->entry == &process_entry ? proc_may_enter(dir->sb, &pi->who) : 0;
}

static int proc_lookup(struct inode *dir, struct dentry *d)
{
    struct proc_inode *pi = proc_inode(dir);
    const struct proc_entry *table = pi->entry->children, *e;
    int err;

    if (!target_exists(&pi->who))
        return -ESRCH;
    err = may_enter(dir); /* a walk asks no directory of mode 0555 */
    if (err)
        return err;
    for (e = table; e && e->name; e++) {
        if (strcmp(e->name, d->name) == 0 && is_shown(dir, e)) {
            d->inode = proc_make_inode(dir->sb, e, &pi->who, child_ino(pi, e));
            if (d->inode)
                proc_inode(d->inode)->setting = pi->setting || e->children == sysctl_entries;
            return d->inode ? 0 : -ENOMEM;
        }
    }
    return pi->entry->kind == ENTRY_MAPS ? lookup_area(dir, d) : lookup_number(dir, d);
}

/* ---- Directories ---- */

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

static unsigned batch_processes(const struct superblock *sb, int32_t *batch, int32_t from)
{
    unsigned count = 0;
    struct proc *p;

    spin_lock(&proc_lock);
    list_for_each_entry (p, &all_procs, all_link)
        if (p->pid >= from && p->pid > 0 && !proc_hides(sb, p, PROC_INVISIBLE))
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
    if (proc_lost_first(p) && p->pid >= from)
        batch_insert(batch, &count, p->pid);
    spin_unlock(&proc_lock);
    return count;
}

static unsigned batch_files(const struct target *who, int32_t *batch, int32_t from)
{
    int err, fd = from;
    struct files *files = target_files(who, false, &err);
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
static unsigned next_batch(const struct inode *dir, int32_t *batch, int32_t from)
{
    const struct proc_inode *pi = proc_inode(dir);

    switch (pi->entry->kind) {
    case ENTRY_ROOT:
        return batch_processes(dir->sb, batch, from);
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
    if (!dir_emit(ctx, name, (size_t)len, number_ino(pi->entry, &who), proc_entry_type(e)))
        return false;
    ctx->pos = (uint64_t)(FIRST_NUMBER + n + 1);
    return true;
}

/* The entries of the table, which have the positions below FIRST_NUMBER. False: the buffer is full.
 */
static bool emit_table(const struct inode *dir, struct dir_context *ctx)
{
    const struct proc_inode *pi = proc_inode(dir);
    const struct proc_entry *table = pi->entry->children;
    uint64_t count = 0;

    while (table && table[count].name)
        count++;
    for (; ctx->pos - 2 < count; ctx->pos++) {
        const struct proc_entry *e = &table[ctx->pos - 2];

        if (is_shown(dir, e) &&
            !dir_emit(ctx, e->name, strlen(e->name), child_ino(pi, e), proc_entry_type(e)))
            return false;
    }
    if (ctx->pos < FIRST_NUMBER)
        ctx->pos = FIRST_NUMBER;
    return true;
}

/* Positions are addresses, behind the table's. */
static int iterate_areas(const struct proc_inode *pi, struct dir_context *ctx)
{
    uint64_t at = ctx->pos > FIRST_NUMBER ? ctx->pos - FIRST_NUMBER : 0;
    struct target who = pi->who;
    char name[24];
    int n;

    while ((n = map_files_next(&pi->who, &at, name, sizeof(name))) > 0) {
        who.fd = (int32_t)(strtoul(name, NULL, 16) >> PAGE_SHIFT) + 1;
        if (!dir_emit(ctx, name, (size_t)n, proc_entry_ino(&who, 0), S_IFLNK))
            return 0;
        ctx->pos = FIRST_NUMBER + at;
    }
    return n;
}

static int proc_iterate(struct file *f, struct dir_context *ctx)
{
    struct proc_inode *pi = proc_inode(f->inode);
    int32_t batch[NUMBER_BATCH];
    unsigned count;

    if (!target_exists(&pi->who))
        return -ENOENT;
    if (pi->entry->kind == ENTRY_MAPS)
        return iterate_areas(pi, ctx);
    if (!emit_table(f->inode, ctx) || ctx->pos > INT32_MAX)
        return 0;
    do {
        count = next_batch(f->inode, batch, (int32_t)(ctx->pos - FIRST_NUMBER));
        for (unsigned i = 0; i < count; i++)
            if (!emit_number(pi, ctx, batch[i]))
                return 0;
        sched_point();
    } while (count == NUMBER_BATCH);
    return 0;
}

/* A process may always see its own descriptors, whatever it has become; the states of descriptors
 * are for those who may look into it. */
static int proc_dir_permission(const struct inode *i, unsigned want, int err)
{
    const struct proc_inode *pi = proc_inode(i);
    int inspect, hidden = may_enter(i);

    if (hidden)
        return hidden;
    if (pi->setting && (want & MAY_WRITE))
        return -EACCES;
    if (pi->entry->kind == ENTRY_FDS)
        return pi->who.pid == proc_current()->pid ? 0 : err;
    if (pi->entry->kind != ENTRY_FDINFO)
        return err;
    inspect = target_inspect(&pi->who);
    return inspect ? inspect : err;
}

const struct inode_ops proc_dir_ops = {
    .changeable = proc_changeable,
    .permission = proc_dir_permission,
    .lookup = proc_lookup,
    .iterate = proc_iterate,
    .destroy = proc_destroy,
};
