/* exec in a process with several threads: one that fails harms none of them, one that succeeds ends
 * them; what was shared with another process is so no longer. */
#include "guest.h"
#include <elf.h>
#include <pthread.h>
#include <stddef.h>
#include <sched.h>
#include <semaphore.h>

#define THREADS 3

static sem_t asked[THREADS], answered;
static char *self;

static void *answers(void *arg)
{
    for (;;) {
        sem_wait(arg);
        sem_post(&answered);
    }
    return NULL;
}

static void start_threads(void)
{
    pthread_t t;

    sem_init(&answered, 0, 0);
    for (int i = 0; i < THREADS; i++) {
        sem_init(&asked[i], 0, 0);
        DIE_UNLESS(pthread_create(&t, NULL, answers, &asked[i]) == 0);
    }
}

static void all_answer(void)
{
    for (int i = 0; i < THREADS; i++) {
        sem_post(&asked[i]);
        sem_wait(&answered);
    }
}

static void fails(const char *path, char *const argv[])
{
    static char *const no_env[] = {NULL};

    execve(path, argv, no_env);
    printf("%s: %s", path == self ? "itself" : path, error_name(errno));
    all_answer();
    printf(", and all threads answer\n");
}

static void write_file(const char *name, const void *data, size_t n)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);

    DIE_UNLESS(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
}

/* A program with one segment and perhaps an interpreter. */
static void write_elf(const char *name, const char *interpreter, uint32_t phnum, uint32_t type)
{
    struct tiny {
        Elf32_Ehdr h;
        Elf32_Phdr p[2];
        char name[64];
    } e = {0};

    memcpy(e.h.e_ident, ELFMAG, SELFMAG);
    e.h.e_ident[EI_CLASS] = ELFCLASS32;
    e.h.e_ident[EI_DATA] = ELFDATA2LSB;
    e.h.e_ident[EI_VERSION] = EV_CURRENT;
    e.h.e_type = type;
    e.h.e_machine = EM_386;
    e.h.e_version = EV_CURRENT;
    e.h.e_phoff = offsetof(struct tiny, p);
    e.h.e_phentsize = sizeof(Elf32_Phdr);
    e.h.e_phnum = phnum;
    e.p[0] = (Elf32_Phdr){.p_type = PT_LOAD,
                          .p_vaddr = 0x8048000,
                          .p_filesz = sizeof(e),
                          .p_memsz = sizeof(e),
                          .p_flags = PF_R};
    e.p[1] = (Elf32_Phdr){.p_type = PT_INTERP,
                          .p_offset = offsetof(struct tiny, name),
                          .p_filesz = strlen(interpreter) + 1};
    strcpy(e.name, interpreter);
    write_file(name, &e, sizeof(e));
}

static void failures(void)
{
    char *const args[] = {"x", NULL};
    char *huge = malloc(200000), *const too_long[] = {"x", huge, NULL};
    int fd;

    memset(huge, 'a', 199999);
    huge[199999] = '\0';
    fails("/nonexistent", args);
    fails("/", args);
    write_file("text", "hello\n", 6);
    fails("./text", args);
    chmod("text", 0600);
    fails("./text", args);
    write_file("script", "#!/nonexistent\n", 15);
    fails("./script", args);
    write_file("short", ELFMAG, SELFMAG);
    fails("./short", args);
    write_elf("no_headers", "/x", 0, ET_EXEC);
    fails("./no_headers", args);
    write_elf("core", "/x", 2, ET_CORE);
    fails("./core", args);
    write_elf("no_interpreter", "/nonexistent", 2, ET_EXEC);
    fails("./no_interpreter", args);
    write_elf("directory", "/", 2, ET_EXEC);
    fails("./directory", args);
    fails(self, too_long);
    fails(self, (char **)8);
    fails((char *)"", args);
    fd = open("busy", O_RDWR | O_CREAT, 0700);
    fails("./busy", args);
    close(fd);
}

static void *execs(void *arg)
{
    char *args[] = {self, "after", arg, NULL};

    execv(self, args);
    _exit(9);
}

/* By another thread than the first, with THREADS others. */
static void succeeds(void *arg)
{
    pthread_t t;

    start_threads();
    pthread_create(&t, NULL, execs, arg);
    pause();
}

static int child_stack[8192];

static int shares(void *arg)
{
    char *args[] = {self, "after", arg, NULL};

    fcntl(5, F_SETFD, FD_CLOEXEC);
    execv(self, args);
    return 9;
}

static void handler(int signo)
{
    (void)signo;
}

/* The descriptors and handlers of a process that goes on are not exec's to close and reset. */
static void shared_tables(void)
{
    struct sigaction old;
    int status, pid;

    dup2(1, 5);
    signal(SIGUSR1, handler);
    pid = clone(shares, child_stack + 8192, CLONE_VM | CLONE_FILES | CLONE_SIGHAND | SIGCHLD,
                "shared");
    DIE_UNLESS(pid > 0 && waitpid(pid, &status, 0) == pid);
    print_status("the one that shared", status);
    SHOW(fcntl(5, F_GETFD));
    sigaction(SIGUSR1, NULL, &old);
    printf("SIGUSR1 is %s\n", old.sa_handler == handler ? "handled" : "not handled");
}

static int after(const char *how)
{
    struct sigaction old;
    char line[100];
    FILE *f = fopen("/proc/self/status", "r");

    while (fgets(line, sizeof(line), f))
        if (strncmp(line, "Threads:", 8) == 0)
            printf("%s: %s", how, line);
    sigaction(SIGUSR1, NULL, &old);
    printf("%s: pid %s tid, descriptor 5 %s, SIGUSR1 %s\n", how,
           getpid() == gettid() ? "is" : "is not", fcntl(5, F_GETFD) < 0 ? "closed" : "open",
           old.sa_handler == SIG_DFL ? "default" : "kept");
    return 0;
}

int main(int argc, char **argv)
{
    static char path[256];

    if (argc > 2)
        return after(argv[2]);
    path[readlink("/proc/self/exe", path, sizeof(path) - 1)] = '\0';
    self = path;
    shared_tables();
    in_child("exec by another thread", succeeds, "threads");
    start_threads();
    failures();
    return 0;
}
