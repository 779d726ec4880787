/*
 * A program that reads a core: what core_pattern names behind "|". man 5 core
 *
 * It is a child of the kernel's, and so nobody waits for it; it runs as root, below the root of
 * process 1, with the reading end of a pipe as its only descriptor and a core limit of 1, by which
 * it leaves no core through a program itself.
 */
#include "fs/event/pipe.h"
#include "fs/proc/procfs.h"
#include "fs/vfs/file.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "kernel/dump/dump.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

#define LOOK_NS     10000000ull /* between two looks whether it has ended */
#define EXIT_FAILED 0x7f00

static uint32_t pipe_limit; /* /proc/sys/kernel/core_pipe_limit; 0: none, and nobody waits */
static uint32_t under_way;  /* atomic */

static struct waitq started = {.lock = SPINLOCK_INIT("core program", LOCK_RANK_WAITQ),
                               .waiters = LIST_INIT(started.waiters)};

struct helper {
    char *words; /* a frame */
    char *argv[CORE_WORDS + 1];
    struct file *input;
    int pid, err;       /* its own, and of its exec, once */
    volatile bool done; /* that is known; from then on it is its starter's alone */
};

/* What a process has that the kernel's threads lack. Takes the input. */
static int become_process(struct proc *p, struct file *input)
{
    struct path root = fs_context_get(init_proc->fs, true);
    int fd;

    p->files = files_new();
    files_use_alone(p);
    p->fs = fs_context_new(&root);
    path_unref(&root);
    p->rlimits[RLIMIT_CORE] = (struct rlimit32){1, 1};
    if (!p->files || !p->fs) {
        file_put(input);
        return -ENOMEM;
    }
    fd = fd_install(input, 0, false);
    return fd < 0 ? fd : 0;
}

static void helper_main(void *arg)
{
    static char *const envp[] = {NULL};
    struct helper *h = arg;
    struct {
        struct trapframe frame;
        struct trapframe
            copy; /* arch_enter_user makes it at the top of the stack: not over frame */
    } user;
    int err = become_process(proc_current(), h->input);

    if (!err) {
        thread_current()->arch.tf = &user.frame;
        err = proc_exec(h->argv[0], h->argv, envp);
    }
    h->pid = proc_current()->pid;
    h->err = err;
    __atomic_store_n(&h->done, true, __ATOMIC_RELEASE);
    wake_all(&started);
    if (!err)
        arch_enter_user(thread_current()->arch.tf);
    proc_exit(EXIT_FAILED);
}

/* Runs it with ends[0] as its input, which is consumed: its pid, or why it does not run. */
static int run(struct helper *h, struct file *ends[2])
{
    h->input = ends[0];
    if (!kthread_create("core", helper_main, h)) {
        file_put(ends[0]);
        return -ENOMEM;
    }
    wait_event(&started, __atomic_load_n(&h->done, __ATOMIC_ACQUIRE));
    return h->err ? h->err : h->pid;
}

/* Starts it; the other end of its pipe in *out, and its pid. */
static int helper_start(int signo, struct file **out)
{
    struct helper *h = kzalloc(sizeof(*h));
    struct file *ends[2];
    int ret = -ENOMEM;

    if (!h)
        return ret;
    h->words = kalloc();
    if (h->words)
        ret = core_words(h->words, h->argv, signo);
    if (!ret && h->argv[0][0] != '/')
        ret = -ENOENT;
    if (!ret)
        ret = pipe_files(0, ends);
    if (!ret) {
        ret = run(h, ends);
        if (ret < 0)
            file_put(ends[1]);
        else
            *out = ends[1];
    }
    if (ret < 0 && h->argv[0])
        klog(LOG_INFO, "Core dump to |%s pipe failed (error %d)\n", h->argv[0], ret);
    if (h->words)
        kfree(h->words);
    kmfree(h);
    return ret;
}

static bool has_ended(int pid)
{
    struct thread *t;

    spin_lock(&proc_lock);
    t = thread_find(pid);
    spin_unlock(&proc_lock);
    return !t;
}

/* The dying process stays, for the program to look at, until that has ended. */
static void wait_for_end(int pid)
{
    struct waitq nobody;
    struct wait_entry e;

    waitq_init(&nobody);
    while (!has_ended(pid) && !fatal_signal_pending()) {
        waitq_prepare(&nobody, &e, THREAD_SLEEPING);
        schedule_until(time_mono_ns() + LOOK_NS);
        waitq_finish(&e);
    }
}

bool core_to_program(int signo, const struct siginfo *info)
{
    struct core_output o = {.limit = UINT64_MAX, .pipe = true};
    uint32_t now = __atomic_add_fetch(&under_way, 1, __ATOMIC_RELAXED);
    int pid = pipe_limit && now > pipe_limit ? -EAGAIN : helper_start(signo, &o.file);

    if (pid > 0) {
        core_image(&o, proc_current()->space, signo, info);
        file_put(o.file);
        if (pipe_limit)
            wait_for_end(pid);
    }
    __atomic_fetch_sub(&under_way, 1, __ATOMIC_RELAXED);
    return pid > 0 && o.written != 0;
}

SYSCTL_WORD(static, pipe_limit, pipe_limit, 0, UINT32_MAX)

static void helper_init(void)
{
    static const struct proc_entry entry =
        STORE_ENTRY("core_pipe_limit", 0644, show_pipe_limit, store_pipe_limit);

    sysctl_add(&entry);
}
INIT_AT(INIT_DEVICE, helper_init);
