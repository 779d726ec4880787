/*
 * The path walk: from a string to a dentry.
 *
 * Names that are cached are walked with dentry_lock held throughout and no references taken in
 * between; the walk lets go only where it may sleep: to look a name up in a file system, or to read
 * a symbolic link. Between the stretches walk.at holds the reference.
 *
 * A link's target is copied to a frame of its own and walked in place of the link. What is left of
 * the string around it waits in a link_level, unless nothing is left: then the target takes its
 * place, so that "the last component" is always the last of the innermost string with no level
 * left.
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"
#include "libc/string.h"

#define MAX_LINKS  40u /* as on Linux: then -ELOOP */
#define WALK_SLEEP 1   /* step_cached: this step may sleep */

struct link_level {
    struct link_level *outer;
    const char *rest;
    char *body;
};

/* ---- The string ---- */

static void pop_level(struct walk *w)
{
    struct link_level *l = w->levels;

    kfree(w->body);
    w->body = l->body;
    w->rest = l->rest;
    w->levels = l->outer;
    kmfree(l);
}

/* Puts body (a frame, consumed) before what is left of the string. */
static int push_body(struct walk *w, char *body)
{
    if (*w->rest) {
        struct link_level *l = kmalloc(sizeof(*l));

        if (!l) {
            kfree(body);
            return -ENOMEM;
        }
        l->outer = w->levels;
        l->rest = w->rest;
        l->body = w->body;
        w->levels = l;
    } else if (w->body) {
        kfree(w->body);
    }
    w->body = body;
    w->rest = body;
    w->kind = LAST_ROOT;
    return 0;
}

static enum last_kind component_kind(const char *name, size_t len)
{
    if (len == 1 && name[0] == '.')
        return LAST_DOT;
    if (len == 2 && name[0] == '.' && name[1] == '.')
        return LAST_DOTDOT;
    return LAST_NAME;
}

/* Cuts the next component off the string; false at its end. */
static bool next_component(struct walk *w)
{
    const char *p = w->rest;
    uint32_t hash = NAME_HASH_INIT;

    while (*p == '/')
        p++;
    if (*p == '\0' && w->levels) {
        pop_level(w);
        p = w->rest;
    }
    if (*p == '\0')
        return false;
    w->name = p;
    for (; *p && *p != '/'; p++)
        hash = name_hash_step(hash, *p);
    w->len = p - w->name;
    w->hash = hash;
    w->kind = w->name[0] == '.' ? component_kind(w->name, w->len) : LAST_NAME;
    bool slash = *p == '/';
    while (*p == '/')
        p++;
    w->rest = p;
    w->last = *p == '\0' && !w->levels;
    if (w->last)
        w->must_be_dir |= slash;
    return true;
}

/* ---- One step ---- */

/* [dentry_lock held] ".." never leaves the root, and leaves a mounted tree through what it covers.
 */
static struct dentry *parent_of(struct dentry *d, const struct dentry *root)
{
    while (d != root && !d->parent && d->covers)
        d = d->covers;
    if (d != root && d->parent)
        d = d->parent;
    else
        return d;
    return dentry_topmost(d);
}

/* Whether a step leads to another mount, where the walk must not go. */
static bool strays(const struct walk *w, const struct dentry *from, const struct dentry *to)
{
    return (w->resolve & RESOLVE_NO_XDEV) && from->inode->sb != to->inode->sb;
}

/* [dentry_lock held] */
static int step_up(struct walk *w)
{
    struct dentry *to = parent_of(w->at, w->root);

    if (((w->resolve & RESOLVE_BENEATH) && w->at == w->root) || strays(w, w->at, to))
        return -EXDEV;
    w->at = to;
    return 0;
}

static int check_search(const struct walk *w)
{
    const struct inode *dir = w->at->inode;

    if (!S_ISDIR(dir->mode))
        return -ENOTDIR;
    if ((dir->mode & 0111) == 0111)
        return 0;
    return inode_permission_as(dir, MAY_EXEC, &w->who);
}

/* Whether the walk goes on through a link found at this component. */
static bool follows(const struct walk *w)
{
    return !w->last || w->must_be_dir || (w->flags & LOOKUP_FOLLOW);
}

/* [dentry_lock held] Moves w->at by one component without sleeping. 0, WALK_SLEEP or -errno. */
static int step_cached(struct walk *w)
{
    struct dentry *dir = w->at, *d;

    if (w->kind == LAST_DOT)
        return 0;
    if (w->kind == LAST_DOTDOT)
        return step_up(w);
    d = dcache_find(dir, w->name, w->len, w->hash);
    if (!d) {
        if (w->len > NAME_MAX)
            return -ENAMETOOLONG;
        return dir->inode->ops->lookup ? WALK_SLEEP : -ENOENT;
    }
    if (d->mounted) {
        d = dentry_topmost(d);
        if (strays(w, dir, d))
            return -EXDEV;
    }
    if (S_ISLNK(d->inode->mode) && follows(w))
        return WALK_SLEEP;
    w->at = d;
    return 0;
}

/* [dir->inode->lock held] Asks the file system for a name. */
static int lookup_in_fs(struct dentry *dir, const char *name, size_t len, struct dentry **out)
{
    struct dentry *d;
    int err;

    if (!dir->inode->ops->lookup)
        return -ENOENT;
    if (dir->unlinked)
        return -ENOENT;
    d = dentry_new(dir, name, len);
    if (!d)
        return -ENOMEM;
    err = dir->inode->ops->lookup(dir->inode, d);
    if (!err && !d->inode)
        err = -ENOENT;
    if (err) {
        dentry_unref(d);
        return err;
    }
    if (dir->inode->sb->type->cache_names)
        dentry_link(d);
    *out = d;
    return 0;
}

static struct dentry *find_referenced(struct walk *w)
{
    struct dentry *d;

    spin_lock(&dentry_lock);
    d = dcache_find(w->at, w->name, w->len, w->hash);
    if (d)
        dentry_ref(d);
    spin_unlock(&dentry_lock);
    return d;
}

int walk_last(struct walk *w, bool locked, struct dentry **out)
{
    struct inode *dir = w->at->inode;
    int err = 0;

    *out = find_referenced(w);
    if (*out)
        return 0;
    if (w->len > NAME_MAX)
        return -ENAMETOOLONG;
    if (!dir->ops->lookup)
        return -ENOENT;
    if (!locked) {
        mutex_lock(&dir->lock);
        *out = find_referenced(w);
    }
    if (!*out)
        err = lookup_in_fs(w->at, w->name, w->len, out);
    if (!locked)
        mutex_unlock(&dir->lock);
    return err;
}

/* Puts d (consumed) in the place of w->at. */
static void walk_to(struct walk *w, struct dentry *d)
{
    dentry_unref(w->at);
    w->at = d;
}

/* Goes on through the link d (consumed), which was found in w->at. */
static int follow_link(struct walk *w, struct dentry *d)
{
    const struct inode_ops *ops = d->inode->ops;
    char *body;
    int n;

    if (w->links++ == MAX_LINKS || (w->resolve & RESOLVE_NO_SYMLINKS) ||
        (ops->follow && (w->resolve & RESOLVE_NO_MAGICLINKS))) {
        dentry_unref(d);
        return -ELOOP;
    }
    if (ops->follow) {
        struct dentry *place;
        int err = ops->follow(d->inode, &place);

        dentry_unref(d);
        if (!err && ((w->resolve & RESOLVE_SCOPED) || strays(w, w->at, place))) {
            dentry_unref(place);
            err = -EXDEV;
        }
        if (err)
            return err;
        walk_to(w, place);
        w->kind = LAST_PLACE;
        return 0;
    }
    body = kalloc();
    n = body ? ops->readlink ? ops->readlink(d->inode, body, PATH_MAX - 1) : -EINVAL : -ENOMEM;
    dentry_unref(d);
    if (n <= 0) {
        if (body)
            kfree(body);
        return n ? n : -ENOENT;
    }
    body[n] = '\0';
    if (body[0] == '/') {
        if ((w->resolve & RESOLVE_BENEATH) || strays(w, w->at, w->root)) {
            kfree(body);
            return -EXDEV;
        }
        dentry_ref(w->root);
        walk_to(w, w->root);
    }
    return push_body(w, body);
}

/* The step that step_cached could not make; w->at is a reference. */
static int step_sleeping(struct walk *w)
{
    struct dentry *d;
    int err = walk_last(w, false, &d);

    if (err)
        return err;
    spin_lock(&dentry_lock);
    if (d->mounted) {
        struct dentry *top = dentry_topmost(d);

        dentry_ref(top);
        spin_unlock(&dentry_lock);
        dentry_unref(d);
        d = top;
        if (strays(w, w->at, d)) {
            dentry_unref(d);
            return -EXDEV;
        }
    } else {
        spin_unlock(&dentry_lock);
    }
    if (S_ISLNK(d->inode->mode) && follows(w))
        return follow_link(w, d);
    walk_to(w, d);
    return 0;
}

/* ---- The walk ---- */

/* Lets go of dentry_lock: the place reached becomes the reference, instead of held. */
static void anchor(struct walk *w, struct dentry *held)
{
    if (w->at == held) {
        spin_unlock(&dentry_lock);
        return;
    }
    dentry_ref(w->at);
    spin_unlock(&dentry_lock);
    dentry_unref(held);
}

static int walk_run(struct walk *w)
{
    struct dentry *held = w->at;
    int err = 0;

    spin_lock(&dentry_lock);
    while (!err && next_component(w)) {
        err = check_search(w);
        if (err || (w->last && w->parent_only))
            break;
        err = step_cached(w);
        if (err == WALK_SLEEP) {
            anchor(w, held);
            err = step_sleeping(w);
            held = w->at;
            spin_lock(&dentry_lock);
        }
    }
    anchor(w, held);
    return err;
}

/* Where a relative path begins: a reference in *out. */
static int start_at(int dirfd, struct dentry **out)
{
    struct file *f;
    int err = 0;

    if (dirfd == AT_FDCWD) {
        *out = fs_context_cwd();
        return 0;
    }
    f = fd_get_any(dirfd);
    if (!f)
        return -EBADF;
    if (!f->dentry || !S_ISDIR(f->inode->mode)) {
        err = -ENOTDIR;
    } else {
        *out = f->dentry;
        dentry_ref(*out);
    }
    file_put(f);
    return err;
}

/* The start is the root, too; what names the true one is an error or means the start. */
static int begin_scoped(struct walk *w, int dirfd, const char *path)
{
    int err;

    if (*path == '/' && (w->resolve & RESOLVE_BENEATH))
        return -EXDEV;
    err = start_at(dirfd, &w->root);
    if (err)
        return err;
    w->at = w->root;
    dentry_ref(w->at);
    return 0;
}

/* Fills w but its parent_only, flags, resolve and who. On failure nothing is held. */
static int walk_begin(struct walk *w, int dirfd, const char *path)
{
    int err = 0;

    w->root = w->at = NULL;
    w->rest = path;
    w->body = NULL;
    w->levels = NULL;
    w->kind = LAST_ROOT;
    w->last = w->must_be_dir = false;
    w->links = 0;
    if (*path == '\0')
        return -ENOENT;
    if (w->resolve & RESOLVE_SCOPED)
        return begin_scoped(w, dirfd, path);
    w->root = fs_context_root();
    if (*path == '/') {
        w->at = w->root;
        dentry_ref(w->at);
    } else {
        err = start_at(dirfd, &w->at);
    }
    return err;
}

static void walk_as_current(struct walk *w)
{
    w->who = access_ids_current(false);
}

void walk_end(struct walk *w)
{
    while (w->levels)
        pop_level(w);
    if (w->body)
        kfree(w->body);
    dentry_unref(w->at);
    dentry_unref(w->root);
}

int walk_parent(struct walk *w, int dirfd, const char *path)
{
    return walk_parent_within(w, dirfd, path, 0);
}

int walk_parent_within(struct walk *w, int dirfd, const char *path, unsigned resolve)
{
    int err;

    w->resolve = resolve;
    err = walk_begin(w, dirfd, path);

    w->parent_only = true;
    w->flags = 0;
    walk_as_current(w);
    return err ? err : walk_run(w);
}

int walk_follow_last(struct walk *w, struct dentry *d)
{
    int err = follow_link(w, d);

    return err ? err : walk_run(w);
}

static int lookup_as(struct walk *w, int dirfd, const char *path, unsigned flags,
                     struct dentry **out)
{
    int err = walk_begin(w, dirfd, path);

    w->parent_only = false;
    w->flags = flags;
    if (!err)
        err = walk_run(w);
    if (!err && (w->must_be_dir || (flags & LOOKUP_DIRECTORY)) && !S_ISDIR(w->at->inode->mode))
        err = -ENOTDIR;
    if (!err) {
        *out = w->at;
        w->at = NULL;
    }
    walk_end(w);
    return err;
}

int path_lookup(int dirfd, const char *path, unsigned flags, struct dentry **out)
{
    return path_lookup_within(dirfd, path, flags, 0, out);
}

int path_lookup_within(int dirfd, const char *path, unsigned flags, unsigned resolve,
                       struct dentry **out)
{
    struct walk w = {.resolve = resolve};

    walk_as_current(&w);
    return lookup_as(&w, dirfd, path, flags, out);
}

/* ---- User paths ---- */

int path_from_user(const char __user *upath, char **out)
{
    char *path = kalloc();
    int n;

    if (!path)
        return -ENOMEM;
    n = strncpy_from_user(path, upath, PATH_MAX);
    if (n < 0) {
        kfree(path);
        return n;
    }
    *out = path;
    return 0;
}

/* "" with AT_EMPTY_PATH: what dirfd refers to. */
static int lookup_fd(int dirfd, struct dentry **out)
{
    struct file *f;

    if (dirfd == AT_FDCWD) {
        *out = fs_context_cwd();
        return 0;
    }
    f = fd_get_any(dirfd);
    if (!f)
        return -EBADF;
    *out = file_dentry(f);
    file_put(f);
    return *out ? 0 : -ENOMEM;
}

int user_lookup_as(int dirfd, const char __user *upath, uint32_t at_flags,
                   const struct access_ids *who, struct dentry **out)
{
    struct walk w = {.who = *who};
    char *path;
    int err = path_from_user(upath, &path);

    if (err)
        return err;
    if (*path == '\0' && (at_flags & AT_EMPTY_PATH))
        err = lookup_fd(dirfd, out);
    else
        err = lookup_as(&w, dirfd, path, at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW, out);
    kfree(path);
    return err;
}

int user_lookup(int dirfd, const char __user *upath, uint32_t at_flags, struct dentry **out)
{
    struct access_ids who = access_ids_current(false);

    return user_lookup_as(dirfd, upath, at_flags, &who, out);
}

int user_parent(struct walk *w, int dirfd, const char __user *upath, char **path)
{
    int err = path_from_user(upath, path);

    if (err)
        return err;
    err = walk_parent(w, dirfd, *path);
    if (err) {
        walk_end(w);
        kfree(*path);
    }
    return err;
}
