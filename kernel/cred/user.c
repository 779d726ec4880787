/*
 * What each user has of the things that are counted by user: pages of pipes, watches of epoll sets
 * and of inotify, what is on its way between sockets, signals that wait.
 *
 * An account exists while something is charged to it. Who is charged keeps the account, so that a
 * process that changes its ids gives back to the right one.
 */
#include "kernel/cred/user.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

struct user {
    struct user *next; /* [user_lock] */
    uint32_t uid;
    uint32_t refs;                     /* [user_lock] things charged */
    uint32_t counts[USER_COUNT_KINDS]; /* [user_lock] */
};

static struct spinlock user_lock = SPINLOCK_INIT("users", LOCK_RANK_USER);
static struct user *users; /* [user_lock] few: a list does */

/* [user_lock held] */
static struct user *find(uint32_t uid)
{
    struct user *u = users;

    while (u && u->uid != uid)
        u = u->next;
    return u;
}

/* [user_lock held] Its account with one reference more; spare serves if there is none yet. */
static struct user *get(uint32_t uid, struct user **spare)
{
    struct user *u = find(uid);

    if (!u && *spare) {
        u = *spare;
        *spare = NULL;
        u->uid = uid;
        u->next = users;
        users = u;
    }
    if (u)
        u->refs++;
    return u;
}

struct user *user_get_uid(uint32_t uid)
{
    struct user *spare = NULL, *u;

    spin_lock(&user_lock);
    u = get(uid, &spare);
    spin_unlock(&user_lock);
    if (u)
        return u;
    spare = kzalloc(sizeof(*spare));
    spin_lock(&user_lock);
    u = get(uid, &spare);
    spin_unlock(&user_lock);
    kmfree(spare);
    return u;
}

struct user *user_get(void)
{
    return user_get_uid(proc_current()->cred.uid);
}

uint32_t user_counted(uint32_t uid, enum user_count kind)
{
    const struct user *u;
    uint32_t n;

    spin_lock(&user_lock);
    u = find(uid);
    n = u ? u->counts[kind] : 0;
    spin_unlock(&user_lock);
    return n;
}

void user_put(struct user *u)
{
    struct user **p = &users;
    bool last;

    spin_lock(&user_lock);
    last = --u->refs == 0;
    if (last) {
        while (*p != u)
            p = &(*p)->next;
        *p = u->next;
    }
    spin_unlock(&user_lock);
    if (last)
        kmfree(u);
}

bool user_charge(struct user *u, enum user_count kind, uint32_t n, uint32_t limit)
{
    bool ok;

    spin_lock(&user_lock);
    ok = u->counts[kind] + n <= limit;
    if (ok)
        u->counts[kind] += n;
    spin_unlock(&user_lock);
    return ok;
}

void user_uncharge(struct user *u, enum user_count kind, uint32_t n)
{
    spin_lock(&user_lock);
    KASSERT(u->counts[kind] >= n);
    u->counts[kind] -= n;
    spin_unlock(&user_lock);
}
