/*
 * Where several processors run: the system calls that do without the kernel lock, beside whoever
 * has it. They read what is the thread's own, one word that others may replace, or what a spin lock
 * or a sequence guards; nobody else's life depends on the kernel lock meanwhile. A pointer of the
 * program may fault: the fault takes the kernel lock for itself, and may sleep.
 *
 * Calls on files begin so, and take the kernel lock when they find one whose operations need it, or
 * come to what does: a name that is not cached, a signal, somebody who watches the file, an end
 * that others are told of.
 */
#include "arch/trap.h"
#include "arch/upcalls.h"
#include "fs/vfs/file.h"
#include "kernel/syscall/syscall.h"
#include "kernel/thread/proc.h"
#include "kernel/thread/trace.h"
#include "kernel/time/clock.h"

#define NR(number, name) NR_##name = (number),
enum {
#include "kernel/syscall/syscall_list.h"
};
#undef NR

#define NR(number, name) extern long sys_##name() __attribute__((weak));
#include "kernel/syscall/syscall_list.h"
#undef NR

/* Its parent may go at any time, which takes proc_lock. */
static long parent_id(void)
{
    long id;

    spin_lock(&proc_lock);
    id = proc_current()->parent->pid;
    spin_unlock(&proc_lock);
    return id;
}

#define ALONE(name) [NR_##name] = (syscall_fn)sys_##name
static const syscall_fn alone[] = {
    ALONE(getpid),
    ALONE(gettid),
    ALONE(getuid),
    ALONE(geteuid),
    ALONE(getgid),
    ALONE(getegid),
    ALONE(getuid32),
    ALONE(geteuid32),
    ALONE(getgid32),
    ALONE(getegid32),
    ALONE(time),
    ALONE(gettimeofday),
    ALONE(clock_gettime),
    ALONE(clock_gettime64),
    /* What changes the program's memory does so under locks of mm/: sys_mm.c. */
    ALONE(brk),
    ALONE(munmap),
    ALONE(mprotect),
    ALONE(mincore),
    ALONE(madvise),
    ALONE(mmap),
    ALONE(mmap2),
    [NR_getppid] = (syscall_fn)(void (*)(void))parent_id,
    [NR_read] = (syscall_fn)(void (*)(void))read_beside,
    [NR_write] = (syscall_fn)(void (*)(void))write_beside,
    [NR_readv] = (syscall_fn)(void (*)(void))readv_beside,
    [NR_writev] = (syscall_fn)(void (*)(void))writev_beside,
    ALONE(pread64),
    ALONE(pwrite64),
    ALONE(open),
    ALONE(openat),
    ALONE(stat64),
    ALONE(lstat64),
    ALONE(fstat64),
    ALONE(fstatat64),
    ALONE(statx),
    ALONE(stat),
    ALONE(lstat),
    ALONE(fstat),
    ALONE(access),
    ALONE(faccessat),
    ALONE(faccessat2),
    ALONE(poll),
    ALONE(ppoll),
    ALONE(ppoll_time64),
    ALONE(_newselect),
    ALONE(pselect6),
    ALONE(pselect6_time64),
    ALONE(epoll_wait),
    ALONE(epoll_pwait),
    ALONE(epoll_pwait2),
    ALONE(close),
    ALONE(dup),
    ALONE(dup2),
    ALONE(dup3),
    ALONE(fcntl),
    ALONE(fcntl64),
    ALONE(lseek),
    ALONE(_llseek),
};
#define ALONE_END (sizeof(alone) / sizeof(alone[0]))

/* The clocks of processes and threads are sums over what others change. */
static bool is_cpu_clock(const struct trapframe *tf)
{
    return (tf->orig_eax == NR_clock_gettime || tf->orig_eax == NR_clock_gettime64) &&
           clock_is_cpu((int32_t)tf->ebx);
}

static bool can_be_alone(const struct trapframe *tf)
{
    return tf->orig_eax < ALONE_END && alone[tf->orig_eax] && !is_cpu_clock(tf) &&
           !tracing(TRACE_SYSCALLS | TRACE_OTHERS);
}

static void call(struct trapframe *tf)
{
    tf->eax = (uint32_t)alone[tf->orig_eax](tf->ebx, tf->ecx, tf->edx, tf->esi, tf->edi, tf->ebp);
}

bool syscall_alone(struct trapframe *tf)
{
    if (!can_be_alone(tf))
        return false;
    call(tf);
    return true;
}

bool sysenter_alone(struct trapframe *tf)
{
    if (!can_be_alone(tf))
        return false;
    if (sysenter_arguments(tf))
        call(tf); /* whoever came to watch while that slept has come too late */
    return true;
}
