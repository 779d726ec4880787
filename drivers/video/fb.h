/*
 * A linear framebuffer as a painter of terminals. Any geometry that a boot loader may tell of is
 * checked here first.
 */
#ifndef DRIVERS_FB_H
#define DRIVERS_FB_H

#include <stdbool.h>
#include <stdint.h>
#include "drivers/video/vt.h"
#include "kernel/base/boot.h"

#define FB_MAX_SCALE 8

/* fb_geometry.c: pure. */
struct fb_geometry {
    uint32_t width, height, pitch; /* pixels, lines, bytes */
    uint8_t bytes;                 /* of a pixel: 2, 3 or 4 */
    uint8_t scale;                 /* pixels of the screen for one of the font */
    uint16_t rows, cols;
    uint32_t palette[16]; /* VGA's colours as pixels */
};

/* Why there can be no console on it, or NULL; then *g is filled. scale 0: by the size. */
const char *fb_geometry(struct fb_geometry *g, const struct boot_framebuffer *fb, unsigned scale);

extern const struct vt_painter fb_painter;

/* Why there can be no console on it, or NULL. Pure. */
const char *fb_unusable(const struct boot_framebuffer *fb);

/* Clears the screen. False: there is no framebuffer that can be used. */
bool fb_init(uint16_t *rows, uint16_t *cols);
/* Cells that remember what is shown, a row each: what is shown already is not painted again, and
 * there is a cursor. */
void fb_set_shadow(vt_cell_t *const *row);
bool fb_is_shown(void); /* fb_init() found one */
/* Somebody else has drawn on it: everything is painted again, and the rest cleared. */
void fb_forget(void);
void fbdev_flush(void); /* fbdev.c: what programs have drawn is on the screen; may sleep */

#endif
