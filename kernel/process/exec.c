/*
 * execve: the program a process runs is replaced. A new space is made up beside the old one (the
 * file, its "#!" chain, the strings, the mappings, the stack), which may fail at any point and
 * changes nothing; then exec_commit changes over.
 */
#include "kernel/thread/personality.h"
#include "arch/cpu.h"
#include "arch/thread.h"
#include "arch/uaccess.h"
#include "fs/vfs/file.h"
#include "fs/notify/notify.h"
#include "fs/vfs/vfs.h"
#include "fs/vfs/xattr.h"
#include "kernel/process/exec.h"
#include "kernel/process/set_mm.h"
#include "kernel/process/vdso.h"
#include "kernel/machine/random.h"
#include "kernel/ptrace/ptrace.h"
#include "kernel/syscall/user_dispatch.h"
#include "libc/errno.h"
#include "libc/printf.h"
#include "libc/string.h"

#define MAX_SCRIPTS 5            /* interpreters that are scripts themselves */
#define HEAD_SIZE   512          /* of the file: an ELF header and its program headers, mostly */
#define STACK_ROOM  (128u << 10) /* mapped beyond the strings; the stack grows from there */

enum { /* man 3 getauxval */
       AT_NULL,
       AT_PHDR = 3,
       AT_PHENT,
       AT_PHNUM,
       AT_PAGESZ,
       AT_BASE,
       AT_FLAGS,
       AT_ENTRY,
       AT_UID = 11,
       AT_EUID,
       AT_GID,
       AT_EGID,
       AT_PLATFORM,
       AT_HWCAP,
       AT_CLKTCK,
       AT_SECURE = 23,
       AT_RANDOM = 25,
       AT_HWCAP2,
       AT_EXECFN = 31,
       AT_SYSINFO,
       AT_SYSINFO_EHDR,
};

struct exec {             /* one frame */
    const char *filename; /* as asked for: AT_EXECFN and the process's name */
    struct file *file;    /* the program, or the last interpreter */
    struct exec_args args;
    struct vm_space *space;
    struct layout layout;
    struct elf_program elf;
    struct cred cred;
    struct signal_handlers *handlers; /* a table of its own, where it has a shared one */
    bool secure;
    bool barred; /* make_cred() gave it no rights: is_barred() */
    bool closes; /* filename leads through a descriptor that no interpreter would find open */
    uint32_t personality;
    bool readable; /* whose file its user may not read must not show its memory either */
    uint32_t esp;
    uint32_t strings_at, auxv_at, auxv_size;
    uint32_t execfn, platform, random; /* offsets in the strings */
    /* Scripts: what takes the place of argv[0]. */
    unsigned nprefix;
    const char *prefix[2 * MAX_SCRIPTS + 1];
    char names[MAX_SCRIPTS * SCRIPT_HEAD];
    uint32_t names_used;
    char head[HEAD_SIZE];
};
_Static_assert(sizeof(struct exec) <= PAGE_SIZE, "it lives in a frame");

/* ---- The file ---- */

static int check_executable(const struct path *p)
{
    const struct inode *i = p->dentry->inode;

    if (!S_ISREG(i->mode) || !i->object)
        return -EACCES;
    if (mount_flags(p->mount) & MS_NOEXEC)
        return -EACCES;
    return inode_permission(i, MAY_EXEC);
}

/* The file that fd names, for execveat with AT_EMPTY_PATH. */
static int place_of_fd(int fd, struct path *out)
{
    struct file *f = fd_get_any(fd);

    if (!f)
        return -EBADF;
    *out = (struct path){f->mount, f->dentry};
    if (f->dentry)
        path_ref(out);
    file_put(f);
    return out->dentry ? 0 : -EACCES;
}

/* A file at p that nobody may write to while it is open. */
static int open_denying_write(const struct path *p, struct file **out)
{
    struct inode *i = p->dentry->inode;
    struct file *f = file_new(i, p, i->fops, O_RDONLY);
    int err;

    if (!f)
        return file_new_error();
    err = file_deny_write(f);
    if (err) {
        file_put(f);
        return err;
    }
    f->opened = true;
    notify_file(f, IN_OPEN);
    notify_file(f, IN_ACCESS); /* its beginning is about to be read */
    *out = f;
    return 0;
}

int exec_open(int dirfd, const char *path, uint32_t at_flags, struct file **out)
{
    struct path p;
    int err;

    if ((at_flags & AT_EMPTY_PATH) && !*path)
        err = place_of_fd(dirfd, &p);
    else
        err = path_lookup(dirfd, path, at_flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW, &p);
    if (err)
        return err;
    if (S_ISLNK(p.dentry->inode->mode))
        err = -ELOOP;
    else
        err = check_executable(&p);
    if (!err)
        err = open_denying_write(&p, out);
    path_unref(&p);
    return err;
}

long exec_read(struct file *f, uint32_t offset, void *buf, uint32_t n)
{
    long got;

    do
        got = vm_object_read_kernel(f->inode->object, offset, buf, n);
    while (got == -ENOMEM && oom_kill());
    return got;
}

/* ---- Scripts ---- */

static const char *keep_name(struct exec *x, const char *s)
{
    char *to = x->names + x->names_used;

    x->names_used += strlcpy(to, s, sizeof(x->names) - x->names_used) + 1;
    return to;
}

/* The script, which was to be argv[0], becomes an argument of its interpreter. */
static void push_prefix(struct exec *x, const char *script, const char *interpreter,
                        const char *argument)
{
    unsigned add = argument ? 2 : 1;

    if (x->nprefix == 0)
        x->nprefix = 1;
    memmove(x->prefix + add, x->prefix, x->nprefix * sizeof(x->prefix[0]));
    x->prefix[add] = script;
    x->prefix[0] = interpreter;
    if (argument)
        x->prefix[1] = argument;
    x->nprefix += add;
}

/* Follows "#!" lines until x->file is a program. x->head holds its start. */
static int resolve_scripts(struct exec *x, long *head_size)
{
    const char *script = x->filename, *interpreter, *argument;

    for (unsigned depth = 0;; depth++) {
        long n = exec_read(x->file, 0, x->head, HEAD_SIZE);
        struct file *f;
        int err;

        if (n < 0)
            return (int)n;
        *head_size = n;
        if (n < 2 || x->head[0] != '#' || x->head[1] != '!')
            return 0;
        if (n < HEAD_SIZE)
            memset(x->head + n, 0, (size_t)(HEAD_SIZE - n));
        err = script_parse(x->head, &interpreter, &argument);
        if (!err && x->closes)
            err = -ENOENT;
        if (err)
            return err;
        if (depth == MAX_SCRIPTS)
            return -ELOOP;
        interpreter = keep_name(x, interpreter);
        if (argument)
            argument = keep_name(x, argument);
        push_prefix(x, script, interpreter, argument);
        script = interpreter;
        err = exec_open(AT_FDCWD, interpreter, 0, &f);
        if (err)
            return err;
        file_put(x->file);
        x->file = f;
    }
}

/* ---- Strings and credentials ---- */

static int collect_argv(struct exec *x, const struct string_list *argv)
{
    int argc = list_count(argv), err = 0;

    if (argc < 0)
        return argc;
    for (unsigned i = 0; i < x->nprefix && !err; i++)
        err = args_add_string(&x->args, x->prefix[i]);
    if (!err && argc == 0 && !x->nprefix)
        err = args_add_string(&x->args, ""); /* programs count on argv[0] */
    if (!err && argc > 0)
        err = args_add_list(&x->args, argv, x->nprefix ? 1 : 0);
    return err ? err : args_end_argv(&x->args);
}

static int collect_strings(struct exec *x, const struct string_list *argv,
                           const struct string_list *envp)
{
    struct exec_args *a = &x->args;
    const char *platform = cpu_platform();
    uint8_t random[16];
    int err = collect_argv(x, argv);

    if (!err)
        err = args_add_list(a, envp, 0);
    if (!err)
        err = args_end_envp(a);
    if (!err)
        err = args_append(a, x->filename, strlen(x->filename) + 1, &x->execfn);
    if (!err)
        err = args_append(a, platform, strlen(platform) + 1, &x->platform);
    random_bytes(random, sizeof(random));
    if (!err)
        err = args_append(a, random, sizeof(random), &x->random);
    return err;
}

/* Whether what is run gives no rights: who traces it, or the process itself, wants it so. */
static bool is_barred(const struct thread *t)
{
    return t->proc->no_new_privs || ptrace_bars_setid(t);
}

/* The ids and capabilities of the program to come: set-user-ID and set-group-ID count for the file
 * that is run. 0 or -EPERM. */
static int make_cred(struct exec *x)
{
    const struct proc *p = proc_current();
    struct inode *i = x->file->inode;
    bool nosuid = mount_flags(x->file->mount) & MS_NOSUID;
    struct cred *c = &x->cred;
    struct file_caps caps;
    bool has_caps;
    int err;

    *c = p->cred;
    x->barred = is_barred(thread_current());
    if (!x->barred && !nosuid) {
        if (i->mode & S_ISUID)
            c->euid = i->uid;
        if ((i->mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
            c->egid = i->gid;
    }
    has_caps = !p->no_new_privs && !nosuid && xattr_file_caps(i, &caps);
    err = cred_exec(c, &p->cred, has_caps ? &caps : NULL, x->barred, &x->secure);
    x->personality = p->personality & (x->secure ? ~PER_CLEAR_ON_SETID : UINT32_MAX);
    x->readable = inode_permission(i, MAY_READ) == 0;
    return err;
}

/* ---- The new space ---- */

static int add_auxv(struct exec *x)
{
    const struct elf_program *e = &x->elf;
    const struct cred *c = &x->cred;
    uint32_t at = x->strings_at, vdso = vdso_start(x->space);
    unsigned skip = vdso ? 0 : 2;
    const uint32_t aux[][2] = {
        {AT_SYSINFO, vdso + vdso_vsyscall},
        {AT_SYSINFO_EHDR, vdso},
        {AT_HWCAP, cpu_hwcap()},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, HZ},
        {AT_PHDR, e->phdr},
        {AT_PHENT, 32},
        {AT_PHNUM, e->phnum},
        {AT_BASE, e->base},
        {AT_FLAGS, 0},
        {AT_ENTRY, e->entry},
        {AT_UID, c->uid},
        {AT_EUID, c->euid},
        {AT_GID, c->gid},
        {AT_EGID, c->egid},
        {AT_SECURE, x->secure},
        {AT_RANDOM, at + x->random},
        {AT_HWCAP2, 0},
        {AT_EXECFN, at + x->execfn},
        {AT_PLATFORM, at + x->platform},
        {AT_NULL, 0},
    };

    x->auxv_size = sizeof(aux) - skip * sizeof(aux[0]);
    /* The count lies below the table; the stack pointer is added later. */
    x->auxv_at = x->args.table.size + 4;
    return args_add_words(&x->args, &aux[skip][0], x->auxv_size / 4);
}

static int map_stack(struct exec *x)
{
    uint32_t limit = proc_current()->rlimits[RLIMIT_STACK].cur & PAGE_MASK;
    uint32_t need =
        (x->layout.stack_top - x->strings_at + x->args.table.size + PAGE_SIZE) & PAGE_MASK;
    uint32_t len = need + STACK_ROOM;

    if (len > limit)
        len = need > limit ? need : limit;
    struct vm_mapping m = {
        .addr = x->layout.stack_top - len,
        .len = len,
        .prot = VM_PROT_READ | VM_PROT_WRITE | (x->elf.exec_stack ? VM_PROT_EXEC : 0),
        .maxprot = VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC,
        .flags = VM_FIXED | VM_NOREPLACE | VM_GROWSDOWN | VM_STACK,
    };
    int err = vm_map(x->space, &m, NULL);

    return err == -EEXIST ? -EINVAL : err; /* the program lies where its stack must be */
}

void proc_apply_vm_limits(struct proc *p, struct vm_space *s)
{
    struct vm_limits l = {
        .stack = p->rlimits[RLIMIT_STACK].cur,
        .data = p->rlimits[RLIMIT_DATA].cur,
        .as = p->rlimits[RLIMIT_AS].cur,
    };

    vm_space_set_limits(s, &l);
}

/* For programs of systems where it was there. Only who may map there gets it. */
static void map_page_zero(struct vm_space *s)
{
    struct vm_mapping m = {
        .len = PAGE_SIZE,
        .prot = VM_PROT_READ | VM_PROT_EXEC,
        .maxprot = VM_PROT_READ | VM_PROT_WRITE | VM_PROT_EXEC,
        .flags = VM_FIXED | VM_LOW,
    };

    if (capable(CAP_SYS_RAWIO))
        (void)vm_map(s, &m, NULL);
}

static int build_space(struct exec *x, long head_size)
{
    int err;

    x->space = vm_space_create();
    if (!x->space)
        return -ENOMEM;
    proc_apply_vm_limits(proc_current(), x->space);
    layout_choose(&x->layout, x->personality);
    vm_set_mmap_place(x->space, x->layout.mmap_shift, x->layout.upwards);
    err = elf_load(x->file, x->head, (uint32_t)head_size, x->space, x->layout.program, &x->elf);
    if (!err)
        err = vdso_map(x->space);
    if (err)
        return err;
    if (x->elf.says_nothing)
        x->personality |= READ_IMPLIES_EXEC;
    if (x->personality & MMAP_PAGE_ZERO)
        map_page_zero(x->space);
    vm_set_brk(x->space, x->elf.brk + x->layout.brk, x->elf.brk + x->layout.brk);
    x->strings_at = x->layout.stack_top - x->layout.stack_within - 4 - x->args.strings.size;
    err = add_auxv(x);
    if (!err)
        err = map_stack(x);
    if (!err)
        err = args_store(&x->args, x->space, x->strings_at, &x->esp);
    return err;
}

/* ---- The change ---- */

/* The point of no return: nothing after it can fail. Every other thread goes; the one that is left
 * is the process's first, whichever it was. -EINTR: another one ends the process, or was faster. */
static int kill_other_threads(struct thread *t)
{
    struct proc *p = t->proc;

    if (p->nthreads == 1)
        return 0;
    if (!signal_begin_group_exit(p, 0))
        return -EINTR;
    wait_event(&p->child_exit, p->nthreads == 1);
    signal_end_group_exit(p);
    return 0;
}

static void change_space(struct exec *x, struct thread *t)
{
    struct proc *p = t->proc;
    struct vm_space *old = p->space;

    thread_release_tid(t);
    t->futex_released = false; /* it lives on */
    proc_note_peak(p);
    spin_lock(&proc_lock);
    p->space = x->space;
    if (t->tid != p->pid) {
        thread_set_tid(t, p->pid);
        ptrace_exec_ids(t);
    }
    spin_unlock(&proc_lock);
    p->shares_space = false;
    sched_use_space(p->space);
    vfork_release(t);
    x->space = old; /* given back when the rights are the new program's, too */
}

static void set_names(struct exec *x, struct proc *p)
{
    const char *base = strrchr(x->filename, '/');
    struct file *old = p->exe;

    strlcpy(p->comm, base ? base + 1 : x->filename, COMM_LEN);
    p->arg_start = x->strings_at;
    p->arg_end = p->env_start = x->strings_at + x->args.env_offset;
    p->env_end = x->strings_at + x->args.env_end;
    p->auxv_start = x->esp + x->auxv_at;
    p->auxv_end = p->auxv_start + x->auxv_size;
    p->marks = x->elf.marks;
    p->marks.start_stack = x->esp;
    spin_lock(&proc_lock);
    p->exe = x->file;
    spin_unlock(&proc_lock);
    if (p->auxv)
        give_auxv(p, NULL);
    x->file = NULL;
    if (old)
        file_put(old);
}

/* The number of the call stays: a tracer is told of its end. */
static void set_registers(const struct exec *x, struct trapframe *tf)
{
    uint32_t call = tf->orig_eax;

    memset(tf, 0, sizeof(*tf));
    tf->orig_eax = call;
    tf->ds = tf->es = tf->ss = USER_DS;
    tf->cs = USER_CS;
    tf->eip = x->elf.start;
    tf->esp = x->esp;
    tf->eflags = 0x202; /* interrupts on */
    tf->trapno = TRAP_SYSCALL;
}

/* Between the new space and the new rights nothing may sleep or let the kernel lock go: others ask
 * by the rights whether they may look into the space. */
static void exec_commit(struct exec *x, struct thread *t)
{
    struct proc *p = t->proc;

    change_space(x, t);
    p->did_exec = true;
    p->membarriers = 0;
    p->exit_signal = SIGCHLD;
    if (x->secure)
        p->parent_death_signal = 0;
    p->dumpable = !x->secure && x->readable ? DUMPABLE_USER : (uint8_t)suid_dumpable;
    p->personality = x->personality;
    x->cred.groups = p->cred.groups; /* another thread may have set them meanwhile */
    p->cred = x->cred;
    set_names(x, p);
    files_close_on_exec(p);
    signal_exec(p, &x->handlers);
    fpu_drop(&t->arch);
    t->rseq = 0;
    t->rseq_interrupted = false;
    user_dispatch_clear(t);
    memset(t->arch.tls, 0, sizeof(t->arch.tls));
    arch_load_tls(&t->arch);
    set_registers(x, t->arch.tf);
}

/* What the change will need, while an error still just returns: the process's other threads live,
 * and go on with the same descriptors. */
static int reserve_parts(struct exec *x, struct proc *p)
{
    int err = signal_exec_reserve(p, &x->handlers);

    return err ? err : files_unshare(p);
}

static int exec_run(struct exec *x, const struct string_list *argv, const struct string_list *envp)
{
    struct thread *t = thread_current();
    long head_size;
    int err = resolve_scripts(x, &head_size);

    if (!err)
        err = collect_strings(x, argv, envp);
    if (err)
        return err;
    err = make_cred(x);
    if (!err)
        err = build_space(x, head_size);
    if (!err)
        err = reserve_parts(x, t->proc);
    if (!err)
        err = kill_other_threads(t);
    while (!err && !x->barred && is_barred(t)) /* a tracer came while that slept */
        err = make_cred(x);
    if (!err)
        exec_commit(x, t);
    return err;
}

/* As on Linux a list that cannot be read is told before a file that cannot be run. */
static int check_lists(const struct string_list *argv, const struct string_list *envp)
{
    int n = list_count(argv);

    return n < 0 ? n : list_count(envp);
}

static int do_exec(int dirfd, const char *path, uint32_t at_flags, const char *filename,
                   const struct string_list *argv, const struct string_list *envp)
{
    struct exec *x;
    int32_t tid = thread_current()->tid;
    int err = check_lists(argv, envp);

    if (err < 0)
        return err;
    x = kalloc();
    if (!x)
        return -ENOMEM;
    memset(x, 0, offsetof(struct exec, names));
    x->names_used = 0;
    x->filename = filename;
    x->closes = filename != path && fd_cloexec(dirfd) > 0;
    args_init(&x->args);
    err = exec_open(dirfd, path, at_flags, &x->file);
    if (!err)
        err = exec_run(x, argv, envp);
    if (x->space)
        proc_unref_space(x->space);
    if (x->file)
        file_put(x->file);
    kmfree(x->handlers);
    args_free(&x->args);
    kfree(x);
    if (!err)
        ptrace_exec(tid);
    return err;
}

/* ---- The calls ---- */

int proc_exec(const char *path, char *const argv[], char *const envp[])
{
    struct string_list a = {false, (uint32_t)argv}, e = {false, (uint32_t)envp};

    return do_exec(AT_FDCWD, path, 0, path, &a, &e);
}

long sys_execve(const char __user *upath, void __user *argv, void __user *envp)
{
    struct string_list a = {true, (vaddr_t)argv}, e = {true, (vaddr_t)envp};
    char *path;
    int err = path_from_user(upath, &path);

    if (err)
        return err;
    err = do_exec(AT_FDCWD, path, 0, path, &a, &e);
    kfree(path);
    return err;
}

/* The name of the program for a path relative to a descriptor, as Linux makes it up. */
static char *fd_filename(int dirfd, const char *path)
{
    char *name = kalloc();

    if (name)
        snprintf(name, PAGE_SIZE, *path ? "/dev/fd/%d/%s" : "/dev/fd/%d", dirfd, path);
    return name;
}

long sys_execveat(uint32_t dirfd, const char __user *upath, void __user *argv, void __user *envp,
                  uint32_t flags)
{
    struct string_list a = {true, (vaddr_t)argv}, e = {true, (vaddr_t)envp};
    char *path, *name = NULL;
    int err;

    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW))
        return -EINVAL;
    err = path_from_user(upath, &path);
    if (err)
        return err;
    if ((int)dirfd != AT_FDCWD && *path != '/') {
        name = fd_filename((int)dirfd, path);
        if (!name)
            err = -ENOMEM;
    }
    if (!err)
        err = do_exec((int)dirfd, path, flags, name ? name : path, &a, &e);
    if (name)
        kfree(name);
    kfree(path);
    return err;
}
