/* The time of day of the CMOS clock: read at boot and by /dev/rtc0, which sets it, too. [MC146818A]
 */
#include "arch/i386/i386.h"
#include "arch/io.h"
#include "arch/thread.h"
#include "libc/date.h"

#define CMOS_INDEX   0x70
#define CMOS_DATA    0x71
#define REG_SEC      0x00
#define REG_MIN      0x02
#define REG_HOUR     0x04
#define REG_DAY      0x07
#define REG_MONTH    0x08
#define REG_YEAR     0x09
#define REG_A        0x0a
#define REG_B        0x0b
#define REG_CENTURY  0x32 /* where PCs have it; 0 or nonsense elsewhere */
#define A_UPDATING   0x80
#define A_STOPPED    0x70 /* the divider is reset: a second begins half a second after it goes on */
#define B_SET        0x80 /* no updates while the registers are written */
#define B_24H        0x02
#define B_BINARY     0x04
#define HOUR_PM      0x80
#define UPDATE_POLLS 20000 /* an update takes 2 ms, a poll about a microsecond */

#define CENTURIES(c) ((c) >= 19 && (c) <= 21)

struct rtc_time {
    uint8_t sec, min, hour, day, month, year, century;
};

static uint8_t cmos_read(uint8_t reg)
{
    outb(CMOS_INDEX, reg);
    return inb(CMOS_DATA);
}

static bool wait_no_update(void)
{
    for (int i = 0; i < UPDATE_POLLS; i++)
        if (!(cmos_read(REG_A) & A_UPDATING))
            return true;
    return false;
}

static void read_raw(struct rtc_time *t)
{
    t->sec = cmos_read(REG_SEC);
    t->min = cmos_read(REG_MIN);
    t->hour = cmos_read(REG_HOUR);
    t->day = cmos_read(REG_DAY);
    t->month = cmos_read(REG_MONTH);
    t->year = cmos_read(REG_YEAR);
    t->century = cmos_read(REG_CENTURY);
}

static bool same(const struct rtc_time *a, const struct rtc_time *b)
{
    return a->sec == b->sec && a->min == b->min && a->hour == b->hour && a->day == b->day &&
           a->month == b->month && a->year == b->year;
}

/* Two equal readings outside of an update. */
static bool read_stable(struct rtc_time *t)
{
    struct rtc_time again;

    for (int i = 0; i < 8; i++) {
        if (!wait_no_update())
            return false;
        read_raw(t);
        read_raw(&again);
        if (same(t, &again))
            return true;
    }
    return false;
}

static uint8_t from_bcd(uint8_t v)
{
    return (uint8_t)((v >> 4) * 10 + (v & 15));
}

static void decode(struct rtc_time *t)
{
    uint8_t mode = cmos_read(REG_B);
    bool pm = !(mode & B_24H) && (t->hour & HOUR_PM);

    if (!(mode & B_24H))
        t->hour &= (uint8_t)~HOUR_PM;
    if (!(mode & B_BINARY)) {
        t->sec = from_bcd(t->sec);
        t->min = from_bcd(t->min);
        t->hour = from_bcd(t->hour);
        t->day = from_bcd(t->day);
        t->month = from_bcd(t->month);
        t->year = from_bcd(t->year);
        t->century = from_bcd(t->century);
    }
    if (!(mode & B_24H))
        t->hour = (uint8_t)(t->hour % 12 + (pm ? 12 : 0));
}

uint32_t rtc_read(void)
{
    struct rtc_time t;
    uint32_t year;

    if (!read_stable(&t))
        return 0;
    decode(&t);
    if (t.sec > 60 || t.min > 59 || t.hour > 23 || t.day < 1 || t.day > 31 || t.month < 1 ||
        t.month > 12 || t.year > 99)
        return 0;
    if (CENTURIES(t.century))
        year = t.century * 100u + t.year;
    else
        year = t.year + (t.year < 70 ? 2000u : 1900u);
    if (year < 1970 || year > 2105)
        return 0;
    return days_since_1970(year, t.month, t.day) * 86400u + t.hour * 3600u + t.min * 60u + t.sec;
}

/* ---- Setting it ---- */

static void cmos_write(uint8_t reg, uint8_t value)
{
    outb(CMOS_INDEX, reg);
    outb(CMOS_DATA, value);
}

static void write_number(uint8_t reg, uint32_t n, uint8_t mode)
{
    cmos_write(reg, (uint8_t)(mode & B_BINARY ? n : n / 10 << 4 | n % 10));
}

static void write_hour(uint32_t hour, uint8_t mode)
{
    uint32_t twelfth = hour % 12 ? hour % 12 : 12;

    if (mode & B_24H) {
        write_number(REG_HOUR, hour, mode);
        return;
    }
    write_number(REG_HOUR, twelfth, mode);
    if (hour >= 12)
        cmos_write(REG_HOUR, cmos_read(REG_HOUR) | HOUR_PM);
}

void rtc_write(uint32_t seconds)
{
    const uint8_t rate = cmos_read(REG_A), mode = cmos_read(REG_B);
    const uint8_t century = cmos_read(REG_CENTURY);
    struct date d = date_of(seconds / 86400);

    cmos_write(REG_B, mode | B_SET);
    cmos_write(REG_A, rate | A_STOPPED);
    write_number(REG_SEC, seconds % 60, mode);
    write_number(REG_MIN, seconds / 60 % 60, mode);
    write_hour(seconds / 3600 % 24, mode);
    write_number(REG_DAY, d.day, mode);
    write_number(REG_MONTH, d.month, mode);
    write_number(REG_YEAR, d.year % 100, mode);
    if (CENTURIES(mode & B_BINARY ? century : from_bcd(century)))
        write_number(REG_CENTURY, d.year / 100, mode);
    cmos_write(REG_B, mode);
    cmos_write(REG_A, rate);
}
