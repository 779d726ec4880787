/* Pipes and FIFOs: ends, capacity, atomicity, blocking opens. */
#include "guest.h"
#include <poll.h>
#include <sys/ioctl.h>

static char buffer[200000];

static void ends(void)
{
    int fds[2], n;
    char c;

    DIE_UNLESS(pipe(fds) == 0);
    SHOW(write(fds[1], "hello", 5));
    SHOW(ioctl(fds[0], FIONREAD, &n));
    printf("in it: %d\n", n);
    SHOW(read(fds[0], buffer, 3));
    SHOW(read(fds[0], buffer, 100));
    SHOW(read(fds[0], buffer, 0));
    SHOW(write(fds[1], buffer, 0));
    SHOW(write(fds[0], "x", 1));
    SHOW(read(fds[1], &c, 1));
    SHOW(lseek(fds[0], 0, SEEK_SET));
    SHOW(pread(fds[0], &c, 1, 0));
    SHOW(ftruncate(fds[1], 0));
    SHOW(fsync(fds[1]));
    TRY(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0));
    SHOW(ioctl(fds[0], 0x5401, buffer));
    write(fds[1], "left", 4);
    close(fds[1]);
    SHOW(read(fds[0], buffer, 100));
    SHOW(read(fds[0], buffer, 100));
    close(fds[0]);
    DIE_UNLESS(pipe(fds) == 0);
    close(fds[0]);
    signal(SIGPIPE, SIG_IGN);
    SHOW(write(fds[1], "x", 1));
    close(fds[1]);
    TRY(pipe2(fds, 0x123));
    TRY(syscall(SYS_pipe, 1));
    DIE_UNLESS(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    printf("cloexec %d nonblock %d, modes %d %d\n", fcntl(fds[0], F_GETFD),
           !!(fcntl(fds[1], F_GETFL) & O_NONBLOCK), fcntl(fds[0], F_GETFL) & O_ACCMODE,
           fcntl(fds[1], F_GETFL) & O_ACCMODE);
    struct stat st;
    fstat(fds[0], &st);
    printf("mode %o links %d size %d\n", st.st_mode, (int)st.st_nlink, (int)st.st_size);
    close(fds[0]);
    close(fds[1]);
}

static void broken(void *arg)
{
    int fds[2];

    (void)arg;
    signal(SIGPIPE, SIG_DFL);
    DIE_UNLESS(pipe(fds) == 0);
    close(fds[0]);
    write(fds[1], "x", 1);
    printf("not reached\n");
}

static void show_poll(int fds[2])
{
    struct pollfd p[2] = {{fds[0], POLLIN | POLLOUT, 0}, {fds[1], POLLIN | POLLOUT, 0}};

    poll(p, 2, 0);
    printf("poll: %x %x\n", p[0].revents, p[1].revents);
}

static void capacity(void)
{
    int fds[2], n = 0;

    DIE_UNLESS(pipe2(fds, O_NONBLOCK) == 0);
    show_poll(fds);
    SHOW(read(fds[0], buffer, 1));
    SHOW(write(fds[1], buffer, 200000));
    show_poll(fds);
    SHOW(write(fds[1], buffer, 1));
    SHOW(read(fds[0], buffer, 1));
    show_poll(fds);
    SHOW(write(fds[1], buffer, 1));
    SHOW(read(fds[0], buffer, 4095));
    show_poll(fds);
    SHOW(write(fds[1], buffer, 4096));
    SHOW(write(fds[1], buffer, 1));
    SHOW(read(fds[0], buffer, 200000));
    while (write(fds[1], buffer, 1) == 1)
        n++;
    printf("one by one: %d\n", n);
    SHOW(read(fds[0], buffer, 200000));
    SHOW(fcntl(fds[1], F_GETPIPE_SZ));
    SHOW(fcntl(fds[1], F_SETPIPE_SZ, 5000));
    SHOW(write(fds[1], buffer, 200000));
    SHOW(fcntl(fds[1], F_SETPIPE_SZ, 4096));
    SHOW(fcntl(fds[1], F_SETPIPE_SZ, 100000));
    SHOW(write(fds[1], buffer, 200000));
    SHOW(fcntl(fds[1], F_SETPIPE_SZ, 0));
    SHOW(fcntl(0, F_GETPIPE_SZ) >= 0 || errno == EBADF);
    close(fds[1]);
    show_poll((int[2]){fds[0], -1});
    SHOW(read(fds[0], buffer, 200000));
    close(fds[0]);
}

/* What is written comes out, whatever the sizes; bytes of one small write stay together. */
static void streams(void)
{
    int fds[2], status, bad = 0;
    unsigned total = 0, sum = 0, mixed = 0;
    long n;

    DIE_UNLESS(pipe(fds) == 0);
    if (fork() == 0) {
        close(fds[0]);
        for (unsigned i = 0, at = 0; at < 3000000; i++) {
            unsigned len = i * 7919 % 9000 + 1;
            for (unsigned j = 0; j < len; j++)
                buffer[j] = (char)(at + j);
            DIE_UNLESS(write(fds[1], buffer, len) == (long)len);
            at += len;
        }
        _exit(0);
    }
    close(fds[1]);
    for (unsigned i = 1; (n = read(fds[0], buffer, i * 104729 % 20000 + 1)) > 0; i++) {
        for (long j = 0; j < n; j++, sum++)
            bad += buffer[j] != (char)sum;
        total += n;
    }
    wait(&status);
    printf("stream: enough %d, bad %d\n", total >= 3000000, bad);
    close(fds[0]);

    DIE_UNLESS(pipe(fds) == 0);
    for (int who = 0; who < 3; who++)
        if (fork() == 0) {
            memset(buffer, 'a' + who, 3000);
            for (int i = 0; i < 200; i++)
                DIE_UNLESS(write(fds[1], buffer, 3000) == 3000);
            _exit(0);
        }
    close(fds[1]);
    for (total = 0;; total++) {
        unsigned have = 0;
        while (have < 3000 && (n = read(fds[0], buffer + have, 3000 - have)) > 0)
            have += n;
        if (!have)
            break;
        for (unsigned i = 1; i < have; i++)
            mixed += buffer[i] != buffer[0];
    }
    printf("atomic: %u records, mixed %u\n", total, mixed);
    while (wait(NULL) > 0)
        ;
    close(fds[0]);
}

static void faults(void)
{
    int fds[2];
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    munmap(p + PAGE, PAGE);
    DIE_UNLESS(pipe2(fds, O_NONBLOCK) == 0);
    SHOW(write(fds[1], (void *)16, 5));
    SHOW(read(fds[0], buffer, 5));
    write(fds[1], "hello", 5);
    SHOW(read(fds[0], (void *)16, 5));
    SHOW(write(fds[1], (void *)0xfffff000, 5));
    close(fds[0]);
    close(fds[1]);
    munmap(p, PAGE);
}

static void fifo(void)
{
    static const char name[] = "/tmp/faultline-fifo";
    int fd, other, status;

    unlink(name);
    DIE_UNLESS(mkfifo(name, 0600) == 0);
    SHOW(open(name, O_WRONLY | O_NONBLOCK));
    DIE_UNLESS((fd = open(name, O_RDONLY | O_NONBLOCK)) >= 0);
    SHOW(read(fd, buffer, 10));
    struct pollfd p = {fd, POLLIN, 0};
    SHOW(poll(&p, 1, 0));
    DIE_UNLESS((other = open(name, O_WRONLY | O_NONBLOCK)) >= 0);
    SHOW(read(fd, buffer, 10));
    SHOW(write(other, "named", 5));
    SHOW(read(fd, buffer, 10));
    close(other);
    SHOW(poll(&p, 1, 0));
    printf("revents %x\n", p.revents);
    SHOW(read(fd, buffer, 10));
    close(fd);
    if (fork() == 0) {
        usleep(50000);
        fd = open(name, O_WRONLY);
        write(fd, "late", 4);
        _exit(0);
    }
    DIE_UNLESS((fd = open(name, O_RDONLY)) >= 0);
    SHOW(read(fd, buffer, 10));
    SHOW(read(fd, buffer, 10));
    close(fd);
    wait(&status);
    if (fork() == 0) {
        usleep(50000);
        fd = open(name, O_RDONLY);
        _exit((int)read(fd, buffer, 10));
    }
    DIE_UNLESS((fd = open(name, O_WRONLY)) >= 0);
    SHOW(write(fd, "first", 5));
    close(fd);
    wait(&status);
    print_status("reader", status);
    DIE_UNLESS((fd = open(name, O_RDWR)) >= 0);
    SHOW(write(fd, "both", 4));
    SHOW(read(fd, buffer, 10));
    close(fd);
    unlink(name);
}

int main(void)
{
    ends();
    in_child("broken pipe", broken, NULL);
    capacity();
    streams();
    faults();
    fifo();
    return 0;
}
