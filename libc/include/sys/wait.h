#ifndef SYS_WAIT_H
#define SYS_WAIT_H

#include <sys/types.h>

#define WNOHANG    1
#define WUNTRACED  2
#define WCONTINUED 8

#define WTERMSIG(s)     ((s)&0x7f)
#define WIFEXITED(s)    (WTERMSIG(s) == 0)
#define WEXITSTATUS(s)  (((s) >> 8) & 0xff)
#define WIFSTOPPED(s)   (((s)&0xff) == 0x7f)
#define WSTOPSIG(s)     WEXITSTATUS(s)
#define WIFCONTINUED(s) ((s) == 0xffff)
#define WIFSIGNALED(s)  (!WIFEXITED(s) && !WIFSTOPPED(s) && !WIFCONTINUED(s))

struct rusage;

pid_t wait(int *status);
pid_t waitpid(pid_t pid, int *status, int options);
pid_t wait4(pid_t pid, int *status, int options, struct rusage *usage);

#endif
