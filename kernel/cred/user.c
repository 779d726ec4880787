/*
 * What each user has of the things that are counted by user: pages of pipes, watches of epoll sets
 * and of inotify, what is on its way between sockets.
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

static struct spinlock user_lock = SPINLOCK_INIT("users", LOCK_RANK_SIGNAL);
static struct user *users; /* [user_lock] few: a list does */

/* [user_lock held] */
static struct user *find(uint32_t uid)
{
    struct user *u = users;

    while (u && u->uid != uid)
        u = u->next;
    return u;
}

/* The account of the real user, with one reference more. NULL: no memory. */
struct user *user_get(void)
{
    struct user *fresh = kzalloc(sizeof(*fresh)), *u;

    if (!fresh)
        return NULL;
    fresh->uid = proc_current()->cred.uid;
    spin_lock(&user_lock);
    u = find(fresh->uid);
    if (!u) {
        u = fresh;
        u->next = users;
        users = u;
    }
    u->refs++;
    spin_unlock(&user_lock);
    if (u != fresh)
        kmfree(fresh);
    return u;
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
