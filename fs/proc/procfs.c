/*
 * procfs: the file system. Its directories are in dir.c; files are texts made when they are
 * read from the start, links are texts or lead to the place itself.
 */
#include "fs/proc/procfs.h"
#include "fs/vfs/internal.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define PROCFS_MAGIC 0x9fa0u
#define STORE_MAX    256
#define ROOT_INO     1

/* An open file that is a text. */
struct proc_file {
    struct text_file file;
    uint32_t seen; /* of entry->changes */
};

static const struct inode_ops file_ops, link_ops, place_ops;
static const struct file_ops text_file_ops, waited_file_ops;

static const struct proc_entry root_entry = {
    .name = "/", .kind = ENTRY_ROOT, .mode = 0555, .children = system_entries};
const struct target *inode_target(const struct inode *i)
{
    return &proc_inode(i)->who;
}

/* ---- Whom it is about ---- */

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

int32_t target_id(const struct target *who)
{
    if (who->tid)
        return who->tid;
    return who->by ? who->by : who->pid;
}

struct thread *target_thread(const struct target *who, struct proc *p)
{
    struct thread *t = thread_find(target_id(who));

    return t && t->proc == p ? t : NULL;
}

struct proc_handle *procfs_handle(const struct file *f, int *err)
{
    const struct proc_inode *pi = f->inode->ops == &proc_dir_ops ? proc_inode(f->inode) : NULL;
    struct proc_handle *h;

    *err = -EBADF;
    if (!pi || !pi->who.pid || pi->who.tid || pi->entry->children != process_entries)
        return NULL;
    h = proc_handle_get(pi->who.pid, err);
    if (h && !target_exists(&pi->who)) {
        proc_handle_put(h);
        *err = -ESRCH;
        h = NULL;
    }
    return h;
}

int target_inspect(const struct target *who)
{
    struct proc *p = target_lock(who);
    int err = !p ? -ESRCH : proc_may_inspect(p, INSPECT_FS) ? 0 : -EACCES;

    if (p)
        spin_unlock(&proc_lock);
    return err;
}

struct vm_space *target_space(const struct target *who, bool check, int *err)
{
    struct proc *p = target_lock(who);
    struct vm_space *s = NULL;

    *err = p ? 0 : -ESRCH;
    if (!p)
        return NULL;
    if (check && !proc_may_inspect(p, INSPECT_FS))
        *err = -EACCES;
    else if (target_thread(who, p))
        s = p->space;
    if (s)
        vm_space_ref(s);
    spin_unlock(&proc_lock);
    return s;
}

struct files *target_files(const struct target *who, bool check, int *err)
{
    struct proc *p = target_lock(who);
    struct files *f = NULL;

    *err = p ? 0 : -ESRCH;
    if (!p)
        return NULL;
    if (check && !proc_may_inspect(p, INSPECT_FS))
        *err = -EACCES;
    else if (target_thread(who, p))
        f = p->files;
    if (f)
        files_ref(f);
    spin_unlock(&proc_lock);
    return f;
}

bool target_exists(const struct target *who)
{
    struct proc *p;
    bool there;

    if (who->pid == 0)
        return true;
    p = target_lock(who);
    there = p && (target_id(who) == p->pid || target_thread(who, p));
    if (p)
        spin_unlock(&proc_lock);
    return there;
}

/* ---- Inodes ---- */

/* Stable numbers, so that getdents and stat agree: the table's index, the process, the descriptor.
 */
uint32_t proc_entry_ino(const struct target *who, uint32_t index)
{
    if (who->fd)
        return 0x40000000u | (uint32_t)who->pid << 13 | (index & 1) << 12 | (who->fd & 0xfffu);
    if (who->tid)
        return 0x20000000u | (uint32_t)who->tid << 8 | index;
    if (who->pid)
        return 0x10000000u | (uint32_t)target_id(who) << 8 | index;
    return 0xf0000000u + index;
}

static const struct file_ops *entry_fops(const struct proc_entry *e)
{
    if (e->kind != ENTRY_FILE)
        return NULL;
    if (e->changes)
        return &waited_file_ops;
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
        return &proc_dir_ops;
    }
}

uint32_t proc_entry_type(const struct proc_entry *e)
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
    if (p->dumpable == DUMPABLE_USER) {
        i->uid = p->cred.euid;
        i->gid = p->cred.egid;
    }
    spin_unlock(&proc_lock);
}

struct inode *proc_make_inode(struct superblock *sb, const struct proc_entry *e,
                              const struct target *who, uint32_t ino)
{
    struct inode *i = inode_new(sb, proc_entry_type(e) | e->mode);
    struct proc_inode *pi = kmalloc(sizeof(*pi));

    if (!i || !pi) {
        if (i)
            inode_unref(i);
        kmfree(pi);
        return NULL;
    }
    pi->entry = e;
    pi->who = *who;
    pi->setting = false;
    i->private = pi;
    i->ino = ino;
    i->ops = entry_ops(e);
    i->fops = entry_fops(e);
    i->bytes = e->size ? e->size() : 0;
    if (S_ISDIR(i->mode))
        i->nlink = 2;
    set_owner(i, who);
    return i;
}

int proc_changeable(const struct inode *i, bool owner)
{
    const struct proc_inode *pi = proc_inode(i);

    return pi->setting || (pi->who.pid && !owner) ? -EPERM : 0;
}

void proc_destroy(struct inode *i)
{
    kmfree(i->private);
}

/* ---- Links ---- */

static int link_readlink(struct inode *i, char *buf, size_t size)
{
    struct proc_inode *pi = proc_inode(i);
    struct text t;
    int err, n;

    text_init(&t);
    err = pi->entry->show(&t, &pi->who);
    if (!err && t.failed)
        err = -ENOMEM;
    n = err ? err : (int)text_copy(&t, buf, size);
    text_free(&t);
    return n;
}

static int place_follow(struct inode *i, struct path *out)
{
    struct proc_inode *pi = proc_inode(i);

    return pi->entry->place(&pi->who, out);
}

static int place_readlink(struct inode *i, char *buf, size_t size)
{
    struct path p;
    char *page, *path;
    int err = place_follow(i, &p), n = -ENAMETOOLONG;

    if (err)
        return err;
    page = kalloc();
    if (!page) {
        path_unref(&p);
        return -ENOMEM;
    }
    path = path_print(&p, page, PAGE_SIZE);
    if (path) {
        n = (int)strlen(path);
        n = (size_t)n < size ? n : (int)size;
        memcpy(buf, path, (size_t)n);
    }
    kfree(page);
    path_unref(&p);
    return n;
}

/* ---- Texts ---- */

static int text_open(struct inode *i, struct file *f)
{
    const struct proc_inode *pi = proc_inode(i);
    int err = pi->entry->guarded ? target_inspect(&pi->who) : 0;
    struct proc_file *pf;

    if (err)
        return err;
    pf = kzalloc(sizeof(*pf));
    if (!pf)
        return -ENOMEM;
    text_file_init(&pf->file);
    if (pi->entry->changes)
        pf->seen = *pi->entry->changes;
    f->private = pf;
    return 0;
}

static void text_release(struct file *f)
{
    struct proc_file *pf = f->private;

    text_file_end(&pf->file);
    kmfree(pf);
}

static int show(struct text *t, const struct inode *i)
{
    const struct proc_inode *pi = proc_inode(i);

    if (!target_exists(&pi->who))
        return -ESRCH;
    return pi->entry->show ? pi->entry->show(t, &pi->who) : -EINVAL;
}

static long read_text(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    struct proc_file *pf = f->private;

    return text_file_read(&pf->file, show, f->inode, ubuf, len, pos);
}

static int store(const struct inode *i, char *buf, size_t len)
{
    struct proc_inode *pi = proc_inode(i);

    return pi->entry->store(buf, len, &pi->who);
}

static long write_text(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    if (!proc_inode(f->inode)->entry->store)
        return -EIO;
    return text_file_write(store, f->inode, STORE_MAX, ubuf, len, pos);
}

/* O_TRUNC means nothing here. */
static int file_truncate(struct inode *i, uint64_t size)
{
    (void)i, (void)size;
    return 0;
}

/* Whether it is one of /proc/sys. */
static bool is_setting(const struct file *f)
{
    const struct dentry *d = f->dentry;

    while (d->parent && d->parent->parent)
        d = d->parent;
    return strcmp(d->name, "sys") == 0;
}

/* Nobody knows where a text ends before it is made; those of /proc/sys are empty, as on Linux. */
static int64_t text_seek(struct file *f, int64_t offset, int whence)
{
    if (whence != SEEK_SET && whence != SEEK_CUR && !is_setting(f))
        return -EINVAL;
    return generic_seek(f, offset, whence, 0);
}

static const struct file_ops text_file_ops = {
    .open = text_open,
    .release = text_release,
    .read = read_text,
    .write = write_text,
    .seek = text_seek,
};

/* Always readable; a change since the last look is what POLLPRI tells. */
static uint32_t waited_poll(struct file *f, struct poll_table *pt)
{
    const struct proc_entry *e = proc_inode(f->inode)->entry;
    struct proc_file *pf = f->private;
    uint32_t now, mask = POLLIN;

    poll_wait(pt, e->changed);
    now = *e->changes;
    if (pf->seen != now)
        mask |= POLLERR | POLLPRI;
    pf->seen = now;
    return mask;
}

static const struct file_ops waited_file_ops = {
    .open = text_open,
    .release = text_release,
    .read = read_text,
    .write = write_text,
    .seek = text_seek,
    .poll = waited_poll,
};

static int file_permission(const struct inode *i, unsigned want, int err)
{
    const struct proc_inode *pi = proc_inode(i);

    return pi->setting && (want & MAY_WRITE) && !(pi->entry->mode & 0200) ? -EACCES : err;
}

static const struct inode_ops file_ops = {
    .permission = file_permission,
    .truncate = file_truncate,
    .changeable = proc_changeable,
    .destroy = proc_destroy,
};

static const struct inode_ops link_ops = {
    .readlink = link_readlink,
    .changeable = proc_changeable,
    .destroy = proc_destroy,
};

static const struct inode_ops place_ops = {
    .readlink = place_readlink,
    .follow = place_follow,
    .changeable = proc_changeable,
    .destroy = proc_destroy,
};

/* ---- Mounting ---- */

static int procfs_mount(struct superblock *sb, const char *source, const char *data)
{
    struct target nobody = {0};
    int err = proc_take_options(sb, data);
    struct inode *root;

    (void)source;
    if (err)
        return err;
    root = proc_make_inode(sb, &root_entry, &nobody, ROOT_INO);
    sb->root = root ? dentry_root(sb, root) : NULL;
    if (sb->root)
        return 0;
    if (root)
        inode_unref(root);
    kmfree(sb->private);
    return -ENOMEM;
}

static int procfs_remount(struct superblock *sb, uint32_t flags, const char *data)
{
    (void)flags;
    return proc_take_options(sb, data);
}

static void procfs_unmount(struct superblock *sb)
{
    kmfree(sb->private);
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
    .unmount = procfs_unmount,
    .remount = procfs_remount,
    .options = proc_show_options,
    .known = proc_options,
    .check = proc_check_option,
    .statfs = procfs_statfs,
};

void procfs_init(void)
{
    fs_register(&procfs_type);
}

void proc_table_add(struct proc_entry *table, unsigned n, const struct proc_entry *e)
{
    while (n > 1 && table->name) {
        table++;
        n--;
    }
    KASSERT(n > 1);
    *table = *e;
}
