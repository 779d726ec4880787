/* Process accounting: who may, where to, what is told of processes that end. */
#include "guest.h"
#include <sys/acct.h>
#include <time.h>

CHANGES_THE_MACHINE("process accounting");

#define FILE_NAME "/tmp/acct.records"
#define WORKS     3 /* its place among the children */

static unsigned long from_comp(comp_t c)
{
    return (unsigned long)(c & 0x1fff) << 3 * (c >> 13);
}

static void ends_well(void *unused)
{
    (void)unused;
    _exit(3);
}

static void is_killed(void *unused)
{
    (void)unused;
    raise(SIGTERM);
}

static void runs(void *name)
{
    DIE_UNLESS(setgid(7) == 0 && setuid(6) == 0);
    execl("/proc/self/exe", (const char *)name, "end", (char *)NULL);
}

static void works(void *unused)
{
    char *p = malloc(200 * PAGE);

    (void)unused;
    for (int i = 0; i < 200; i++)
        ((volatile char *)p)[i * PAGE] = 1;
    usleep(120000);
}

static void needs_root(void *unused)
{
    char name[64];

    (void)unused;
    DIE_UNLESS(gethostname(name, sizeof(name)) == 0 && sethostname(name, strlen(name)) == 0);
}

static void as_nobody(void *unused)
{
    (void)unused;
    DIE_UNLESS(setuid(65534) == 0);
    SHOW(acct("/none"));
    SHOW(acct(NULL));
}

/* slow: it has slept for 120 ms. The others may take as long on a busy machine. */
static void show(const struct acct_v3 *r, bool slow)
{
    float elapsed;

    memcpy(&elapsed, &r->ac_etime, sizeof(elapsed));
    printf("%.16s: version %d, flags %x, status %x, uid %u, gid %u, %s, began %s, faults "
           "%s, memory %s, %u %u %u\n",
           r->ac_comm[0] ? "named" : "nameless", r->ac_version, r->ac_flag,
           (unsigned)r->ac_exitcode, (unsigned)r->ac_uid, (unsigned)r->ac_gid,
           slow && elapsed < 12 ? "too fast" : "timed",
           time(NULL) - (time_t)r->ac_btime < 30 ? "now" : "elsewhen",
           from_comp(r->ac_minflt) >= 200 ? "many" : "few", r->ac_mem ? "some" : "none", r->ac_io,
           r->ac_rw, r->ac_swaps);
}

int main(int argc, char **argv)
{
    struct acct_v3 r;
    char text[64];
    FILE *f;
    int fd, n = 0;

    if (argc > 1)
        return 0;
    SHOW(acct("/none"));
    SHOW(acct("/tmp"));
    SHOW(acct("/dev/null"));
    SHOW(acct((char *)8));
    SHOW(acct("/proc/version"));
    SHOW(acct(NULL));
    in_child("nobody", as_nobody, NULL);
    close(open(FILE_NAME, O_CREAT | O_TRUNC | O_WRONLY, 0600));
    SHOW(acct(FILE_NAME));
    in_child("well", ends_well, NULL);
    in_child("killed", is_killed, NULL);
    in_child("runs", runs, argv[0]);
    in_child("works", works, NULL);
    in_child("needs root", needs_root, NULL);
    SHOW(acct(NULL));
    in_child("unseen", ends_well, NULL);
    fd = open(FILE_NAME, O_RDONLY);
    while (read(fd, &r, sizeof(r)) == sizeof(r))
        if ((pid_t)r.ac_ppid == getpid()) /* threads of the system may end, too */
            show(&r, n++ == WORKS);
    close(fd);
    f = fopen("/proc/sys/kernel/acct", "r");
    DIE_UNLESS(f && fgets(text, sizeof(text), f));
    printf("%s", text);
    fclose(f);
    unlink(FILE_NAME);
    return 0;
}
