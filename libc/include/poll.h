#ifndef POLL_H
#define POLL_H

#define POLLIN  0x0001
#define POLLOUT 0x0004
#define POLLERR 0x0008
#define POLLHUP 0x0010

struct pollfd {
    int fd;
    short events, revents;
};

int poll(struct pollfd *fds, unsigned n, int timeout_ms);

#endif
