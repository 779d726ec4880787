/* VGA text mode as a painter of terminals. */
#ifndef DRIVERS_VGA_H
#define DRIVERS_VGA_H

#include "drivers/video/vt.h"

#define VGA_COLS 80
#define VGA_ROWS 25

extern const struct vt_painter vga_painter;
bool vga_init(void); /* false: this machine has no VGA text */

#endif
