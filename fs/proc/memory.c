/*
 * What /proc/PID shows of an address space: maps, statm, mem, and what exec left in it.
 */
#include "arch/uaccess.h"
#include "fs/proc/procfs.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

/* ---- maps ---- */

#define NAME_COLUMN 49 /* as a Linux of 32 bits has it */

void show_area(struct text *t, const struct vm_area_info *a)
{
    char line[NAME_COLUMN + 32];
    int n = snprintf(line, sizeof(line), "%08x-%08x %c%c%c%c %08x %02x:%02x %u ", a->start, a->end,
                     a->prot & VM_PROT_READ ? 'r' : '-', a->prot & VM_PROT_WRITE ? 'w' : '-',
                     a->prot & VM_PROT_EXEC ? 'x' : '-', a->flags & VM_SHARED ? 's' : 'p',
                     a->pgoff << PAGE_SHIFT, DEV_MAJOR(a->dev), DEV_MINOR(a->dev), a->ino);

    text_write(t, line, (size_t)n);
    if (a->name[0]) {
        text_printf(t, "%*s", n < NAME_COLUMN ? NAME_COLUMN - n : 1, "");
        text_escape(t, a->name, "\n");
    }
    text_write(t, "\n", 1);
}

int show_maps(struct text *t, const struct target *who)
{
    int err;
    struct vm_space *s = target_space(who, true, &err);
    struct vm_area_info a;

    if (!s)
        return err;
    for (vaddr_t at = 0; !t->failed && vm_next_area(s, at, &a); at = a.end) {
        show_area(t, &a);
        sched_point();
    }
    vm_space_unref(s);
    return 0;
}

int show_statm(struct text *t, const struct target *who)
{
    int err;
    struct vm_space *s = target_space(who, false, &err);
    struct vm_space_stats m = {0};
    vaddr_t code = 0, code_end = 0;

    if (err)
        return err;
    if (s) {
        vm_space_stats(s, &m);
        code_range(s, &code, &code_end);
        vm_space_unref(s);
    }
    text_printf(t, "%u %u %u %u 0 %u 0\n", m.size, m.resident, m.resident_file,
                (code_end - code) / PAGE_SIZE, m.data + m.stack);
    return 0;
}

/* ---- What lies in it ---- */

/* Of arguments, which exec bounds so on a stack of 8 MiB, and PR_SET_MM does not. */
#define SHOWN_MOST (2u << 20)

/* The bytes [from, to) of the space, as far as they can be read. */
static int copy_out(struct text *t, struct vm_space *s, vaddr_t from, vaddr_t to)
{
    void *page = kalloc();

    if (!page)
        return -ENOMEM;
    if (to - from > SHOWN_MOST)
        to = from + SHOWN_MOST;
    while (from < to && !t->failed && !fatal_signal_pending()) {
        size_t n = to - from < PAGE_SIZE ? to - from : PAGE_SIZE;
        long got = vm_copy_from(s, page, from, n);

        if (got > 0)
            text_write(t, page, (size_t)got);
        if (got != (long)n)
            break;
        from += n;
        sched_point();
    }
    kfree(page);
    return 0;
}

enum range { RANGE_ARGS, RANGE_ENV, RANGE_AUXV };

static int show_range(struct text *t, const struct target *who, enum range which, bool check)
{
    struct proc *p;
    vaddr_t from, to;
    int err;
    struct vm_space *s = target_space(who, check, &err);

    if (!s)
        return err;
    p = target_lock(who);
    if (p) {
        from = which == RANGE_ARGS  ? p->arg_start
               : which == RANGE_ENV ? p->env_start
                                    : p->auxv_start;
        to = which == RANGE_ARGS ? p->arg_end : which == RANGE_ENV ? p->env_end : p->auxv_end;
        spin_unlock(&proc_lock);
        err = copy_out(t, s, from, to);
    } else {
        err = -ESRCH;
    }
    vm_space_unref(s);
    return err;
}

int show_cmdline(struct text *t, const struct target *who)
{
    return show_range(t, who, RANGE_ARGS, false);
}

int show_environ(struct text *t, const struct target *who)
{
    return show_range(t, who, RANGE_ENV, true);
}

/* What PR_SET_MM said, if it did: true. */
static bool show_given_auxv(struct text *t, const struct target *who)
{
    uint32_t words[AUXV_WORDS];
    struct proc *p = target_lock(who);
    bool given = p && p->auxv;

    if (given)
        memcpy(words, p->auxv, sizeof(words));
    if (p)
        spin_unlock(&proc_lock);
    if (given)
        text_write(t, words, sizeof(words));
    return given;
}

int show_auxv(struct text *t, const struct target *who)
{
    int err = target_inspect(who);

    if (err)
        return err;
    return show_given_auxv(t, who) ? 0 : show_range(t, who, RANGE_AUXV, true);
}

/* ---- mem ---- */

typedef long (*mem_copy)(struct vm_space *s, vaddr_t addr, void *page, void __user *ubuf, size_t n);

static long mem_from(struct vm_space *s, vaddr_t addr, void *page, void __user *ubuf, size_t n)
{
    long got = vm_peek(s, page, addr, n);

    if (got > 0 && copy_to_user(ubuf, page, (size_t)got))
        return -EFAULT;
    return got == -EFAULT ? -EIO : got;
}

static long mem_to(struct vm_space *s, vaddr_t addr, void *page, void __user *ubuf, size_t n)
{
    long put;

    if (copy_from_user(page, ubuf, n))
        return -EFAULT;
    put = vm_poke(s, addr, page, n);
    return put == -EFAULT ? -EIO : put;
}

/* Page by page between the space at *pos and ubuf; stops at what is not mapped. */
static long mem_transfer(struct file *f, void __user *ubuf, size_t len, uint64_t *pos,
                         mem_copy copy)
{
    int err;
    struct vm_space *s = target_space(inode_target(f->inode), true, &err);
    void *page = s ? kalloc() : NULL;
    size_t done = 0;
    long n = s && len && *pos >= USER_TOP ? -EIO : 0;

    if (s && !page)
        err = -ENOMEM;
    while (page && done < len && *pos < USER_TOP) {
        vaddr_t addr = (vaddr_t)*pos;
        size_t run =
            PAGE_SIZE - addr % PAGE_SIZE < len - done ? PAGE_SIZE - addr % PAGE_SIZE : len - done;

        n = copy(s, addr, page, (char __user *)ubuf + done, run);
        if (n <= 0)
            break;
        done += (size_t)n;
        *pos += (uint64_t)n;
        if (fatal_signal_pending())
            break;
        sched_point();
    }
    if (page)
        kfree(page);
    if (s)
        vm_space_unref(s);
    if (done)
        return (long)done;
    return err ? err : n;
}

static long mem_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos)
{
    return mem_transfer(f, ubuf, len, pos, mem_from);
}

static long mem_write(struct file *f, const void __user *ubuf, size_t len, uint64_t *pos)
{
    return mem_transfer(f, (void __user *)ubuf, len, pos, mem_to);
}

int process_mem_open(struct inode *inode, struct file *f)
{
    int err;
    struct vm_space *s = target_space(inode_target(inode), true, &err);

    (void)f;
    if (s)
        vm_space_unref(s);
    return err;
}

static int64_t mem_seek(struct file *f, int64_t offset, int whence)
{
    int64_t base = whence == SEEK_CUR ? (int64_t)f->pos : 0;

    if (whence != SEEK_SET && whence != SEEK_CUR)
        return -EINVAL;
    f->pos = (uint64_t)(base + offset);
    return (int64_t)f->pos;
}

const struct file_ops process_mem_ops = {
    .open = process_mem_open,
    .read = mem_read,
    .write = mem_write,
    .seek = mem_seek,
};
