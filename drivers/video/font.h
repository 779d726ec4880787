/* The console font, 8 by 16, made at build time by scripts/mkfont from the distribution's. */
#ifndef DRIVERS_FONT_H
#define DRIVERS_FONT_H

#include <stdint.h>

#define FONT_WIDTH  8
#define FONT_HEIGHT 16

struct font_entry {
    uint16_t codepoint, glyph;
};

extern const uint8_t font_glyphs[][FONT_HEIGHT]; /* a byte for a line, leftmost pixel highest */
extern const struct font_entry font_map[];       /* by code point */
extern const unsigned font_map_size;
extern const uint16_t font_ascii[128]; /* the glyphs of ASCII */

/* fb.c: the lines of a character; of what the font lacks, a stand-in's. */
const uint8_t *glyph_of(uint32_t codepoint);

#endif
