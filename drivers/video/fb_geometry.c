/* Which framebuffers can be used, and how: what a boot loader says of them is not believed. */
#include "drivers/video/fb.h"
#include "drivers/video/font.h"

#define MIN_COLS   40u
#define MIN_ROWS   12u
#define MAX_SIDE   16384u
#define WIDE_COLS  120u /* enlarged as long as so many columns and rows remain */
#define WIDE_ROWS  33u
#define MAX_PHYS   (1ull << 36)
#define LEAST_PHYS 0xa0000u

/* VGA's sixteen colours: red, green, blue. */
static const uint8_t colours[16][3] = {
    {0x00, 0x00, 0x00}, {0x00, 0x00, 0xaa}, {0x00, 0xaa, 0x00}, {0x00, 0xaa, 0xaa},
    {0xaa, 0x00, 0x00}, {0xaa, 0x00, 0xaa}, {0xaa, 0x55, 0x00}, {0xaa, 0xaa, 0xaa},
    {0x55, 0x55, 0x55}, {0x55, 0x55, 0xff}, {0x55, 0xff, 0x55}, {0x55, 0xff, 0xff},
    {0xff, 0x55, 0x55}, {0xff, 0x55, 0xff}, {0xff, 0xff, 0x55}, {0xff, 0xff, 0xff},
};

static uint32_t channel(uint8_t value, struct boot_colour c)
{
    uint32_t v = value, scaled = c.size >= 8 ? v << (c.size - 8) : v >> (8 - c.size);

    return scaled << c.position;
}

static bool colour_fits(struct boot_colour c, unsigned bpp)
{
    return c.size >= 1 && c.size <= 10 && c.position + c.size <= bpp;
}

/* Where the loader talks nonsense, what nearly every machine has. */
static void usual_colours(struct boot_colour c[3], unsigned bpp)
{
    static const struct boot_colour by_depth[3][3] = {
        {{10, 5}, {5, 5}, {0, 5}},
        {{11, 5}, {5, 6}, {0, 5}},
        {{16, 8}, {8, 8}, {0, 8}},
    };
    const struct boot_colour *usual = by_depth[bpp == 15 ? 0 : bpp == 16 ? 1 : 2];

    for (int i = 0; i < 3; i++)
        c[i] = usual[i];
}

static void make_palette(struct fb_geometry *g, const struct boot_framebuffer *fb)
{
    struct boot_colour c[3] = {fb->red, fb->green, fb->blue};

    if (!colour_fits(c[0], fb->bpp) || !colour_fits(c[1], fb->bpp) || !colour_fits(c[2], fb->bpp))
        usual_colours(c, fb->bpp);
    for (int i = 0; i < 16; i++)
        g->palette[i] = channel(colours[i][0], c[0]) | channel(colours[i][1], c[1]) |
                        channel(colours[i][2], c[2]);
}

static unsigned scale_by_size(const struct boot_framebuffer *fb)
{
    unsigned by_width = fb->width / (FONT_WIDTH * WIDE_COLS);
    unsigned by_height = fb->height / (FONT_HEIGHT * WIDE_ROWS);
    unsigned scale = by_width < by_height ? by_width : by_height;

    return scale < 1 ? 1 : scale > FB_MAX_SCALE ? FB_MAX_SCALE : scale;
}

static void make_grid(struct fb_geometry *g, unsigned scale)
{
    unsigned cols = g->width / (FONT_WIDTH * scale), rows = g->height / (FONT_HEIGHT * scale);

    g->scale = (uint8_t)scale;
    g->cols = (uint16_t)(cols < VT_MAX_COLS ? cols : VT_MAX_COLS);
    g->rows = (uint16_t)(rows < VT_MAX_ROWS ? rows : VT_MAX_ROWS);
}

const char *fb_geometry(struct fb_geometry *g, const struct boot_framebuffer *fb, unsigned scale)
{
    unsigned bytes = (fb->bpp + 7u) / 8;

    if (fb->bpp != 15 && fb->bpp != 16 && fb->bpp != 24 && fb->bpp != 32)
        return "its depth is not 15, 16, 24 or 32 bits";
    if (fb->width > MAX_SIDE || fb->height > MAX_SIDE)
        return "it is absurdly large";
    if (fb->width < MIN_COLS * FONT_WIDTH || fb->height < MIN_ROWS * FONT_HEIGHT)
        return "it is too small for text";
    if (fb->pitch < fb->width * bytes || fb->pitch > 2 * MAX_SIDE * 4)
        return "its lines are shorter than its width, or absurdly long";
    if (fb->addr < LEAST_PHYS || fb->addr >= MAX_PHYS)
        return "it is at an address that cannot be";
    g->width = fb->width;
    g->height = fb->height;
    g->pitch = fb->pitch;
    g->bytes = (uint8_t)bytes;
    if (scale < 1 || scale > FB_MAX_SCALE || fb->width / scale < MIN_COLS * FONT_WIDTH ||
        fb->height / scale < MIN_ROWS * FONT_HEIGHT)
        scale = scale_by_size(fb);
    make_grid(g, scale);
    make_palette(g, fb);
    return NULL;
}
