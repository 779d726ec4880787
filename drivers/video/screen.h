/* What drivers/video/screen.c and drivers/video/screen_ioctl.c share: the terminals of the screen.
 */
#ifndef DRIVERS_SCREEN_H
#define DRIVERS_SCREEN_H

#include "drivers/video/vt.h"
#include "kernel/base/log.h"
#include "kernel/time/time.h"
#include "drivers/tty/tty.h"

#define SCREENS 4u

struct screen {
    struct vt vt; /* [screen_lock] */
    struct tty tty;
    bool has_history;
    bool graphics; /* [screen_lock] KD_GRAPHICS: a program draws, and text is not shown */
};

extern struct screen screens[SCREENS];
extern struct console_lock screen_lock;
extern unsigned screen_foreground; /* [screen_lock] index of the one that shows */

/* Shows the n-th from 0 on, if there is such a one. */
void screen_switch(unsigned n);
/* KD_GRAPHICS or KD_TEXT. */
void screen_set_graphics(struct screen *screen, bool graphics);

/* screen_ioctl.c */
long screen_ioctl(struct tty *t, uint32_t cmd, uint32_t arg);
/* It was switched to: tells the process that asked for it (KDSIGACCEPT) if nobody uses it yet. */
void screen_wanted(struct screen *screen);

#endif
