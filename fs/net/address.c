/*
 * Names of sockets: paths, whose inode leads to the socket; abstract ones, which a leading NUL
 * tells and a hash table keeps; made-up abstract ones (autobind). [man 7 unix]
 *
 * A socket keeps the node that bind made, under whatever name that is then. As on Linux abstract
 * names of stream, datagram and seqpacket sockets do not meet.
 */
#include "arch/uaccess.h"
#include "fs/net/unix.h"
#include "fs/vfs/internal.h"
#include "kernel/base/init.h"
#include "kernel/machine/random.h"
#include "libc/printf.h"
#include "libc/string.h"

#define BUCKETS       256u
#define AUTOBIND_MASK 0xfffffu
#define AUTOBIND_LEN  (PATH_AT + 6)

static struct socket *abstract[BUCKETS]; /* [net_lock] by name_next */
static uint32_t hash_secret;             /* so that nobody can fill one bucket on purpose */

/* ---- To and from user memory ---- */

int address_from_user(struct sockaddr_un *out, const void __user *uaddr, uint32_t len)
{
    char whole[SOCKADDR_MOST];

    if (len > SOCKADDR_MOST)
        return -EINVAL;
    memset(whole, 0, sizeof(whole));
    if (copy_from_user(whole, uaddr, len))
        return -EFAULT;
    memcpy(out, whole, sizeof(*out));
    return 0;
}

int address_to_user(const struct sockaddr_un *name, uint32_t len, void __user *uaddr,
                    void __user *ulen)
{
    uint32_t room;

    if (get_user_u32(&room, ulen))
        return -EFAULT;
    if ((int32_t)room < 0)
        return -EINVAL;
    if (room > len)
        room = len;
    if (copy_to_user(uaddr, name, room))
        return -EFAULT;
    return put_user_u32(ulen, len);
}

/* ---- Addresses ---- */

int address_check(const struct sockaddr_un *name, uint32_t len)
{
    if (len <= PATH_AT || len > SOCKADDR_UN_SIZE || name->family != AF_UNIX)
        return -EINVAL;
    return 0;
}

static struct address *address_new(const struct sockaddr_un *name, uint32_t len)
{
    struct address *a = kzalloc(sizeof(*a));

    if (!a)
        return NULL;
    a->refs = 1;
    a->len = len;
    memcpy(&a->name, name, len < sizeof(*name) ? len : sizeof(*name));
    return a;
}

void address_put(struct address *a)
{
    if (a && ref_put(&a->refs))
        kmfree(a);
}

uint32_t address_copy(const struct socket *s, struct sockaddr_un *name)
{
    memset(name, 0, sizeof(*name));
    name->family = AF_UNIX;
    if (!s->address)
        return PATH_AT;
    *name = s->address->name;
    return s->address->len;
}

/* ---- Abstract names ---- */

static struct socket **bucket(const struct sockaddr_un *name, uint32_t len, unsigned type)
{
    uint32_t h = hash_secret ^ type;

    for (uint32_t i = PATH_AT; i < len; i++)
        h = (h ^ (uint8_t)name->path[i - PATH_AT]) * 0x9e3779b1u;
    return &abstract[(h >> 16) % BUCKETS];
}

/* [net_lock held] */
static struct socket *find_abstract(const struct sockaddr_un *name, uint32_t len, unsigned type)
{
    struct socket *s = *bucket(name, len, type);

    while (s && !(s->type == type && s->address->len == len &&
                  memcmp(s->address->name.path, name->path, len - PATH_AT) == 0))
        s = s->name_next;
    return s;
}

static int take_abstract(struct socket *s, struct address *a)
{
    struct socket **b = bucket(&a->name, a->len, s->type);
    int err = 0;

    spin_lock(&net_lock);
    if (find_abstract(&a->name, a->len, s->type)) {
        err = -EADDRINUSE;
    } else {
        s->address = a;
        s->name_next = *b;
        *b = s;
    }
    spin_unlock(&net_lock);
    return err;
}

static void leave_abstract(struct socket *s)
{
    struct socket **p = bucket(&s->address->name, s->address->len, s->type);

    while (*p && *p != s)
        p = &(*p)->name_next;
    if (*p)
        *p = s->name_next;
}

void address_unhash(struct socket *s)
{
    if (s->node)
        s->node->inode->socket = NULL;
    else if (s->address && !s->address->name.path[0])
        leave_abstract(s);
}

/* ---- bind ---- */

static int bind_abstract(struct socket *s, const struct sockaddr_un *name, uint32_t len)
{
    struct address *a = address_new(name, len);
    int err = a ? -EINVAL : -ENOMEM;

    if (!a)
        return err;
    mutex_lock(&s->bind_lock);
    if (!s->address)
        err = take_abstract(s, a);
    mutex_unlock(&s->bind_lock);
    if (err)
        address_put(a);
    return err;
}

int address_autobind(struct socket *s)
{
    struct sockaddr_un name = {.family = AF_UNIX};
    struct address *a = NULL;
    uint32_t number, tries = 0;
    int err = 0;

    mutex_lock(&s->bind_lock);
    if (s->address)
        goto out;
    err = -ENOMEM;
    a = address_new(&name, AUTOBIND_LEN);
    if (!a)
        goto out;
    random_bytes(&number, sizeof(number));
    do {
        char digits[6];

        snprintf(digits, sizeof(digits), "%05x", ++number & AUTOBIND_MASK);
        memcpy(a->name.path + 1, digits, 5);
        err = take_abstract(s, a);
        sched_point();
    } while (err && ++tries <= AUTOBIND_MASK);
    if (err) {
        address_put(a);
        err = -ENOSPC;
    }
out:
    mutex_unlock(&s->bind_lock);
    return err;
}

/* The path of a name, terminated; also the last byte may belong to it. */
static void path_of(const struct sockaddr_un *name, uint32_t len, char path[UNIX_PATH_MAX + 1])
{
    memcpy(path, name->path, len - PATH_AT);
    path[len - PATH_AT] = 0;
}

/* Makes the node that leads to s. A socket that has a name already only learns whether it could. */
static int bind_node(struct socket *s, const char *path, struct address *a)
{
    uint32_t mode = S_IFSOCK | (s->file->inode->mode & 0777);
    struct dentry *d;
    int err = path_mknod(path, mode, s->address ? NULL : &d);

    if (err)
        return err == -EEXIST ? -EADDRINUSE : err;
    if (s->address)
        return -EINVAL;
    spin_lock(&net_lock);
    d->inode->socket = s;
    s->node = d;
    s->address = a;
    spin_unlock(&net_lock);
    return 0;
}

static int bind_path(struct socket *s, const struct sockaddr_un *name, uint32_t len)
{
    char path[UNIX_PATH_MAX + 1];
    struct address *a;
    int err;

    path_of(name, len, path);
    a = address_new(name, PATH_AT + strlen(path) + 1);
    if (!a)
        return -ENOMEM;
    mutex_lock(&s->bind_lock);
    err = bind_node(s, path, a);
    mutex_unlock(&s->bind_lock);
    if (err)
        address_put(a);
    return err;
}

int address_bind(struct socket *s, struct sockaddr_un *name, uint32_t len)
{
    int err;

    if (len == PATH_AT && name->family == AF_UNIX)
        return address_autobind(s);
    err = address_check(name, len);
    if (err)
        return err;
    return name->path[0] ? bind_path(s, name, len) : bind_abstract(s, name, len);
}

/* ---- Finding ---- */

static int find_by_inode(const struct path *p, unsigned type, struct socket **out)
{
    struct inode *i = p->dentry->inode;
    struct socket *s;
    int err = -ECONNREFUSED;

    if (!S_ISSOCK(i->mode))
        return err;
    spin_lock(&net_lock);
    s = i->socket;
    if (s)
        err = s->type == type ? 0 : -EPROTOTYPE;
    if (!err)
        socket_ref(s);
    spin_unlock(&net_lock);
    if (!err)
        path_accessed(p);
    *out = s;
    return err;
}

static int find_by_path(const char *path, unsigned type, struct socket **out)
{
    struct path p;
    int err = path_lookup(AT_FDCWD, path, LOOKUP_FOLLOW, &p);

    if (err)
        return err;
    err = inode_permission(p.dentry->inode, MAY_WRITE);
    if (!err)
        err = find_by_inode(&p, type, out);
    path_unref(&p);
    return err;
}

int address_find(struct sockaddr_un *name, uint32_t len, unsigned type, struct socket **out)
{
    char path[UNIX_PATH_MAX + 1];

    if (name->path[0]) {
        path_of(name, len, path);
        return find_by_path(path, type, out);
    }
    spin_lock(&net_lock);
    *out = find_abstract(name, len, type);
    if (*out)
        socket_ref(*out);
    spin_unlock(&net_lock);
    return *out ? 0 : -ECONNREFUSED;
}

static void address_init(void)
{
    random_bytes(&hash_secret, sizeof(hash_secret));
}
INIT_AT(INIT_DEVICE, address_init);
