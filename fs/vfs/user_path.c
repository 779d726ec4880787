/*
 * Paths of programs: strings in user memory, for the time of one call.
 */
#include "fs/vfs/internal.h"
#include "arch/uaccess.h"

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

int user_path_begin(struct user_path *p, const char __user *upath)
{
    int n = strncpy_from_user(p->small, upath, sizeof(p->small));

    p->text = p->small;
    if (n >= 0)
        return 0;
    return n == -ENAMETOOLONG ? path_from_user(upath, (char **)&p->text) : n;
}

/* "" with AT_EMPTY_PATH: what dirfd refers to. */
static int lookup_fd(int dirfd, struct path *out)
{
    struct file *f;
    int err;

    if (dirfd == AT_FDCWD) {
        *out = fs_context_cwd();
        return 0;
    }
    f = fd_get_any(dirfd);
    if (!f)
        return -EBADF;
    err = file_path(f, out);
    file_put(f);
    return err;
}

/* w has whose permissions count. */
static int lookup_user(struct walk *w, int dirfd, const char __user *upath, uint32_t at_flags,
                       struct path *out)
{
    struct user_path path;
    int err = user_path_begin(&path, upath);

    if (err)
        return err;
    w->resolve = 0;
    if (*path.text == '\0' && (at_flags & AT_EMPTY_PATH))
        err = lookup_fd(dirfd, out);
    else
        err = walk_whole(w, dirfd, path.text, at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW,
                         out);
    user_path_end(&path);
    return err;
}

int user_lookup_as(int dirfd, const char __user *upath, uint32_t at_flags,
                   const struct access_ids *who, struct path *out)
{
    struct walk w;

    w.who = *who;
    w.who_known = true;
    return lookup_user(&w, dirfd, upath, at_flags, out);
}

int user_lookup(int dirfd, const char __user *upath, uint32_t at_flags, struct path *out)
{
    struct walk w;

    w.who_known = false;
    return lookup_user(&w, dirfd, upath, at_flags, out);
}

int user_lookup_mount(const char __user *upath, bool follow, struct path *out)
{
    char *path;
    int err = path_from_user(upath, &path);

    if (err)
        return err;
    err = path_lookup(AT_FDCWD, path, LOOKUP_QUIET | (follow ? LOOKUP_FOLLOW : 0), out);
    kfree(path);
    return err;
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
