/*
 * adjtimex and clock_adjtime: what a program that keeps the clock in time sets and reads.
 *
 * The clock is stepped when that is asked for (ADJ_SETOFFSET), and by a leap second. Frequency,
 * phase and the length of a tick are checked, kept and shown as Linux does, but do not change how
 * the clock runs: it is the machine's.
 */
#include "arch/uaccess.h"
#include "kernel/base/log.h"
#include "kernel/thread/proc.h"
#include "kernel/time/clock.h"
#include "kernel/time/time.h"
#include "libc/errno.h"

#define ADJ_OFFSET          0x0001u
#define ADJ_FREQUENCY       0x0002u
#define ADJ_MAXERROR        0x0004u
#define ADJ_ESTERROR        0x0008u
#define ADJ_STATUS          0x0010u
#define ADJ_TIMECONST       0x0020u
#define ADJ_TAI             0x0080u
#define ADJ_SETOFFSET       0x0100u
#define ADJ_MICRO           0x1000u
#define ADJ_NANO            0x2000u
#define ADJ_TICK            0x4000u
#define ADJ_ADJTIME         0x8000u /* adjtime(3): with ADJ_OFFSET sets, */
#define ADJ_OFFSET_READONLY 0x2000u /* with this one shows what is left */

#define STA_PLL      0x0001
#define STA_INS      0x0010
#define STA_DEL      0x0020
#define STA_UNSYNC   0x0040
#define STA_CLOCKERR 0x1000
#define STA_NANO     0x2000
#define STA_READONLY 0xff00

enum clock_state { /* what the call returns: */
                   TIME_OK,
                   TIME_INS,  /* the day's last minute will have a second more, */
                   TIME_DEL,  /* or less */
                   TIME_OOP,  /* this is that second */
                   TIME_WAIT, /* it has been, and who asked for it has not heard */
                   TIME_ERROR,
};

#define SECONDS_OF_DAY 86400u
#define ERROR_GROWTH   500 /* of maxerror: us a second */

#define TICK_USEC    10000
#define MAX_PHASE_NS 500000000
#define MAX_FREQ     32768000 /* 500 ppm, in 2^-16 ppm */
#define MAX_CONSTANT 10
#define MAX_TAI      100000
#define PHASE_LIMIT  16000000 /* us */

struct timex32 {
    uint32_t modes;
    int32_t offset, freq, maxerror, esterror, status, constant, precision, tolerance;
    struct timeval32 time;
    int32_t tick, pps[8], tai, reserved[11];
};

struct timex64 {
    uint32_t modes, pad1;
    int64_t offset, freq, maxerror, esterror;
    int32_t status, pad2;
    int64_t constant, precision, tolerance, sec, usec, tick, pps[3];
    int32_t shift, pad3;
    int64_t pps_counts[4];
    int32_t tai, reserved[11];
};

_Static_assert(sizeof(struct timex32) == 128, "timex");
_Static_assert(sizeof(struct timex64) == 208, "__kernel_timex");

static struct mutex ntp_lock = MUTEX_INIT(ntp_lock, MUTEX_RANK_NTP);

static struct { /* [ntp_lock] */
    int64_t offset_ns, freq, maxerror, esterror, constant, tick, adjtime_us;
    int32_t status, tai;
    enum clock_state state;
    uint32_t leap;     /* the second before which another comes, or instead of which; 0: none */
    uint64_t error_at; /* when maxerror was as it says */
} ntp = {
    .maxerror = PHASE_LIMIT,
    .esterror = PHASE_LIMIT,
    .constant = 2,
    .tick = TICK_USEC,
    .status = STA_UNSYNC,
};

static int64_t clamp(int64_t n, int64_t low, int64_t high)
{
    return n < low ? low : n > high ? high : n;
}

/* ---- Leap seconds ---- */

static struct waitq leap_wanted; /* by the thread, which is there since it was once */

static bool leaps(void)
{
    return (ntp.status & (STA_INS | STA_DEL)) || ntp.state != TIME_OK;
}

static void leap(int by)
{
    klog(LOG_NOTICE, by < 0 ? "Clock: inserting leap second 23:59:60 UTC\n"
                            : "Clock: deleting leap second 23:59:59 UTC\n");
    ntp.tai -= by;
    time_set_real_ns(time_real_ns() + (uint64_t)(by * (int64_t)NSEC_PER_SEC));
}

/* [ntp_lock] A second has begun. */
static void new_second(uint32_t now)
{
    const bool inserts = ntp.status & STA_INS, deletes = ntp.status & STA_DEL;

    if (ntp.state == TIME_OK && (inserts || deletes)) {
        ntp.state = inserts ? TIME_INS : TIME_DEL;
        ntp.leap = now + !inserts;
        ntp.leap += SECONDS_OF_DAY - ntp.leap % SECONDS_OF_DAY - !inserts;
    } else if ((ntp.state == TIME_INS && !inserts) || (ntp.state == TIME_DEL && !deletes)) {
        ntp.state = TIME_OK;
        ntp.leap = 0;
    } else if (ntp.state == TIME_INS && ntp.leap && now >= ntp.leap) {
        leap(-1);
        ntp.state = TIME_OOP;
    } else if (ntp.state == TIME_DEL && ntp.leap && now >= ntp.leap) {
        leap(1);
        ntp.state = TIME_WAIT;
        ntp.leap = 0;
    } else if (ntp.state == TIME_OOP) {
        ntp.state = TIME_WAIT;
        ntp.leap = 0;
    } else if (ntp.state == TIME_WAIT && !inserts && !deletes) {
        ntp.state = TIME_OK;
    }
}

static void watch_seconds(void *arg)
{
    (void)arg;
    for (;;) {
        wait_event_idle(&leap_wanted, leaps());
        /* Not by the wall clock, which may be set back meanwhile. */
        (void)sleep_until(time_mono_ns() + NSEC_PER_SEC - time_real_ns() % NSEC_PER_SEC);
        mutex_lock(&ntp_lock);
        new_second((uint32_t)(time_real_ns() / NSEC_PER_SEC));
        mutex_unlock(&ntp_lock);
    }
}

/* [ntp_lock] Without memory for the thread nobody sees to it. */
static void watch_if_needed(void)
{
    static bool watched;

    if (!leaps())
        return;
    if (!watched) {
        waitq_init(&leap_wanted);
        watched = kthread_create("ntp", watch_seconds, NULL) != NULL;
    }
    wake_all(&leap_wanted);
}

/* [ntp_lock] Nobody has said for a while how wrong the clock is. */
static void grow_error(void)
{
    const uint64_t seconds = (time_mono_ns() - ntp.error_at) / NSEC_PER_SEC;

    ntp.error_at += seconds * NSEC_PER_SEC;
    if (!seconds)
        return;
    ntp.maxerror += seconds < PHASE_LIMIT ? (int64_t)seconds * ERROR_GROWTH : PHASE_LIMIT;
    if (ntp.maxerror > PHASE_LIMIT) {
        ntp.maxerror = PHASE_LIMIT;
        ntp.status |= STA_UNSYNC;
    }
}

/* [ntp_lock] As time_set. */
static int set_clock(uint64_t ns)
{
    if (ns < time_mono_ns())
        return -EINVAL;
    time_set_real_ns(ns);
    ntp.adjtime_us = ntp.offset_ns = 0;
    ntp.maxerror = ntp.esterror = PHASE_LIMIT;
    ntp.status |= STA_UNSYNC;
    ntp.leap = 0;
    return 0;
}

int time_set(uint64_t ns)
{
    int err;

    mutex_lock(&ntp_lock);
    err = set_clock(ns);
    mutex_unlock(&ntp_lock);
    return err;
}

/* ---- Checking ---- */

static int check_right(const struct timex64 *x)
{
    bool reads = !x->modes;

    if (x->modes & ADJ_ADJTIME) {
        if (!(x->modes & ADJ_OFFSET))
            return -EINVAL;
        reads = x->modes & ADJ_OFFSET_READONLY;
    }
    return reads || capable(CAP_SYS_TIME) ? 0 : -EPERM;
}

static int check(const struct timex64 *x)
{
    int err = check_right(x);
    int64_t unit = x->modes & ADJ_NANO ? (int64_t)NSEC_PER_SEC : (int64_t)USEC_PER_SEC;

    if (err)
        return err;
    if (!(x->modes & ADJ_ADJTIME) && (x->modes & ADJ_TICK) &&
        (x->tick < TICK_USEC * 9 / 10 || x->tick > TICK_USEC * 11 / 10))
        return -EINVAL;
    if (!(x->modes & ADJ_SETOFFSET))
        return 0;
    if (!capable(CAP_SYS_TIME))
        return -EPERM;
    return x->usec < 0 || x->usec >= unit ? -EINVAL : 0;
}

/* ---- Setting ---- */

static void set_status(const struct timex64 *x)
{
    if ((ntp.status & STA_PLL) && !(x->status & STA_PLL)) {
        ntp.status = STA_UNSYNC;
        ntp.state = TIME_OK;
        ntp.leap = 0;
    }
    ntp.status = (ntp.status & STA_READONLY) | (x->status & ~STA_READONLY);
}

static void set_constant(const struct timex64 *x)
{
    ntp.constant = clamp(x->constant, 0, MAX_CONSTANT);
    if (!(ntp.status & STA_NANO))
        ntp.constant += 4;
    ntp.constant = clamp(ntp.constant, 0, MAX_CONSTANT);
}

static void set_phase(const struct timex64 *x)
{
    int64_t ns = ntp.status & STA_NANO ? x->offset : x->offset * 1000;

    if (ntp.status & STA_PLL)
        ntp.offset_ns = clamp(ns, -MAX_PHASE_NS, MAX_PHASE_NS);
}

static void set_modes(const struct timex64 *x)
{
    if (x->modes & ADJ_STATUS)
        set_status(x);
    if (x->modes & ADJ_NANO)
        ntp.status |= STA_NANO;
    if (x->modes & ADJ_MICRO)
        ntp.status &= ~STA_NANO;
    if (x->modes & ADJ_FREQUENCY)
        ntp.freq = clamp(x->freq, -MAX_FREQ, MAX_FREQ);
    if (x->modes & ADJ_MAXERROR)
        ntp.error_at = time_mono_ns(), ntp.maxerror = clamp(x->maxerror, 0, PHASE_LIMIT);
    if (x->modes & ADJ_ESTERROR)
        ntp.esterror = clamp(x->esterror, 0, PHASE_LIMIT);
    if (x->modes & ADJ_TIMECONST)
        set_constant(x);
    if ((x->modes & ADJ_TAI) && x->constant >= 0 && x->constant <= MAX_TAI)
        ntp.tai = (int32_t)x->constant;
    if (x->modes & ADJ_OFFSET)
        set_phase(x);
    if (x->modes & ADJ_TICK)
        ntp.tick = x->tick;
}

/* adjtime: the offset that is left, and a new one unless it is only asked for. */
static int64_t exchange_adjtime(const struct timex64 *x)
{
    int64_t left = ntp.adjtime_us;

    if (!(x->modes & ADJ_OFFSET_READONLY))
        ntp.adjtime_us = x->offset;
    return left;
}

static int step_clock(const struct timex64 *x)
{
    int64_t ns = x->sec * (int64_t)NSEC_PER_SEC +
                 x->usec * (x->modes & ADJ_NANO ? 1 : (int64_t)NSEC_PER_USEC);

    return set_clock(time_real_ns() + (uint64_t)ns);
}

/* [ntp_lock held] */
static void show(struct timex64 *x, int64_t offset)
{
    uint64_t now = time_real_ns();
    uint32_t modes = x->modes;

    *x = (struct timex64){
        .modes = modes,
        .offset = offset,
        .freq = ntp.freq,
        .maxerror = ntp.maxerror,
        .esterror = ntp.esterror,
        .status = ntp.status,
        .constant = ntp.constant,
        .precision = 1,
        .tolerance = MAX_FREQ,
        .sec = (int64_t)(now / NSEC_PER_SEC),
        .tick = ntp.tick,
        .tai = ntp.tai,
    };
    x->usec = (int64_t)(now - (uint64_t)x->sec * NSEC_PER_SEC);
    if (!(ntp.status & STA_NANO))
        x->usec = (uint32_t)x->usec / 1000;
}

/* The state of the clock, as the call returns it, or -errno. */
static long adjust(struct timex64 *x)
{
    int64_t offset;
    int err = check(x);

    if (err)
        return err;
    mutex_lock(&ntp_lock);
    grow_error();
    if (x->modes & ADJ_SETOFFSET)
        err = step_clock(x);
    if (err) {
        mutex_unlock(&ntp_lock);
        return err;
    }
    if (x->modes & ADJ_ADJTIME) {
        offset = exchange_adjtime(x);
    } else {
        set_modes(x);
        offset = ntp.status & STA_NANO ? ntp.offset_ns : ntp.offset_ns / 1000;
    }
    show(x, offset);
    watch_if_needed();
    err = ntp.status & (STA_UNSYNC | STA_CLOCKERR) ? TIME_ERROR : ntp.state;
    mutex_unlock(&ntp_lock);
    return err;
}

/* ---- The calls ---- */

static void widen(struct timex64 *w, const struct timex32 *n)
{
    *w = (struct timex64){.modes = n->modes,
                          .offset = n->offset,
                          .freq = n->freq,
                          .maxerror = n->maxerror,
                          .esterror = n->esterror,
                          .status = n->status,
                          .constant = n->constant,
                          .sec = n->time.sec,
                          .usec = n->time.usec,
                          .tick = n->tick};
}

static void narrow(struct timex32 *n, const struct timex64 *w)
{
    *n = (struct timex32){.modes = w->modes,
                          .offset = (int32_t)w->offset,
                          .freq = (int32_t)w->freq,
                          .maxerror = (int32_t)w->maxerror,
                          .esterror = (int32_t)w->esterror,
                          .status = w->status,
                          .constant = (int32_t)w->constant,
                          .precision = (int32_t)w->precision,
                          .tolerance = (int32_t)w->tolerance,
                          .time = {(int32_t)w->sec, (int32_t)w->usec},
                          .tick = (int32_t)w->tick,
                          .tai = w->tai};
}

static long adjust_narrow(void __user *uptr)
{
    struct timex32 n;
    struct timex64 w;
    long ret;

    if (copy_from_user(&n, uptr, sizeof(n)))
        return -EFAULT;
    widen(&w, &n);
    ret = adjust(&w);
    narrow(&n, &w);
    return ret >= 0 && copy_to_user(uptr, &n, sizeof(n)) ? -EFAULT : ret;
}

static long adjust_wide(void __user *uptr)
{
    struct timex64 w;
    long ret;

    if (copy_from_user(&w, uptr, sizeof(w)))
        return -EFAULT;
    ret = adjust(&w);
    return ret >= 0 && copy_to_user(uptr, &w, sizeof(w)) ? -EFAULT : ret;
}

/* Only the wall clock can be adjusted. */
static int check_clock(int32_t id)
{
    uint64_t ns;

    if (id == CLOCK_REALTIME)
        return 0;
    return clock_read(id, &ns) ? -EINVAL : -EOPNOTSUPP;
}

long sys_adjtimex(void __user *uptr)
{
    return adjust_narrow(uptr);
}

long sys_clock_adjtime(uint32_t id, void __user *uptr)
{
    int err = check_clock((int32_t)id);

    return err ? err : adjust_narrow(uptr);
}

long sys_clock_adjtime64(uint32_t id, void __user *uptr)
{
    int err = check_clock((int32_t)id);

    return err ? err : adjust_wide(uptr);
}
