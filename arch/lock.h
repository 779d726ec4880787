/*
 * Spin locks. Holding one disables interrupts on the holder's CPU only, so a lock may be shared
 * with an interrupt handler. Nothing sleeps, touches user memory or calls schedule() under one.
 *
 * What a lock guards says so where it is declared: [name], the name of the lock as the code has it
 * ([lock] is the one in the same structure, [v] and [f] are mm/'s, told in mm/mm.h); before a
 * function, [name held].
 *
 * Lock order (a lock may be taken only while every lock held has a lower rank; asserted in debug
 * builds):
 */
#ifndef ARCH_LOCK_H
#define ARCH_LOCK_H

#include "arch/cpu.h"
#include "libc/assert.h"
#include "libc/shared.h"

enum lock_rank {
    LOCK_RANK_FS = 10,          /* dentries, inodes */
    LOCK_RANK_NOTIFY = 15,      /* who is told of a file: signals are sent under it */
    LOCK_RANK_ASYNC = 16,       /* whom SIGIO tells */
    LOCK_RANK_PROC = 20,        /* process table and tree */
    LOCK_RANK_SIGNAL = 30,      /* pending signals and handlers */
    LOCK_RANK_WATCH = 31,       /* who watches for signals */
    LOCK_RANK_USER = 32,        /* accounts of users */
    LOCK_RANK_TTY = 40,         /* sessions of terminals */
    LOCK_RANK_TERMINAL = 41,    /* a terminal */
    LOCK_RANK_FILES_OF = 44,    /* which descriptor table a process has */
    LOCK_RANK_FILES = 45,       /* descriptor tables */
    LOCK_RANK_VM = 50,          /* all of mm/ above the frame allocator */
    LOCK_RANK_SPACE = 51,       /* a space, where vm_lock is shared */
    LOCK_RANK_BESIDE = 52,      /* some frames' reverse maps, some objects' areas, in this case */
    LOCK_RANK_BLOCK = 55,       /* queues of disks */
    LOCK_RANK_ZRAM = 56,        /* compressed memory */
    LOCK_RANK_WAITQ = 60,       /* wait queues */
    LOCK_RANK_EPOLL_READY = 61, /* what a wake-up marks as ready */
    LOCK_RANK_EPOLL_SET = 62,   /* who waits for the set */
    LOCK_RANK_TIMER = 65,       /* the timer list */
    LOCK_RANK_SCHED = 70,       /* run queue */
    LOCK_RANK_SLAB = 80,        /* kmalloc */
    LOCK_RANK_SHELF = 85,       /* free frames that a processor has at hand */
    LOCK_RANK_FRAME = 90,       /* kalloc */
    LOCK_RANK_LEAF = 100,       /* devices: nothing is taken under it but the clock */
    LOCK_RANK_CLOCK = 110,      /* which everybody may ask for the time */
};

/*
 * Sleep locks (kernel/thread/sched.h) have an order of their own, and all come before spin locks:
 * one is taken only while every one that the thread holds has a lower rank; asserted in debug
 * builds. Several of one rank: those marked so, in the order told there.
 */
enum mutex_rank {
    MUTEX_RANK_COLLECT = 5,    /* sockets that only queues hold are freed, and the files in them */
    MUTEX_RANK_LOOPS = 10,     /* which loop devices there are */
    MUTEX_RANK_FILE = 20,      /* the position of an open file; several: splice.c */
    MUTEX_RANK_TEXT = 25,      /* the text of an open file of /proc or /sys */
    MUTEX_RANK_PIPE = 27,      /* several: by address */
    MUTEX_RANK_MOUNT = 30,     /* mounts and superblocks */
    MUTEX_RANK_LOOP = 31,      /* a loop device */
    MUTEX_RANK_DEVPTS = 32,    /* who has which pseudo-terminal */
    MUTEX_RANK_BIND = 35,      /* the address of a socket */
    MUTEX_RANK_DEVFS = 38,     /* devices and their nodes */
    MUTEX_RANK_RENAME = 40,    /* ancestry */
    MUTEX_RANK_INODE = 42,     /* names and contents; several: rename.c */
    MUTEX_RANK_MQUEUE = 44,    /* which message queues there are */
    MUTEX_RANK_SYSFS = 45,     /* the tree of /sys */
    MUTEX_RANK_READ = 51,      /* who reads from a socket */
    MUTEX_RANK_EPOLL = 60,     /* which set watches which */
    MUTEX_RANK_EPOLL_SET = 61, /* several: those that watch first */
    MUTEX_RANK_AIO_TAKE = 62,  /* who takes events out of the ring of asynchronous I/O */
    MUTEX_RANK_AIO = 63,       /* that ring */
    MUTEX_RANK_IPC = 70,       /* a System V table */
    MUTEX_RANK_TIMERS = 75,    /* POSIX timers */
    MUTEX_RANK_NTP = 77,       /* adjtimex */
    MUTEX_RANK_CLOCK = 78,     /* the wall clock is set, or that of the machine */
    MUTEX_RANK_SETTING = 79,   /* a text in /proc/sys */
    MUTEX_RANK_COMMIT = 80,    /* a file system's writing of its inodes */
    MUTEX_RANK_CACHED = 82,    /* a file system's inodes in memory */
    MUTEX_RANK_PUNCH = 83,     /* a hole is made in a file */
    MUTEX_RANK_MAP = 84,       /* the block map of a file */
    MUTEX_RANK_ALLOC = 86,     /* a file system's free blocks */
    MUTEX_RANK_ZRAM = 90,      /* compressed memory */
};

#define LOCK_HELD   1u
#define LOCK_SHARED 12u /* by one of these bits the word of a held lock says that it is shared */

struct spinlock {
    volatile uint32_t held; /* LOCK_HELD; more than that: the shared side */
    uint32_t rank;
    const char *name;
};

#define SPINLOCK_INIT(lockname, lockrank)                                                          \
    {                                                                                              \
        .held = 0, .rank = (lockrank), .name = (lockname)                                          \
    }

static inline void spin_init(struct spinlock *l, const char *name, uint32_t rank)
{
    l->held = 0;
    l->rank = rank;
    l->name = name;
}

/* Debug builds: records the lock on this CPU and asserts the lock order. */
void lock_debug_acquired(struct spinlock *l);
void lock_debug_released(struct spinlock *l);

static inline void spin_lock(struct spinlock *l)
{
    if (cpu_count_lock()) /* an interrupt that still comes puts the depth back */
        CPU_LOCAL(lock_flags) = irq_save_watched();
    while (__builtin_expect(cpu_test_and_set(&l->held), 0))
        cpu_spin(l);
#ifdef CONFIG_DEBUG
    lock_debug_acquired(l);
#endif
}

static inline void spin_unlock(struct spinlock *l)
{
#ifdef CONFIG_DEBUG
    lock_debug_released(l);
#endif
    __atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
    if (--CPU_LOCAL(spin_depth) == 0 && (CPU_LOCAL(lock_flags) & EFLAGS_IF))
        irq_enable_watched();
}

/* The shared side of a lock: those that have it are alone to whoever has the lock itself, but not
 * to each other. Only vm_lock is taken so, never inside of itself:
 * arch/i386/platform/shared_lock.c. */
void spin_lock_shared(struct spinlock *l);
void spin_unlock_shared(struct spinlock *l);
/* Which of the two who has it has. */
static inline bool spin_is_shared(const struct spinlock *l)
{
    return read_once(l->held) & LOCK_SHARED;
}
/* For who waits for the lock itself: if it is shared, waits until it is not, and makes it free for
 * those who want it so. Whether it did. */
bool spin_close_shared(struct spinlock *l);

#endif
