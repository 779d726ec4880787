/*
 * ptrace: TRACEME, attach and detach, registers, memory, signals that stop, and what is refused.
 */
#include <sys/prctl.h>
#include "tracing.h"

/* ---- Signals ---- */

static volatile int handled;

static void on_signal(int signo)
{
    handled = signo;
}

static void raises(void)
{
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    if (handled != SIGUSR1)
        _exit(1);
    signal(SIGUSR2, SIG_IGN);
    raise(SIGUSR2); /* its tracer hears of it all the same */
    handled = 0;
    raise(SIGUSR1); /* not delivered */
    if (handled)
        _exit(2);
    raise(SIGTERM); /* becomes SIGUSR1 */
    _exit(handled == SIGUSR1 ? 7 : 3);
}

static void signal_stops(void)
{
    siginfo_t info;
    pid_t pid = tracee(raises);

    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("handled", pid);
    SHOW(trace(PTRACE_GETSIGINFO, pid, 0, (long)&info));
    printf("from itself %d, code %d\n", info.si_pid == pid, info.si_code);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGUSR1));
    await("ignored", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGUSR2));
    await("suppressed", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("replaced", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, SIGUSR1));
    await("end", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
}

/* ---- Attaching ---- */

static void attaching(void)
{
    char path[64], line[128];
    pid_t pid = child(idle);
    FILE *f;

    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    SHOW(trace(PTRACE_ATTACH, pid, 0, 0));
    await("attached", pid);
    SHOW(trace(PTRACE_ATTACH, pid, 0, 0));
    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof(line), f)) {
        int tracer;

        if (strncmp(line, "State:", 6) == 0)
            fputs(line, stdout);
        if (sscanf(line, "TracerPid: %d", &tracer) == 1)
            printf("traced by us: %d\n", tracer == getpid());
    }
    fclose(f);
    SHOW(trace(PTRACE_CONT, pid, 0, 65));
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    SHOW(trace(PTRACE_CONT, pid, 0, 0)); /* it runs */
    SHOW(trace(PTRACE_DETACH, pid, 0, 0));
    kill(pid, SIGUSR2);
    await("a signal", pid);
    SHOW(trace(PTRACE_DETACH, pid, 0, 65));
    SHOW(trace(PTRACE_DETACH, pid, 0, SIGUSR2));
    await("detached with the signal", pid);
}

/* One that is stopped already says so, and is still stopped when it is let go. */
static void attaching_stopped(void)
{
    int status;
    pid_t pid = child(idle);

    kill(pid, SIGSTOP);
    DIE_UNLESS(waitpid(pid, &status, WUNTRACED) == pid);
    SHOW(trace(PTRACE_ATTACH, pid, 0, 0));
    await("attached", pid);
    SHOW(trace(PTRACE_CONT, pid, 0, 0));
    await("then", pid);
    SHOW(trace(PTRACE_DETACH, pid, 0, SIGSTOP));
    SHOW(waitpid(pid, &status, WUNTRACED | WNOHANG)); /* the stop is told of */
    kill(pid, SIGCONT);
    SHOW(waitpid(pid, &status, WCONTINUED) == pid);
    finish(pid);
}

/* The tracer ends: the tracee goes on. */
static void tracer_dies(void)
{
    int status;
    pid_t target = child(idle), tracer = fork();

    if (tracer == 0) {
        DIE_UNLESS(trace(PTRACE_ATTACH, target, 0, 0) == 0);
        DIE_UNLESS(waitpid(target, &status, __WALL) == target);
        _exit(5);
    }
    SHOW(waitpid(tracer, &status, 0) == tracer);
    print_status("tracer", status);
    SHOW(waitpid(target, NULL, WNOHANG | WUNTRACED));
    kill(target, SIGTERM);
    await("target", target);

    /* With PTRACE_O_EXITKILL it dies. */
    target = child(idle);
    tracer = fork();
    if (tracer == 0) {
        DIE_UNLESS(trace(PTRACE_SEIZE, target, 0, PTRACE_O_EXITKILL) == 0);
        _exit(6);
    }
    SHOW(waitpid(tracer, &status, 0) == tracer);
    await("target", target);
}

/* ---- Who may ---- */

static void refusals(void)
{
    pid_t pid = child(idle), user;

    SHOW(trace(PTRACE_ATTACH, getpid(), 0, 0));
    SHOW(trace(PTRACE_ATTACH, 0, 0, 0));
    SHOW(trace(PTRACE_ATTACH, -5, 0, 0));
    SHOW(trace(PTRACE_ATTACH, 999999, 0, 0));
    SHOW(trace(PTRACE_SEIZE, 999999, 1, 0));
    SHOW(trace(PTRACE_SEIZE, pid, 1, 0));
    SHOW(trace(PTRACE_SEIZE, pid, 0, 0x40000000));
    SHOW(trace(PTRACE_PEEKDATA, pid, 0x10000, 0));
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0));
    SHOW(trace(PTRACE_KILL, pid, 0, 0));
    SHOW(trace(1000, pid, 0, 0));
    SHOW(trace(PTRACE_ATTACH, pid, 0, 0));
    await("attached", pid);
    SHOW(trace(1000, pid, 0, 0));
    SHOW(trace(PTRACE_INTERRUPT, pid, 0, 0)); /* was not seized */
    SHOW(trace(PTRACE_LISTEN, pid, 0, 0));
    SHOW(trace(PTRACE_SETOPTIONS, pid, 0, 0x40000000));
    SHOW(trace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    user = fork();
    if (user == 0) {
        SHOW(trace(PTRACE_CONT, pid, 0, 0)); /* not its tracee */
        _exit(0);
    }
    waitpid(user, NULL, 0);
    SHOW(trace(PTRACE_KILL, pid, 0, 0));
    await("killed", pid);
    pid = child(idle);
    user = fork();
    if (user == 0) {
        DIE_UNLESS(setgid(1000) == 0 && setuid(1000) == 0);
        SHOW(trace(PTRACE_ATTACH, pid, 0, 0)); /* root's */
        SHOW(trace(PTRACE_ATTACH, 1, 0, 0));
        pid = child(idle);
        SHOW(trace(PTRACE_ATTACH, pid, 0, 0)); /* setuid took away what dumpable gives */
        DIE_UNLESS(prctl(PR_SET_DUMPABLE, 1) == 0);
        pid_t mine = child(idle);
        SHOW(trace(PTRACE_ATTACH, mine, 0, 0));
        await("its own", mine);
        kill(pid, SIGKILL);
        kill(mine, SIGKILL);
        _exit(0);
    }
    waitpid(user, NULL, 0);
    finish(pid);
}

static void traced_twice(void)
{
    printf("again: %s\n", error_name(ptrace(PTRACE_TRACEME, 0, 0, 0) ? errno : 0));
}

/* ---- Memory ---- */

static char page_of[PAGE] __attribute__((aligned(PAGE)));
static const char constant[] __attribute__((aligned(16))) = "in the text of the program";

static void memory(void)
{
    char *shared = map(PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char *closed = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *never = map(PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *ro_shared = map(PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsigned value;
    pid_t pid;

    strcpy(page_of, "the parent's");
    strcpy(closed, "secret");
    mprotect(closed, PAGE, PROT_NONE);
    pid = tracee(idle);
    printf("%.4s\n", (char *)(unsigned[]){peek(PTRACE_PEEKDATA, pid, (long)page_of), 0});
    SHOW(trace(PTRACE_POKEDATA, pid, (long)page_of, 0x4a4a4a4a));
    printf("here %s, there %x\n", page_of, peek(PTRACE_PEEKTEXT, pid, (long)page_of));
    SHOW(trace(PTRACE_POKETEXT, pid, (long)constant, 0x58585858));
    printf("here %s, there %x\n", constant, peek(PTRACE_PEEKDATA, pid, (long)constant));
    SHOW(trace(PTRACE_POKEDATA, pid, (long)shared, 0x31323334));
    printf("shared: here %x\n", *(unsigned *)shared);
    printf("%x\n", peek(PTRACE_PEEKDATA, pid, (long)closed));
    SHOW(trace(PTRACE_POKEDATA, pid, (long)closed, 0x41414141));
    printf("%x\n", peek(PTRACE_PEEKDATA, pid, (long)closed));
    printf("%x\n", peek(PTRACE_PEEKDATA, pid, (long)never));
    SHOW(trace(PTRACE_POKEDATA, pid, (long)never + 8, 0x42424242));
    printf("%x\n", peek(PTRACE_PEEKDATA, pid, (long)never + 8));
    SHOW(trace(PTRACE_POKEDATA, pid, (long)ro_shared, 1));
    printf("%x\n", peek(PTRACE_PEEKDATA, pid, (long)ro_shared));
    /* Across two pages, the second of which is there or not. */
    SHOW(trace(PTRACE_PEEKDATA, pid, (long)page_of + PAGE - 2, (long)&value));
    SHOW(trace(PTRACE_PEEKDATA, pid, 0, (long)&value));
    SHOW(trace(PTRACE_PEEKDATA, pid, 0xffffffff, (long)&value));
    SHOW(trace(PTRACE_PEEKDATA, pid, 0xfffffffc, (long)&value));
    SHOW(trace(PTRACE_POKEDATA, pid, 0xc0100000, 0));
    SHOW(trace(PTRACE_PEEKDATA, pid, (long)page_of, 0));
    SHOW(trace(PTRACE_PEEKDATA, pid, (long)page_of, 0xfffffff0));
    mprotect(closed, PAGE, PROT_READ);
    printf("the parent's own: %s\n", closed);
    finish(pid);
}

/* A program's text on the page cache: what is poked into one process is in no other. */
static void text_is_shared(void)
{
    pid_t a = tracee(idle), b = tracee(idle);
    unsigned was = peek(PTRACE_PEEKTEXT, b, (long)&text_is_shared);
    int fd = open("/proc/self/exe", O_RDONLY);
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned long start, offset;
    unsigned on_disk = 0;

    SHOW(trace(PTRACE_POKETEXT, a, (long)&text_is_shared, 0xcccccccc));
    printf("the other has it %d, we have it %d\n",
           peek(PTRACE_PEEKTEXT, b, (long)&text_is_shared) != was,
           *(unsigned *)&text_is_shared != was);
    while (fscanf(maps, "%lx-%*x %*s %lx %*[^\n]", &start, &offset) == 2)
        if (start <= (unsigned long)&text_is_shared)
            DIE_UNLESS(pread(fd, &on_disk, 4, (unsigned long)&text_is_shared - start + offset) ==
                           4 ||
                       true);
        else
            break;
    printf("the file has it %d\n", on_disk == 0xcccccccc);
    fclose(maps);
    close(fd);
    finish(a);
    finish(b);
}

int main(void)
{
    pid_t pid;

    signal_stops();
    attaching();
    attaching_stopped();
    tracer_dies();
    refusals();
    pid = tracee(traced_twice);
    DIE_UNLESS(trace(PTRACE_CONT, pid, 0, 0) == 0); /* shown, it would race with what pid shows */
    await("end", pid);
    memory();
    text_is_shared();
    SHOW(waitpid(-1, NULL, __WALL));
    return 0;
}
