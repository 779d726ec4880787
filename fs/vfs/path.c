/*
 * The path walk: from a string to a place.
 *
 * Names that are cached are walked with dentry_lock held throughout and no references taken in
 * between, not even to where the walk begins, since the process's root and working directory change
 * under that lock; the walk lets go only where it may sleep: to look a name up in a file system, or
 * to read a symbolic link. Between the stretches walk.at holds the reference.
 *
 * A link's target is copied to a frame of its own and walked in place of the link. What is left of
 * the string around it waits in a link_level, unless nothing is left: then the target takes its
 * place, so that "the last component" is always the last of the innermost string with no level
 * left.
 */
#include "fs/vfs/limits.h"
#include "fs/vfs/internal.h"
#include "libc/string.h"

#define MAX_LINKS   40u /* as on Linux: then -ELOOP */
#define WALK_SLEEP  1   /* this step may sleep */
#define WALK_KERNEL 2   /* this step needs the kernel lock */

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

/* [dentry_lock held] What ".." of the first component of the path stops at. */
static const struct path *root_of(const struct walk *w)
{
    return w->scope.dentry ? &w->scope : &proc_current()->fs->root;
}

/* [dentry_lock held] Out of the mounts whose root p is, down to the name that the lowest of them
 * covers. False: p stays, since the root of the walk, or of everything, comes first. */
static bool leave_mounts(struct path *p, const struct path *root)
{
    const struct mount *m = p->mount;

    while (m->parent) {
        struct path below = {m->parent, m->at};

        if (path_same(&below, root))
            return false;
        m = m->parent;
        if (below.dentry != m->root) {
            *p = below;
            return true;
        }
    }
    return false;
}

/* [dentry_lock held] Whether the mount still shows d, which may have been moved out of its sight.
 */
static bool is_shown(const struct mount *m, const struct dentry *d)
{
    if (!m->sb || m->root == m->sb->root)
        return true;
    while (d && d != m->root)
        d = d->parent;
    return d != NULL;
}

/* Whether a step leads to another mount, where the walk must not go. */
static bool strays(const struct walk *w, const struct path *from, const struct path *to)
{
    return (w->resolve & RESOLVE_NO_XDEV) && from->mount != to->mount;
}

/* [dentry_lock held] */
static int step_up(struct walk *w)
{
    const struct path *root = root_of(w);
    struct path to = w->at;
    bool at_root = path_same(&to, root);

    if (!at_root && (to.dentry != to.mount->root || leave_mounts(&to, root))) {
        to.dentry = to.dentry->parent;
        if (!to.dentry || !is_shown(to.mount, to.dentry))
            return -ENOENT;
    } else if (w->resolve & RESOLVE_BENEATH) {
        return -EXDEV;
    }
    path_to_top(&to);
    if (strays(w, &w->at, &to))
        return -EXDEV;
    w->at = to;
    return 0;
}

static const struct access_ids *walk_who(struct walk *w)
{
    if (!w->who_known)
        w->who = access_ids_current(false);
    w->who_known = true;
    return &w->who;
}

static int check_search(struct walk *w)
{
    const struct inode *dir = w->at.dentry->inode;

    if (!S_ISDIR(dir->mode))
        return -ENOTDIR;
    if ((dir->mode & 0111) == 0111 && !dir->acls)
        return 0;
    if (!inode_may_judge(dir))
        return WALK_KERNEL;
    return inode_permission_as(dir, MAY_EXEC, walk_who(w));
}

/* Whether the walk goes on through a link found at this component. */
static bool follows(const struct walk *w)
{
    return !w->last || w->must_be_dir || (w->flags & LOOKUP_FOLLOW);
}

/* [dentry_lock held] From what was found in w->at up to what is mounted on it. 0 or -EXDEV. */
static int cross_up(const struct walk *w, struct path *found)
{
    if (w->flags & LOOKUP_QUIET) {
        struct mount *m;

        while ((m = mount_on(found)) != NULL)
            *found = (struct path){m, m->root};
    } else {
        path_to_top(found);
    }
    return strays(w, &w->at, found) ? -EXDEV : 0;
}

/* Whether there is no name in dir but those that the cache has. */
static bool dentries_are_all(const struct dentry *dir)
{
    const struct inode_ops *ops = dir->inode->ops;

    return !ops->lookup && !ops->fill;
}

/* [dentry_lock held] Moves w->at by one component without sleeping. 0, WALK_SLEEP or -errno. */
static int step_cached(struct walk *w)
{
    struct dentry *d;

    if (w->kind == LAST_DOT)
        return 0;
    if (w->kind == LAST_DOTDOT)
        return step_up(w);
    d = dcache_find(w->at.dentry, w->name, w->len, w->hash);
    if (!d) {
        if (w->len > NAME_MAX)
            return -ENAMETOOLONG;
        return dentries_are_all(w->at.dentry) ? -ENOENT : WALK_SLEEP;
    }
    if (d->mounted) {
        struct path to = {w->at.mount, d};
        int err = cross_up(w, &to);

        if (err)
            return err;
        if (S_ISLNK(to.dentry->inode->mode) && follows(w))
            return WALK_SLEEP;
        w->at = to;
        return 0;
    }
    if (S_ISLNK(d->inode->mode) && follows(w))
        return WALK_SLEEP;
    w->at.dentry = d;
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
    d = dcache_find(w->at.dentry, w->name, w->len, w->hash);
    if (d)
        dentry_ref(d);
    spin_unlock(&dentry_lock);
    return d;
}

int walk_last(struct walk *w, bool locked, struct dentry **out)
{
    const bool all = dentries_are_all(w->at.dentry); /* before the look */
    struct inode *dir = w->at.dentry->inode;
    int err = 0;

    *out = find_referenced(w);
    if (*out)
        return 0;
    if (w->len > NAME_MAX)
        return -ENAMETOOLONG;
    if (all)
        return -ENOENT;
    if (!locked)
        mutex_lock(&dir->lock);
    if (dir->ops->fill)
        err = dir->ops->fill(w->at.dentry);
    *out = find_referenced(w);
    if (*out)
        err = 0;
    else if (!err)
        err = lookup_in_fs(w->at.dentry, w->name, w->len, out);
    if (!locked)
        mutex_unlock(&dir->lock);
    return err;
}

/* Puts p (consumed) in the place of w->at. */
static void walk_to(struct walk *w, const struct path *p)
{
    path_unref(&w->at);
    w->at = *p;
}

/* Through the magic link i, to the place itself. */
static int follow_place(struct walk *w, struct inode *i)
{
    struct path place;
    int err = i->ops->follow(i, &place);

    if (!err && ((w->resolve & RESOLVE_SCOPED) || strays(w, &w->at, &place))) {
        path_unref(&place);
        err = -EXDEV;
    }
    if (err)
        return err;
    walk_to(w, &place);
    w->kind = LAST_PLACE;
    return 0;
}

/* A link's target begins with a slash. */
static int jump_to_root(struct walk *w)
{
    struct path root;

    spin_lock(&dentry_lock);
    root = *root_of(w);
    path_ref(&root);
    spin_unlock(&dentry_lock);
    if ((w->resolve & RESOLVE_BENEATH) || strays(w, &w->at, &root)) {
        path_unref(&root);
        return -EXDEV;
    }
    walk_to(w, &root);
    return 0;
}

static int follow_text(struct walk *w, struct inode *i)
{
    char *body = kalloc();
    int n = !body ? -ENOMEM : i->ops->readlink ? i->ops->readlink(i, body, PATH_MAX - 1) : -EINVAL;
    int err = n > 0 ? 0 : n ? n : -ENOENT;

    if (!err) {
        body[n] = '\0';
        if (body[0] == '/')
            err = jump_to_root(w);
    }
    if (!err)
        return push_body(w, body);
    if (body)
        kfree(body);
    return err;
}

/* Whether i, a link at the end of a path, may mislead: in a directory where everybody makes links,
 * of somebody who is neither its owner nor who follows. */
static bool misleads(struct walk *w, const struct inode *i)
{
    const struct inode *dir = w->at.dentry->inode;
    const uint32_t shared = S_ISVTX | 0002;

    return fs_rules.protected_symlinks && w->last && !w->levels && i->uid != walk_who(w)->uid &&
           (dir->mode & shared) == shared && dir->uid != i->uid;
}

/* Goes on through the link (consumed), which was found in w->at. */
static int follow_link(struct walk *w, struct path *link)
{
    struct inode *i = link->dentry->inode;
    int err = -ELOOP;

    if (misleads(w, i))
        err = -EACCES;
    else if (w->links++ < MAX_LINKS && !(w->resolve & RESOLVE_NO_SYMLINKS) &&
             !(link->mount->flags & MS_NOSYMFOLLOW) &&
             !(i->ops->follow && (w->resolve & RESOLVE_NO_MAGICLINKS)))
        err = i->ops->follow ? follow_place(w, i) : follow_text(w, i);
    path_unref(link);
    return err;
}

/* The step that step_cached could not make; w->at is a reference. */
static int step_sleeping(struct walk *w)
{
    struct path to = {.mount = w->at.mount}, top;
    int err = walk_last(w, false, &to.dentry);

    if (err)
        return err;
    mount_ref(to.mount);
    spin_lock(&dentry_lock);
    top = to;
    err = cross_up(w, &top);
    path_ref(&top);
    spin_unlock(&dentry_lock);
    path_unref(&to);
    if (err) {
        path_unref(&top);
        return err;
    }
    if (S_ISLNK(top.dentry->inode->mode) && follows(w))
        return follow_link(w, &top);
    walk_to(w, &top);
    return 0;
}

/* ---- The walk ---- */

/* Lets go of dentry_lock: the place reached becomes the reference, instead of held (or none). */
static void anchor(struct walk *w, const struct path *held)
{
    if (path_same(&w->at, held)) {
        spin_unlock(&dentry_lock);
        return;
    }
    path_ref(&w->at);
    spin_unlock(&dentry_lock);
    path_unref(held);
}

/* [dentry_lock held] One component further. 0, -errno, WALK_*. */
static int step(struct walk *w)
{
    int err = check_search(w);

    if (err || (w->last && w->parent_only))
        return err;
    return step_cached(w);
}

/* [dentry_lock, let go meanwhile] The step that could not be made, with the kernel lock; or
 * WALK_KERNEL: now it can. */
static int step_slowly(struct walk *w, int why, struct path *held)
{
    int err = 0;

    anchor(w, held);
    kernel_need();
    if (why == WALK_SLEEP)
        err = step_sleeping(w);
    *held = w->at;
    spin_lock(&dentry_lock);
    return why == WALK_SLEEP ? err : why;
}

static int walk_run(struct walk *w)
{
    struct path held = w->at;
    int err = 0;

    spin_lock(&dentry_lock);
    if (__builtin_expect(walks_barred, 0)) {
        spin_unlock(&dentry_lock);
        kernel_need();
        spin_lock(&dentry_lock);
    }
    if (!held.dentry)
        w->at = w->from_root ? *root_of(w) : proc_current()->fs->cwd;
    while (!err && next_component(w)) {
        do {
            err = step(w);
            if (err > 0)
                err = step_slowly(w, err, &held);
        } while (err == WALK_KERNEL);
        if (w->last && w->parent_only)
            break;
    }
    anchor(w, &held);
    return err;
}

/* Where a relative path begins: a reference in *out. */
static int start_at(int dirfd, struct path *out)
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
        *out = path_of_file(f);
        path_ref(out);
    }
    file_put(f);
    return err;
}

/* Fills w but its parent_only, flags, resolve and who. On failure nothing is held. */
static int walk_begin(struct walk *w, int dirfd, const char *path)
{
    bool scoped = w->resolve & RESOLVE_SCOPED;

    w->at = w->scope = (struct path){NULL, NULL};
    w->rest = path;
    w->body = NULL;
    w->levels = NULL;
    w->kind = LAST_ROOT;
    w->last = w->must_be_dir = false;
    w->links = 0;
    w->from_root = scoped || *path == '/';
    if (*path == '\0')
        return -ENOENT;
    if (*path == '/' && (w->resolve & RESOLVE_BENEATH))
        return -EXDEV;
    if (scoped)
        return start_at(dirfd, &w->scope); /* it is the root, too */
    if (*path == '/' || dirfd == AT_FDCWD)
        return 0;
    return start_at(dirfd, &w->at);
}

void walk_end(struct walk *w)
{
    while (w->levels)
        pop_level(w);
    if (w->body)
        kfree(w->body);
    path_unref(&w->at);
    path_unref(&w->scope);
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
    w->who_known = false;
    return err ? err : walk_run(w);
}

int walk_follow_last(struct walk *w, struct path *link)
{
    int err = follow_link(w, link);

    return err ? err : walk_run(w);
}

int walk_whole(struct walk *w, int dirfd, const char *path, unsigned flags, struct path *out)
{
    int err = walk_begin(w, dirfd, path);

    w->parent_only = false;
    w->flags = flags;
    if (!err)
        err = walk_run(w);
    if (!err && (w->must_be_dir || (flags & LOOKUP_DIRECTORY)) &&
        !S_ISDIR(w->at.dentry->inode->mode))
        err = -ENOTDIR;
    if (!err) {
        *out = w->at;
        w->at.dentry = NULL;
    }
    walk_end(w);
    return err;
}

int path_lookup(int dirfd, const char *path, unsigned flags, struct path *out)
{
    return path_lookup_within(dirfd, path, flags, 0, out);
}

int path_lookup_within(int dirfd, const char *path, unsigned flags, unsigned resolve,
                       struct path *out)
{
    struct walk w;

    w.resolve = resolve;
    w.who_known = false;
    return walk_whole(&w, dirfd, path, flags, out);
}
