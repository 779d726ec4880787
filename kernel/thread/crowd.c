/*
 * How many threads there may be, and who gets the last ones.
 *
 * The limit follows from the memory that is free when init starts. The last part of it, and of
 * memory, is for process groups with few members: what a person types into a shell makes a small
 * group, a fork bomb is a big one, whoever runs either.
 */
#include "arch/thread.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define FRAMES_PER_THREAD 24u /* a small process takes as many when it has run for a while */
#define LEAST             32u /* threads, however little memory there is */
#define RESERVE_PART      8u  /* of the limit, for small groups */
#define GROUP_SMALL       8u  /* threads */
#define ROOM_PART         32u /* of memory, for small groups */
#define ROOM_LEAST        96u /* frames */

static uint32_t limit; /* word-sized: read without a lock */

uint32_t proc_thread_limit(void)
{
    return limit;
}

int proc_set_thread_limit(uint32_t n)
{
    if (n < LEAST || n > kstack_limit())
        return -EINVAL;
    limit = n;
    return 0;
}

void proc_settle_thread_limit(struct proc *p)
{
    uint32_t n = vm_free_frames() / FRAMES_PER_THREAD;

    if (n > kstack_limit())
        n = kstack_limit();
    limit = n < LEAST ? LEAST : n;
    p->rlimits[RLIMIT_NPROC] = (struct rlimit32){limit / 2, limit / 2};
    p->rlimits[RLIMIT_SIGPENDING] = p->rlimits[RLIMIT_NPROC];
}

/* [proc_lock held] Whether the group has at most so many members. */
static bool in_small_group(const struct proc *creator, uint32_t most)
{
    uint32_t members = 0;
    struct proc *p;

    for_each_of_group(p, creator->pgid)
    {
        members += p->nthreads ? p->nthreads : 1;
        if (members > most)
            return false;
    }
    return true;
}

/* Clean pages go first; a search for them that found none is not repeated at once. */
static bool memory_has_room(void)
{
    static uint64_t next_search; /* a race costs a search */
    uint32_t room = vm_total_frames() / ROOM_PART;
    uint64_t now;

    if (room < ROOM_LEAST)
        room = ROOM_LEAST;
    if (vm_free_frames() >= room)
        return true;
    now = time_mono_ns();
    if (now < next_search)
        return false;
    if (vm_make_room(room))
        return true;
    next_search = now + 10 * NSEC_PER_TICK;
    return false;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The fewer threads are left, the smaller must be the group that gets one: several groups cannot
 * share the last ones out among them. */
int proc_may_fork(const struct proc *creator)
{
    bool roomy = memory_has_room();
    uint32_t left;
    int err = 0;

    spin_lock(&proc_lock);
    left = proc_count_tasks() < limit ? limit - proc_count_tasks() : 0;
    if (left == 0)
        err = -EAGAIN;
    else if (left <= limit / RESERVE_PART)
        err = in_small_group(creator, lesser(GROUP_SMALL, left / 2)) ? 0 : -EAGAIN;
    else if (!roomy)
        err = in_small_group(creator, GROUP_SMALL) ? 0 : -ENOMEM;
    spin_unlock(&proc_lock);
    return err;
}
