/* The framebuffer as a canvas. Coordinates are pixels from the upper left corner. */
#ifndef USER_MEMMAP_CANVAS_H
#define USER_MEMMAP_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

extern unsigned canvas_width, canvas_height;
extern unsigned canvas_scale; /* pixels of the screen for one of the font */

bool canvas_open(int tty); /* false: there is none that tty is a terminal of */
void canvas_close(int tty);
uint32_t canvas_colour(uint32_t rgb); /* 0xrrggbb as a pixel */
void canvas_fill(unsigned x, unsigned y, unsigned w, unsigned h, uint32_t colour);
unsigned canvas_line_height(void);
/* Text, and background up to width. */
void canvas_text(unsigned x, unsigned y, unsigned width, const char *s, uint32_t fg, uint32_t bg);

#endif
