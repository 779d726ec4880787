/*
 * What a mount of procfs shows to whom: hidepid=, gid=, subset=. Each mount is a file system of its
 * own. [man 5 proc]
 */
#include "fs/proc/procfs.h"
#include "kernel/cred/cred.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

struct hiding { /* [mount_lock] to change it */
    enum proc_hiding hide;
    uint32_t gid; /* whose members see everything */
    bool only_processes;
};

static const char *const names[] = {"off", "noaccess", "invisible", NULL, "ptraceable"};
#define NAMES (sizeof(names) / sizeof(names[0]))

const char *const proc_options[] = {"hidepid", "gid", "subset", NULL};

static bool is_word(const char *value, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(value, word, len) == 0;
}

static bool number_of(const char *value, size_t len, uint32_t *out)
{
    return len && sysctl_number(value, len, UINT32_MAX, out) == 0 && !isspace(value[0]);
}

static int take_hide(struct hiding *h, const char *value, size_t len)
{
    uint32_t n;

    if (!number_of(value, len, &n))
        for (n = 0; n < NAMES && !(names[n] && is_word(value, len, names[n])); n++)
            ;
    if (n >= NAMES || !names[n])
        return -EINVAL;
    h->hide = (enum proc_hiding)n;
    return 0;
}

/* What data says; the rest stays. */
static int take_options(struct hiding *h, const char *data)
{
    const char *value;
    size_t len;
    int err = mount_option_names_are(data, proc_options) ? 0 : -EINVAL;

    if (!err && mount_option(data, "hidepid", &value, &len))
        err = take_hide(h, value, len);
    if (!err && mount_option(data, "gid", &value, &len))
        err = number_of(value, len, &h->gid) ? 0 : -EINVAL;
    if (!err && mount_option(data, "subset", &value, &len)) {
        err = is_word(value, len, "pid") ? 0 : -EINVAL;
        h->only_processes = true;
    }
    return err;
}

int proc_check_option(const char *option)
{
    struct hiding h = {0};

    return take_options(&h, option);
}

int proc_take_options(struct superblock *sb, const char *data)
{
    struct hiding h = {0}, *now = sb->private;
    int err;

    if (now)
        h = *now;
    err = take_options(&h, data);
    if (!err && !now)
        sb->private = now = kmalloc(sizeof(*now));
    if (!err && !now)
        err = -ENOMEM;
    if (!err)
        *now = h;
    return err;
}

void proc_show_options(struct superblock *sb, char *buf, size_t size)
{
    const struct hiding *h = sb->private;
    size_t n = 0;

    if (h->gid)
        n += (size_t)snprintf(buf + n, size - n, ",gid=%u", h->gid);
    if (h->hide)
        n += (size_t)snprintf(buf + n, size - n, ",hidepid=%s", names[h->hide]);
    if (h->only_processes)
        snprintf(buf + n, size - n, ",subset=pid");
}

bool proc_only_processes(const struct superblock *sb)
{
    const struct hiding *h = sb->private;

    return h->only_processes;
}

bool proc_hides(const struct superblock *sb, const struct proc *p, enum proc_hiding least)
{
    const struct hiding *h = sb->private;
    const struct cred *me = &proc_current()->cred;

    if (h->hide < least)
        return false;
    if (h->hide != PROC_ONLY_TRACEABLE && cred_in_group(me, me->fsgid, h->gid))
        return false;
    return !proc_may_inspect(p, INSPECT_FS);
}

int proc_may_enter(const struct superblock *sb, const struct target *who)
{
    const struct hiding *h = sb->private;
    struct proc *p = h->hide ? target_lock(who) : NULL;
    bool hidden;

    if (!h->hide)
        return 0;
    if (!p)
        return -ESRCH;
    hidden = proc_hides(sb, p, PROC_NO_ACCESS);
    spin_unlock(&proc_lock);
    return !hidden ? 0 : h->hide == PROC_INVISIBLE ? -ENOENT : -EPERM;
}
