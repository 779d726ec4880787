/*
 * What the kernel asks of its devices at boot, in this order.
 */
#ifndef DRIVERS_DRIVERS_H
#define DRIVERS_DRIVERS_H

#include <stddef.h>
#include <stdint.h>

void serial_early_init(void); /* before mm_init: polled output on COM1; registers a console */
/* Why there can be no console on a framebuffer, or NULL. Pure. */
struct boot_framebuffer;
const char *fb_unusable(const struct boot_framebuffer *fb);
void screen_early_init(void); /* before mm_init: framebuffer or VGA text; registers a console */
void disk_init(void);          /* after vfs_init: PCI, and the disks on it; may sleep */
void tty_init(void);          /* after the scheduler: terminals, devices, interrupts */

#endif
