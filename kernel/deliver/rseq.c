/*
 * Restartable sequences: a thread names a word of its memory where it says which piece of code it
 * is in the middle of. If another thread runs meanwhile, or a handler is entered, it goes on at
 * that piece's abort address instead; so the piece may work on data of its CPU without locks. The
 * kernel keeps the CPU's number there, too. [Linux: include/uapi/linux/rseq.h]
 *
 * What the program says may be anything: it is looked at when it is needed, and is SIGSEGV when it
 * makes no sense.
 */
#include "arch/cpu.h"
#include "arch/trap.h"
#include "arch/uaccess.h"
#include "kernel/deliver/rseq.h"
#include "kernel/signal/signal.h"
#include "libc/errno.h"

#define RSEQ_UNREGISTER 1
#define NO_CPU          UINT32_MAX

struct rseq {
    uint32_t cpu_start, cpu;
    uint64_t section; /* of a struct rseq_section, 0: none */
    uint32_t flags;
};

struct rseq_section {
    uint32_t version, flags;
    uint64_t start, length, abort;
};

_Static_assert(sizeof(struct rseq_section) == 32, "Linux i386 layout");

/* -EFAULT */
static int put_cpu(uint32_t rseq, uint32_t start, uint32_t cpu)
{
    if (put_user_u32((void __user *)rseq, start) ||
        put_user_u32((void __user *)(rseq + sizeof(start)), cpu))
        return -EFAULT;
    return 0;
}

/* Whether s can be, and the word before its abort address is the one that was agreed on. */
static bool makes_sense(const struct rseq_section *s, uint32_t signature)
{
    uint32_t word;

    if (s->version || s->start >= USER_TOP || s->abort >= USER_TOP ||
        s->length >= USER_TOP - s->start)
        return false;
    if (s->abort >= s->start && s->abort - s->start < s->length)
        return false;
    return !get_user_u32(&word, (void __user *)((uint32_t)s->abort - sizeof(word))) &&
           word == signature;
}

/* Says to the program that it is in no section. */
static int forget_section(uint32_t rseq)
{
    const uint64_t none = 0;

    return copy_to_user((void __user *)(rseq + offsetof(struct rseq, section)), &none,
                        sizeof(none));
}

/* If the program is in a section, it goes on at the abort address. -EFAULT, -EINVAL */
static int leave_section(const struct thread *t, struct trapframe *tf)
{
    struct rseq_section s;
    struct rseq r;

    if (copy_from_user(&r, (void __user *)t->rseq, sizeof(r)))
        return -EFAULT;
    if (!r.section)
        return 0;
    if (r.section >= USER_TOP || copy_from_user(&s, (void __user *)(uint32_t)r.section, sizeof(s)))
        return -EFAULT;
    if (!makes_sense(&s, t->rseq_signature))
        return -EINVAL;
    if (tf->eip - (uint32_t)s.start >= s.length)
        return forget_section(t->rseq);
    if (s.flags || r.flags)
        return -EINVAL;
    if (forget_section(t->rseq))
        return -EFAULT;
    tf->eip = (uint32_t)s.abort;
    return 0;
}

void rseq_interrupted(struct trapframe *tf)
{
    struct thread *t = thread_current();

    t->rseq_interrupted = false;
    if (leave_section(t, tf) || put_cpu(t->rseq, cpu_self()->id, cpu_self()->id)) {
        struct siginfo info = {.code = SI_KERNEL};

        signal_force_current(SIGSEGV, &info);
    }
}

static int unregister(struct thread *t, uint32_t addr, uint32_t size, uint32_t signature)
{
    if (!addr || t->rseq != addr || size != RSEQ_SIZE)
        return -EINVAL;
    if (t->rseq_signature != signature)
        return -EPERM;
    if (put_cpu(addr, 0, NO_CPU))
        return -EFAULT;
    t->rseq = 0;
    return 0;
}

long sys_rseq(uint32_t addr, uint32_t size, uint32_t flags, uint32_t signature)
{
    struct thread *t = thread_current();

    if (flags & RSEQ_UNREGISTER)
        return flags == RSEQ_UNREGISTER ? unregister(t, addr, size, signature) : -EINVAL;
    if (flags || ((t->rseq && t->rseq != addr) || size != RSEQ_SIZE))
        return -EINVAL;
    if (t->rseq)
        return t->rseq_signature == signature ? -EBUSY : -EPERM;
    if (addr % RSEQ_SIZE)
        return -EINVAL;
    if (addr >= USER_TOP)
        return -EFAULT;
    t->rseq = addr;
    t->rseq_signature = signature;
    /* The number is filled in on the way back. */
    t->rseq_interrupted = true;
    t->arch.work = true;
    return 0;
}
