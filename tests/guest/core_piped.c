/* A program that reads cores: core_pattern with "|", who it is, what it gets, when there is none.
 */
#include <elf.h>
#include <sys/prctl.h>
#include "guest.h"

CHANGES_THE_MACHINE("core_pattern");

#define PATTERN "/proc/sys/kernel/core_pattern"
#define LIMIT   "/proc/sys/kernel/core_pipe_limit"
#define TOLD    "/tmp/core_piped.told"
#define PROGRAM "/tmp/core_piped.reader"

static int set(const char *file, const char *text)
{
    int fd = open(file, O_WRONLY), n = (int)write(fd, text, strlen(text)), error = errno;

    close(fd);
    errno = error;
    return n == (int)strlen(text) ? 0 : -1;
}

/* The reader: tells of itself in a file. */
static int reads(int argc, char **argv)
{
    static unsigned char buf[PAGE];
    FILE *f = fopen(TOLD ".new", "w");
    Elf32_Ehdr h;
    struct rlimit r;
    size_t n, total = 0;
    char cwd[64];

    if (!f)
        return 1;
    for (int i = 2; i < argc; i++)
        fprintf(f, "argument %s\n", argv[i]);
    while ((n = fread(buf, 1, sizeof(buf), stdin)) > 0) {
        if (total == 0)
            memcpy(&h, buf, sizeof(h));
        total += n;
    }
    getrlimit(RLIMIT_CORE, &r);
    fprintf(f, "a core: %d, whole: %d\n",
            memcmp(h.e_ident, ELFMAG, SELFMAG) == 0 && h.e_type == ET_CORE, total > 100 * 1024);
    fprintf(f, "user %d %d, in %s, limit %d, environment %d, descriptors %d%d%d\n", getuid(),
            geteuid(), getcwd(cwd, sizeof(cwd)), (int)r.rlim_cur, environ[0] != NULL,
            fcntl(0, F_GETFD) >= 0, fcntl(1, F_GETFD) >= 0, fcntl(2, F_GETFD) >= 0);
    fclose(f);
    rename(TOLD ".new", TOLD);
    return 0;
}

static void show_told(void)
{
    char line[256];
    FILE *f = NULL;

    for (int i = 0; i < 300 && !f; i++) {
        usleep(10000);
        f = fopen(TOLD, "r");
    }
    if (!f)
        printf("nothing was told\n");
    while (f && fgets(line, sizeof(line), f))
        printf("told: %s", line);
    if (f)
        fclose(f);
    unlink(TOLD);
}

static void dies(const char *what, rlim_t n, int dumpable, bool quiet)
{
    struct rlimit r = {n, RLIM_INFINITY};
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        setrlimit(RLIMIT_CORE, &r);
        if (dumpable != 1)
            prctl(PR_SET_DUMPABLE, dumpable);
        abort();
    }
    waitpid(pid, &status, 0);
    printf("%s: signal %d, dumped %d\n", what, WTERMSIG(status), !!WCOREDUMP(status));
    if (!quiet)
        show_told();
}

static void copy_self(void)
{
    static char buf[PAGE];
    int in = open("/proc/self/exe", O_RDONLY), out = open(PROGRAM, O_CREAT | O_WRONLY, 0755);
    int n;

    while ((n = (int)read(in, buf, sizeof(buf))) > 0)
        DIE_UNLESS(write(out, buf, n) == n);
    close(in);
    close(out);
}

int main(int argc, char **argv)
{
    char line[256];
    FILE *f;

    if (argc > 1 && strcmp(argv[1], "read") == 0)
        return reads(argc, argv);
    copy_self();
    TRY(set(PATTERN, "|" PROGRAM " read %s  a%%b %u/%g %e% %Q."));
    f = fopen(PATTERN, "r");
    DIE_UNLESS(f && fgets(line, sizeof(line), f));
    printf("%s", line);
    fclose(f);
    dies("unlimited", RLIM_INFINITY, 1, false);
    dies("limit 0", 0, 1, false);
    dies("limit 1", 1, 1, true);
    dies("limit 2", 2, 1, false);
    dies("not dumpable", 0, 0, true);
    TRY(set(LIMIT, "1"));
    dies("waited for", 0, 1, true);
    printf("told at once: %d\n", access(TOLD, F_OK) == 0);
    unlink(TOLD);
    TRY(set(LIMIT, "0"));
    TRY(set(PATTERN, "|/none/such"));
    dies("no program", 0, 1, true);
    TRY(set(PATTERN, "|"));
    dies("nothing named", 0, 1, true);
    TRY(set(PATTERN, "core"));
    unlink(PROGRAM);
    return 0;
}
