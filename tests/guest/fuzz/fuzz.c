/*
 * System calls at random, with arguments that have the shape of right ones more often than not.
 * Process 1 of a machine of its own:
 *
 *     init=/fuzz -- SEED ROUNDS CALLS
 *
 * In each round a few processes of a few threads each make CALLS calls, in one directory, on one
 * shared piece of memory, the same descriptors and pipes, so that one unmaps, protects or truncates
 * what another is just using. Then all are killed, what they left is removed, and the machine must
 * be as before: the kernel's audit finds nothing, memory has come back, and no byte with which a
 * debug kernel fills what is free has reached a program. Prints a line for each round, at last
 * "fuzz: done", and powers off.
 *
 * Workers use no C library between their calls: whatever may happen to its memory, they go on or
 * die.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE      4096u
#define PROCESSES 3
#define THREADS   2
#define WORKERS   (PROCESSES * THREADS)
#define NOBODY    65534
#define STALL     100  /* looks, 10 ms apart, without a call made: those that are left sleep */
#define LONGEST   1000 /* looks until a round has lasted long enough */
#define PATIENCE  6000 /* looks until those that were killed must be gone */
#define SLACK     200  /* pages that may stay with the kernel: caches of its own */

/* What a debug kernel fills free frames, free objects and unused kernel stacks with. */
static const uint32_t junk[] = {0xdbdbdbdb, 0xa7a7a7a7, 0xc5c5c5c5};

struct worker {
    uint64_t dice;
    uint32_t left; /* calls to make */
    uint32_t nr, args[6];
    long result;
    uint32_t index;
    bool child; /* was forked by a worker: few calls */
};

/* Shared by all processes, at a place that the workers' calls are not aimed at. */
struct board {
    struct worker workers[WORKERS];
    uint32_t most; /* calls of one worker */
    volatile uint32_t made, succeeded, leaks;
    volatile uint32_t leak_nr, leak_word;
};
static struct board *board;
static uint8_t stacks[THREADS][32 * 1024]; /* not on the board: a fork gets its own */

#define ARENA       0x40000000u /* what is aimed at: mapped, unmapped, protected */
#define ARENA_PAGES 64u

/* ---- Without a C library ---- */

static long call(uint32_t nr, const uint32_t a[6])
{
    long r;

    __asm__ volatile(
        "push %%ebp\n push %%ebx\n mov 4(%2), %%ecx\n mov 8(%2), %%edx\n mov 12(%2), %%esi\n"
        " mov 16(%2), %%edi\n mov 20(%2), %%ebp\n mov (%2), %%ebx\n int $0x80\n"
        " pop %%ebx\n pop %%ebp"
        : "=a"(r)
        : "0"(nr), "b"(a)
        : "ecx", "edx", "esi", "edi", "memory");
    return r;
}

static uint32_t dice(struct worker *w, uint32_t sides)
{
    w->dice = w->dice * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(w->dice >> 33) % sides;
}

/* ---- Arguments ---- */

static uint32_t wild(struct worker *w)
{
    static const uint32_t values[] = {0,          1,          2,          0xfff,
                                      0x1000,     0x7fffffff, 0x80000000, 0x80100000,
                                      0xbffffffe, 0xc0000000, 0xf8000000, 0xfffff000,
                                      0xfffffffc, 0xffffffff, 0x7fffe000, 0x10000};

    return dice(w, 4) ? values[dice(w, 16)] : dice(w, 0x7fffffff) * 2 + dice(w, 2);
}

/* Mostly where pages come and go. */
static uint32_t address(struct worker *w)
{
    uint32_t page = ARENA + dice(w, ARENA_PAGES) * PAGE;

    switch (dice(w, 40)) {
    case 0:
        return wild(w);
    case 1:
        return 0;
    case 2:
    case 3:
    case 4:
        return page + PAGE - 1 - dice(w, 24);
    default:
        return page + (dice(w, 3) ? 0 : dice(w, PAGE));
    }
}

static uint32_t length(struct worker *w)
{
    switch (dice(w, 16)) {
    case 0:
        return wild(w);
    case 1:
        return dice(w, ARENA_PAGES) * PAGE;
    case 2:
    case 3:
    case 4:
        return PAGE * (1 + dice(w, 8));
    default:
        return 1u << dice(w, 13);
    }
}

/* A name in the directory, written into the arena if that is there. */
static const char names[][12] = {"a", "b", "c", "d", "d/a", "d/b", ".", "nowhere/x", "/dev/ptmx"};
#define NAMES (sizeof(names) / sizeof(names[0]))

static uint32_t name(struct worker *w)
{
    return dice(w, 16) ? (uint32_t)names[dice(w, NAMES)] : address(w);
}

/* What lies at an address is whatever calls and other threads left there, or this. */
static uint32_t filled(struct worker *w, uint32_t words)
{
    static uint32_t space[WORKERS * 16];
    uint32_t *at = &space[w->index * 16];

    if (!dice(w, 6))
        return address(w);
    for (uint32_t i = 0; i < words; i++)
        at[i] = dice(w, 3) ? dice(w, 100) : dice(w, 2) ? address(w) : length(w);
    return (uint32_t)at;
}

static uint32_t vector(struct worker *w)
{
    static uint32_t space[WORKERS * 8];
    uint32_t *at = &space[w->index * 8];

    for (uint32_t i = 0; i < 8; i += 2) {
        at[i] = address(w);
        at[i + 1] = length(w);
    }
    return (uint32_t)at;
}

static uint32_t short_time(struct worker *w)
{
    static uint32_t space[WORKERS * 4];
    uint32_t *at = &space[w->index * 4];

    at[0] = 0;
    at[1] = dice(w, 2000000);
    at[2] = at[3] = 0;
    return dice(w, 12) ? (uint32_t)at : address(w);
}

/*
 * a address, b address of a buffer, l length, f descriptor, d directory, n name, i small number, g
 * flags, w wild, s signal, t short time, v vector, m filled memory, p protection, P process, o
 * offset, 0 zero
 */
static uint32_t argument(struct worker *w, char kind)
{
    if (!dice(w, 60))
        return wild(w);
    switch (kind) {
    case 'a':
    case 'b':
        return address(w);
    case 'l':
        return length(w);
    case 'f':
        return dice(w, 20) ? dice(w, 24) : wild(w);
    case 'd':
        return dice(w, 3) ? (uint32_t)AT_FDCWD : dice(w, 24);
    case 'n':
        return name(w);
    case 'i':
        return dice(w, 10);
    case 'g':
        return dice(w, 2) ? 1u << dice(w, 20) : dice(w, 3) ? 0 : dice(w, 0x10000);
    case 's':
        return dice(w, 65);
    case 't':
        return short_time(w);
    case 'v':
        return vector(w);
    case 'm':
        return filled(w, 16);
    case 'p':
        return dice(w, 3) ? 3 : dice(w, 8);
    case 'P':
        return dice(w, 3) ? 0 : 2 + dice(w, 30);
    case 'o':
        return dice(w, 3) ? dice(w, 16) * PAGE : length(w);
    case '0':
        return 0;
    default:
        return wild(w);
    }
}

/* ---- Calls ---- */

struct shape {
    uint16_t nr;
    uint8_t weight;
    const char *args;
};

static const struct shape shapes[] = {
    {SYS_mmap2, 20, "alpGfo"},
    {SYS_munmap, 8, "al"},
    {SYS_mprotect, 8, "alp"},
    {SYS_mremap, 6, "alli a"},
    {SYS_madvise, 8, "ali"},
    {SYS_msync, 2, "ali"},
    {SYS_mincore, 2, "alb"},
    {SYS_mlock, 2, "al"},
    {SYS_munlock, 2, "al"},
    {SYS_mlock2, 1, "ali"},
    {SYS_mlockall, 1, "i"},
    {SYS_munlockall, 1, ""},
    {SYS_remap_file_pages, 1, "al0o0"},
    {SYS_brk, 2, "w"},
    {SYS_read, 10, "fbl"},
    {SYS_write, 10, "fbl"},
    {SYS_pread64, 6, "fblo0"},
    {SYS_pwrite64, 6, "fblo0"},
    {SYS_readv, 4, "fvi"},
    {SYS_writev, 4, "fvi"},
    {SYS_preadv, 2, "fvio0"},
    {SYS_pwritev, 2, "fvio0"},
    {SYS_process_vm_readv, 4, "Pvivi0"},
    {SYS_process_vm_writev, 4, "Pvivi0"},
    {SYS_open, 8, "ngi"},
    {SYS_openat, 4, "dngi"},
    {SYS_close, 4, "f"},
    {SYS_creat, 2, "ni"},
    {SYS_dup, 1, "f"},
    {SYS_dup2, 2, "ff"},
    {SYS_dup3, 1, "ffg"},
    {SYS_close_range, 1, "ffi"},
    {SYS_lseek, 2, "foi"},
    {SYS__llseek, 1, "f0obi"},
    {SYS_ftruncate, 6, "fo"},
    {SYS_truncate, 4, "no"},
    {SYS_ftruncate64, 2, "fo0"},
    {SYS_fallocate, 2, "fgo0l0"},
    {SYS_link, 2, "nn"},
    {SYS_unlink, 4, "n"},
    {SYS_rename, 4, "nn"},
    {SYS_renameat2, 2, "dndni"},
    {SYS_mkdir, 2, "ni"},
    {SYS_rmdir, 2, "n"},
    {SYS_symlink, 2, "nn"},
    {SYS_readlink, 1, "nbl"},
    {SYS_mknod, 1, "nG0"},
    {SYS_stat64, 2, "nb"},
    {SYS_lstat64, 1, "nb"},
    {SYS_fstat64, 2, "fb"},
    {SYS_fstatat64, 1, "dnbg"},
    {SYS_statx, 1, "dngwb"},
    {SYS_statfs64, 1, "nLb"},
    {SYS_getdents, 2, "fbl"},
    {SYS_getdents64, 2, "fbl"},
    {SYS_getcwd, 1, "bl"},
    {SYS_chdir, 1, "n"},
    {SYS_chmod, 1, "nw"},
    {SYS_fchmod, 1, "fw"},
    {SYS_utimensat, 1, "dnmi"},
    {SYS_access, 1, "ni"},
    {SYS_fsync, 1, "f"},
    {SYS_fcntl64, 4, "fim"},
    {SYS_flock, 1, "fi"},
    {SYS_ioctl, 2, "fIm"},
    {SYS_pipe, 2, "b"},
    {SYS_pipe2, 2, "bg"},
    {SYS_memfd_create, 2, "ni"},
    {SYS_poll, 3, "mii"},
    {SYS_ppoll, 2, "mitm8"},
    {SYS__newselect, 2, "imbbt"},
    {SYS_pselect6, 2, "imbbtm"},
    {SYS_epoll_create1, 1, "g"},
    {SYS_epoll_ctl, 3, "fifm"},
    {SYS_epoll_wait, 3, "fbii"},
    {SYS_epoll_pwait, 1, "fbiim8"},
    {SYS_eventfd2, 1, "ig"},
    {SYS_timerfd_create, 1, "ig"},
    {SYS_inotify_init1, 1, "g"},
    {SYS_inotify_add_watch, 3, "fnw"},
    {SYS_inotify_rm_watch, 1, "fi"},
    {SYS_signalfd4, 2, "fm8g"},
    {SYS_pidfd_open, 2, "Pg"},
    {SYS_pidfd_send_signal, 1, "fsmi"},
    {SYS_pidfd_getfd, 2, "ff0"},
    {SYS_timerfd_settime, 1, "fimb"},
    {SYS_timerfd_gettime, 1, "fb"},
    {SYS_timer_create, 2, "imb"},
    {SYS_timer_settime, 2, "iimb"},
    {SYS_timer_gettime, 1, "ib"},
    {SYS_timer_delete, 1, "i"},
    {SYS_timer_getoverrun, 1, "i"},
    {SYS_clock_gettime, 1, "ib"},
    {SYS_clock_nanosleep, 1, "i0tb"},
    {SYS_nanosleep, 1, "tb"},
    {SYS_setitimer, 1, "1mb"},
    {SYS_getitimer, 1, "ib"},
    {SYS_futex, 6, "aOitai"},
    {SYS_unshare, 1, "g"},
    {SYS_ioprio_set, 1, "iPx"},
    {SYS_ioprio_get, 1, "iP"},
    {SYS_futex_waitv, 1, "mi0ti"},
    {SYS_set_robust_list, 1, "mc"},
    {SYS_get_robust_list, 1, "Pbb"},
    {SYS_set_tid_address, 1, "a"},
    {SYS_set_thread_area, 1, "m"},
    {SYS_get_thread_area, 1, "m"},
    {SYS_rt_sigprocmask, 2, "imb8"},
    {SYS_rt_sigpending, 1, "b8"},
    {SYS_rt_sigtimedwait, 1, "mbt8"},
    {SYS_rt_sigqueueinfo, 1, "Psm"},
    {SYS_sigaltstack, 1, "mb"},
    {SYS_fork, 1, ""},
    {SYS_waitid, 2, "iPbgb"},
    {SYS_wait4, 2, "Pbgb"},
    {SYS_getrusage, 1, "ib"},
    {SYS_prlimit64, 1, "Pi0b"},
    {SYS_times, 1, "b"},
    {SYS_sysinfo, 1, "b"},
    {SYS_uname, 1, "b"},
    {SYS_getrandom, 1, "bli"},
    {SYS_getgroups32, 1, "ib"},
    {SYS_capget, 1, "mb"},
    {SYS_prctl, 1, "imii"},
    {SYS_sched_yield, 2, ""},
    {SYS_sched_getaffinity, 1, "Plb"},
    {SYS_sched_setaffinity, 1, "Plm"},
    {SYS_sched_setscheduler, 1, "Pim"},
    {SYS_kill, 1, "Qs"},
    {SYS_shmget, 1, "iLg"},
    {SYS_shmat, 2, "iag"},
    {SYS_shmdt, 2, "a"},
    {SYS_shmctl, 1, "iib"},
    {SYS_semget, 1, "iig"},
    {SYS_semctl, 2, "iiCm"},
    {SYS_semtimedop_time64, 2, "imit"},
    {SYS_msgget, 1, "ig"},
    {SYS_msgsnd, 2, "imlg"},
    {SYS_msgrcv, 2, "iblig"},
    {SYS_msgctl, 1, "iCm"},
    {SYS_mq_open, 2, "ngi0"},
    {SYS_mq_unlink, 1, "n"},
    {SYS_mq_timedsend, 2, "fblit"},
    {SYS_mq_timedreceive, 2, "fblbt"},
    {SYS_mq_notify, 1, "fm"},
    {SYS_mq_getsetattr, 1, "fmb"},
    {SYS_socket, 2, "1T0"},
    {SYS_socketpair, 3, "1T0b"},
    {SYS_bind, 1, "fml"},
    {SYS_connect, 1, "fml"},
    {SYS_listen, 1, "fi"},
    {SYS_accept4, 1, "fbmg"},
    {SYS_sendto, 2, "fblgml"},
    {SYS_recvfrom, 2, "fblgbm"},
    {SYS_sendmsg, 2, "fmg"},
    {SYS_recvmsg, 2, "fmg"},
    {SYS_sendmmsg, 1, "fmig"},
    {SYS_recvmmsg, 1, "fmigt"},
    {SYS_shutdown, 1, "fi"},
    {SYS_getsockopt, 1, "f1ibm"},
    {SYS_setsockopt, 1, "f1iml"},
    {SYS_getsockname, 1, "fbm"},
    {SYS_ptrace, 2, "RPam"},
    {SYS_getxattr, 1, "nnbl"},
    {SYS_execve, 1, "nmm"},
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

/* Those that would end the test, the process or its quiet: the others are also called wildly. */
static bool is_safe(uint32_t nr)
{
    static const uint16_t unsafe[] = {
        SYS_exit,
        SYS_exit_group,
        SYS_reboot,
        SYS_kill,
        SYS_tkill,
        SYS_tgkill,
        SYS_vfork,
        SYS_clone,
        SYS_clone3,
        SYS_pidfd_send_signal,
        SYS_fork,
        SYS_rt_sigreturn,
        SYS_sigreturn,
        SYS_pause,
        SYS_rt_sigsuspend,
        SYS_sigsuspend,
        SYS_rt_sigqueueinfo,
        SYS_rt_tgsigqueueinfo,
        SYS_alarm,
        SYS_setsid,
        SYS_chroot,
        SYS_seccomp,
        SYS_setrlimit,
    };

    for (uint32_t i = 0; i < sizeof(unsafe) / sizeof(*unsafe); i++)
        if (unsafe[i] == nr)
            return false;
    return true;
}

/* Letters with a meaning for one call. */
static uint32_t special(struct worker *w, char kind)
{
    static const uint32_t ioctls[] = {0x5401,     0x5402,     0x541b, 0x5421, 0x5413, 0x540f,
                                      0x5450,     0x5460,     0x5414, 0x5420, 0x540b, 0x5409,
                                      0x80045430, 0x40045431, 0x5441, 0x5441};
    static const uint8_t ops[] = {0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};

    switch (kind) {
    case 'G': /* of mmap: private or shared, fixed or not, anonymous or not */
        return (dice(w, 2) ? 1 : 2) | (dice(w, 3) ? 0x10 : 0) | (dice(w, 3) ? 0x20 : 0) |
               (dice(w, 4) ? 0 : 1u << dice(w, 20));
    case 'I':
        return ioctls[dice(w, 16)];
    case 'C': /* of semctl and msgctl: also with the bit for the newer structures */
        return dice(w, 20) | (dice(w, 2) ? 0x100 : 0);
    case 'T': /* of a socket */
        return (uint32_t[]){1, 2, 5, 1 | 04000}[dice(w, 4)];
    case 'R': /* of ptrace: attach and what may be asked then */
        return dice(w, 3)   ? (uint32_t[]){16, 0x4206, 17, 7}[dice(w, 4)]
               : dice(w, 2) ? dice(w, 33)
                            : 0x4200 + dice(w, 15);
    case 'L':
        return 84;
    case 'O':
        return ops[dice(w, 13)] | (dice(w, 2) ? 128 : 0);
    case 'Q': /* itself, its group, children: never 1 or -1 */
        return 0;
    case '8':
        return 8;
    case '1':
        return 1 + dice(w, 2);
    case 'c':
        return 12;
    case ' ':
        return dice(w, 4);
    default:
        return argument(w, kind);
    }
}

static void choose(struct worker *w)
{
    const struct shape *s;

    memset(w->args, 0, sizeof(w->args));
    if (!dice(w, 12)) {
        do
            w->nr = dice(w, 455);
        while (!is_safe(w->nr) || w->nr == SYS_madvise);
        for (int i = 0; i < 6; i++)
            w->args[i] = argument(w, "abflnmwi"[dice(w, 8)]);
        return;
    }
    do
        s = &shapes[dice(w, SHAPES)];
    while (dice(w, 20) >= s->weight);
    w->nr = s->nr;
    for (int i = 0; i < 6 && s->args[i]; i++)
        w->args[i] = special(w, s->args[i]);
    if (w->nr == SYS_madvise) /* MADV_REMOVE would clear the board for everybody */
        w->args[1] %= ARENA_PAGES * PAGE;
}

/* ---- Looking for what the kernel should have kept ---- */

static uint8_t before[64], after[64];

/* Reads the arena through a call, since any of it may not be there; results in buf or nothing. */
static bool peek(uint32_t at, uint8_t *buf)
{
    uint32_t mine[2] = {(uint32_t)buf, 64}, theirs[2] = {at, 64};
    uint32_t self[6] = {0}, args[6];

    args[0] = (uint32_t)call(SYS_getpid, self);
    args[1] = (uint32_t)mine;
    args[2] = 1;
    args[3] = (uint32_t)theirs;
    args[4] = 1;
    args[5] = 0;
    return call(SYS_process_vm_readv, args) == 64;
}

static void look_for_junk(const struct worker *w, uint32_t at)
{
    uint32_t word;

    if (!peek(at, after))
        return;
    for (uint32_t i = 0; i + 4 <= sizeof(after); i++)
        for (uint32_t j = 0; j < sizeof(junk) / sizeof(*junk); j++) {
            memcpy(&word, after + i, 4);
            if (word != junk[j] || memcmp(before + i, &word, 4) == 0)
                continue;
            if (__atomic_fetch_add(&board->leaks, 1, __ATOMIC_RELAXED) == 0) {
                board->leak_nr = w->nr;
                board->leak_word = word;
            }
        }
}

/* ---- Workers ---- */

/* Whether it came back as a child of its own. */
static bool one_call(struct worker *w)
{
    uint32_t out;

    choose(w);
    out = w->args[1] >= ARENA && w->args[1] < ARENA + ARENA_PAGES * PAGE ? w->args[1] : ARENA;
    memset(before, 0, sizeof(before));
    peek(out, before);
    w->result = call(w->nr, w->args);
    board->made++;
    if (w->result >= 0)
        board->succeeded++;
    look_for_junk(w, out);
    return w->nr == SYS_fork && w->result == 0;
}

static void work(struct worker *w)
{
    static const uint32_t none[6];
    static struct worker own[WORKERS]; /* of a child: what the board says is its parent's */

    while (w->left && w->left <= board->most) {
        w->left--;
        if (one_call(w)) {
            own[w->index] = *w;
            w = &own[w->index];
            w->child = true;
            w->left = 5;
        }
    }
    if (w->child)
        call(SYS_exit_group, none);
    for (;;)
        call(SYS_exit, none);
}

static int thread(void *arg)
{
    work(arg);
    return 0;
}

static void quiet(int signo)
{
    (void)signo;
}

/* Nobody sleeps for ever: each process is woken every few milliseconds. */
static void wake_often(void)
{
    struct sigaction act = {.sa_handler = quiet};
    struct itimerval often = {{0, 4000}, {0, 4000}};

    sigaction(SIGALRM, &act, NULL);
    for (int signo = 1; signo < 32; signo++)
        if (signo != SIGKILL && signo != SIGSTOP && signo != SIGSEGV && signo != SIGBUS &&
            signo != SIGILL)
            sigaction(signo, &act, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
}

static void open_some(void)
{
    int p[2];

    open("a", O_RDWR | O_CREAT, 0600);
    open("b", O_RDWR | O_CREAT, 0600);
    open("c", O_RDWR | O_CREAT | O_APPEND, 0600);
    open(".", O_RDONLY | O_DIRECTORY);
    if (pipe2(p, O_NONBLOCK) == 0)
        fcntl(p[1], F_SETFL, O_NONBLOCK);
    open("/proc/self/mem", O_RDWR);
    open("/proc/self/maps", O_RDONLY);
    open("/proc/self/pagemap", O_RDONLY);
    open("/dev/zero", O_RDWR);
    open("/proc/self/smaps", O_RDONLY);
    open("/dev/null", O_RDWR);
    if (syscall(SYS_inotify_init1, O_NONBLOCK) >= 0)
        syscall(SYS_inotify_add_watch, 15, ".", 0xfff);
}

static void be_process(int index)
{
    struct rlimit few = {20, 20}, small = {16 << 20, 16 << 20};

    signal(SIGCHLD, SIG_DFL);
    chdir("/tmp/fuzz");
    for (int fd = 3; fd < 64; fd++)
        close(fd);
    dup2(open("/dev/null", O_RDWR), 0);
    dup2(0, 1);
    dup2(0, 2);
    open_some();
    mmap((void *)ARENA, ARENA_PAGES * PAGE, PROT_READ | PROT_WRITE,
         MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    setrlimit(RLIMIT_NPROC, &few);
    setrlimit(RLIMIT_FSIZE, &small);
    setsid();
    if (setgid(NOBODY) || setuid(NOBODY))
        _exit(1);
    wake_often();
    for (int t = 1; t < THREADS; t++) {
        struct worker *w = &board->workers[index * THREADS + t];
        clone(thread, stacks[t] + sizeof(stacks[0]),
              CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM, w);
    }
    work(&board->workers[index * THREADS]);
}

/* ---- Process 1 ---- */

static long field(const char *path, const char *key)
{
    static char text[4096];
    int fd = open(path, O_RDONLY), n = fd < 0 ? -1 : (int)read(fd, text, sizeof(text) - 1);
    const char *at;

    close(fd);
    text[n < 0 ? 0 : n] = '\0';
    at = strstr(text, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

static void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e;
    char name[600];

    while (d && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof(name), "%s/%s", path, e->d_name);
        if (unlink(name) && errno == EISDIR)
            remove_tree(name);
    }
    if (d)
        closedir(d);
    rmdir(path);
}

static void remove_segments(void)
{
    struct shm_info info;
    int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);

    for (int i = 0; i <= last; i++) {
        struct shmid_ds ds;
        int id = shmctl(i, SHM_STAT, &ds);
        if (id >= 0)
            shmctl(id, IPC_RMID, NULL);
    }
}

static void remove_channels(void)
{
    struct semid_ds s;
    struct msqid_ds m;

    for (int i = 0; i < 1000; i++) {
        int sem = semctl(i, 0, SEM_STAT, &s), msg = msgctl(i, MSG_STAT, &m);

        if (sem >= 0)
            semctl(sem, 0, IPC_RMID);
        if (msg >= 0)
            msgctl(msg, IPC_RMID, NULL);
    }
    for (unsigned i = 0; i < NAMES; i++)
        syscall(SYS_mq_unlink, names[i]);
}

static pid_t pids[PROCESSES];

static void start_process(int index)
{
    pids[index] = fork();
    if (pids[index] == 0) {
        be_process(index);
        _exit(0);
    }
}

static void start_round(uint64_t seed, uint32_t calls, int round)
{
    board->most = calls;
    mkdir("/tmp/fuzz", 0777);
    chmod("/tmp/fuzz", 0777);
    mkdir("/tmp/fuzz/d", 0777);
    chmod("/tmp/fuzz/d", 0777);
    for (int i = 0; i < WORKERS; i++) {
        struct worker *w = &board->workers[i];

        *w = (struct worker){.dice = seed * 1000003 + (uint64_t)round * 8191 + (uint64_t)i * 131,
                             .left = calls,
                             .index = (uint32_t)i};
        for (int warm = 0; warm < 8; warm++)
            dice(w, 2);
    }
    for (int p = 0; p < PROCESSES; p++)
        start_process(p);
}

/* Who is still there, and in which call each worker was. */
static void report_stuck(void)
{
    DIR *d = opendir("/proc");
    struct dirent *e;

    printf("fuzz: STUCK\n");
    for (int i = 0; i < WORKERS; i++) {
        const struct worker *w = &board->workers[i];
        printf("fuzz: worker %d: %u left, call %u(%x, %x, %x, %x, %x, %x)\n", i, w->left, w->nr,
               w->args[0], w->args[1], w->args[2], w->args[3], w->args[4], w->args[5]);
    }
    while (d && (e = readdir(d))) {
        char path[300], text[300];
        int fd, n;
        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
        fd = open(path, O_RDONLY);
        n = (int)read(fd, text, sizeof(text));
        close(fd);
        printf("fuzz: %.*s\n", n < 100 ? n : 100, text);
    }
    if (d)
        closedir(d);
}

/* One that died with calls to make is started again: its dice go on where they were. */
static void ended(pid_t pid)
{
    for (int p = 0; p < PROCESSES; p++) {
        uint32_t left = 0;
        if (pids[p] != pid)
            continue;
        for (int t = 0; t < THREADS; t++)
            left += board->workers[p * THREADS + t].left;
        if (left && left <= THREADS * board->most)
            start_process(p);
    }
}

/* Whether all children are gone before nothing has moved for so many looks. */
static bool all_end(int looks, bool again)
{
    struct timespec tick = {0, 10 * 1000 * 1000};
    uint32_t made = board->made;
    int all = 0;

    for (int i = 0; i < looks; i++) {
        if (again && all++ > LONGEST)
            return false;
        pid_t pid;
        while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0) {
            i = 0;
            if (again)
                ended(pid);
        }
        if (pid < 0)
            return true;
        if (board->made != made)
            i = 0;
        made = board->made;
        nanosleep(&tick, NULL);
    }
    return false;
}

static bool end_round(void)
{
    if (!all_end(STALL, true))
        printf("fuzz: some still slept\n");
    kill(-1, SIGKILL);
    if (!all_end(PATIENCE, false)) {
        report_stuck();
        return false;
    }
    remove_segments();
    remove_channels();
    remove_tree("/tmp/fuzz");
    return true;
}

static bool check_machine(long *free_before)
{
    long violations = field("/proc/mm_check", "violations "),
         anon = field("/proc/mm_check", "anon ");
    long free_now = field("/proc/meminfo", "MemFree:") / 4 + field("/proc/meminfo", "Cached:") / 4;
    bool well = violations <= 0 && !board->leaks;

    if (violations > 0)
        printf("fuzz: %ld VIOLATIONS in the audit\n", violations);
    if (board->leaks)
        printf("fuzz: LEAK by call %u: %x\n", board->leak_nr, board->leak_word);
    if (*free_before && free_now < *free_before - SLACK) {
        printf("fuzz: LOST memory: %ld pages free, were %ld; anon %ld\n", free_now, *free_before,
               anon);
        well = false;
    }
    if (!*free_before)
        *free_before = free_now;
    return well;
}

static bool fuzz(uint64_t seed, int rounds, uint32_t calls)
{
    long free_before = 0;

    for (int round = 0; round < rounds; round++) {
        board->made = board->succeeded = 0;
        start_round(seed, calls, round);
        if (!end_round() || !check_machine(&free_before))
            return false;
        printf("fuzz: round %d of seed %llu: %u calls, %u went well\n", round, seed, board->made,
               board->succeeded);
    }
    return true;
}

int main(int argc, char **argv)
{
    bool well;

    if (getpid() != 1)
        return 0; /* one of the workers ran this very program */
    setvbuf(stdout, NULL, _IONBF, 0);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    board = mmap((void *)0x20000000, sizeof(*board), PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (argc < 4 || board == MAP_FAILED) {
        printf("fuzz: usage: init=/fuzz -- SEED ROUNDS CALLS\n");
        return 1;
    }
    well = fuzz(strtoull(argv[1], NULL, 0), atoi(argv[2]), (uint32_t)atoi(argv[3]));
    printf("fuzz: %s\n", well ? "done" : "FAILED");
    reboot(RB_POWER_OFF);
    return 0;
}
