/* kernel/thread/mmport.c: the wait queues behind mm/port.h. */
#ifndef KERNEL_MMPORT_H
#define KERNEL_MMPORT_H

struct mm_port;
extern const struct mm_port kernel_mm_port; /* for mm_init() */

void mmport_init(void); /* once at boot, before anything in mm/ may sleep */

#endif
