/*
 * What a thread waits for: /proc/PID/syscall, stack and wchan. One that runs has nothing to show;
 * of one that sleeps, proc_lock keeps the stack where it is. (Woken beside the kernel lock it may
 * run while its calls are collected; then they are not its calls.) man 5 proc.
 */
#include "arch/thread.h"
#include "arch/trap.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/string.h"

#define DEPTH 24 /* calls */
#define ARGS  6

/* ---- The system call ---- */

struct call {
    bool running;
    int32_t number; /* -1: it is in none */
    uint32_t args[ARGS], esp, eip;
};

/* [proc_lock held] t: NULL for a zombie. */
static void take_call(struct call *c, const struct thread *t)
{
    const struct trapframe *tf = t && t->proc->space ? t->arch.tf : NULL;

    memset(c, 0, sizeof(*c));
    if (!t)
        c->number = -1;
    else if (t->state == THREAD_RUNNABLE && t != thread_current())
        c->running = true;
    if (!tf)
        return; /* a kernel thread: zeros, as on Linux */
    c->number = (int32_t)tf->orig_eax;
    memcpy(c->args, (uint32_t[]){tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi, tf->ebp},
           sizeof(c->args));
    c->esp = tf->esp;
    c->eip = tf->eip;
}

int show_syscall(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    struct call c;
    bool allowed;

    if (!p)
        return -ESRCH;
    allowed = proc_may_inspect(p, INSPECT_FS);
    take_call(&c, target_thread(who, p));
    spin_unlock(&proc_lock);
    if (!allowed)
        return -EPERM;
    if (c.running) {
        text_printf(t, "running\n");
        return 0;
    }
    text_printf(t, "%d", (int)c.number);
    for (unsigned i = 0; i < ARGS && c.number >= 0; i++)
        text_printf(t, " 0x%x", (unsigned)c.args[i]);
    text_printf(t, " 0x%x 0x%x\n", (unsigned)c.esp, (unsigned)c.eip);
    return 0;
}

/* ---- Where in the kernel ---- */

/* How a thread goes to sleep says nothing of what it waits for. */
static bool is_scheduler(const char *name)
{
    static const char *const names[] = {"schedule", "give_up_cpu", "switch_to", "sched_give_way",
                                        "arch_switch"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* [proc_lock held] The way of one that sleeps, nearest first; zeros for others. */
static void take_calls(uint32_t *calls, const struct thread *t)
{
    memset(calls, 0, DEPTH * sizeof(*calls));
    if (t == thread_current())
        backtrace_collect(calls, DEPTH);
    else if (t && t->state != THREAD_RUNNABLE && t->state != THREAD_DEAD && !t->on_cpu)
        backtrace_collect_thread(&t->arch, calls, DEPTH);
}

/* The function and place of a return address, which may be past the end of one that never comes
 * back. NULL: it is the scheduler's, or unknown. */
static const char *caller(uint32_t call, uint32_t *offset, uint32_t *size)
{
    const char *name = call ? code_symbol(call - 1, offset, size) : NULL;

    *offset += 1;
    return name && !is_scheduler(name) ? name : NULL;
}

int show_stack(struct text *t, const struct target *who)
{
    struct proc *p;
    uint32_t calls[DEPTH], offset = 0, size;

    if (!capable(CAP_SYS_ADMIN))
        return -EACCES;
    p = target_lock(who);
    if (!p)
        return -ESRCH;
    take_calls(calls, target_thread(who, p));
    spin_unlock(&proc_lock);
    for (unsigned i = 0; i < DEPTH; i++) {
        const char *name = caller(calls[i], &offset, &size);

        if (name)
            text_printf(t, "[<0>] %s+0x%x/0x%x\n", name, (unsigned)offset, (unsigned)size);
    }
    return 0;
}

int show_wchan(struct text *t, const struct target *who)
{
    struct proc *p = target_lock(who);
    uint32_t calls[DEPTH], offset = 0, size;
    const struct thread *thread;
    const char *name = NULL;

    if (!p)
        return -ESRCH;
    thread = target_thread(who, p);
    take_calls(calls,
               proc_may_inspect(p, INSPECT_FS) && thread != thread_current() ? thread : NULL);
    spin_unlock(&proc_lock);
    for (unsigned i = 0; i < DEPTH && !name; i++)
        name = caller(calls[i], &offset, &size);
    text_printf(t, "%s", name ? name : "0");
    return 0;
}
