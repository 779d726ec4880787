/*
 * Capabilities: what of root's power a process has. How they move when ids change and when a
 * program is run, capget and capset, the prctl options. man 7 capabilities.
 *
 * As ids are, they are the process's: a thread that drops one drops it for all.
 */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define VERSION_1 0x19980330u /* 32 capabilities */
#define VERSION_2 0x20071026u /* 64, as the next */
#define VERSION_3 0x20080522u

/* Those that follow the fsuid. */
#define CAPS_FILES                                                                                 \
    (CAP_BIT(CAP_CHOWN) | CAP_BIT(CAP_DAC_OVERRIDE) | CAP_BIT(CAP_DAC_READ_SEARCH) |               \
     CAP_BIT(CAP_FOWNER) | CAP_BIT(CAP_FSETID) | CAP_BIT(CAP_LINUX_IMMUTABLE) |                    \
     CAP_BIT(CAP_MKNOD) | CAP_BIT(CAP_MAC_OVERRIDE))

/* ---- Ids change ---- */

static bool has_root_id(const struct cred *c)
{
    return c->uid == 0 || c->euid == 0 || c->suid == 0;
}

void cred_fix_caps(struct cred *new, const struct cred *old)
{
    if (new->securebits & SECURE_NO_SETUID_FIXUP)
        return;
    if (has_root_id(old) && !has_root_id(new)) {
        if (!(new->securebits &SECURE_KEEP_CAPS))
            new->permitted = new->effective = 0;
        new->ambient = 0;
    }
    if (old->euid == 0 && new->euid != 0)
        new->effective = 0;
    if (old->euid != 0 && new->euid == 0)
        new->effective = new->permitted;
}

void cred_fix_fs_caps(struct cred *new, const struct cred *old)
{
    if (new->securebits & SECURE_NO_SETUID_FIXUP)
        return;
    if (old->fsuid == 0 && new->fsuid != 0)
        new->effective &= ~CAPS_FILES;
    if (old->fsuid != 0 && new->fsuid == 0)
        new->effective |= new->permitted &CAPS_FILES;
}

/* ---- A program is run ---- */

/* Root's programs are as if their files gave everything. */
static bool root_program(struct cred *c)
{
    if (c->securebits & SECURE_NOROOT)
        return false;
    if (c->uid == 0 || c->euid == 0)
        c->permitted = c->bounding | c->inheritable;
    return c->euid == 0;
}

int cred_exec(struct cred *new, const struct cred *old, const struct file_caps *file, bool barred,
              bool *secure)
{
    bool setid = new->euid != old->uid || new->egid != old->gid;
    bool effective = file && file->effective;

    new->permitted = 0;
    if (file)
        new->permitted = (new->bounding & file->permitted) | (new->inheritable & file->inheritable);
    if (effective && (file->permitted & ~new->permitted))
        return -EPERM; /* the program could not know that it lacks some */
    if (!file || new->euid != 0 || new->uid == 0)
        effective |= root_program(new);
    if (barred && (setid || (new->permitted & ~old->permitted))) {
        if (!cred_capable(old, CAP_SETUID)) {
            new->euid = new->uid;
            new->egid = new->gid;
        }
        new->permitted &= old->permitted;
    }
    new->suid = new->fsuid = new->euid;
    new->sgid = new->fsgid = new->egid;
    if (file || setid)
        new->ambient = 0;
    new->permitted |= new->ambient;
    new->effective = effective ? new->permitted : new->ambient;
    new->securebits &= ~SECURE_KEEP_CAPS;
    *secure = setid || (new->uid != 0 && (effective || (new->permitted & ~new->ambient)));
    return 0;
}

/* ---- capget and capset ---- */

struct cap_header {
    uint32_t version;
    int32_t pid;
};

struct cap_data { /* one or two of them */
    uint32_t effective, permitted, inheritable;
};

/* How many structures go with the header; an unknown version is answered with ours. */
static int data_count(void __user *uheader, struct cap_header *h)
{
    uint32_t version;

    if (get_user_u32(&version, uheader))
        return -EFAULT;
    if (version != VERSION_1 && version != VERSION_2 && version != VERSION_3)
        return put_user_u32(uheader, VERSION_3) ? -EFAULT : -EINVAL;
    if (copy_from_user(h, uheader, sizeof(*h)))
        return -EFAULT;
    return version == VERSION_1 ? 1 : 2;
}

static void pack(const struct cred *c, struct cap_data d[2])
{
    for (int i = 0; i < 2; i++)
        d[i] = (struct cap_data){(uint32_t)(c->effective >> 32 * i),
                                 (uint32_t)(c->permitted >> 32 * i),
                                 (uint32_t)(c->inheritable >> 32 * i)};
}

long sys_capget(void __user *uheader, void __user *udata)
{
    struct cap_header h;
    struct cap_data d[2];
    struct thread *t;
    struct proc *p;
    int n = data_count(uheader, &h);

    if (n < 0)
        return n == -EINVAL && !udata ? 0 : n; /* asking for the version only */
    if (h.pid < 0)
        return -EINVAL;
    spin_lock(&proc_lock);
    p = proc_find_any(h.pid, &t);
    if (p)
        pack(&p->cred, d);
    spin_unlock(&proc_lock);
    if (!p)
        return -ESRCH;
    return copy_to_user(udata, d, (size_t)n * sizeof(d[0]));
}

static int change(struct cred *c, uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
    if (!cred_capable(c, CAP_SETPCAP) && (inheritable & ~(c->inheritable | c->permitted)))
        return -EPERM;
    if (inheritable & ~(c->inheritable | c->bounding))
        return -EPERM;
    if ((permitted & ~c->permitted) || (effective & ~permitted))
        return -EPERM;
    c->effective = effective;
    c->permitted = permitted;
    c->inheritable = inheritable;
    c->ambient &= permitted & inheritable;
    return 0;
}

long sys_capset(void __user *uheader, void __user *udata)
{
    struct cap_header h;
    struct cap_data d[2] = {{0}};
    int n = data_count(uheader, &h);

    if (n < 0)
        return n;
    if (h.pid && h.pid != thread_current()->tid)
        return -EPERM;
    if (copy_from_user(d, udata, (size_t)n * sizeof(d[0])))
        return -EFAULT;
    return change(&proc_current()->cred, caps_join(d[0].effective, d[1].effective),
                  caps_join(d[0].permitted, d[1].permitted),
                  caps_join(d[0].inheritable, d[1].inheritable));
}

/* ---- prctl ---- */

enum {
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_SECUREBITS = 27,
    PR_SET_SECUREBITS = 28,
    PR_CAP_AMBIENT = 47,
};
enum { AMBIENT_IS_SET = 1, AMBIENT_RAISE, AMBIENT_LOWER, AMBIENT_CLEAR_ALL };

static long set_keep_caps(struct cred *c, uint32_t value)
{
    if (value > 1)
        return -EINVAL;
    if (c->securebits & SECURE_KEEP_CAPS << 1)
        return -EPERM;
    c->securebits = (c->securebits & ~SECURE_KEEP_CAPS) | (value ? SECURE_KEEP_CAPS : 0);
    return 0;
}

static long drop_bounding(struct cred *c, uint32_t cap)
{
    if (!cred_capable(c, CAP_SETPCAP))
        return -EPERM;
    if (cap > CAP_LAST)
        return -EINVAL;
    c->bounding &= ~CAP_BIT(cap);
    return 0;
}

/* What is locked stays as it is, locks too. */
static long set_securebits(struct cred *c, uint32_t bits)
{
    uint32_t locks = c->securebits & SECURE_LOCKS;

    if ((locks >> 1 & (c->securebits ^ bits)) || (locks & ~bits) ||
        (bits & ~(SECURE_BITS | SECURE_LOCKS)) || !cred_capable(c, CAP_SETPCAP))
        return -EPERM;
    c->securebits = bits;
    return 0;
}

static long ambient(struct cred *c, uint32_t what, uint32_t cap, uint32_t rest)
{
    if (what == AMBIENT_CLEAR_ALL) {
        if (cap | rest)
            return -EINVAL;
        c->ambient = 0;
        return 0;
    }
    if (cap > CAP_LAST || rest)
        return -EINVAL;
    switch (what) {
    case AMBIENT_IS_SET:
        return c->ambient >> cap & 1;
    case AMBIENT_RAISE:
        if (!(c->permitted & c->inheritable & CAP_BIT(cap)) ||
            (c->securebits & SECURE_NO_AMBIENT_RAISE))
            return -EPERM;
        c->ambient |= CAP_BIT(cap);
        return 0;
    case AMBIENT_LOWER:
        c->ambient &= ~CAP_BIT(cap);
        return 0;
    default:
        return -EINVAL;
    }
}

long cred_prctl(uint32_t option, uint32_t a2, uint32_t a3, uint32_t a4, uint32_t a5)
{
    struct cred *c = &proc_current()->cred;

    switch (option) {
    case PR_GET_KEEPCAPS:
        return (c->securebits & SECURE_KEEP_CAPS) != 0;
    case PR_SET_KEEPCAPS:
        return set_keep_caps(c, a2);
    case PR_CAPBSET_READ:
        return a2 > CAP_LAST ? -EINVAL : (long)(c->bounding >> a2 & 1);
    case PR_CAPBSET_DROP:
        return drop_bounding(c, a2);
    case PR_GET_SECUREBITS:
        return (long)c->securebits;
    case PR_SET_SECUREBITS:
        return set_securebits(c, a2);
    case PR_CAP_AMBIENT:
        return ambient(c, a2, a3, a4 | a5);
    default:
        return -EINVAL;
    }
}
