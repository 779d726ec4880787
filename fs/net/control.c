/*
 * Control messages: descriptors and credentials beside the bytes. [man 3 cmsg, man 7 unix]
 */
#include "arch/uaccess.h"
#include "fs/net/unix.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

/* ---- Sending ---- */

/* Only root may say that it is somebody else. */
static int check_cred(const struct ucred *c)
{
    const struct proc *p = proc_current();
    const struct cred *own = &p->cred;
    bool known = true;

    if (c->uid == UINT32_MAX || c->gid == UINT32_MAX)
        return -EINVAL;
    if ((c->pid != p->pid && !capable(CAP_SYS_ADMIN)) ||
        (c->uid != own->uid && c->uid != own->euid && c->uid != own->suid &&
         !capable(CAP_SETUID)) ||
        (c->gid != own->gid && c->gid != own->egid && c->gid != own->sgid && !capable(CAP_SETGID)))
        return -EPERM;
    if (c->pid != p->pid) {
        struct thread *t;

        spin_lock(&proc_lock);
        known = proc_find_any(c->pid, &t) != NULL && c->pid > 0;
        spin_unlock(&proc_lock);
    }
    return known ? 0 : -ESRCH;
}

static int read_cred(struct message *m, const void __user *udata, uint32_t n)
{
    int err;

    if (n != sizeof(m->cred))
        return -EINVAL;
    if (copy_from_user(&m->cred, udata, n))
        return -EFAULT;
    err = check_cred(&m->cred);
    m->has_cred = !err;
    return err;
}

/* One control message of n bytes behind its header; those of other levels are passed over. */
static int read_one(struct message *m, const struct cmsghdr *h, const void __user *udata)
{
    uint32_t n = h->len - sizeof(*h);

    if (h->level != SOL_SOCKET)
        return 0;
    switch (h->type) {
    case SCM_RIGHTS:
        return rights_add(&m->rights, udata, n / sizeof(int32_t));
    case SCM_CREDENTIALS:
        return read_cred(m, udata, n);
    default:
        return -EINVAL;
    }
}

int control_read(struct message *m, const void __user *ucontrol, uint32_t len)
{
    const char __user *at = ucontrol;
    struct cmsghdr h;
    uint32_t step;
    int err;

    if (len > net_limits.optmem_max)
        return -ENOBUFS;
    while (len >= sizeof(h)) {
        if (copy_from_user(&h, at, sizeof(h)))
            return -EFAULT;
        if (h.len < sizeof(h) || h.len > len)
            return -EINVAL;
        err = read_one(m, &h, at + sizeof(h));
        if (err)
            return err;
        step = CMSG_ALIGN(h.len);
        if (step > len)
            break;
        at += step;
        len -= step;
    }
    return 0;
}

/* ---- Receiving ---- */

static void advance(struct message *m, uint32_t n)
{
    n = CMSG_ALIGN(n) < m->control_len ? CMSG_ALIGN(n) : m->control_len;
    m->control = (char __user *)m->control + n;
    m->control_len -= n;
}

/* What does not fit is cut off; a bad address is as good as no room. */
static void put(struct message *m, int type, const void *data, uint32_t n)
{
    struct cmsghdr h = {.len = sizeof(h) + n, .level = SOL_SOCKET, .type = type};

    if (!m->control || m->control_len < sizeof(h)) {
        m->out_flags |= MSG_CTRUNC;
        return;
    }
    if (h.len > m->control_len) {
        m->out_flags |= MSG_CTRUNC;
        h.len = m->control_len;
    }
    if (copy_to_user(m->control, &h, sizeof(h)) ||
        copy_to_user((char __user *)m->control + sizeof(h), data, h.len - sizeof(h)))
        return;
    advance(m, sizeof(h) + n);
}

static void put_rights(struct message *m)
{
    struct cmsghdr h = {.level = SOL_SOCKET, .type = SCM_RIGHTS};
    uint32_t room = 0, n;

    if (m->control_len > sizeof(h))
        room = (m->control_len - sizeof(h)) / sizeof(int32_t);
    if (room > m->rights->count)
        room = m->rights->count;
    n = rights_install(m->rights, (char __user *)m->control + sizeof(h), room,
                       m->flags & MSG_CMSG_CLOEXEC);
    h.len = sizeof(h) + n * sizeof(int32_t);
    if (n && !copy_to_user(m->control, &h, sizeof(h)))
        advance(m, h.len);
    if (n < m->rights->count)
        m->out_flags |= MSG_CTRUNC;
}

void control_write(struct socket *s, struct message *m)
{
    if (!m->control) {
        if (socket_passes_cred(s) || m->rights)
            m->out_flags |= MSG_CTRUNC;
        return;
    }
    if (socket_passes_cred(s))
        put(m, SCM_CREDENTIALS, &m->cred, sizeof(m->cred));
    if (m->rights)
        put_rights(m);
}
