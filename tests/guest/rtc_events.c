/* /dev/rtc0 tells of alarms, of its seconds, and at a rate: read, poll, SIGIO, errors. */
#include <poll.h>
#include <sys/mount.h>
#include "rtc.h"

CHANGES_THE_MACHINE("its clock");

/* The kinds of what comes; how many. */
static unsigned hear(const char *what)
{
    unsigned data = 0;
    ssize_t n = read(fd, &data, sizeof(data));

    printf("%s: %zd bytes, kinds %x\n", what, n, data & 0xff);
    return data >> 8;
}

static void at_a_rate(void)
{
    unsigned long rate = 0;
    unsigned n;

    SHOW(ioctl(fd, RTC_IRQP_READ, &rate));
    printf("rate %lu\n", rate);
    SHOW(ioctl(fd, RTC_IRQP_SET, 0));
    SHOW(ioctl(fd, RTC_IRQP_SET, 8193));
    SHOW(ioctl(fd, RTC_IRQP_SET, -1));
    SHOW(ioctl(fd, RTC_IRQP_SET, 64));
    SHOW(ioctl(fd, RTC_IRQP_READ, &rate));
    printf("rate %lu\n", rate);
    SHOW(ioctl(fd, RTC_IRQP_READ, 8));
    SHOW(ioctl(fd, RTC_PIE_ON, 0));
    SHOW(ioctl(fd, RTC_PIE_ON, 0));
    usleep(500000);
    n = hear("for half a second");
    printf("about as many: %d\n", n > 15 && n < 70);
    printf("more: %d\n", hear("a further one") > 0);
    SHOW(ioctl(fd, RTC_PIE_OFF, 0));
    SHOW(ioctl(fd, RTC_PIE_OFF, 0));
    usleep(50000);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    (void)read(fd, &n, sizeof(n));
    SHOW(read(fd, &n, sizeof(n)));
    SHOW(read(fd, &n, 2));
    SHOW(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 50));
    fcntl(fd, F_SETFL, 0);
}

static void each_second(void)
{
    time_t last;

    SHOW(ioctl(fd, RTC_UIE_ON, 0));
    hear("the next second");
    last = seconds();
    for (int i = 0; i < 2; i++) {
        printf("one: %u\n", hear("second"));
        printf("later: %ld\n", (long)(seconds() - last));
        last = seconds();
    }
    SHOW(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 1500));
    SHOW(ioctl(fd, RTC_UIE_OFF, 0));
    (void)read(fd, &last, sizeof(last));
}

static void alarms(void)
{
    time_t now = seconds();
    struct rtc_time t = of(now + 2), got;
    struct rtc_wkalrm w = {.enabled = 1, .time = of(now + 4)};

    SHOW(ioctl(fd, RTC_ALM_SET, &t));
    SHOW(ioctl(fd, RTC_ALM_READ, &got));
    printf("as set: %d\n", to_seconds(&got) == now + 2);
    SHOW(ioctl(fd, RTC_AIE_ON, 0));
    hear("the alarm");
    printf("in time: %d\n", seconds() >= now + 2 && seconds() <= now + 3);
    SHOW(ioctl(fd, RTC_AIE_OFF, 0));
    SHOW(ioctl(fd, RTC_WKALM_SET, &w));
    memset(&w, 0x55, sizeof(w));
    SHOW(ioctl(fd, RTC_WKALM_RD, &w));
    printf("enabled %d, as set: %d\n", w.enabled, to_seconds(&w.time) == now + 4);
    SHOW(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 4000));
    hear("the other alarm");
    printf("in time: %d\n", seconds() >= now + 4 && seconds() <= now + 5);
    SHOW(ioctl(fd, RTC_WKALM_RD, &w));
    printf("enabled %d\n", w.enabled);
    w.enabled = 1;
    w.time = of(now - 10);
    SHOW(ioctl(fd, RTC_WKALM_SET, &w));
    w.time.tm_mon = 12;
    SHOW(ioctl(fd, RTC_WKALM_SET, &w));
    t.tm_hour = 25;
    SHOW(ioctl(fd, RTC_ALM_SET, &t));
    t = of(now - 60);
    SHOW(ioctl(fd, RTC_ALM_SET, &t));
    SHOW(ioctl(fd, RTC_ALM_READ, &got));
    printf("tomorrow: %d\n", to_seconds(&got) == now - 60 + 86400);
    SHOW(ioctl(fd, RTC_ALM_SET, 8));
    SHOW(ioctl(fd, RTC_ALM_READ, 8));
    SHOW(ioctl(fd, RTC_WKALM_SET, 8));
    SHOW(ioctl(fd, RTC_WKALM_RD, 8));
    SHOW(ioctl(fd, RTC_EPOCH_READ, &t));
}

static void by_nobody(void *arg)
{
    (void)arg;
    setuid(65534);
    SHOW(ioctl(fd, RTC_IRQP_SET, 65));
    SHOW(ioctl(fd, RTC_IRQP_SET, 64));
    SHOW(ioctl(fd, RTC_PIE_ON, 0));
    SHOW(ioctl(fd, RTC_PIE_OFF, 0));
}

static volatile int signals;

static void on_sigio(int signo)
{
    (void)signo;
    signals++;
}

static void by_signal(void)
{
    signal(SIGIO, on_sigio);
    SHOW(fcntl(fd, F_SETOWN, getpid()));
    SHOW(fcntl(fd, F_SETFL, O_ASYNC));
    SHOW(ioctl(fd, RTC_PIE_ON, 0));
    while (!signals)
        usleep(100000);
    SHOW(ioctl(fd, RTC_PIE_OFF, 0));
    printf("told\n");
}

int main(void)
{
    mount("none", "/dev", "devtmpfs", 0, NULL);
    fd = open("/dev/rtc0", O_RDONLY);
    DIE_UNLESS(fd >= 0);
    at_a_rate();
    each_second();
    alarms();
    in_child("nobody", by_nobody, NULL);
    SHOW(ioctl(fd, RTC_IRQP_SET, 128));
    by_signal();
    SHOW(ioctl(fd, RTC_IRQP_SET, 1));
    return 0;
}
