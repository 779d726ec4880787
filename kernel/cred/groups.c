/* The calls on supplementary groups. man 2 setgroups. */
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define NO_GROUP UINT32_MAX

/* ---- Sorting: a heap, whose cost no order can spoil ---- */

static void sift(struct group_list *g, uint32_t at, uint32_t n)
{
    uint32_t id = *group_at(g, at), child;

    for (; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && *group_at(g, child + 1) > *group_at(g, child))
            child++;
        if (*group_at(g, child) <= id)
            break;
        *group_at(g, at) = *group_at(g, child);
    }
    *group_at(g, at) = id;
}

static void sort(struct group_list *g)
{
    for (uint32_t i = g->count / 2; i-- > 0;)
        sift(g, i, g->count);
    for (uint32_t end = g->count; end-- > 1;) {
        uint32_t most = *group_at(g, 0);

        *group_at(g, 0) = *group_at(g, end);
        *group_at(g, end) = most;
        sift(g, 0, end);
        if (end % 1024 == 0)
            sched_point();
    }
}

/* ---- The calls ---- */

/* Old programs have ids of 16 bits. */
static int take_ids(struct group_list *g, const void __user *ulist, bool wide)
{
    for (uint32_t i = 0; i < g->count; i++) {
        uint32_t *id = group_at(g, i);
        uint16_t small = 0;

        if (wide ? get_user_u32(id, (const uint32_t __user *)ulist + i)
                 : copy_from_user(&small, (const uint16_t __user *)ulist + i, sizeof(small)))
            return -EFAULT;
        if (!wide)
            *id = small == 0xffff ? NO_GROUP : small;
        if (*id == NO_GROUP)
            return -EINVAL;
    }
    sort(g);
    return 0;
}

static void set_groups(struct group_list *g)
{
    struct cred *c = &proc_current()->cred;
    struct group_list *old;

    spin_lock(&proc_lock);
    old = c->groups;
    c->groups = g;
    spin_unlock(&proc_lock);
    groups_put(old);
}

static long take_groups(uint32_t size, const void __user *ulist, bool wide)
{
    struct group_list *g;
    int err;

    if (!capable(CAP_SETGID))
        return -EPERM;
    if (size > GROUPS_MAX)
        return -EINVAL;
    g = groups_new(size);
    if (!g)
        return -ENOMEM;
    err = take_ids(g, ulist, wide);
    if (err)
        groups_put(g);
    else
        set_groups(g);
    return err;
}

long groups_to_user(const struct group_list *g, void __user *ulist, bool wide)
{
    for (uint32_t i = 0; i < g->count; i++) {
        uint32_t id = *group_at(g, i);
        uint16_t small = gid_narrow(id);

        if (wide ? put_user_u32((uint32_t __user *)ulist + i, id)
                 : copy_to_user((uint16_t __user *)ulist + i, &small, sizeof(small)))
            return -EFAULT;
    }
    return 0;
}

static long put_groups(uint32_t size, void __user *ulist, bool wide)
{
    struct group_list *g;
    long n;

    if ((int32_t)size < 0)
        return -EINVAL;
    spin_lock(&proc_lock);
    g = groups_get(proc_current()->cred.groups);
    spin_unlock(&proc_lock);
    if (!g)
        return 0;
    n = (long)g->count;
    if (size && size < g->count)
        n = -EINVAL;
    else if (size && groups_to_user(g, ulist, wide))
        n = -EFAULT;
    groups_put(g);
    return n;
}

long sys_getgroups32(uint32_t size, void __user *ulist)
{
    return put_groups(size, ulist, true);
}

long sys_setgroups32(uint32_t size, void __user *ulist)
{
    return take_groups(size, ulist, true);
}

long sys_getgroups(uint32_t size, void __user *ulist)
{
    return put_groups(size, ulist, false);
}

long sys_setgroups(uint32_t size, void __user *ulist)
{
    return take_groups(size, ulist, false);
}
