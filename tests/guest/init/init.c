/*
 * Process 1 of the guest test machine. Runs each program in /tests in a fresh directory and prints,
 * for tests/guest/run.py to read:
 *
 *     === NAME
 *     | each line of its output
 *     === exit N              or: === signal N, === timeout
 *     === mm_check: text      where the kernel's audit has something to say
 *
 * and at last "=== done", then powers off. Arguments (after -- on the kernel command line) pick
 * tests by name.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIMIT_SECONDS    120
#define RUNS_MOST        1000
#define INJECTED_SECONDS 8
#define EXHAUST_SECONDS  1800
#define SLACK            4 /* pages that this program itself may come to use */

static volatile bool timed_out;

static void on_alarm(int signo)
{
    (void)signo;
    timed_out = true;
}

/* In the child: output to the file, no input, a directory of its own. */
static void start_test(const char *name, int run)
{
    char path[300];
    int null = open("/dev/null", O_RDONLY), out;

    snprintf(path, sizeof(path), run ? "/tmp/%s.%d" : "/tmp/%s", name, run);
    mkdir(path, 0755);
    if (chdir(path) < 0)
        _exit(125);
    out = open("/tmp/output", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    for (int fd = 3; fd < 10; fd++)
        close(fd);
    setsid();
    unsetenv("TERM");
    snprintf(path, sizeof(path), "/tests/%s", name);
    execv(path, (char *[]){path, NULL});
    _exit(126);
}

static void print_output(void)
{
    FILE *f = fopen("/tmp/output", "r");
    bool line_start = true;
    int left = 256 * 1024;
    int c;

    while (f && left-- && (c = getc(f)) != EOF) {
        if (line_start)
            fputs("| ", stdout);
        putchar(c);
        line_start = c == '\n';
    }
    if (!line_start)
        puts("\\");
    if (f)
        fclose(f);
    unlink("/tmp/output");
}

static long field(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* The audit finds nothing, and what the test had in memory is gone with it. */
static void report_check(void)
{
    static long anon_before = -1, tables_before;
    char text[512];
    int fd = open("/proc/mm_check", O_RDONLY), n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    long anon, tables;

    if (fd >= 0)
        close(fd);
    text[n < 0 ? 0 : n] = '\0';
    anon = field(text, "anon ");
    tables = field(text, "tables ");
    if (field(text, "violations ") != 0)
        printf("=== mm_check: %s\n", n < 0 ? strerror(errno) : text);
    if (anon_before >= 0 && (anon > anon_before + SLACK || tables > tables_before + SLACK))
        printf("=== mm_check: leaked: anon %ld -> %ld, tables %ld -> %ld\n", anon_before, anon,
               tables_before, tables);
    anon_before = anon;
    tables_before = tables;
}

/* How many allocations were made to fail so far (docs/debugging.md); 0 where that is off. */
static long injected_failures(void)
{
    char text[128];
    int fd = open("/proc/sys/kernel/inject", O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return field(text, "failed ");
}

/* Runs the test once; its wait status. */
static int run_once(const char *name, int run, unsigned seconds)
{
    int status = 0;
    pid_t pid, ended;

    timed_out = false;
    alarm(seconds);
    pid = fork();
    if (pid == 0)
        start_test(name, run);
    while ((ended = wait(&status)) != pid && !(ended < 0 && (timed_out || errno == ECHILD)))
        ;
    alarm(0);
    kill(-1, SIGKILL);
    while (wait(NULL) > 0)
        ;
    return status;
}

/* While allocations are made to fail, again and again until none was: each run gets a bit further.
 */
static void run_test(const char *name)
{
    int status;
    long before, after = injected_failures();
    /* inject=1, exhaust=all on the kernel's command line */
    unsigned limit = getenv("inject")    ? INJECTED_SECONDS
                     : getenv("exhaust") ? EXHAUST_SECONDS
                                         : LIMIT_SECONDS;

    printf("=== %s\n", name);
    fflush(stdout);
    for (int runs = 0; runs < RUNS_MOST; runs++) {
        before = after;
        status = run_once(name, runs, limit);
        after = injected_failures();
        if (after == before)
            break;
        report_check();
    }
    print_output();
    if (timed_out)
        printf("=== timeout\n");
    else if (WIFSIGNALED(status))
        printf("=== signal %d\n", WTERMSIG(status));
    else
        printf("=== exit %d\n", WEXITSTATUS(status));
    report_check();
    fflush(stdout);
}

static bool chosen(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc < 2;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int main(int argc, char **argv)
{
    struct sigaction act = {.sa_handler = on_alarm};
    char *names[256];
    struct dirent *e;
    int n = 0;
    DIR *d;

    sigaction(SIGALRM, &act, NULL);
    mount("proc", "/proc", "proc", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    mkdir("/dev/pts", 0755);
    mount("devpts", "/dev/pts", "devpts", 0, "mode=600");
    mkdir("/dev/shm", 0755);
    mount("tmpfs", "/dev/shm", "tmpfs", 0, NULL);
    mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
    d = opendir("/tests");
    while (d && n < 256 && (e = readdir(d)))
        if (e->d_name[0] != '.')
            names[n++] = strdup(e->d_name);
    qsort(names, n, sizeof(*names), by_name);
    for (int i = 0; i < n; i++)
        if (chosen(names[i], argc, argv))
            run_test(names[i]);
    printf("=== done\n");
    fflush(stdout);
    sync();
    reboot(RB_POWER_OFF);
    return 0;
}
