/* Leap seconds: what adjtimex(2) says around midnight, and what the clock does. */
#include "guest.h"
#include <sys/timex.h>
#include <time.h>

CHANGES_THE_MACHINE("its clock");

#define MIDNIGHT 1700006400 /* 2023-11-15 */

static void show(const char *what)
{
    struct timex t = {0};
    int state = adjtimex(&t);

    printf("%s: state %d, status %x\n", what, state, t.status & ~STA_NANO);
}

static int set_status(int status)
{
    struct timex t = {.modes = ADJ_STATUS | ADJ_MAXERROR, .status = status};

    return adjtimex(&t);
}

/* By the clock that nobody sets: an eighth of a second after one of the other began, or so many
 * quarters later. */
static struct timespec last;

static void set_clock(time_t seconds)
{
    struct timespec ts = {seconds, 125000000};

    DIE_UNLESS(clock_settime(CLOCK_REALTIME, &ts) == 0);
    clock_gettime(CLOCK_MONOTONIC, &last);
}

/* What is seen in so many seconds, each change of it. */
static void watch(int seconds)
{
    int state = -1, tai = 0, first = 0;
    long second = -1;

    for (int n = 0; n < 4 * seconds; n++) {
        struct timex t = {0};
        int s = adjtimex(&t);

        if (state < 0)
            first = t.tai;
        if (s != state || t.tai != tai || t.time.tv_sec != second) {
            state = s;
            tai = t.tai;
            second = t.time.tv_sec;
            printf("  second %+ld, state %d, tai %+d\n", second - MIDNIGHT, state, tai - first);
        }
        last.tv_nsec += 250000000;
        last.tv_sec += last.tv_nsec / 1000000000;
        last.tv_nsec %= 1000000000;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &last, NULL);
    }
}

int main(void)
{
    struct timex t = {.modes = ADJ_SETOFFSET, .time = {0, 1000}};
    struct timespec was, begun, now;

    clock_gettime(CLOCK_REALTIME, &was);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    SHOW(set_status(0));
    show("in time");
    set_clock(MIDNIGHT - 100);
    show("after the clock was set");
    SHOW(set_status(0));
    SHOW(adjtimex(&t));
    show("after a step");
    t = (struct timex){.modes = ADJ_TAI, .constant = 37};
    SHOW(adjtimex(&t));

    printf("inserted:\n");
    set_clock(MIDNIGHT - 3);
    SHOW(set_status(STA_INS));
    watch(5);
    SHOW(set_status(0));
    watch(2);

    printf("deleted:\n");
    set_clock(MIDNIGHT - 3);
    SHOW(set_status(STA_DEL));
    watch(4);
    SHOW(set_status(0));
    watch(2);

    printf("given up:\n");
    set_clock(MIDNIGHT - 3);
    SHOW(set_status(STA_INS));
    watch(2);
    SHOW(set_status(0));
    watch(3);

    printf("set meanwhile:\n");
    set_clock(MIDNIGHT - 3);
    SHOW(set_status(STA_INS));
    watch(2);
    set_clock(MIDNIGHT - 2);
    SHOW(set_status(STA_INS));
    watch(4);
    SHOW(set_status(0));
    sleep(1);
    show("at the end");
    clock_gettime(CLOCK_MONOTONIC, &now);
    was.tv_sec += now.tv_sec - begun.tv_sec;
    clock_settime(CLOCK_REALTIME, &was);
    SHOW(set_status(STA_UNSYNC));
    return 0;
}
