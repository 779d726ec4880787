/*
 * Whether a process leaves a core, and where: the rules of man 5 core.
 */
#include "kernel/dump/dump.h"
#include "kernel/thread/proc.h"
#include "libc/errno.h"

#define SIGS_CORE                                                                                  \
    (SIGMASK(SIGQUIT) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGABRT) | SIGMASK(SIGBUS) |  \
     SIGMASK(SIGFPE) | SIGMASK(SIGSEGV) | SIGMASK(SIGXCPU) | SIGMASK(SIGXFSZ) | SIGMASK(SIGSYS))
#define CORE_MODE     (S_IFREG | 0600u)
#define PIPED_ALREADY 1u /* the limit of who reads cores: none of its own is piped */

bool core_wanted(int signo)
{
    return SIGMASK(signo) & SIGS_CORE;
}

/* The most that may be written; 0: nothing. */
static uint32_t size_limit(const struct proc *p)
{
    uint32_t core = p->rlimits[RLIMIT_CORE].cur, file = p->rlimits[RLIMIT_FSIZE].cur;
    uint32_t least = core < file ? core : file;

    return least < PAGE_SIZE ? 0 : least;
}

/* What was opened is a new file that nobody else could have a hand in. */
static bool is_safe(const struct file *f)
{
    const struct inode *i = f->inode;

    return S_ISREG(i->mode) && i->nlink == 1 && i->uid == proc_current()->cred.fsuid &&
           (i->mode & (S_IFMT | 0677)) == CORE_MODE && f->ops->write_kernel;
}

/* A program that its user may not look into writes as root: to an absolute place alone, and over
 * nobody's file. */
static int open_core(const char *name, bool as_root, struct file **out)
{
    int err;

    if (as_root && *name != '/')
        return -EPERM;
    if (!as_root)
        (void)path_unlink(name);
    err = file_open(AT_FDCWD, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_LARGEFILE, 0600,
                    out);
    if (err || is_safe(*out))
        return err;
    file_put(*out);
    return -EPERM;
}

static bool write_core(int signo, const struct siginfo *info, struct file *f)
{
    struct proc *p = proc_current();
    uint32_t limit = size_limit(p);
    struct core_output o = {.file = f, .limit = limit == UINT32_MAX ? UINT64_MAX : limit};

    core_image(&o, p->space, signo, info);
    return o.written != 0;
}

/* Whether a core was begun; it may be incomplete. */
static bool try_dump(int signo, const struct siginfo *info)
{
    struct proc *p = proc_current();
    uint32_t fsuid = p->cred.fsuid;
    bool as_root = p->dumpable == DUMPABLE_ROOT, done = false;
    char *name = kalloc();
    struct file *f;

    if (!name)
        return false;
    if (as_root)
        p->cred.fsuid = 0;
    if (core_name(name, PAGE_SIZE, signo) == 0 && open_core(name, as_root, &f) == 0) {
        done = write_core(signo, info, f);
        file_put(f);
    }
    p->cred.fsuid = fsuid;
    kfree(name);
    return done;
}

int core_dump(int signo, const struct siginfo *info)
{
    struct proc *p = proc_current();
    bool piped = core_is_piped();
    bool allowed = piped ? p->rlimits[RLIMIT_CORE].cur != PIPED_ALREADY : size_limit(p) != 0;

    if (!p->dumpable || !allowed || p == init_proc || !signal_begin_dump(p, signo))
        return signo;
    return signal_end_dump(p, piped ? core_to_program(signo, info) : try_dump(signo, info));
}
