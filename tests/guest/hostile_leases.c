/*
 * A lease whose holder does nothing is lowered for him after lease-break-time; with a time of 0 he
 * may keep it for ever. /proc/sys/fs is the machine's: only Faultline runs this.
 */
#include "guest.h"

static void put(const char *name, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), "fs/%s", name);
    printf("%s %s: %s\n", name, text, put_setting(path, text));
}

static volatile int told;

static void on_signal(int signo)
{
    told = signo;
}

static int lease(int flags, int type)
{
    int fd = open("leased", flags | O_CREAT, 0600);

    DIE_UNLESS(fd >= 0 && fcntl(fd, F_SETLEASE, type) == 0);
    told = 0;
    return fd;
}

/* Opens it in a child; its status. */
static void opens(int flags, unsigned seconds)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(seconds);
        _exit(open("leased", flags) < 0);
    }
    while (waitpid(pid, &status, 0) < 0)
        ;
    print_status("who opened it", status);
}

int main(void)
{
    int fd;

    signal(SIGIO, on_signal);
    put("lease-break-time", "x");
    put("lease-break-time", "1");
    fd = lease(O_RDONLY, F_RDLCK);
    opens(O_WRONLY, 20);
    printf("told %d, lease %d\n", told == SIGIO, fcntl(fd, F_GETLEASE));
    close(fd);
    fd = lease(O_RDWR, F_WRLCK);
    opens(O_RDONLY, 20);
    printf("told %d, lease %d\n", told == SIGIO, fcntl(fd, F_GETLEASE));
    close(fd);
    put("lease-break-time", "0");
    fd = lease(O_RDONLY, F_RDLCK);
    opens(O_WRONLY, 3);
    printf("told %d, lease %d\n", told == SIGIO, fcntl(fd, F_GETLEASE));
    close(fd);
    put("leases-enable", "0");
    fd = open("leased", O_RDONLY);
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    put("leases-enable", "1");
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
    return 0;
}
