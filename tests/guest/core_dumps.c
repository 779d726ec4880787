/*
 * Core dumps: who leaves one, what wait and the parent are told, and what is in the file, which the
 * program reads itself. Run in a directory of its own, with core_pattern "core".
 */
#include <elf.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include "guest.h"

static char filled[4 * PAGE] __attribute__((aligned(PAGE)));
static char *kept, *left_out, *shared, *file_private, *never;
static volatile int handled;

static void limit(rlim_t n)
{
    struct rlimit r = {n, RLIM_INFINITY};

    DIE_UNLESS(setrlimit(RLIMIT_CORE, &r) == 0);
}

/* ---- The file ---- */

static unsigned char *core;
static size_t core_size;

static void drop_core(void)
{
    if (core)
        munmap(core, core_size);
    core = NULL;
    unlink("core");
}

static int load_core(void)
{
    struct stat st;
    int fd = open("core", O_RDONLY);

    core = NULL;
    if (fd < 0 || fstat(fd, &st) || st.st_size == 0) {
        close(fd);
        return -1;
    }
    core_size = st.st_size;
    core = mmap(NULL, core_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    printf("core: mode %o, links %d\n", st.st_mode, (int)st.st_nlink);
    return core == MAP_FAILED ? -1 : 0;
}

static Elf32_Phdr *segment(unsigned n)
{
    Elf32_Ehdr *h = (void *)core;

    return n < h->e_phnum ? (Elf32_Phdr *)(core + h->e_phoff) + n : NULL;
}

static Elf32_Phdr *segment_at(const void *addr)
{
    Elf32_Phdr *p;

    for (unsigned i = 0; (p = segment(i)); i++)
        if (p->p_type == PT_LOAD && (unsigned long)addr - p->p_vaddr < p->p_memsz)
            return p;
    return NULL;
}

/* The n-th note of that type, from 0 on. */
static Elf32_Nhdr *note(unsigned type, unsigned n)
{
    Elf32_Phdr *p = segment(0);
    unsigned char *at = core + p->p_offset, *end = at + p->p_filesz;

    while (at < end) {
        Elf32_Nhdr *h = (void *)at;

        if (h->n_type == type && n-- == 0)
            return h;
        at += sizeof(*h) + ((h->n_namesz + 3) & ~3) + ((h->n_descsz + 3) & ~3);
    }
    return NULL;
}

static void *content(Elf32_Nhdr *h)
{
    return (char *)(h + 1) + ((h->n_namesz + 3) & ~3);
}

static void show_memory(const char *what, const void *addr, const char *text)
{
    Elf32_Phdr *p = segment_at(addr);

    if (!p) {
        printf("%s: in no segment\n", what);
        return;
    }
    if (!p->p_filesz) {
        printf("%s: left out\n", what);
        return;
    }
    printf("%s: %s, flags %x%s\n", what, p->p_filesz == p->p_memsz ? "whole" : "in part",
           p->p_flags,
           text && memcmp(core + p->p_offset + ((unsigned long)addr - p->p_vaddr), text,
                          strlen(text)) == 0
               ? ", as it was"
               : "");
}

/* The order of the notes, threads apart from the first left out. */
static void show_notes(void)
{
    Elf32_Phdr *p = segment(0);
    unsigned char *at = core + p->p_offset, *end = at + p->p_filesz;
    int statuses = 0;

    printf("notes:");
    while (at < end) {
        Elf32_Nhdr *h = (void *)at;

        statuses += h->n_type == NT_PRSTATUS;
        if (statuses <= 1 && h->n_type != NT_X86_XSTATE && h->n_type < 0x203)
            printf(" %s/%x", (char *)(h + 1), h->n_type);
        else if (statuses <= 1 && h->n_type != NT_X86_XSTATE && h->n_type > 0xffff)
            printf(" %s/%x", (char *)(h + 1), h->n_type);
        at += sizeof(*h) + ((h->n_namesz + 3) & ~3) + ((h->n_descsz + 3) & ~3);
    }
    printf("; %d threads\n", statuses);
}

static void show_files(void)
{
    Elf32_Nhdr *h = note(NT_FILE, 0);
    unsigned *w = content(h);
    const char *name = (char *)(w + 2 + 3 * w[0]);
    char exe[300];
    int n = readlink("/proc/self/exe", exe, sizeof(exe) - 1), found = 0;

    exe[n < 0 ? 0 : n] = '\0';
    for (unsigned i = 0; i < w[0]; i++, name += strlen(name) + 1)
        if (strcmp(name, exe) == 0 && w[2 + 3 * i] <= (unsigned long)show_files &&
            w[3 + 3 * i] > (unsigned long)show_files)
            found = 1;
    printf("page size %u, the program's text is found %d, ends where the note ends %d\n", w[1],
           found, name == (char *)w + h->n_descsz);
}

static void show_core(pid_t pid)
{
    Elf32_Ehdr *h = (void *)core;
    struct elf_prstatus *s;
    struct elf_prpsinfo *i;
    siginfo_t *info;
    Elf32_auxv_t *aux;
    unsigned entry = 0;

    printf("type %d, machine %d, class %d, header sizes %d %d, sections %d\n", h->e_type,
           h->e_machine, h->e_ident[EI_CLASS], h->e_ehsize, h->e_phentsize, h->e_shnum);
    show_notes();
    s = content(note(NT_PRSTATUS, 0));
    printf("status: %d bytes, signal %d %d, itself %d, parent %d, esp in a segment %d, fpu %d\n",
           note(NT_PRSTATUS, 0)->n_descsz, s->pr_cursig, s->pr_info.si_signo, s->pr_pid == pid,
           s->pr_ppid == getpid(), segment_at((void *)s->pr_reg[15]) != NULL, s->pr_fpvalid);
    i = content(note(NT_PRPSINFO, 0));
    printf("process: %d bytes, %d %c, itself %d, name %s\n", note(NT_PRPSINFO, 0)->n_descsz,
           i->pr_state, i->pr_sname, i->pr_pid == pid, i->pr_fname);
    info = content(note(NT_SIGINFO, 0));
    printf("siginfo: %d bytes, signal %d code %d, address %lx\n", note(NT_SIGINFO, 0)->n_descsz,
           info->si_signo, info->si_code, info->si_code > 0 ? (unsigned long)info->si_addr : 0UL);
    for (aux = content(note(NT_AUXV, 0)); aux->a_type; aux++)
        if (aux->a_type == AT_PAGESZ)
            entry = aux->a_un.a_val;
    printf("auxv has the page size %u\n", entry);
    printf("sets: %d %d %d\n", note(NT_FPREGSET, 0)->n_descsz, note(NT_PRXFPREG, 0)->n_descsz,
           note(NT_386_TLS, 0)->n_descsz);
    show_files();
    show_memory("data", filled, "data of the program");
    show_memory("private", kept, "kept");
    show_memory("not to be dumped", left_out, NULL);
    show_memory("shared anonymous", shared, "shared");
    show_memory("file, written to", file_private, "changed");
    show_memory("never touched", never, NULL);
    show_memory("text", (void *)show_core, NULL);
    drop_core();
}

/* ---- Those who die ---- */

static void make_memory(void)
{
    int fd = open("file", O_RDWR | O_CREAT | O_TRUNC, 0600);

    DIE_UNLESS(write(fd, "contents", 8) == 8);
    strcpy(filled, "data of the program");
    kept = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(kept, "kept");
    left_out = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(left_out, "left out");
    madvise(left_out, PAGE, MADV_DONTDUMP);
    shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    strcpy(shared, "shared");
    file_private = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    strcpy(file_private, "changed");
    never = map(64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    close(fd);
}

static void on_child(int signo, siginfo_t *info, void *context)
{
    (void)context, (void)signo;
    handled = info->si_code == CLD_DUMPED ? 1 : info->si_code == CLD_KILLED ? 2 : 3;
}

/* Forks a child that runs fn; what is told of its end. */
static pid_t dies(const char *what, void (*fn)(void))
{
    struct sigaction act = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
    siginfo_t info;
    int status;
    pid_t pid;

    handled = 0;
    sigaction(SIGCHLD, &act, NULL);
    pid = fork();
    if (pid == 0) {
        signal(SIGCHLD, SIG_DFL);
        fn();
        _exit(0);
    }
    while (waitid(P_PID, pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    printf("-- %s: %s, dumped %d; waitid code %d status %d; handler %d\n", what,
           WIFSIGNALED(status) ? sigabbrev_np(WTERMSIG(status)) : "ended", !!WCOREDUMP(status),
           info.si_code, info.si_status, handled != 0);
    return pid;
}

static void faults(void)
{
    limit(RLIM_INFINITY);
    *(volatile int *)16 = 1;
}

static void aborts(void)
{
    limit(RLIM_INFINITY);
    raise(SIGABRT);
}

static void terminates(void)
{
    limit(RLIM_INFINITY);
    raise(SIGTERM);
}

static void no_limit(void)
{
    limit(0);
    raise(SIGQUIT);
}

static void less_than_a_page(void)
{
    limit(4000);
    raise(SIGQUIT);
}

static void some_pages(void)
{
    limit(16 * 1024);
    raise(SIGQUIT);
}

static void undumpable(void)
{
    limit(RLIM_INFINITY);
    prctl(PR_SET_DUMPABLE, 0);
    raise(SIGQUIT);
}

static void nowhere(void)
{
    limit(RLIM_INFINITY);
    mkdir("gone", 0700);
    DIE_UNLESS(chdir("gone") == 0 && rmdir("../gone") == 0);
    raise(SIGQUIT);
}

static void over_directory(void)
{
    limit(RLIM_INFINITY);
    mkdir("core", 0700);
    raise(SIGQUIT);
}

static void changed_user(void)
{
    limit(RLIM_INFINITY);
    DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
    raise(SIGQUIT);
}

static void filtered(void)
{
    int fd = open("/proc/self/coredump_filter", O_RDWR);
    char buf[16] = "";

    limit(RLIM_INFINITY);
    DIE_UNLESS(read(fd, buf, sizeof(buf)) == 9);
    printf("filter was %s", buf);
    SHOW(pwrite(fd, "0x10\n", 5, 0));
    DIE_UNLESS(pread(fd, buf, sizeof(buf), 0) == 9);
    printf("filter is %s", buf);
    SHOW(pwrite(fd, "x", 1, 0));
    raise(SIGQUIT);
}

static void shared_by_file(void)
{
    limit(RLIM_INFINITY);
    int fd = open("/proc/self/coredump_filter", O_RDWR);

    DIE_UNLESS(write(fd, "9", 1) == 1);
    raise(SIGQUIT);
}

/* ---- Threads ---- */

static pthread_barrier_t barrier;

static void *waits(void *arg)
{
    __asm__ volatile("" ::: "memory");
    pthread_barrier_wait(&barrier);
    for (;;)
        pause();
    return arg;
}

static void *spins(void *arg)
{
    pthread_barrier_wait(&barrier);
    for (;;)
        ;
    return arg;
}

static void *dies_in_thread(void *arg)
{
    pthread_barrier_wait(&barrier);
    *(volatile int *)32 = 1;
    return arg;
}

static void threads(void)
{
    pthread_t t;

    limit(RLIM_INFINITY);
    pthread_barrier_init(&barrier, NULL, 4);
    pthread_create(&t, NULL, waits, NULL);
    pthread_create(&t, NULL, spins, NULL);
    pthread_create(&t, NULL, dies_in_thread, NULL);
    waits(NULL);
}

static void *vforks(void *arg)
{
    pthread_barrier_wait(&barrier);
    if (vfork() == 0)
        for (;;)
            pause();
    return arg;
}

/* Another thread waits for a child that never lets it go. */
static void beside_vfork(void)
{
    pthread_t t;

    limit(RLIM_INFINITY);
    prctl(PR_SET_PDEATHSIG, 0);
    pthread_barrier_init(&barrier, NULL, 2);
    pthread_create(&t, NULL, vforks, NULL);
    pthread_barrier_wait(&barrier);
    usleep(20000);
    raise(SIGQUIT);
}

static void threaded(void)
{
    pid_t pid = dies("a thread", threads);
    struct elf_prstatus *s;
    struct elf_prpsinfo *i;
    int different = 1;

    DIE_UNLESS(load_core() == 0);
    show_notes();
    s = content(note(NT_PRSTATUS, 0));
    printf("the one that died is another than the first %d\n", s->pr_pid != pid);
    for (int n = 0; n < 4; n++) {
        s = content(note(NT_PRSTATUS, n));
        for (int m = 0; m < n; m++) {
            struct elf_prstatus *other = content(note(NT_PRSTATUS, m));

            different &= other->pr_pid != s->pr_pid && other->pr_reg[15] != s->pr_reg[15];
        }
        if (segment_at((void *)s->pr_reg[15]) == NULL || note(NT_FPREGSET, n) == NULL)
            different = 0;
    }
    printf("each has its own stack %d\n", different);
    i = content(note(NT_PRPSINFO, 0));
    printf("the process is the first %d\n", i->pr_pid == pid);
    drop_core();
}

int main(void)
{
    pid_t pid;

    make_memory();
    pid = dies("a fault", faults);
    printf("the signal tells of a core: %d\n", handled == 1);
    DIE_UNLESS(load_core() == 0);
    show_core(pid);
    dies("abort", aborts);
    DIE_UNLESS(load_core() == 0);
    drop_core();
    dies("a signal without core", terminates);
    SHOW(access("core", F_OK));
    dies("limit 0", no_limit);
    SHOW(access("core", F_OK));
    dies("limit below a page", less_than_a_page);
    SHOW(access("core", F_OK));
    dies("limit of some pages", some_pages);
    DIE_UNLESS(load_core() == 0);
    printf("within the limit %d\n", core_size <= 16 * 1024 || segment(1) != NULL);
    drop_core();
    dies("not dumpable", undumpable);
    SHOW(access("core", F_OK));
    dies("no directory", nowhere);
    dies("another user", changed_user);
    SHOW(access("core", F_OK));
    dies("a directory in its place", over_directory);
    rmdir("core");
    close(open("core", O_WRONLY | O_CREAT, 0666));
    link("core", "other");
    dies("an old file with two names", aborts);
    DIE_UNLESS(load_core() == 0);
    drop_core();
    unlink("other");
    symlink("elsewhere", "core");
    dies("a link in its place", aborts);
    SHOW(access("elsewhere", F_OK));
    DIE_UNLESS(load_core() == 0);
    drop_core();
    dies("headers only", filtered);
    DIE_UNLESS(load_core() == 0);
    show_memory("private", kept, NULL);
    show_memory("shared anonymous", shared, NULL);
    show_memory("data", filled, NULL);
    drop_core();
    dies("private and shared files", shared_by_file);
    DIE_UNLESS(load_core() == 0);
    show_memory("private", kept, "kept");
    show_memory("shared anonymous", shared, NULL);
    drop_core();
    threaded();
    dies("beside a vfork", beside_vfork);
    drop_core();
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM); /* the child */
    return 0;
}
