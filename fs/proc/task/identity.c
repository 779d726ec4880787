/*
 * /proc/PID: who a process belongs to besides its ids: the user who logged in, maps of ids (there
 * is one name space, whose maps are the identity), labels of security modules (there are none),
 * the personality. man 5 proc, man 7 user_namespaces.
 */
#include "fs/proc/procfs.h"
#include "libc/ctype.h"
#include "libc/errno.h"
#include "libc/string.h"

#define NOBODY UINT32_MAX

/* ---- Log-ins ---- */

static uint32_t last_session; /* [proc_lock] */

static int show_id(struct text *t, const struct target *who, bool session)
{
    struct proc *p = target_lock(who);
    uint32_t id;

    if (!p)
        return -ESRCH;
    id = session ? p->login_session : p->login_uid;
    spin_unlock(&proc_lock);
    text_printf(t, "%u", id);
    return 0;
}

int show_loginuid(struct text *t, const struct target *who)
{
    return show_id(t, who, false);
}

int show_sessionid(struct text *t, const struct target *who)
{
    return show_id(t, who, true);
}

/* Once it is set it takes CAP_AUDIT_CONTROL to change it. */
int store_loginuid(const char *text, size_t len, const struct target *who)
{
    uint32_t uid;
    int err = sysctl_number(text, len, UINT32_MAX, &uid);
    struct proc *p;

    if (err)
        return err;
    p = target_lock(who);
    if (!p)
        return -ESRCH;
    if (p != proc_current() || (p->login_uid != NOBODY && !capable(CAP_AUDIT_CONTROL))) {
        err = -EPERM;
    } else {
        p->login_uid = uid;
        p->login_session = uid == NOBODY ? NOBODY : ++last_session;
    }
    spin_unlock(&proc_lock);
    return err;
}

/* ---- Maps of ids ---- */

int show_id_map(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%10u %10u %10u\n", 0, 0, UINT32_MAX);
    return 0;
}

/* Only the maps of a new name space can be written. */
int store_id_map(const char *text, size_t len, const struct target *who)
{
    (void)text, (void)len, (void)who;
    return -EPERM;
}

int show_setgroups(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "allow\n");
    return 0;
}

int store_setgroups(const char *text, size_t len, const struct target *who)
{
    size_t word = len;

    (void)who;
    if (len >= 8)
        return -EINVAL;
    while (word && isspace(text[word - 1]))
        word--;
    if (word == 5 && strncmp(text, "allow", 5) == 0)
        return 0;
    return word == 4 && strncmp(text, "deny", 4) == 0 ? -EPERM : -EINVAL;
}

/* ---- Labels, personality ---- */

int show_label(struct text *t, const struct target *who)
{
    (void)t, (void)who;
    return -EINVAL; /* no module has any */
}

int store_label(const char *text, size_t len, const struct target *who)
{
    (void)text, (void)len;
    return who->tid == thread_current()->tid || who->pid == proc_current()->pid ? -EINVAL : -EACCES;
}

const struct proc_entry attr_entries[] = {
    STORE_ENTRY("current", 0666, show_label, store_label),
    STORE_ENTRY("exec", 0666, show_label, store_label),
    STORE_ENTRY("fscreate", 0666, show_label, store_label),
    STORE_ENTRY("keycreate", 0666, show_label, store_label),
    FILE_ENTRY("prev", 0444, show_label),
    STORE_ENTRY("sockcreate", 0666, show_label, store_label),
    {0},
};

int show_personality(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    uint32_t flags;

    if (!p)
        return -ESRCH;
    flags = p->personality;
    spin_unlock(&proc_lock);
    text_printf(t, "%08x\n", flags);
    return 0;
}

/* ---- Name spaces: the one that there is ---- */

static int show_mount_ns(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "mnt:[4026531841]");
    return 0;
}

const struct proc_entry ns_entries[] = {
    LINK_ENTRY("mnt", show_mount_ns),
    {0},
};
