/*
 * VGA text, 80 by 25: the painter that copies cells to video memory, and the hardware cursor. The
 * fourth attribute bit of the background is brightness, not blinking. [IBM VGA: CRTC 0x3d4,
 * attribute controller 0x3c0]
 */
#include "arch/io.h"
#include "arch/mmu.h"
#include "drivers/video/vga.h"

#define VGA_MEMORY        0xb8000
#define CRTC_INDEX        0x3d4
#define CRTC_DATA         0x3d5
#define CRTC_CURSOR_START 0x0a
#define CRTC_CURSOR_END   0x0b
#define CRTC_START        0x0c /* and 0x0d: what is shown first */
#define CRTC_CURSOR       0x0e /* and 0x0f */
#define CURSOR_OFF        0x20
#define ATTR_PORT         0x3c0 /* index with bit 5 kept, then value */
#define ATTR_READ         0x3c1
#define ATTR_MODE         0x30 /* index 0x10, palette left on */
#define ATTR_BLINK        0x08
#define INPUT_STATUS      0x3da /* reading it selects the index in ATTR_PORT */

static uint16_t *const vga_cells = (uint16_t *)(PHYS_WINDOW + VGA_MEMORY);

static void crtc_write(uint8_t index, uint8_t value)
{
    outw(CRTC_INDEX, (uint16_t)(index | value << 8));
}

static void vga_draw(void *ctx, unsigned row, unsigned col, const vt_cell_t *cells, unsigned n)
{
    (void)ctx;
    uint16_t *to = vga_cells + row * VGA_COLS + col;
    for (unsigned i = 0; i < n; i++)
        to[i] = (uint16_t)(VT_CELL_ATTR(cells[i]) << 8 | vt_to_cp437((uint16_t)cells[i]));
}

static void vga_cursor(void *ctx, unsigned row, unsigned col, bool visible)
{
    static uint16_t shown_at = UINT16_MAX;
    static bool shown = true;
    uint16_t at = (uint16_t)(row * VGA_COLS + col);

    (void)ctx;
    if (visible != shown) {
        shown = visible;
        crtc_write(CRTC_CURSOR_START, visible ? 13 : CURSOR_OFF);
        crtc_write(CRTC_CURSOR_END, 14);
    }
    if (at != shown_at) {
        shown_at = at;
        crtc_write(CRTC_CURSOR, (uint8_t)(at >> 8));
        crtc_write(CRTC_CURSOR + 1, (uint8_t)at);
    }
}

const struct vt_painter vga_painter = {
    .draw = vga_draw,
    .cursor = vga_cursor,
};

static void disable_blink(void)
{
    inb(INPUT_STATUS);
    outb(ATTR_PORT, ATTR_MODE);
    uint8_t mode = inb(ATTR_READ);
    outb(ATTR_PORT, mode & (uint8_t)~ATTR_BLINK);
}

/* Whether there is text memory: it keeps what is written, and the CRTC answers. */
static bool vga_detect(void)
{
    volatile uint16_t *cell = vga_cells;
    uint16_t old = *cell;

    *cell = 0x0741;
    bool kept = *cell == 0x0741;
    *cell = 0x0742;
    kept = kept && *cell == 0x0742;
    *cell = old;
    outb(CRTC_INDEX, CRTC_CURSOR);
    return kept && inb(CRTC_INDEX) == CRTC_CURSOR;
}

bool vga_init(void)
{
    if (!vga_detect())
        return false;
    crtc_write(CRTC_START, 0);
    crtc_write(CRTC_START + 1, 0);
    crtc_write(CRTC_CURSOR_START, 13);
    crtc_write(CRTC_CURSOR_END, 14);
    disable_blink();
    return true;
}
