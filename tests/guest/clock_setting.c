/*
 * The wall clock is set: absolute timers, sleeps and timerfds follow, TFD_TIMER_CANCEL_ON_SET
 * tells; adjtimex and what it keeps. Timers on CPU clocks. Hears of mounts through /proc/mounts.
 */
#include "guest.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

CHANGES_THE_MACHINE("the clock");

static volatile int fired;

static void on_alarm(int signo)
{
    (void)signo;
    fired++;
}

static void set_clock(int64_t ahead)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += ahead;
    DIE_UNLESS(clock_settime(CLOCK_REALTIME, &now) == 0);
}

static struct itimerspec in_an_hour(void)
{
    struct itimerspec v = {{0, 0}, {0, 0}};

    clock_gettime(CLOCK_REALTIME, &v.it_value);
    v.it_value.tv_sec += 3600;
    return v;
}

static void wait_for_it(void)
{
    for (int i = 0; i < 500 && !fired; i++)
        usleep(10000);
}

static void posix_timer(void)
{
    struct itimerspec v = in_an_hour(), left;
    timer_t t;

    SHOW(timer_create(CLOCK_REALTIME, NULL, &t));
    SHOW(timer_settime(t, TIMER_ABSTIME, &v, NULL));
    set_clock(-1800);
    timer_gettime(t, &left);
    printf("an hour and a half: %d\n", left.it_value.tv_sec > 5000 && left.it_value.tv_sec <= 5400);
    set_clock(1800);
    timer_gettime(t, &left);
    printf("an hour: %d\n", left.it_value.tv_sec > 3500 && left.it_value.tv_sec <= 3600);
    SHOW(fired);
    set_clock(3700);
    wait_for_it();
    SHOW(fired);
    fired = 0;
    v.it_value.tv_sec = 3600;
    SHOW(timer_settime(t, 0, &v, NULL));
    set_clock(3700);
    usleep(50000);
    printf("a relative one does not follow: %d\n", fired);
    set_clock(-7400);
    timer_delete(t);
}

static void sleeper(void *arg)
{
    struct itimerspec v = in_an_hour();

    (void)arg;
    SHOW(clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &v.it_value, NULL));
}

static void sleeping(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        sleeper(NULL);
        _exit(0);
    }
    usleep(100000);
    set_clock(3700);
    waitpid(pid, NULL, 0);
    set_clock(-3700);
}

static void timerfds(void)
{
    struct itimerspec v = in_an_hour();
    int plain = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    int cancelled = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    struct pollfd p = {cancelled, POLLIN, 0};
    uint64_t n = 0;

    SHOW(timerfd_settime(plain, TFD_TIMER_ABSTIME, &v, NULL));
    SHOW(timerfd_settime(cancelled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &v, NULL));
    SHOW(read(cancelled, &n, 8));
    set_clock(1);
    SHOW(poll(&p, 1, 0));
    SHOW(read(cancelled, &n, 8));
    SHOW(read(cancelled, &n, 8));
    SHOW(read(plain, &n, 8));
    set_clock(-1);
    SHOW(timerfd_settime(cancelled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &v, NULL));
    SHOW(timerfd_settime(cancelled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &v, NULL));
    set_clock(3700);
    p.fd = plain;
    SHOW(poll(&p, 1, 5000));
    SHOW(read(plain, &n, 8));
    SHOW(n);
    SHOW(read(cancelled, &n, 8));
    set_clock(-3700);
    SHOW(read(cancelled, &n, 8));
    SHOW(timerfd_settime(cancelled, TFD_TIMER_ABSTIME, &v, NULL));
    set_clock(1);
    SHOW(read(cancelled, &n, 8));
    set_clock(-1);
    SHOW(timerfd_settime(plain, 4, &v, NULL));
    close(plain);
    close(cancelled);
}

static void show_timex(const char *what, struct timex *x)
{
    int r = adjtimex(x);

    if (r < 0)
        printf("%s: %s\n", what, error_name(errno));
    else
        printf("%s: %d, status %x freq %ld tick %ld constant %ld offset %ld tai %d\n", what, r,
               x->status, x->freq, x->tick, x->constant, x->offset, x->tai);
}

static void ntp(void)
{
    struct timex x = {0};

    show_timex("at first", &x);
    printf("%ld %ld\n", x.precision, x.tolerance);
    x = (struct timex){.modes = ADJ_STATUS, .status = STA_PLL | STA_FREQHOLD | 0xff00};
    show_timex("status", &x);
    x = (struct timex){.modes = ADJ_FREQUENCY, .freq = 6553600};
    show_timex("frequency", &x);
    x = (struct timex){.modes = ADJ_FREQUENCY, .freq = 99999999};
    show_timex("too much", &x);
    x = (struct timex){.modes = ADJ_FREQUENCY, .freq = 0};
    show_timex("none", &x);
    x = (struct timex){.modes = ADJ_TICK, .tick = 10001};
    show_timex("tick", &x);
    x = (struct timex){.modes = ADJ_TICK, .tick = 8999};
    show_timex("tick too short", &x);
    x = (struct timex){.modes = ADJ_TICK, .tick = 11001};
    show_timex("tick too long", &x);
    x = (struct timex){.modes = ADJ_TICK, .tick = 10000};
    show_timex("tick", &x);
    x = (struct timex){.modes = ADJ_NANO};
    show_timex("nano", &x);
    x = (struct timex){.modes = ADJ_TIMECONST, .constant = 4};
    show_timex("constant", &x);
    x = (struct timex){.modes = ADJ_MICRO};
    show_timex("micro", &x);
    x = (struct timex){.modes = ADJ_TIMECONST, .constant = 4};
    show_timex("constant", &x);
    x = (struct timex){.modes = ADJ_TAI, .constant = 37};
    show_timex("tai", &x);
    x = (struct timex){.modes = ADJ_TAI, .constant = 0};
    show_timex("tai", &x);
    x = (struct timex){.modes = ADJ_STATUS, .status = 0};
    show_timex("without PLL", &x);
    x = (struct timex){.modes = ADJ_STATUS, .status = STA_UNSYNC};
    show_timex("unsynchronised", &x);
    x = (struct timex){.modes = ADJ_SETOFFSET, .time = {0, 1000000}};
    show_timex("microseconds", &x);
    x = (struct timex){.modes = ADJ_SETOFFSET, .time = {0, -1}};
    show_timex("microseconds", &x);
    x = (struct timex){.modes = 0x8000};
    show_timex("adjtime without offset", &x);
    x = (struct timex){.modes = ADJ_OFFSET_SS_READ};
    show_timex("adjtime reads", &x);
    time_t before = time(NULL);
    x = (struct timex){.modes = ADJ_SETOFFSET, .time = {-500, 0}};
    show_timex("step", &x);
    printf("stepped: %ld\n", (long)(before - time(NULL) + 5) / 10);
    set_clock(500);
    x = (struct timex){0};
    SHOW(clock_adjtime(CLOCK_MONOTONIC, &x));
    SHOW(clock_adjtime(77, &x));
    SHOW(syscall(SYS_clock_adjtime, CLOCK_REALTIME, 8));
    if (fork() == 0) {
        DIE_UNLESS(setresuid(1000, 1000, 1000) == 0);
        x = (struct timex){0};
        show_timex("an ordinary user reads", &x);
        x = (struct timex){.modes = ADJ_TICK, .tick = 10000};
        show_timex("and sets", &x);
        x = (struct timex){.modes = ADJ_OFFSET_SINGLESHOT};
        show_timex("and adjusts", &x);
        x = (struct timex){.modes = ADJ_OFFSET_SS_READ};
        show_timex("and reads that", &x);
        struct timespec ts = {0, 0};
        SHOW(clock_settime(CLOCK_REALTIME, &ts));
        _exit(0);
    }
    wait(NULL);
}

static void mounts(void)
{
    int fd = open("/proc/self/mounts", O_RDONLY), info = open("/proc/self/mountinfo", O_RDONLY);
    struct pollfd p[2] = {{fd, POLLPRI | POLLERR, 0}, {info, POLLIN | POLLPRI | POLLERR, 0}};
    int ep = epoll_create1(0);
    struct epoll_event ev = {.events = EPOLLPRI | EPOLLET}, got;

    mkdir("mnt", 0755);
    SHOW(poll(p, 2, 0));
    printf("%x %x\n", p[0].revents, p[1].revents);
    SHOW(epoll_ctl(ep, EPOLL_CTL_ADD, info, &ev));
    if (fork() == 0) {
        usleep(50000);
        mount("none", "mnt", "tmpfs", 0, NULL);
        _exit(0);
    }
    SHOW(poll(p, 1, 5000));
    wait(NULL);
    printf("%x\n", p[0].revents);
    SHOW(poll(p, 1, 0));
    SHOW(epoll_wait(ep, &got, 1, 5000));
    printf("%x\n", got.events);
    umount("mnt");
    SHOW(poll(p, 1, 0));
    rmdir("mnt");
    close(fd), close(info), close(ep);
}

int main(void)
{
    signal(SIGALRM, on_alarm);
    if (geteuid() != 0)
        return 0;
    posix_timer();
    sleeping();
    timerfds();
    ntp();
    mounts();
    return 0;
}
