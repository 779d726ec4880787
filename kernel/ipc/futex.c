/*
 * Futexes: sleeping on a word of user memory, man 2 futex. Waiters hang in a hash table by space
 * and address (so two processes that share memory through different spaces do not meet: only
 * threads, vfork and CLONE_VM are served).
 *
 * A waiter queues itself first and reads the word after: a waker that changes the word before and
 * looks at the queue after it is never missed. The word is read without a lock.
 */
#include "kernel/ipc/futex.h"
#include "arch/uaccess.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define FUTEX_WAIT           0
#define FUTEX_WAKE           1
#define FUTEX_REQUEUE        3
#define FUTEX_CMP_REQUEUE    4
#define FUTEX_WAKE_OP        5
#define FUTEX_WAIT_BITSET    9
#define FUTEX_WAKE_BITSET    10
#define FUTEX_PRIVATE_FLAG   128u
#define FUTEX_CLOCK_REALTIME 256u
#define FUTEX_ANY            0xffffffffu

#define FUTEX_WAITERS    0x80000000u /* in the word: somebody waits */
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_TID_MASK   0x3fffffffu
#define ROBUST_LIST_MAX  2048

#define BUCKETS 64

struct futex_waiter {
    struct list link;       /* [futex_lock] */
    struct vm_space *space; /* [futex_lock] the key */
    uint32_t addr;          /* [futex_lock] */
    uint32_t bits;
    struct thread *thread;
    bool woken; /* [futex_lock] */
};

static struct spinlock futex_lock = SPINLOCK_INIT("futex", LOCK_RANK_WAITQ);
static struct list buckets[BUCKETS]; /* [futex_lock] a zero head is an empty one */

/* [futex_lock held] */
static struct list *bucket_of(struct vm_space *s, uint32_t addr)
{
    struct list *b = &buckets[(addr >> 2 ^ (uintptr_t)s >> 5) % BUCKETS];

    if (!b->next)
        list_init(b);
    return b;
}

static void enqueue(struct futex_waiter *w)
{
    spin_lock(&futex_lock);
    list_add_tail(bucket_of(w->space, w->addr), &w->link);
    spin_unlock(&futex_lock);
}

/* Whether somebody had woken w. */
static bool dequeue(struct futex_waiter *w)
{
    spin_lock(&futex_lock);
    list_remove(&w->link);
    spin_unlock(&futex_lock);
    return w->woken;
}

/* ---- Waking ---- */

/* [futex_lock held] */
static void wake(struct futex_waiter *w)
{
    list_remove(&w->link);
    w->woken = true;
    sched_wake(w->thread);
}

/* [futex_lock held] */
static int wake_some(struct vm_space *s, uint32_t addr, int count, uint32_t bits)
{
    struct list *b = bucket_of(s, addr);
    struct futex_waiter *w, *next;
    int woken = 0;

    list_for_each_entry_safe (w, next, b, link) {
        if (woken >= count)
            break;
        if (w->space == s && w->addr == addr && (w->bits & bits)) {
            wake(w);
            woken++;
        }
    }
    return woken;
}

/* [futex_lock held] */
static int move_some(struct vm_space *s, uint32_t from, uint32_t to, int count)
{
    struct list *b = bucket_of(s, from), *target = bucket_of(s, to);
    struct futex_waiter *w, *next;
    int moved = 0;

    list_for_each_entry_safe (w, next, b, link) {
        if (moved >= count)
            break;
        if (w->space == s && w->addr == from) {
            list_remove(&w->link);
            w->addr = to;
            list_add_tail(target, &w->link);
            moved++;
        }
    }
    return moved;
}

static int wake_bits(uint32_t addr, int count, uint32_t bits)
{
    int woken;

    spin_lock(&futex_lock);
    woken = wake_some(proc_current()->space, addr, count, bits);
    spin_unlock(&futex_lock);
    return woken;
}

int futex_wake(uint32_t addr, int count)
{
    return wake_bits(addr, count, FUTEX_ANY);
}

static long requeue(uint32_t addr, int nwake, int nmove, uint32_t addr2, const uint32_t *expected)
{
    struct vm_space *s = proc_current()->space;
    uint32_t now;
    long done;

    if (nwake < 0 || nmove < 0)
        return -EINVAL;
    if (expected) {
        if (get_user_u32(&now, (void __user *)addr))
            return -EFAULT;
        if (now != *expected)
            return -EAGAIN;
    }
    spin_lock(&futex_lock);
    done = wake_some(s, addr, nwake, FUTEX_ANY);
    done += addr == addr2 ? 0 : move_some(s, addr, addr2, nmove);
    spin_unlock(&futex_lock);
    return done;
}

/* FUTEX_WAKE_OP: new value of the word at addr2 by the encoded operation; whether the old one
 * passed the encoded comparison, or -errno. */
static int wake_op(uint32_t addr2, uint32_t code)
{
    int op = code >> 28 & 7, cmp = code >> 24 & 15;
    int32_t oparg = (int32_t)(code << 8) >> 20, cmparg = (int32_t)(code << 20) >> 20, old, new;

    if (code & 0x80000000u)
        oparg = (int32_t)(1u << (oparg & 31));
    if (get_user_u32((uint32_t *)&old, (void __user *)addr2))
        return -EFAULT;
    switch (op) {
    case 0:
        new = oparg;
        break;
    case 1:
        new = old + oparg;
        break;
    case 2:
        new = old | oparg;
        break;
    case 3:
        new = old & ~oparg;
        break;
    case 4:
        new = old ^ oparg;
        break;
    default:
        return -ENOSYS;
    }
    if (put_user_u32((void __user *)addr2, (uint32_t) new))
        return -EFAULT;
    switch (cmp) {
    case 0:
        return old == cmparg;
    case 1:
        return old != cmparg;
    case 2:
        return old < cmparg;
    case 3:
        return old <= cmparg;
    case 4:
        return old > cmparg;
    case 5:
        return old >= cmparg;
    default:
        return -ENOSYS;
    }
}

static long wake_two(uint32_t addr, int n1, int n2, uint32_t addr2, uint32_t code)
{
    int also = wake_op(addr2, code);
    long woken;

    if (also < 0)
        return also;
    woken = futex_wake(addr, n1);
    return also ? woken + futex_wake(addr2, n2) : woken;
}

/* ---- Waiting ---- */

/* until: a monotonic time, or TIME_NEVER. 0 when woken, -EAGAIN, -ETIMEDOUT or -ERESTARTSYS. */
static long wait(uint32_t addr, uint32_t expected, uint32_t bits, uint64_t until)
{
    struct thread *t = thread_current();
    struct futex_waiter w = {.space = t->proc->space, .addr = addr, .bits = bits, .thread = t};
    uint32_t now;
    long ret = 0;

    enqueue(&w);
    if (get_user_u32(&now, (void __user *)addr))
        ret = -EFAULT;
    else if (now != expected)
        ret = -EAGAIN;
    while (!ret && !w.woken) {
        t->state = THREAD_SLEEPING;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (w.woken)
            break;
        if (signal_pending_current())
            ret = -ERESTARTSYS;
        else if (until != TIME_NEVER && time_mono_ns() >= until)
            ret = -ETIMEDOUT;
        else
            schedule_until(until);
    }
    t->state = THREAD_RUNNABLE;
    return dequeue(&w) && ret != -EFAULT ? 0 : ret;
}

static long restart_wait(struct thread *t)
{
    const uint32_t *a = t->sig.restart_args;
    long ret = wait(a[0], a[1], a[2], t->sig.restart_until);

    return ret == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : ret;
}

/* A relative timeout goes on, after a signal without a handler, with what is left of it. */
static long wait_until(uint32_t addr, uint32_t expected, uint32_t bits, uint64_t until)
{
    long ret = wait(addr, expected, bits, until);

    if (ret == -ERESTARTSYS && until != TIME_NEVER) {
        struct signal_state *s = &thread_current()->sig;

        s->restart_fn = restart_wait;
        s->restart_until = until;
        s->restart_args[0] = addr;
        s->restart_args[1] = expected;
        s->restart_args[2] = bits;
        return -ERESTART_RESTARTBLOCK;
    }
    return ret;
}

/* The deadline that utime (NULL: none) stands for: WAIT's is relative, WAIT_BITSET's absolute. */
static int deadline(const void __user *utime, bool wide, int op, bool realtime, uint64_t *until)
{
    uint64_t ns, now;
    int err;

    *until = TIME_NEVER;
    if (!utime)
        return 0;
    err = timespec_get(&ns, utime, wide);
    if (err)
        return err;
    if (op == FUTEX_WAIT) {
        *until = time_deadline(ns);
    } else if (realtime) {
        now = time_real_ns();
        *until = ns <= now ? 0 : time_deadline(ns - now);
    } else {
        *until = ns;
    }
    return 0;
}

/* ---- Robust locks ---- */

/* struct robust_list_head: first entry, offset from an entry to its word, entry being worked on. */
struct robust_head {
    uint32_t first;
    int32_t offset;
    uint32_t pending;
};

/* The owner of the lock at addr is gone: says so in the word and wakes one that waits. */
static bool owner_died(uint32_t addr, int32_t tid)
{
    uint32_t word;

    if ((addr & 3) || get_user_u32(&word, (void __user *)addr))
        return false;
    if ((int32_t)(word & FUTEX_TID_MASK) != tid)
        return true;
    if (put_user_u32((void __user *)addr, (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED))
        return false;
    if (word & FUTEX_WAITERS)
        futex_wake(addr, 1);
    return true;
}

void futex_release_robust_list(struct thread *t)
{
    struct robust_head head;
    uint32_t entry, next;

    if (copy_from_user(&head, (void __user *)t->robust_list, sizeof(head)))
        return;
    entry = head.first & ~1u;
    for (int i = 0; entry != t->robust_list && i < ROBUST_LIST_MAX; i++) {
        bool ok = get_user_u32(&next, (void __user *)entry) == 0;

        if (entry != (head.pending & ~1u) && !owner_died(entry + (uint32_t)head.offset, t->tid))
            return;
        if (!ok)
            return;
        entry = next & ~1u;
    }
    if (head.pending & ~1u)
        owner_died((head.pending & ~1u) + (uint32_t)head.offset, t->tid);
}

long sys_set_robust_list(void __user *head, uint32_t len)
{
    if (len != sizeof(struct robust_head))
        return -EINVAL;
    thread_current()->robust_list = (vaddr_t)head;
    return 0;
}

long sys_get_robust_list(uint32_t tid, void __user *uhead, void __user *ulen)
{
    struct thread *t;
    struct proc *p;
    uint32_t head = 0;
    bool allowed = true;

    spin_lock(&proc_lock);
    p = proc_find_any((int32_t)tid, &t);
    if (p) {
        head = t ? t->robust_list : 0;
        allowed = proc_may_inspect(p, INSPECT_REAL);
    }
    spin_unlock(&proc_lock);
    if (!p)
        return -ESRCH;
    if (!allowed)
        return -EPERM;
    if (put_user_u32(ulen, sizeof(struct robust_head)) || put_user_u32(uhead, head))
        return -EFAULT;
    return 0;
}

/* ---- The call ---- */

/* Whether a futex can be there. Without FUTEX_PRIVATE_FLAG its page has to be. */
static int check_word(vaddr_t addr, uint32_t flags)
{
    uint32_t now;

    if (addr & 3)
        return -EINVAL;
    if (!user_range_ok((void __user *)addr, 4))
        return -EFAULT;
    return flags & FUTEX_PRIVATE_FLAG ? 0 : get_user_u32(&now, (void __user *)addr);
}

/* utime is a number to those that do not wait: how many to move, or to wake at addr2. */
static long futex(vaddr_t addr, uint32_t flags, uint32_t val, const void __user *utime,
                  vaddr_t addr2, uint32_t val3, bool wide)
{
    int op = (int)(flags & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME));
    bool waits = op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET;
    bool two = op == FUTEX_REQUEUE || op == FUTEX_CMP_REQUEUE || op == FUTEX_WAKE_OP;
    bool bitset = op == FUTEX_WAIT_BITSET || op == FUTEX_WAKE_BITSET;
    uint64_t until = TIME_NEVER;
    int err = waits ? deadline(utime, wide, op, flags & FUTEX_CLOCK_REALTIME, &until) : 0;

    if (err)
        return err;
    if ((flags & FUTEX_CLOCK_REALTIME) && !waits)
        return -ENOSYS;
    err = check_word(addr, flags);
    if (!err && two)
        err = check_word(addr2, flags);
    if (err)
        return err;
    if (bitset && !val3)
        return -EINVAL;
    switch (op) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
        return wait_until(addr, val, bitset ? val3 : FUTEX_ANY, until);
    case FUTEX_WAKE:
    case FUTEX_WAKE_BITSET:
        return wake_bits(addr, (int)val > 0 ? (int)val : 1, bitset ? val3 : FUTEX_ANY);
    case FUTEX_REQUEUE:
        return requeue(addr, (int)val, (int)(vaddr_t)utime, addr2, NULL);
    case FUTEX_CMP_REQUEUE:
        return requeue(addr, (int)val, (int)(vaddr_t)utime, addr2, &val3);
    case FUTEX_WAKE_OP:
        return wake_two(addr, (int)val, (int)(vaddr_t)utime, addr2, val3);
    default:
        return -ENOSYS;
    }
}

long sys_futex(void __user *uaddr, uint32_t op, uint32_t val, void __user *utime,
               void __user *uaddr2, uint32_t val3)
{
    return futex((vaddr_t)uaddr, op, val, utime, (vaddr_t)uaddr2, val3, false);
}

long sys_futex_time64(void __user *uaddr, uint32_t op, uint32_t val, void __user *utime,
                      void __user *uaddr2, uint32_t val3)
{
    return futex((vaddr_t)uaddr, op, val, utime, (vaddr_t)uaddr2, val3, true);
}
