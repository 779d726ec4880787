/*
 * As addresses.c, for calls on channels between programs and on other programs: sockets, System V
 * semaphores and messages, message queues, ptrace, seccomp, terminals, inotify. What each address
 * gives, alike ones counted.
 */
#include <mqueue.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include "borders.h"

/* ---- What the other arguments are ---- */

enum { SOCKET = 10, PEER, QUEUE, TTY, INOTIFY };

static char good[2 * PAGE] __attribute__((aligned(PAGE)));
static uint32_t soon[4] = {0, 1, 0, 0}; /* 1 ns, as a timespec of either width */
static uint32_t room = 16;              /* a socklen_t */
static int semaphores, messages;
static pid_t traced;

#define G          ((uint32_t)good)
#define SOON       ((uint32_t)soon)
#define ROOM       ((uint32_t)&room)
#define TRACED     0x5e1f5e20u /* stands for a child that it traces */
#define SEMAPHORES 0x5e1f5e21u
#define MESSAGES   0x5e1f5e22u
#define IPC_64     0x100u

#define TRACER OWN_FLAG /* wants a child that it traces */

static const struct call calls[] = {
    CALL_FLAGS(SHORT, "sendto text", sendto, 1, SOCKET, 0, 64, MSG_DONTWAIT, 0, 0),
    CALL("sendto address", sendto, 4, SOCKET, G, 4, MSG_DONTWAIT, 0, 16),
    CALL_FLAGS(SHORT, "recvfrom text", recvfrom, 1, SOCKET, 0, 64, MSG_DONTWAIT, 0, 0),
    CALL("sendmsg", sendmsg, 1, SOCKET, 0, MSG_DONTWAIT),
    CALL("recvmsg", recvmsg, 1, SOCKET, 0, MSG_DONTWAIT),
    CALL("sendmmsg", sendmmsg, 1, SOCKET, 0, 1, MSG_DONTWAIT),
    CALL("recvmmsg", recvmmsg, 1, SOCKET, 0, 1, MSG_DONTWAIT, 0),
    CALL("recvmmsg time", recvmmsg, 4, SOCKET, 0, 0, MSG_DONTWAIT, 0),
    CALL("bind", bind, 1, SOCKET, 0, 16),
    CALL("connect", connect, 1, SOCKET, 0, 16),
    CALL("getsockname address", getsockname, 1, SOCKET, 0, ROOM),
    CALL("getsockname length", getsockname, 2, SOCKET, G, 0),
    CALL("getpeername length", getpeername, 2, SOCKET, G, 0),
    CALL("getsockopt value", getsockopt, 3, SOCKET, SOL_SOCKET, SO_TYPE, 0, ROOM),
    CALL("getsockopt length", getsockopt, 4, SOCKET, SOL_SOCKET, SO_TYPE, G, 0),
    CALL("setsockopt value", setsockopt, 3, SOCKET, SOL_SOCKET, SO_PASSCRED, 0, 4),
    CALL("socketpair", socketpair, 3, AF_UNIX, SOCK_STREAM, 0, 0),
    CALL("socketcall", socketcall, 1, 9, 0),
    CALL("semctl IPC_STAT", semctl, 3, SEMAPHORES, 0, IPC_STAT | IPC_64, 0),
    CALL("semctl IPC_SET", semctl, 3, SEMAPHORES, 0, IPC_SET | IPC_64, 0),
    CALL("semctl GETALL", semctl, 3, SEMAPHORES, 0, GETALL, 0),
    CALL("semctl SETALL", semctl, 3, SEMAPHORES, 0, SETALL, 0),
    CALL("semtimedop operations", semtimedop_time64, 1, SEMAPHORES, 0, 1, SOON),
    CALL("semtimedop time", semtimedop_time64, 3, SEMAPHORES, G, 1, 0),
    CALL("msgctl IPC_STAT", msgctl, 2, MESSAGES, IPC_STAT | IPC_64, 0),
    CALL("msgctl IPC_SET", msgctl, 2, MESSAGES, IPC_SET | IPC_64, 0),
    CALL("msgsnd", msgsnd, 1, MESSAGES, 0, 4, IPC_NOWAIT),
    CALL("msgrcv", msgrcv, 1, MESSAGES, 0, 4, 0, IPC_NOWAIT),
    CALL("mq_open name", mq_open, 0, 0, O_RDONLY, 0, 0),
    CALL("mq_unlink", mq_unlink, 0, 0),
    CALL("mq_timedsend text", mq_timedsend, 1, QUEUE, 0, 4, 0, 0),
    CALL("mq_timedsend time", mq_timedsend, 4, QUEUE, G, 4, 0, 0),
    CALL("mq_timedreceive text", mq_timedreceive, 1, QUEUE, 0, 64, 0, 0),
    CALL("mq_timedreceive priority", mq_timedreceive, 3, QUEUE, G, 64, 0, 0),
    CALL("mq_timedreceive_time64 time", mq_timedreceive_time64, 4, QUEUE, G, 64, 0, 0),
    CALL("mq_notify", mq_notify, 1, QUEUE, 0),
    CALL("mq_getsetattr new", mq_getsetattr, 1, QUEUE, 0, 0),
    CALL("mq_getsetattr old", mq_getsetattr, 2, QUEUE, 0, 0),
    CALL_FLAGS(TRACER, "ptrace PEEKDATA", ptrace, 3, PTRACE_PEEKDATA, TRACED, G, 0),
    CALL_FLAGS(TRACER, "ptrace PEEKDATA there", ptrace, 2, PTRACE_PEEKDATA, TRACED, 0, G),
    CALL_FLAGS(TRACER, "ptrace POKEDATA there", ptrace, 2, PTRACE_POKEDATA, TRACED, 0, 1),
    CALL_FLAGS(TRACER, "ptrace PEEKUSER", ptrace, 3, PTRACE_PEEKUSER, TRACED, 0, 0),
    CALL_FLAGS(TRACER, "ptrace GETREGS", ptrace, 3, PTRACE_GETREGS, TRACED, 0, 0),
    CALL_FLAGS(TRACER, "ptrace SETREGS", ptrace, 3, PTRACE_SETREGS, TRACED, 0, 0),
    CALL_FLAGS(TRACER, "ptrace GETFPREGS", ptrace, 3, PTRACE_GETFPREGS, TRACED, 0, 0),
    CALL_FLAGS(TRACER, "ptrace GETREGSET", ptrace, 3, PTRACE_GETREGSET, TRACED, 1, 0),
    CALL_FLAGS(TRACER, "ptrace SETREGSET", ptrace, 3, PTRACE_SETREGSET, TRACED, 1, 0),
    CALL_FLAGS(TRACER, "ptrace GETSIGINFO", ptrace, 3, PTRACE_GETSIGINFO, TRACED, 0, 0),
    CALL_FLAGS(TRACER, "ptrace SETSIGINFO", ptrace, 3, PTRACE_SETSIGINFO, TRACED, 0, 0),
    CALL_FLAGS(TRACER, "ptrace PEEKSIGINFO", ptrace, 2, PTRACE_PEEKSIGINFO, TRACED, 0, G),
    CALL_FLAGS(TRACER, "ptrace GETEVENTMSG", ptrace, 3, PTRACE_GETEVENTMSG, TRACED, 0, 0),
    CALL_FLAGS(TRACER, "ptrace GETSIGMASK", ptrace, 3, PTRACE_GETSIGMASK, TRACED, 8, 0),
    CALL_FLAGS(TRACER, "ptrace SETSIGMASK", ptrace, 3, PTRACE_SETSIGMASK, TRACED, 8, 0),
    CALL_FLAGS(TRACER, "ptrace GET_SYSCALL_INFO", ptrace, 3, PTRACE_GET_SYSCALL_INFO, TRACED, 88,
               0),
    CALL("seccomp GET_ACTION_AVAIL", seccomp, 2, 2, 0, 0),
    CALL("seccomp SET_MODE_FILTER", seccomp, 2, 1, 0, 0),
    CALL("prctl PR_SET_SECCOMP", prctl, 2, PR_SET_SECCOMP, 2, 0),
    CALL("ioctl TCGETS", ioctl, 2, TTY, 0x5401, 0),
    CALL("ioctl TCSETS", ioctl, 2, TTY, 0x5402, 0),
    CALL("ioctl TIOCGWINSZ", ioctl, 2, TTY, 0x5413, 0),
    CALL("ioctl TIOCSWINSZ", ioctl, 2, TTY, 0x5414, 0),
    CALL("ioctl TIOCGPTN", ioctl, 2, TTY, 0x80045430, 0),
    CALL("ioctl TIOCSPTLCK", ioctl, 2, TTY, 0x40045431, 0),
    CALL("ioctl TIOCPKT", ioctl, 2, TTY, 0x5420, 0),
    CALL_FLAGS(SHORT, "write to a terminal", write, 1, TTY, 0, 4),
    CALL("read of inotify", read, 1, INOTIFY, 0, 64),
};

/* ---- Around a call ---- */

/* Each queue holds one message. */
static void reset(const struct call *c)
{
    (void)c;
    while (recv(SOCKET, good, sizeof(good), MSG_DONTWAIT) > 0)
        ;
    while (recv(PEER, good, sizeof(good), MSG_DONTWAIT) > 0)
        ;
    DIE_UNLESS(write(PEER, "pppp", 4) == 4);
    while (msgrcv(messages, good, 64, 0, IPC_NOWAIT) >= 0)
        ;
    DIE_UNLESS(msgsnd(messages, &(struct msgbuf){1, "p"}, 1, 0) == 0);
    while (mq_receive(QUEUE, good, 64, NULL) >= 0)
        ;
    DIE_UNLESS(mq_send(QUEUE, "pppp", 4, 0) == 0);
    close(open(".", O_RDONLY)); /* something to tell of */
    memset(good, 0, sizeof(good));
}

static uint32_t argument(uint32_t a)
{
    switch (a) {
    case SEMAPHORES:
        return (uint32_t)semaphores;
    case MESSAGES:
        return (uint32_t)messages;
    case TRACED:
        return (uint32_t)traced;
    default:
        return a;
    }
}

/* What was sent from a bad address would arrive here. */
static bool leaked(void)
{
    char buf[PAGE];
    ssize_t n;

    while ((n = recv(PEER, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (buf[i] && buf[i] != 'x' && buf[i] != 'p')
                return true;
    return false;
}

static void make_tracee(void)
{
    int status;

    traced = fork();
    if (traced == 0) {
        ptrace(PTRACE_TRACEME, 0, 0, 0);
        raise(SIGSTOP);
        _exit(0);
    }
    DIE_UNLESS(traced > 0 && waitpid(traced, &status, 0) == traced && WIFSTOPPED(status));
}

/* fd at that number and at no other. */
static void put(int fd, int number)
{
    DIE_UNLESS(fd >= 0 && dup2(fd, number) == number);
    if (fd != number)
        close(fd);
}

static void open_all(const struct call *c)
{
    struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 64};
    char name[32];
    int pair[2];

    DIE_UNLESS(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    put(pair[0], SOCKET);
    put(pair[1], PEER);
    semaphores = semget(IPC_PRIVATE, 2, 0600);
    messages = msgget(IPC_PRIVATE, 0600);
    DIE_UNLESS(semaphores >= 0 && messages >= 0);
    snprintf(name, sizeof(name), "/addresses-%d", getpid());
    put(mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr), QUEUE);
    mq_unlink(name);
    put(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), TTY);
    put(inotify_init1(O_NONBLOCK), INOTIFY);
    DIE_UNLESS(inotify_add_watch(INOTIFY, ".", IN_OPEN) >= 0);
    if (c->flags & TRACER)
        make_tracee();
}

static void close_all(void)
{
    semctl(semaphores, 0, IPC_RMID);
    msgctl(messages, IPC_RMID, NULL);
    if (traced)
        kill(traced, SIGKILL);
}

int main(void)
{
    static const struct surroundings around = {.open = open_all,
                                               .reset = reset,
                                               .argument = argument,
                                               .leaked = leaked,
                                               .close = close_all};

    try_calls(&around, calls, sizeof(calls) / sizeof(*calls));
    return 0;
}
