/*
 * Capabilities, as far as there are any: root has all, everybody else none. What would leave a
 * process with other ones is refused instead of pretended. man 2 capget.
 */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define VERSION_1 0x19980330u /* 32 capabilities */
#define VERSION_2 0x20071026u /* 64, as the next */
#define VERSION_3 0x20080522u
#define CAP_LAST  40

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

static void caps_of(uint32_t euid, struct cap_data d[2])
{
    d[0] = d[1] = (struct cap_data){0};
    if (euid == 0) {
        d[0].effective = d[0].permitted = UINT32_MAX;
        d[1].effective = d[1].permitted = (1u << (CAP_LAST - 31)) - 1;
    }
}

long sys_capget(void __user *uheader, void __user *udata)
{
    struct cap_header h;
    struct cap_data d[2];
    struct thread *t;
    struct proc *p;
    uint32_t euid = 0;
    int n = data_count(uheader, &h);

    if (n < 0)
        return n == -EINVAL && !udata ? 0 : n; /* asking for the version only */
    if (h.pid < 0)
        return -EINVAL;
    spin_lock(&proc_lock);
    p = proc_find_any(h.pid, &t);
    if (p)
        euid = p->cred.euid;
    spin_unlock(&proc_lock);
    if (!p)
        return -ESRCH;
    caps_of(euid, d);
    return copy_to_user(udata, d, (size_t)n * sizeof(d[0]));
}

long sys_capset(void __user *uheader, void __user *udata)
{
    struct cap_header h;
    struct cap_data want[2] = {{0}}, have[2];
    int n = data_count(uheader, &h);

    if (n < 0)
        return n;
    if (h.pid && h.pid != thread_current()->tid)
        return -EPERM;
    if (copy_from_user(want, udata, (size_t)n * sizeof(want[0])))
        return -EFAULT;
    caps_of(proc_current()->cred.euid, have);
    for (int i = 0; i < n; i++) {
        uint32_t all = i ? have[1].permitted : UINT32_MAX;

        if ((want[i].effective & all) != have[i].effective ||
            (want[i].permitted & all) != have[i].permitted)
            return -EPERM;
    }
    return 0;
}
