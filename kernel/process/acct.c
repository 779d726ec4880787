/*
 * Process accounting: a record for each process that ends. [man 2 acct, man 5 acct]
 *
 * The file is appended to under its position lock, so records stay whole. While its file system is
 * nearly full none are written (/proc/sys/kernel/acct). ASU tells of capabilities that were asked
 * for, not of permissions of files that they overrode.
 */
#include "kernel/process/acct.h"
#include "arch/uaccess.h"
#include "fs/proc/procfs.h"
#include "fs/vfs/vfs.h"
#include "kernel/base/init.h"
#include "kernel/thread/proc.h"
#include "kernel/time/time.h"
#include "libc/errno.h"
#include "libc/string.h"
#include "mm/vm.h"

#define AHZ        100u /* units of times in a record */
#define AFORK      0x01u
#define ASU        0x02u
#define ACORE      0x08u
#define AXSIG      0x10u
#define VERSION    3
#define COMP_BITS  13 /* of the fraction; the rest counts powers of 8 */
#define COMP_STEP  3
#define CHECK_SECS 30u

struct acct_v3 {
    uint8_t flag, version;
    uint16_t tty;
    uint32_t exitcode, uid, gid, pid, ppid, btime, etime;
    uint16_t utime, stime, mem, io, rw, minflt, majflt, swaps;
    char comm[16];
};
_Static_assert(sizeof(struct acct_v3) == 64, "Linux's layout");

static struct spinlock acct_lock = SPINLOCK_INIT("acct", LOCK_RANK_LEAF);
static struct file *acct_file; /* [acct_lock] a reference, or NULL: off */
static bool suspended;         /* [acct_file->pos_lock] */
static uint64_t next_check_ns; /* [acct_file->pos_lock] */
/* In percent of the blocks: with so many free it goes on, with so many it stops; seconds between
 * two looks. */
static uint32_t resume_at = 4, suspend_at = 2, check_every = CHECK_SECS;

/* ---- Numbers, as the record has them ---- */

/* A floating number with an exponent to base 8. */
static uint16_t comp(uint64_t value)
{
    uint32_t exponent = 0;
    bool up = false;

    while (value >> COMP_BITS) {
        up = value & (1u << (COMP_STEP - 1));
        value >>= COMP_STEP;
        exponent++;
    }
    if (up && ++value >> COMP_BITS) {
        value >>= COMP_STEP;
        exponent++;
    }
    return (uint16_t)(exponent << COMP_BITS | value);
}

/* An IEEE number of single precision. */
static uint32_t single(uint64_t value)
{
    uint32_t exponent = 190;

    if (value == 0)
        return 0;
    for (; !(value >> 63); value <<= 1)
        exponent--;
    return ((uint32_t)(value >> 40) & 0x7fffff) | exponent << 23;
}

static uint64_t ticks(uint64_t ns)
{
    return ns / (NSEC_PER_SEC / AHZ);
}

/* ---- A record ---- */

static void fill(struct acct_v3 *r, struct proc *p)
{
    uint64_t elapsed = time_mono_ns() - p->start_ns;
    struct vm_space_stats m = {0};
    struct rusage_counts u;
    uint32_t tty;
    int32_t group;

    spin_lock(&proc_lock);
    proc_usage(p, &u);
    session_terminal(p, &tty, &group);
    r->ppid = p->parent ? (uint32_t)p->parent->pid : 0;
    spin_unlock(&proc_lock);
    if (p->space)
        vm_space_stats(p->space, &m);
    r->version = VERSION;
    r->flag = (p->did_exec ? 0 : AFORK) | (p->used_privilege ? ASU : 0) |
              (p->exit_status & 0x80 ? ACORE : 0) | (p->exit_status & 0x7f ? AXSIG : 0);
    r->tty = (uint16_t)tty;
    r->exitcode = (uint32_t)p->exit_status;
    r->uid = p->cred.uid;
    r->gid = p->cred.gid;
    r->pid = (uint32_t)p->pid;
    r->btime = (uint32_t)((time_real_ns() - elapsed) / NSEC_PER_SEC);
    r->etime = single(ticks(elapsed));
    r->utime = comp(ticks(u.user_ns));
    r->stime = comp(ticks(u.system_ns));
    r->mem = comp((uint64_t)m.size * (PAGE_SIZE / 1024));
    r->minflt = comp(u.minor_faults);
    r->majflt = comp(u.major_faults);
    strlcpy(r->comm, p->comm, sizeof(r->comm));
}

/* [f->pos_lock held] Whether there is room for more. */
static bool has_room(struct file *f)
{
    struct superblock *sb = f->inode->sb;
    struct kstatfs k = {0};
    uint64_t now = time_mono_ns();

    if (now < next_check_ns || !sb || !sb->type->statfs)
        return !suspended;
    next_check_ns = now + (uint64_t)check_every * NSEC_PER_SEC;
    sb->type->statfs(sb, &k);
    if (suspended)
        suspended = k.bavail * 100 < k.blocks * resume_at;
    else
        suspended = k.blocks && k.bavail * 100 <= k.blocks * suspend_at;
    return !suspended;
}

static struct file *get_file(void)
{
    struct file *f;

    spin_lock(&acct_lock);
    f = acct_file;
    if (f)
        file_ref(f);
    spin_unlock(&acct_lock);
    return f;
}

void acct_process(struct proc *p)
{
    struct file *f = acct_file ? get_file() : NULL;
    struct acct_v3 r = {0};
    uint64_t at;

    if (!f)
        return;
    fill(&r, p);
    p->rlimits[RLIMIT_FSIZE].cur = UINT32_MAX; /* it is the system that writes */
    mutex_lock(&f->pos_lock);
    at = inode_size(f->inode);
    if (has_room(f))
        (void)f->ops->write_kernel(f, &r, sizeof(r), &at);
    mutex_unlock(&f->pos_lock);
    file_put(f);
}

/* ---- /proc/sys/kernel/acct ---- */

static int show_acct(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "%u\t%u\t%u\n", resume_at, suspend_at, check_every);
    return 0;
}

/* As many of the three numbers as there are. */
static int store_acct(const char *text, size_t len, const struct target *who)
{
    uint32_t *const to[] = {&resume_at, &suspend_at, &check_every};
    const char *end = text + len;

    (void)who;
    for (unsigned i = 0; i < 3; i++) {
        const char *from;

        while (text < end && strchr(" \t\n", *text))
            text++;
        for (from = text; text < end && *text && !strchr(" \t\n", *text);)
            text++;
        if (text == from)
            return i ? 0 : -EINVAL;
        if (sysctl_number(from, (size_t)(text - from), INT32_MAX, to[i]))
            return -EINVAL;
    }
    return 0;
}

static void acct_init(void)
{
    static const struct proc_entry entry = STORE_ENTRY("acct", 0644, show_acct, store_acct);

    sysctl_add(&entry);
}
INIT_AT(INIT_DEVICE, acct_init);

/* ---- The call ---- */

/* f, consumed, or NULL takes the place of the file. */
static void set_file(struct file *f)
{
    struct file *old;

    spin_lock(&acct_lock);
    old = acct_file;
    acct_file = f;
    suspended = false;
    next_check_ns = 0;
    spin_unlock(&acct_lock);
    if (old)
        file_put(old);
}

/* What is read there is made up by the kernel, which would wait for itself. */
static bool is_of_kernel(const struct superblock *sb)
{
    return !sb || strcmp(sb->type->name, "proc") == 0 || strcmp(sb->type->name, "sysfs") == 0;
}

static int start(const char *path)
{
    struct file *f;
    int err = file_open(AT_FDCWD, path, O_WRONLY | O_APPEND | O_LARGEFILE, 0, &f);

    if (err)
        return err;
    if (!S_ISREG(f->inode->mode))
        err = -EACCES;
    else if (is_of_kernel(f->inode->sb))
        err = -EINVAL;
    else if (!f->ops->write_kernel)
        err = -EIO;
    if (err)
        file_put(f);
    else
        set_file(f);
    return err;
}

long sys_acct(const char __user *upath)
{
    char *path;
    int err;

    if (!capable(CAP_SYS_PACCT))
        return -EPERM;
    if (!upath) {
        set_file(NULL);
        return 0;
    }
    err = path_from_user(upath, &path);
    if (err)
        return err;
    err = start(path);
    kfree(path);
    return err;
}
