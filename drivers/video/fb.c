/*
 * The painter for linear framebuffers. A run of cells is drawn line by line, a chunk at a time, in
 * a small buffer that is then copied: the framebuffer is written in order, which write-combining
 * likes, and never read. [screen_lock of drivers/video/screen.c]
 */
#include "drivers/video/fb.h"
#include "drivers/video/font.h"
#include "libc/printf.h"
#include "libc/string.h"

#define CHUNK       8u /* cells drawn at a time */
#define CHUNK_BYTES (CHUNK * FONT_WIDTH * 4u)
#define UNKNOWN     0xffffffffu /* no cell: the shadow of what has not been painted */

static struct fb_geometry fb;
static uint8_t *memory;
static vt_cell_t *const *shadow; /* what is shown, or NULL */
static struct {
    unsigned row, col;
    bool shown;
} cursor;

static uint8_t line[CHUNK_BYTES * FB_MAX_SCALE] __attribute__((aligned(4)));

const uint8_t *glyph_of(uint32_t codepoint)
{
    unsigned low = 0, high = font_map_size;

    if (codepoint < 128)
        return font_glyphs[font_ascii[codepoint]];
    while (low < high) {
        unsigned mid = (low + high) / 2;
        if (font_map[mid].codepoint == codepoint)
            return font_glyphs[font_map[mid].glyph];
        if (font_map[mid].codepoint < codepoint)
            low = mid + 1;
        else
            high = mid;
    }
    return codepoint == VT_REPLACEMENT ? font_glyphs[font_ascii['?']] : glyph_of(VT_REPLACEMENT);
}

static uint8_t *put_pixels(uint8_t *to, uint32_t pixel)
{
    for (unsigned i = 0; i < fb.scale; i++) {
        to[0] = (uint8_t)pixel;
        to[1] = (uint8_t)(pixel >> 8);
        if (fb.bytes > 2)
            to[2] = (uint8_t)(pixel >> 16);
        if (fb.bytes > 3)
            to[3] = (uint8_t)(pixel >> 24);
        to += fb.bytes;
    }
    return to;
}

/* Eight pixels of four bytes, the common case. */
static uint8_t *put_bits32(uint8_t *to, unsigned bits, uint32_t fg, uint32_t bg)
{
    uint32_t *p = (uint32_t *)to;

    if (fb.scale == 1) {
        for (unsigned mask = 0x80; mask; mask >>= 1)
            *p++ = bits & mask ? fg : bg;
        return (uint8_t *)p;
    }
    for (unsigned mask = 0x80; mask; mask >>= 1) {
        uint32_t pixel = bits & mask ? fg : bg;
        for (unsigned i = 0; i < fb.scale; i++)
            *p++ = pixel;
    }
    return (uint8_t *)p;
}

static uint8_t *put_bits(uint8_t *to, unsigned bits, uint32_t fg, uint32_t bg)
{
    if (fb.bytes == 4)
        return put_bits32(to, bits, fg, bg);
    for (unsigned mask = 0x80; mask; mask >>= 1)
        to = put_pixels(to, bits & mask ? fg : bg);
    return to;
}

static uint8_t *cell_pixels(unsigned row, unsigned col)
{
    return memory + row * FONT_HEIGHT * fb.scale * fb.pitch +
           col * FONT_WIDTH * fb.scale * fb.bytes;
}

/* At most CHUNK cells; under the cursor the lowest two lines are in the colour of the text. */
static void draw_chunk(unsigned row, unsigned col, const vt_cell_t *cells, unsigned n,
                       bool with_cursor)
{
    const uint8_t *glyph[CHUNK];
    uint8_t *to = cell_pixels(row, col);

    for (unsigned i = 0; i < n; i++)
        glyph[i] = glyph_of(VT_CELL_CHAR(cells[i]));
    for (unsigned y = 0; y < FONT_HEIGHT; y++) {
        uint8_t *end = line;
        for (unsigned i = 0; i < n; i++) {
            unsigned bits = with_cursor && y >= FONT_HEIGHT - 2 ? 0xff : glyph[i][y];
            unsigned attr = VT_CELL_ATTR(cells[i]);
            end = put_bits(end, bits, fb.palette[attr & 15], fb.palette[attr >> 4 & 15]);
        }
        for (unsigned i = 0; i < fb.scale; i++, to += fb.pitch)
            memcpy(to, line, (size_t)(end - line));
    }
}

static void draw_run(unsigned row, unsigned col, const vt_cell_t *cells, unsigned n)
{
    while (n) {
        unsigned now = n < CHUNK ? n : CHUNK;
        draw_chunk(row, col, cells, now, false);
        col += now;
        cells += now;
        n -= now;
    }
}

/* With a shadow only the runs that differ are drawn. */
static void fb_draw(void *ctx, unsigned row, unsigned col, const vt_cell_t *cells, unsigned n)
{
    (void)ctx;
    if (!shadow) {
        draw_run(row, col, cells, n);
        return;
    }
    vt_cell_t *old = shadow[row] + col;
    if (cursor.shown && cursor.row == row && cursor.col >= col && cursor.col < col + n) {
        cursor.shown = false;
        old[cursor.col - col] = UNKNOWN;
    }
    for (unsigned i = 0; i < n;) {
        unsigned from = i;
        while (i < n && old[i] != cells[i])
            i++;
        if (i > from) {
            draw_run(row, col + from, cells + from, i - from);
            memcpy(old + from, cells + from, (i - from) * sizeof(*cells));
        }
        while (i < n && old[i] == cells[i])
            i++;
    }
}

static void fb_cursor(void *ctx, unsigned row, unsigned col, bool visible)
{
    (void)ctx;
    if (!shadow || (cursor.shown == visible && cursor.row == row && cursor.col == col))
        return;
    if (cursor.shown)
        draw_chunk(cursor.row, cursor.col, &shadow[cursor.row][cursor.col], 1, false);
    cursor.shown = visible && shadow[row][col] != UNKNOWN;
    cursor.row = row;
    cursor.col = col;
    if (cursor.shown)
        draw_chunk(row, col, &shadow[row][col], 1, true);
}

const struct vt_painter fb_painter = {
    .draw = fb_draw,
    .cursor = fb_cursor,
};

const char *fb_unusable(const struct boot_framebuffer *b)
{
    struct fb_geometry g;

    return fb_geometry(&g, b, 0);
}

bool fb_init(uint16_t *rows, uint16_t *cols)
{
    char scale[8] = "0";

    boot_option("fbscale", scale, sizeof(scale));
    if (!boot_info.framebuffer || !boot_info.framebuffer_memory ||
        fb_geometry(&fb, boot_info.framebuffer, (unsigned)strtoul(scale, NULL, 10)))
        return false;
    memory = boot_info.framebuffer_memory;
    for (uint32_t y = 0; y < fb.height; y++)
        memset(memory + y * fb.pitch, 0, fb.width * fb.bytes);
    *rows = fb.rows;
    *cols = fb.cols;
    return true;
}

void fb_set_shadow(vt_cell_t *const *row)
{
    for (unsigned r = 0; row && r < fb.rows; r++) {
        for (unsigned col = 0; col < fb.cols; col++)
            row[r][col] = UNKNOWN;
    }
    shadow = row;
    cursor.shown = false;
}

bool fb_is_shown(void)
{
    return memory != NULL;
}

void fb_forget(void)
{
    uint32_t right = fb.cols * FONT_WIDTH * fb.scale, below = fb.rows * FONT_HEIGHT * fb.scale;

    fb_set_shadow(shadow);
    for (uint32_t y = 0; y < fb.height; y++) {
        uint32_t from = y < below ? right : 0;

        memset(memory + y * fb.pitch + from * fb.bytes, 0, (fb.width - from) * fb.bytes);
    }
}
