/* process_mrelease: what is no descriptor of a process, is alive, has ended, is gone. */
#include "guest.h"
#include <sys/pidfd.h>
#include <poll.h>

#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

#define RELEASE(fd, flags) SHOW(syscall(SYS_process_mrelease, fd, flags))

int main(void)
{
    int status, fd, hold[2];
    struct pollfd ended;
    pid_t pid;

    DIE_UNLESS(pipe(hold) == 0);
    RELEASE(-1, 0);
    RELEASE(hold[0], 0);
    RELEASE(-1, 1);
    pid = fork();
    if (pid == 0) {
        close(hold[1]);
        read(hold[0], &status, 1);
        _exit(0);
    }
    fd = pidfd_open(pid, 0);
    DIE_UNLESS(fd >= 0);
    RELEASE(fd, 0);
    RELEASE(fd, 1);
    close(hold[1]);
    ended = (struct pollfd){fd, POLLIN, 0};
    SHOW(poll(&ended, 1, -1));
    RELEASE(fd, 0);
    DIE_UNLESS(waitpid(pid, &status, 0) == pid);
    RELEASE(fd, 0);
    close(fd);
    fd = pidfd_open(getpid(), 0);
    RELEASE(fd, 0);
    return 0;
}
