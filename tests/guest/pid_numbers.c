/* /proc/sys/kernel/pid_max and ns_last_pid: which ids come next. */
#include "guest.h"

CHANGES_THE_MACHINE("the ids of processes");

static long get(const char *name)
{
    return number_in("/proc/sys/kernel/%s", name);
}

static void set(const char *name, const char *value)
{
    char path[64];
    int fd, n = 0;

    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    fd = open(path, O_WRONLY);
    if (fd < 0 || write(fd, value, strlen(value)) < 0)
        n = errno;
    close(fd);
    printf("%s = %s: %s\n", name, value, error_name(n));
}

static int next(void)
{
    int pid = fork(), status;

    if (pid == 0)
        _exit(0);
    waitpid(pid, &status, 0);
    return pid;
}

static void as_user(void *unused)
{
    (void)unused;
    DIE_UNLESS(setuid(1000) == 0);
    set("ns_last_pid", "400");
    set("pid_max", "400");
}

int main(void)
{
    int before = get("ns_last_pid"), pid;

    printf("most: %ld\n", get("pid_max"));
    set("pid_max", "300");
    set("pid_max", "32769");
    set("pid_max", "x");
    set("pid_max", "32768");
    set("ns_last_pid", "20000");
    pid = next();
    printf("then %d, shown %s\n", pid, get("ns_last_pid") == pid ? "so" : "otherwise");
    set("ns_last_pid", "20000");
    printf("again %d\n", next());
    set("ns_last_pid", "32766");
    pid = next();
    printf("%d, then %s\n", pid, next() < 1000 ? "from the start" : "further");
    set("pid_max", "301");
    set("ns_last_pid", "302");
    set("pid_max", "2000");
    set("ns_last_pid", "1998");
    pid = next();
    printf("%d, then %s\n", pid, next() < 1000 ? "from the start" : "further");
    set("pid_max", "32768");
    in_child("a user", as_user, NULL);
    set("ns_last_pid", "-1");
    set("ns_last_pid", "32769");
    DIE_UNLESS(before > 0);
    return 0;
}
