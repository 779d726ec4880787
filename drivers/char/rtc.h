/*
 * What /dev/rtc0 tells of by itself: the alarm, seconds, a rate. rtc_events.c
 */
#ifndef DRIVERS_RTC_H
#define DRIVERS_RTC_H

#include "arch/lock.h"
#include "fs/vfs/vfs.h"

#define RTC_PERIODIC 0x40u /* in what read(2) gives */
#define RTC_ALARM    0x20u
#define RTC_UPDATE   0x10u

extern struct mutex rtc_lock; /* who has the clock, and these: */

struct rtc_events { /* [rtc_lock] */
    uint32_t alarm; /* seconds since 1970 */
    bool alarm_on, updates, periodic;
    uint32_t rate; /* Hz */
};
extern struct rtc_events rtc_events;

int rtc_events_changed(void); /* [rtc_lock] -ENOMEM */
void rtc_clock_set(void);     /* [rtc_lock] its seconds begin anew */
void rtc_forget_events(void); /* nothing has come */

long rtc_events_read(struct file *f, void __user *ubuf, size_t len, uint64_t *pos);
uint32_t rtc_events_poll(struct file *f, struct poll_table *pt);
struct async_list *rtc_events_async(struct file *f, bool out);
void rtc_events_init(void);

#endif
