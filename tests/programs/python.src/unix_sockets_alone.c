/* Preloaded (LD_PRELOAD), takes from a program every family of sockets but AF_UNIX, as here there
 * are no others. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int socket(int family, int type, int protocol)
{
    if (family == AF_UNIX)
        return (int)syscall(SYS_socket, family, type, protocol);
    errno = EAFNOSUPPORT;
    return -1;
}
