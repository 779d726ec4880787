/*
 * The notes of a core: registers of every thread, the one first that the signal ends; what the
 * process was, the signal, the auxiliary vector, which files lie where. <linux/elfcore.h>
 */
#include "arch/thread.h"
#include "kernel/process/rusage.h"
#include "kernel/dump/dump.h"
#include "kernel/ptrace/regset.h"
#include "kernel/thread/proc.h"
#include "libc/string.h"

#define NT_PRPSINFO 3u
#define NT_AUXV     6u
#define NT_FILE     0x46494c45u
#define NT_SIGINFO  0x53494749u

#define NAME_SIZE 8 /* "CORE" and "LINUX", padded */
#define ARGS_SIZE 80
#define MAX_FILES (4u << 20) /* of NT_FILE, as on Linux */

struct note_header {
    uint32_t name_size, size, type;
    char name[NAME_SIZE];
};

struct thread_status { /* struct elf_prstatus */
    int32_t signo, code, err;
    int16_t current, pad;
    uint32_t pending, held;
    int32_t pid, ppid, pgrp, sid;
    struct timeval32 user, system, child_user, child_system;
    uint32_t regs[USER_AREA_REGISTERS];
    int32_t has_fpu;
};

struct process_info { /* struct elf_prpsinfo */
    char state, letter, zombie, nice;
    uint32_t flags;
    uint16_t uid, gid;
    int32_t pid, ppid, pgrp, sid;
    char name[COMM_LEN], args[ARGS_SIZE];
};
_Static_assert(sizeof(struct thread_status) == 144 && sizeof(struct process_info) == 124,
               "Linux i386 layout");

static uint32_t padded(uint32_t n)
{
    return (n + 3) & ~3u;
}

static uint32_t note_size(uint32_t n)
{
    return sizeof(struct note_header) + padded(n);
}

static void emit_head(struct core_output *o, const char *name, uint32_t type, uint32_t size)
{
    struct note_header h = {.name_size = (uint32_t)strlen(name) + 1, .size = size, .type = type};

    strlcpy(h.name, name, sizeof(h.name));
    core_emit(o, &h, sizeof(h));
}

static void emit_note(struct core_output *o, const char *name, uint32_t type, const void *data,
                      uint32_t size)
{
    emit_head(o, name, type, size);
    core_emit(o, data, size);
    core_align(o, 4);
}

/* ---- Threads ---- */

static const struct {
    uint32_t type;
    const char *name;
} sets[] = {{NT_PRFPREG, "CORE"}, {NT_PRXFPREG, "LINUX"}, {NT_386_TLS, "LINUX"}};

static void fill_times(struct thread_status *s, struct thread *t)
{
    struct rusage_counts own = {0};

    if (t->tid == t->proc->pid)
        proc_usage(t->proc, &own);
    else
        thread_add_usage(&own, t);
    s->user = timeval_of(own.user_ns);
    s->system = timeval_of(own.system_ns);
    s->child_user = timeval_of(t->proc->child_usage.user_ns);
    s->child_system = timeval_of(t->proc->child_usage.system_ns);
}

static void emit_status(struct core_output *o, struct thread *t, int signo)
{
    const struct proc *p = t->proc;
    const struct tracee x = {.thread = t};
    struct thread_status s = {
        .signo = signo,
        .current = (int16_t)signo,
        .pending = (uint32_t)t->sig.queue.pending,
        .held = (uint32_t)t->sig.mask,
        .pid = t->tid,
        .pgrp = p->pgid,
        .sid = p->sid,
        .has_fpu = 1,
    };

    spin_lock(&proc_lock);
    s.ppid = p->parent ? p->parent->pid : 0;
    fill_times(&s, t);
    spin_unlock(&proc_lock);
    (void)regset_read(&x, NT_PRSTATUS, s.regs);
    emit_note(o, "CORE", NT_PRSTATUS, &s, sizeof(s));
}

/* A thread's notes but for its status: how long they are. o: where to write them, or NULL. */
static uint32_t put_sets(struct core_output *o, const struct thread *t)
{
    uint8_t buf[FPU_AREA] __attribute__((aligned(16)));
    const struct tracee x = {.thread = (struct thread *)t};
    uint32_t size = 0;

    for (unsigned i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
        int n = regset_read(&x, sets[i].type, buf);

        if (n <= 0)
            continue;
        size += note_size((uint32_t)n);
        if (o)
            emit_note(o, sets[i].name, sets[i].type, buf, (uint32_t)n);
    }
    return size;
}

/* The others are at their end, and nobody comes or goes: the list needs no lock. */
static void emit_others(struct core_output *o, int signo)
{
    struct thread *t, *me = thread_current();

    list_for_each_entry (t, &me->proc->threads, proc_link) {
        if (t == me || o->failed)
            continue;
        emit_status(o, t, signo);
        (void)put_sets(o, t);
        sched_point();
    }
}

/* ---- The process ---- */

/* Its arguments with blanks between them. */
static void fill_args(struct process_info *i, const struct core_notes *n)
{
    const struct proc *p = proc_current();
    uint32_t len = p->arg_end - p->arg_start;
    long got;

    if (len > ARGS_SIZE - 1)
        len = ARGS_SIZE - 1;
    got = vm_peek(n->space, i->args, p->arg_start, len);
    for (long c = 0; c < got; c++)
        if (!i->args[c])
            i->args[c] = ' ';
}

static void emit_process(struct core_output *o, const struct core_notes *n)
{
    const struct proc *p = proc_current();
    struct process_info i = {
        .letter = 'R',
        .nice = (char)thread_current()->sched.nice,
        .uid = (uint16_t)p->cred.uid,
        .gid = (uint16_t)p->cred.gid,
        .pid = p->pid,
        .pgrp = p->pgid,
        .sid = p->sid,
    };

    spin_lock(&proc_lock);
    i.ppid = p->parent ? p->parent->pid : 0;
    spin_unlock(&proc_lock);
    strlcpy(i.name, p->comm, sizeof(i.name));
    fill_args(&i, n);
    emit_note(o, "CORE", NT_PRPSINFO, &i, sizeof(i));
}

static void emit_siginfo(struct core_output *o, const struct core_notes *n)
{
    struct user_siginfo u;
    struct siginfo info = *n->info;

    info.signo = n->signo;
    siginfo_to_user_layout(&u, &info);
    emit_note(o, "CORE", NT_SIGINFO, &u, sizeof(u));
}

static uint32_t auxv_size(void)
{
    const struct proc *p = proc_current();

    return p->auxv_end - p->auxv_start < PAGE_SIZE ? p->auxv_end - p->auxv_start : 0;
}

/* The program may have unmapped it: then it reads as zeros. */
static void emit_auxv(struct core_output *o, const struct core_notes *n)
{
    uint32_t size = auxv_size();

    memset(n->scratch, 0, size);
    (void)vm_peek(n->space, n->scratch, proc_current()->auxv_start, size);
    emit_note(o, "CORE", NT_AUXV, n->scratch, size);
}

/* ---- Files ---- */

static uint32_t files_size(const struct core_notes *n)
{
    return 8 + n->areas->files * 12 + n->areas->file_bytes;
}

static void emit_place(struct core_output *o, const struct core_area *a, void *arg)
{
    uint32_t words[3] = {a->start, a->end, a->pgoff};

    (void)arg;
    if (a->file)
        core_emit(o, words, sizeof(words));
}

/* As long as it was when it was measured. */
static void emit_name(struct core_output *o, const struct core_area *a, void *arg)
{
    const struct core_notes *n = arg;
    struct vm_area_info info;

    if (!a->file)
        return;
    if (!vm_next_area(n->space, a->start, &info) || info.start != a->start ||
        strlen(info.name) != a->name_len)
        memset(info.name, '?', sizeof(info.name));
    info.name[a->name_len] = '\0';
    core_emit(o, info.name, a->name_len + 1u);
}

static void emit_files(struct core_output *o, const struct core_notes *n)
{
    uint32_t head[2] = {n->areas->files, PAGE_SIZE};

    emit_head(o, "CORE", NT_FILE, files_size(n));
    core_emit(o, head, sizeof(head));
    core_areas_each(n->areas, o, emit_place, NULL);
    core_areas_each(n->areas, o, emit_name, (void *)n);
    core_align(o, 4);
}

/* ---- All ---- */

uint32_t core_notes_size(const struct core_notes *n)
{
    const struct thread *me = thread_current();
    uint32_t size =
        (note_size(sizeof(struct thread_status)) + put_sets(NULL, me)) * me->proc->nthreads;

    size += note_size(sizeof(struct process_info)) + note_size(sizeof(struct user_siginfo)) +
            note_size(auxv_size());
    if (files_size(n) <= MAX_FILES)
        size += note_size(files_size(n));
    return size;
}

void core_notes_emit(const struct core_notes *n, struct core_output *o)
{
    struct thread *me = thread_current();

    (void)fpu_save(); /* to where the sets are read from */
    emit_status(o, me, n->signo);
    emit_process(o, n);
    emit_siginfo(o, n);
    emit_auxv(o, n);
    if (files_size(n) <= MAX_FILES)
        emit_files(o, n);
    (void)put_sets(o, me);
    emit_others(o, n->signo);
}
