/*
 * ioperm and iopl, and what prctl(PR_SET_TSC) forbids. [man 2 ioperm, man 2 iopl]
 *
 * A thread's rights are its own; fork and clone copy them, exec leaves them. The map of ports, two
 * frames, is shared until one of those who have it changes it. iopl(3) means all ports, without
 * the right to turn interrupts off, as in Linux since 5.5: flags of the processor are not changed.
 * Who may reach ports runs on the first processor, which alone has room for the map.
 */
#include "kernel/thread/rare.h"
#include "arch/thread.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define PORTS    65536u
#define HALF     (PORTS / 2)
#define IOPL_ALL 3u

struct ports {     /* a bit each, set where it is forbidden */
    uint32_t refs; /* atomic */
    uint8_t *half[2];
};

struct rare {
    struct arch_rare arch; /* first: arch_thread.rare points to it */
    struct ports *ports;
    uint32_t iopl;
};

static struct rare *rare_of(const struct thread *t)
{
    return (struct rare *)t->arch.rare;
}

/* ---- The map ---- */

static void ports_put(struct ports *p)
{
    if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL))
        return;
    for (unsigned i = 0; i < 2; i++)
        if (p->half[i])
            kfree(p->half[i]);
    kmfree(p);
}

/* A map like from, or NULL: one that allows nothing. */
static struct ports *ports_new(const struct ports *from)
{
    struct ports *p = kzalloc(sizeof(*p));

    if (!p)
        return NULL;
    p->refs = 1;
    for (unsigned i = 0; i < 2; i++) {
        p->half[i] = kalloc();
        if (!p->half[i]) {
            ports_put(p);
            return NULL;
        }
        if (from)
            memcpy(p->half[i], from->half[i], PAGE_SIZE);
        else
            memset(p->half[i], 0xff, PAGE_SIZE);
    }
    return p;
}

static void ports_set(struct ports *p, uint32_t from, uint32_t n, bool allowed)
{
    for (uint32_t port = from; port < from + n; port++) {
        uint8_t *byte = &p->half[port / HALF][port % HALF / 8];
        uint8_t bit = 1u << port % 8;

        *byte = allowed ? *byte & ~bit : *byte | bit;
    }
}

/* ---- Of a thread ---- */

bool rare_has_ports(const struct thread *t)
{
    const struct arch_rare *r = t->arch.rare;

    return r && (r->all_ports || r->ports[0]);
}

/* What t has changed: the processor is to follow, if it runs. */
static void changed(struct thread *t)
{
    struct rare *r = rare_of(t);

    r->arch.ports[0] = r->ports ? r->ports->half[0] : NULL;
    r->arch.ports[1] = r->ports ? r->ports->half[1] : NULL;
    r->arch.all_ports = r->iopl == IOPL_ALL;
    if (rare_has_ports(t))
        sched_set_cpus(t, t->cpus);
    arch_load_rare(&t->arch);
}

/* The current thread's, made if it has none. NULL: no memory. */
static struct rare *own(void)
{
    struct thread *t = thread_current();

    if (!t->arch.rare)
        t->arch.rare = kzalloc(sizeof(struct rare));
    return rare_of(t);
}

int rare_fork(const struct thread *from, struct thread *to)
{
    const struct rare *r = rare_of(from);
    struct rare *copy;

    if (!r)
        return 0;
    copy = kmalloc(sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    *copy = *r;
    if (copy->ports)
        __atomic_fetch_add(&copy->ports->refs, 1, __ATOMIC_RELAXED);
    to->arch.rare = &copy->arch;
    return 0;
}

void rare_drop(struct thread *t)
{
    struct rare *r = rare_of(t);

    if (!r)
        return;
    t->arch.rare = NULL;
    arch_load_rare(&t->arch);
    ports_put(r->ports);
    kmfree(r);
}

int rare_set_tsc(bool allowed)
{
    struct rare *r = allowed && !thread_current()->arch.rare ? NULL : own();

    if (!r)
        return allowed ? 0 : -ENOMEM;
    r->arch.no_tsc = !allowed;
    changed(thread_current());
    return 0;
}

bool rare_tsc_allowed(void)
{
    const struct rare *r = rare_of(thread_current());

    return !r || !r->arch.no_tsc;
}

/* ---- The calls ---- */

static int change_ports(uint32_t from, uint32_t n, bool allowed)
{
    struct rare *r = own();
    struct ports *mine;

    if (!r)
        return -ENOMEM;
    mine = r->ports;
    if (!mine || __atomic_load_n(&mine->refs, __ATOMIC_ACQUIRE) > 1) {
        mine = ports_new(r->ports);
        if (!mine)
            return -ENOMEM;
        ports_put(r->ports);
        r->ports = mine;
    }
    ports_set(mine, from, n, allowed);
    changed(thread_current());
    return 0;
}

long sys_ioperm(uint32_t from, uint32_t n, uint32_t allowed)
{
    const struct rare *r = rare_of(thread_current());

    if (from + n <= from || from + n > PORTS)
        return -EINVAL;
    if (allowed && !capable(CAP_SYS_RAWIO))
        return -EPERM;
    if (!allowed && (!r || !r->ports))
        return 0;
    return change_ports(from, n, allowed != 0);
}

long sys_iopl(uint32_t level)
{
    struct rare *r = rare_of(thread_current());
    uint32_t old = r ? r->iopl : 0;

    if (level > IOPL_ALL)
        return -EINVAL;
    if (level == old)
        return 0;
    if (level > old && !capable(CAP_SYS_RAWIO))
        return -EPERM;
    r = own();
    if (!r)
        return -ENOMEM;
    r->iopl = level;
    changed(thread_current());
    return 0;
}
