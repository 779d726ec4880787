/*
 * fsopen(2), fsconfig(2), fsmount(2), fspick(2): a file system is configured option by option
 * through a descriptor before it is made, mounted or changed, and what is wrong is read from that.
 *
 * The position lock of the open file orders what is done with it.
 */
#include "fs/mount/mount_calls.h"
#include "arch/uaccess.h"
#include "fs/vfs/internal.h"
#include "fs/vfs/super.h"
#include "libc/printf.h"
#include "libc/string.h"

#define FSOPEN_CLOEXEC          1u
#define FSMOUNT_CLOEXEC         1u
#define FSPICK_CLOEXEC          1u
#define FSPICK_SYMLINK_NOFOLLOW 2u
#define FSPICK_NO_AUTOMOUNT     4u
#define FSPICK_EMPTY_PATH       8u

#define NAME_BYTES  256 /* of a parameter's name, and of its value */
#define MESSAGES    8u  /* the newest are kept */
#define BINARY_MOST (1 << 20)

enum phase { SETTING_NEW, TO_BE_MOUNTED, TO_BE_CHANGED, SETTING_OLD, FAILED };

struct mount_context {
    enum phase phase;
    const struct fs_type *type;
    char *source;          /* or NULL */
    char *options;         /* a frame: as mount(2) takes them */
    uint32_t flags, mask;  /* of the superblock, and which of them are said */
    struct superblock *sb; /* a reference to its root; or NULL */
    char *messages[MESSAGES];
    uint32_t written, taken; /* messages so far */
};

enum command {
    SET_FLAG,
    SET_STRING,
    SET_BINARY,
    SET_PATH,
    SET_PATH_EMPTY,
    SET_FD,
    CMD_CREATE,
    CMD_RECONFIGURE,
};

struct parameter {
    enum command kind;
    char name[NAME_BYTES], value[NAME_BYTES];
};

/* ---- Messages ---- */

/* Says "e ", what is wrong with the parameter, and gives -EINVAL. */
static int complain(struct mount_context *c, const char *format, const char *a, const char *b)
{
    char **slot = &c->messages[c->written % MESSAGES];
    size_t room = 2 * NAME_BYTES;

    if (c->written - c->taken == MESSAGES) {
        kmfree(*slot);
        c->taken++;
    }
    *slot = kmalloc(room);
    if (!*slot)
        return -ENOMEM;
    snprintf(*slot, room, format, a, b);
    c->written++;
    return -EINVAL;
}

static int bad_value(struct mount_context *c, const struct parameter *p)
{
    return complain(c, "e %s: Bad value for '%s'\n", c->type->name, p->name);
}

/* ---- Its life ---- */

/* What was said so far has been done. */
static void forget_settings(struct mount_context *c)
{
    kmfree(c->source);
    c->source = NULL;
    *c->options = '\0';
    c->flags = c->mask = 0;
}

static void context_free(struct mount_context *c)
{
    if (c->sb) {
        mutex_lock(&mount_lock);
        dentry_unref(c->sb->root);
        mounts_reap();
        mutex_unlock(&mount_lock);
    }
    for (; c->taken != c->written; c->taken++)
        kmfree(c->messages[c->taken % MESSAGES]);
    kmfree(c->source);
    kfree(c->options);
    kmfree(c);
}

static struct mount_context *context_new(const struct fs_type *type)
{
    struct mount_context *c = kzalloc(sizeof(*c));

    if (!c)
        return NULL;
    c->type = type;
    c->options = kalloc();
    if (!c->options) {
        kmfree(c);
        return NULL;
    }
    *c->options = '\0';
    return c;
}

/* [f->pos_lock held] The oldest, or NULL with -ENODATA; -EMSGSIZE: it is longer, and stays. */
static char *take_message(struct mount_context *c, size_t most, int *err)
{
    char *message;

    *err = c->taken == c->written ? -ENODATA : 0;
    if (*err)
        return NULL;
    message = c->messages[c->taken % MESSAGES];
    if (strlen(message) > most) {
        *err = -EMSGSIZE;
        return NULL;
    }
    c->taken++;
    return message;
}

static long context_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    char *message;
    int err, n;

    (void)pos;
    mutex_lock(&f->pos_lock);
    message = take_message(f->private, len, &err);
    mutex_unlock(&f->pos_lock);
    if (!message)
        return err;
    n = (int)strlen(message);
    err = copy_to_user(ubuf, message, (size_t)n);
    kmfree(message);
    return err ? err : n;
}

static void context_release(struct file *f)
{
    context_free(f->private);
}

static const struct file_ops context_file_ops = {
    .read = context_read,
    .release = context_release,
    .name = "[fscontext]",
    .stream = true,
};

/* The file of a context: a reference, or NULL with the error. */
static struct file *context_file(int fd, int *err)
{
    struct file *f = fd_get(fd);

    *err = f ? 0 : -EBADF;
    if (f && f->ops != &context_file_ops) {
        file_put(f);
        f = NULL;
        *err = -EINVAL;
    }
    return f;
}

/* ---- Parameters ---- */

static bool take_super_flag(struct mount_context *c, const char *name)
{
    static const struct {
        const char *name;
        uint32_t flag;
        bool on;
    } known[] = {
        {"dirsync", MS_DIRSYNC, true},      {"lazytime", MS_LAZYTIME, true},
        {"mand", MS_MANDLOCK, true},        {"ro", MS_RDONLY, true},
        {"sync", MS_SYNCHRONOUS, true},     {"async", MS_SYNCHRONOUS, false},
        {"nolazytime", MS_LAZYTIME, false}, {"nomand", MS_MANDLOCK, false},
        {"rw", MS_RDONLY, false},
    };

    for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (strcmp(name, known[i].name) != 0)
            continue;
        c->mask |= known[i].flag;
        c->flags = known[i].on ? c->flags | known[i].flag : c->flags & ~known[i].flag;
        return true;
    }
    return false;
}

static int take_source(struct mount_context *c, const struct parameter *p)
{
    if (p->kind != SET_STRING)
        return complain(c, "e Non-string source\n", "", "");
    if (c->source)
        return complain(c, "e Multiple sources\n", "", "");
    c->source = kmalloc(strlen(p->value) + 1);
    if (!c->source)
        return -ENOMEM;
    strcpy(c->source, p->value);
    return 0;
}

static int add_option(struct mount_context *c, const struct parameter *p)
{
    size_t used = strlen(c->options);
    size_t more = strlen(p->name) + strlen(p->value);

    if (used + more + 3 > PAGE_SIZE)
        return complain(c, "e VFS: Legacy: Cumulative options too large\n", "", "");
    snprintf(c->options + used, PAGE_SIZE - used, p->kind == SET_STRING ? "%s%s=%s" : "%s%s%s",
             used ? "," : "", p->name, p->value);
    return 0;
}

/* The options are looked at when it is mounted. */
static int take_unseen(struct mount_context *c, const struct parameter *p)
{
    if (strchr(p->name, ',') || strchr(p->value, ','))
        return complain(c, "e VFS: Legacy: Option '%s' contained comma%s\n", p->name, "");
    return add_option(c, p);
}

static bool knows(const struct fs_type *t, const char *name)
{
    const char *const *k = t->known;

    while (*k && strcmp(*k, name) != 0)
        k++;
    return *k;
}

/* name=value as mount takes it: whether it may be so. */
static int check_option(struct mount_context *c, const struct parameter *p)
{
    char option[2 * NAME_BYTES];

    if (p->kind > SET_STRING || strchr(p->value, ','))
        return bad_value(c, p);
    snprintf(option, sizeof(option), p->kind == SET_STRING ? "%s=%s" : "%s%s", p->name, p->value);
    return c->type->check && c->type->check(option) ? bad_value(c, p) : 0;
}

static int take_parameter(struct mount_context *c, const struct parameter *p)
{
    int err;

    if (take_super_flag(c, p->name))
        return 0;
    if (strcmp(p->name, "source") == 0)
        return take_source(c, p);
    if (!c->type->known)
        return take_unseen(c, p);
    if (!knows(c->type, p->name))
        return complain(c, "e %s: Unknown parameter '%s'\n", c->type->name, p->name);
    err = check_option(c, p);
    return err ? err : add_option(c, p);
}

/* ---- Commands ---- */

static int create(struct mount_context *c)
{
    int err;

    if (c->phase != SETTING_NEW)
        return -EBUSY;
    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    mutex_lock(&mount_lock);
    mounts_reap();
    err = super_get(c->type->name, c->source, c->flags & SUPER_FLAGS, c->options, &c->sb);
    if (!err)
        dentry_ref(c->sb->root);
    mutex_unlock(&mount_lock);
    if (err)
        c->sb = NULL;
    c->phase = err ? FAILED : TO_BE_MOUNTED;
    return err;
}

static int reconfigure(struct mount_context *c)
{
    struct superblock *sb = c->sb;
    int err;

    if (c->phase != SETTING_OLD)
        return -EBUSY;
    err = !capable(CAP_SYS_ADMIN) ? -EPERM : c->mask & MS_DIRSYNC ? -EINVAL : 0;
    if (!err) {
        mutex_lock(&mount_lock);
        err = super_remount(sb, (sb->flags & ~c->mask) | (c->flags & c->mask), c->options);
        mutex_unlock(&mount_lock);
    }
    if (err) {
        c->phase = FAILED;
        return err;
    }
    forget_settings(c);
    c->phase = TO_BE_CHANGED;
    return 0;
}

/* [f->pos_lock held] */
static int command(struct mount_context *c, const struct parameter *p)
{
    if (c->phase == TO_BE_CHANGED)
        c->phase = SETTING_OLD;
    if (p->kind == CMD_CREATE)
        return create(c);
    if (p->kind == CMD_RECONFIGURE)
        return reconfigure(c);
    return c->phase == SETTING_NEW || c->phase == SETTING_OLD ? take_parameter(c, p) : -EBUSY;
}

/* Which arguments each command has. */
static int check_arguments(uint32_t cmd, bool key, bool value, int32_t aux)
{
    bool right;

    switch (cmd) {
    case SET_FLAG:
        right = key && !value && !aux;
        break;
    case SET_STRING:
        right = key && value && !aux;
        break;
    case SET_BINARY:
        right = key && value && aux > 0 && aux <= BINARY_MOST;
        break;
    case SET_PATH:
    case SET_PATH_EMPTY:
        right = key && value && (aux == AT_FDCWD || aux >= 0);
        break;
    case SET_FD:
        right = key && !value && aux >= 0;
        break;
    case CMD_CREATE:
    case CMD_RECONFIGURE:
        right = !key && !value && !aux;
        break;
    default:
        return -EOPNOTSUPP;
    }
    return right ? 0 : -EINVAL;
}

static int take_string(char *to, const char __user *ufrom)
{
    int n = strncpy_from_user(to, ufrom, NAME_BYTES);

    return n == -ENAMETOOLONG ? -EINVAL : n < 0 ? n : 0;
}

/* Values that no type of file system here takes: whether they can be had. */
static int take_path(const char __user *upath, bool may_be_empty)
{
    char *path;
    int err = path_from_user(upath, &path);

    if (err)
        return err;
    if (!*path && !may_be_empty)
        err = -ENOENT;
    kfree(path);
    return err;
}

static int take_binary(char *piece, const char __user *ufrom, size_t len)
{
    for (size_t at = 0; at < len; at += NAME_BYTES) {
        if (copy_from_user(piece, ufrom + at, len - at < NAME_BYTES ? len - at : NAME_BYTES))
            return -EFAULT;
        sched_point();
    }
    *piece = '\0';
    return 0;
}

static int take_fd(int fd)
{
    struct file *f = fd_get_any(fd);

    if (!f)
        return -EBADF;
    file_put(f);
    return 0;
}

static int take_value(struct parameter *p, const char __user *uvalue, int32_t aux)
{
    switch (p->kind) {
    case SET_STRING:
        return take_string(p->value, uvalue);
    case SET_BINARY:
        return take_binary(p->value, uvalue, (size_t)aux);
    case SET_PATH:
    case SET_PATH_EMPTY:
        return take_path(uvalue, p->kind == SET_PATH_EMPTY);
    case SET_FD:
        return take_fd(aux);
    default:
        return 0;
    }
}

static int configure(struct file *f, struct parameter *p, const char __user *ukey,
                     const char __user *uvalue, int32_t aux)
{
    struct mount_context *c = f->private;
    int err = 0;

    if (!c->type->known && p->kind >= SET_BINARY && p->kind <= SET_FD)
        return -EOPNOTSUPP;
    if (ukey)
        err = take_string(p->name, ukey);
    if (!err)
        err = take_value(p, uvalue, aux);
    if (err)
        return err;
    mutex_lock(&f->pos_lock);
    err = command(c, p);
    mutex_unlock(&f->pos_lock);
    return err;
}

long sys_fsconfig(uint32_t ufd, uint32_t cmd, const char __user *ukey, const char __user *uvalue,
                  uint32_t aux)
{
    struct parameter *p;
    struct file *f;
    int fd = (int)ufd;
    int err = fd < 0 ? -EINVAL : check_arguments(cmd, ukey, uvalue, (int32_t)aux);

    if (err)
        return err;
    f = context_file(fd, &err);
    if (!f)
        return err;
    p = kzalloc(sizeof(*p));
    err = -ENOMEM;
    if (p) {
        p->kind = (enum command)cmd;
        err = configure(f, p, ukey, uvalue, (int32_t)aux);
        kmfree(p);
    }
    file_put(f);
    return err;
}

/* ---- The others ---- */

long sys_fsopen(const char __user *utype, uint32_t flags)
{
    const struct fs_type *type;
    struct mount_context *c;
    char *name;
    int err;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (flags & ~FSOPEN_CLOEXEC)
        return -EINVAL;
    err = path_from_user(utype, &name);
    if (err)
        return err == -ENAMETOOLONG ? -EINVAL : err;
    type = fs_type_find(name);
    kfree(name);
    if (!type)
        return -ENODEV;
    c = context_new(type);
    if (!c)
        return -ENOMEM;
    return anon_fd(&context_file_ops, c, O_RDWR | (flags ? O_CLOEXEC : 0));
}

static int pick(const struct path *p, bool cloexec)
{
    struct superblock *sb = p->mount->sb;
    struct mount_context *c;

    if (!sb || p->dentry != p->mount->root)
        return -EINVAL;
    c = context_new(sb->type);
    if (!c)
        return -ENOMEM;
    c->phase = SETTING_OLD;
    c->sb = sb;
    dentry_ref(sb->root);
    return anon_fd(&context_file_ops, c, O_RDWR | (cloexec ? O_CLOEXEC : 0));
}

long sys_fspick(uint32_t dirfd, const char __user *upath, uint32_t flags)
{
    uint32_t lookup = (flags & FSPICK_SYMLINK_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) |
                      (flags & FSPICK_EMPTY_PATH ? AT_EMPTY_PATH : 0);
    struct path p;
    int err;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (flags &
        ~(FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH))
        return -EINVAL;
    err = user_lookup((int)dirfd, upath, lookup, &p);
    if (err)
        return err;
    err = pick(&p, flags & FSPICK_CLOEXEC);
    path_unref(&p);
    return err;
}

/* [f->pos_lock held] What was made is seen in a mount; from now on it can be changed. */
static int make_mount(struct mount_context *c, uint32_t flags, struct mount **out)
{
    int err = 0;

    if (!c->sb)
        return -EINVAL;
    if (c->phase != TO_BE_MOUNTED)
        return -EBUSY;
    mutex_lock(&mount_lock);
    *out = mount_new(c->sb, c->sb->root, flags, c->source && *c->source ? c->source : "none");
    if (!*out)
        err = mount_new_error();
    mutex_unlock(&mount_lock);
    if (err)
        return err;
    forget_settings(c);
    c->phase = TO_BE_CHANGED;
    return 0;
}

long sys_fsmount(uint32_t fd, uint32_t flags, uint32_t attr)
{
    uint32_t mount_flags = mount_attr_flags(attr);
    struct mount *m;
    struct file *f;
    int err;

    if (!capable(CAP_SYS_ADMIN))
        return -EPERM;
    if ((flags & ~FSMOUNT_CLOEXEC) || (attr & ~MOUNT_ATTR_ALL) ||
        mount_attr_atime(attr, &mount_flags))
        return -EINVAL;
    f = context_file((int)fd, &err);
    if (!f)
        return err;
    mutex_lock(&f->pos_lock);
    err = make_mount(f->private, mount_flags, &m);
    mutex_unlock(&f->pos_lock);
    file_put(f);
    return err ? err : mount_detached_fd(m, flags & FSMOUNT_CLOEXEC);
}
