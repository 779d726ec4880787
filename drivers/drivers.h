/*
 * What the kernel asks of its devices at boot, in this order.
 */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include <stddef.h>
#include <stdint.h>

void serial_early_init(void); /* before mm_init: polled output on COM1; registers a console */
void vga_early_init(void);    /* before mm_init: VGA text; registers a console */
void tty_init(void);          /* after the scheduler: terminals, devices, interrupts */

#endif
