/*
 * select and pselect6: poll's loop over three sets of bits. The remaining time is written back, as
 * Linux does.
 */
#include "arch/uaccess.h"
#include "fs/vfs/file.h"
#include "fs/event/poll.h"
#include "kernel/thread/personality.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"

#define IN_MASK  (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define OUT_MASK (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define EX_MASK  POLLPRI

#define INLINE_WORDS 8u /* of each set on the stack */

enum { IN, OUT, EX, SETS };
static const uint32_t set_mask[SETS] = {IN_MASK, OUT_MASK, EX_MASK};

struct fd_sets {
    uint32_t n, words; /* descriptors, and words of each set */
    uint32_t *wanted[SETS], *ready[SETS];
    void __user *user[SETS]; /* NULL: not given */
    uint32_t space[2 * SETS * INLINE_WORDS];
    uint32_t *memory; /* space, or allocated */
};

static int sets_alloc(struct fd_sets *s)
{
    s->words = (s->n + 31) / 32;
    s->memory = s->space;
    if (s->words > INLINE_WORDS) {
        s->memory = kmalloc(2 * SETS * s->words * sizeof(uint32_t));
        if (!s->memory)
            return -ENOMEM;
    }
    memset(s->memory, 0, 2 * SETS * s->words * sizeof(uint32_t));
    for (int i = 0; i < SETS; i++) {
        s->wanted[i] = s->memory + i * s->words;
        s->ready[i] = s->memory + (SETS + i) * s->words;
    }
    return 0;
}

static void sets_free(struct fd_sets *s)
{
    if (s->memory != s->space)
        kmfree(s->memory);
}

static int sets_read(struct fd_sets *s)
{
    for (int i = 0; i < SETS; i++) {
        if (s->user[i] && copy_from_user(s->wanted[i], s->user[i], s->words * 4))
            return -EFAULT;
        if (s->n % 32)
            s->wanted[i][s->words - 1] &= (1u << s->n % 32) - 1;
    }
    return 0;
}

static int sets_write(const struct fd_sets *s)
{
    for (int i = 0; i < SETS; i++)
        if (s->user[i] && copy_to_user(s->user[i], s->ready[i], s->words * 4))
            return -EFAULT;
    return 0;
}

/* Marks what fd is ready for of what is wanted; how many marks, or -EBADF. */
static int select_one(struct fd_sets *s, uint32_t fd, struct poll_table *pt)
{
    uint32_t word = fd / 32, bit = 1u << fd % 32, mask;
    struct file *f = fd_get((int)fd);
    int marks = 0;

    if (!f)
        return -EBADF;
    mask = file_poll(f, pt);
    file_put(f);
    for (int i = 0; i < SETS; i++)
        if ((s->wanted[i][word] & bit) && (mask & set_mask[i])) {
            s->ready[i][word] |= bit;
            marks++;
        }
    return marks;
}

static long select_round(void *sets, struct poll_table *pt)
{
    struct fd_sets *s = sets;
    long total = 0;
    int marks;

    for (uint32_t w = 0; w < s->words; w++) {
        uint32_t bits = s->wanted[IN][w] | s->wanted[OUT][w] | s->wanted[EX][w];

        for (; bits; bits &= bits - 1) {
            marks = select_one(s, w * 32 + (uint32_t)__builtin_ctz(bits), pt);
            if (marks < 0)
                return marks;
            if (marks)
                pt = NULL;
            total += marks;
            sched_point();
        }
    }
    return total;
}

static long do_select(uint32_t n, void __user *const user[SETS], uint64_t until)
{
    uint32_t room = files_room();
    struct fd_sets s;
    long ret;

    if ((int32_t)n < 0)
        return -EINVAL;
    s.n = n < room ? n : room; /* what lies behind is not looked at */
    memcpy(s.user, user, sizeof(s.user));
    ret = sets_alloc(&s);
    if (ret)
        return ret;
    ret = sets_read(&s);
    if (!ret)
        ret = poll_until(select_round, &s, until);
    if (ret >= 0 && sets_write(&s))
        ret = -EFAULT;
    sets_free(&s);
    return ret;
}

/* ---- select ---- */

static uint64_t left(uint64_t until)
{
    uint64_t now = time_mono_ns();

    return until > now ? until - now : 0;
}

/* After a wait whose time is not to be written back: it cannot go on later. */
static long without_left(long ret)
{
    return ret == -ERESTARTNOHAND ? -EINTR : ret;
}

/* Where the time cannot be written back the call is not restarted, it would wait too long. */
static long put_left_timeval(void __user *utv, uint64_t until, long ret)
{
    uint64_t usec = left(until) / NSEC_PER_USEC;
    struct timeval32 tv = {.sec = (int32_t)(usec / USEC_PER_SEC)};

    tv.usec = (int32_t)(usec - (uint64_t)tv.sec * USEC_PER_SEC);
    if (copy_to_user(utv, &tv, sizeof(tv)) && ret == -ERESTARTNOHAND)
        return -EINTR;
    return ret;
}

long sys__newselect(uint32_t n, void __user *uin, void __user *uout, void __user *uex,
                    void __user *utv)
{
    void __user *const user[SETS] = {uin, uout, uex};
    uint64_t until = TIME_NEVER, ns;
    struct timeval32 tv;
    long ret;

    if (utv) {
        if (copy_from_user(&tv, utv, sizeof(tv)))
            return -EFAULT;
        tv.sec += tv.usec / (int32_t)USEC_PER_SEC;
        tv.usec %= (int32_t)USEC_PER_SEC;
        if (tv.sec < 0 || tv.usec < 0)
            return -EINVAL;
        ns = (uint32_t)tv.sec * NSEC_PER_SEC + (uint32_t)tv.usec * NSEC_PER_USEC;
        until = ns ? time_deadline(ns) : 0;
    }
    ret = do_select(n, user, until);
    if (personality_has(STICKY_TIMEOUTS))
        return without_left(ret);
    return utv && until ? put_left_timeval(utv, until, ret) : ret;
}

/* The oldest form: one pointer to the five arguments. */
long sys_select(const void __user *uargs)
{
    struct {
        uint32_t n;
        void __user *in, *out, *ex, *tv;
    } a;

    if (copy_from_user(&a, uargs, sizeof(a)))
        return -EFAULT;
    return sys__newselect(a.n, a.in, a.out, a.ex, a.tv);
}

static long do_pselect(uint32_t n, void __user *const user[SETS], void __user *uts,
                       const void __user *usig, bool wide)
{
    uint64_t ns, until = TIME_NEVER;
    struct {
        void __user *mask;
        uint32_t size;
    } sig = {NULL, 0};
    long ret;

    if (usig && copy_from_user(&sig, usig, sizeof(sig)))
        return -EFAULT;
    if (uts) {
        ret = timespec_get(&ns, uts, wide);
        if (ret)
            return ret;
        until = ns ? time_deadline(ns) : 0;
    }
    ret = poll_set_mask(sig.mask, sig.size);
    if (ret)
        return ret;
    ret = do_select(n, user, until);
    poll_finish_mask(ret);
    if (personality_has(STICKY_TIMEOUTS))
        return without_left(ret);
    if (uts && until && timespec_put(uts, left(until), wide) && ret == -ERESTARTNOHAND)
        ret = -EINTR;
    return ret;
}

long sys_pselect6(uint32_t n, void __user *uin, void __user *uout, void __user *uex,
                  void __user *uts, const void __user *usig)
{
    void __user *const user[SETS] = {uin, uout, uex};

    return do_pselect(n, user, uts, usig, false);
}

long sys_pselect6_time64(uint32_t n, void __user *uin, void __user *uout, void __user *uex,
                         void __user *uts, const void __user *usig)
{
    void __user *const user[SETS] = {uin, uout, uex};

    return do_pselect(n, user, uts, usig, true);
}
