/* The framebuffer as a canvas: rectangles, and text in the console's font. While it is drawn on,
 * the terminal shows no text (KD_GRAPHICS). */
#include "user/memmap/canvas.h"
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define FBIOGET_VSCREENINFO 0x4600
#define FBIOGET_FSCREENINFO 0x4602
#define KDSETMODE           0x4b3a
#define KDGETMODE           0x4b3b
#define KDFONTOP            0x4b72
#define FONT_OP_GET         1
#define GLYPHS              256
#define GLYPH_BYTES         32 /* of each in the answer, whatever its height */

struct bitfield {
    uint32_t offset, length, msb_right;
};

static struct {
    uint8_t *memory;
    uint32_t pitch;
    unsigned bytes; /* of a pixel */
    struct bitfield channel[3];
    uint8_t font[GLYPHS][GLYPH_BYTES];
    unsigned font_height;
} c;

unsigned canvas_width, canvas_height, canvas_scale;

uint32_t canvas_colour(uint32_t rgb)
{
    uint32_t pixel = 0;

    for (unsigned i = 0; i < 3; i++) {
        uint32_t v = rgb >> (16 - 8 * i) & 0xff;

        pixel |= v >> (8 - c.channel[i].length) << c.channel[i].offset;
    }
    return pixel;
}

static void fill_line(uint8_t *to, unsigned n, uint32_t colour)
{
    if (c.bytes == 4) {
        uint32_t *p = (uint32_t *)to;

        while (n--)
            *p++ = colour;
    } else if (c.bytes == 2) {
        uint16_t *p = (uint16_t *)to;

        while (n--)
            *p++ = (uint16_t)colour;
    } else {
        for (; n--; to += 3) {
            to[0] = (uint8_t)colour;
            to[1] = (uint8_t)(colour >> 8);
            to[2] = (uint8_t)(colour >> 16);
        }
    }
}

void canvas_fill(unsigned x, unsigned y, unsigned w, unsigned h, uint32_t colour)
{
    if (x >= canvas_width || y >= canvas_height)
        return;
    w = w < canvas_width - x ? w : canvas_width - x;
    h = h < canvas_height - y ? h : canvas_height - y;
    for (uint8_t *to = c.memory + y * c.pitch + x * c.bytes; h--; to += c.pitch)
        fill_line(to, w, colour);
}

unsigned canvas_line_height(void)
{
    return c.font_height * canvas_scale;
}

static void draw_glyph(unsigned x, unsigned y, const uint8_t *rows, uint32_t fg, uint32_t bg)
{
    for (unsigned row = 0; row < c.font_height; row++)
        for (unsigned from = 0, to; from < 8; from = to) {
            bool lit = rows[row] & 0x80 >> from;

            for (to = from + 1; to < 8 && !(rows[row] & 0x80 >> to) == !lit;)
                to++;
            canvas_fill(x + from * canvas_scale, y + row * canvas_scale, (to - from) * canvas_scale,
                        canvas_scale, lit ? fg : bg);
        }
}

void canvas_text(unsigned x, unsigned y, unsigned width, const char *s, uint32_t fg, uint32_t bg)
{
    unsigned step = 8 * canvas_scale, end = x + width;

    for (; *s && x + step <= end; x += step, s++)
        draw_glyph(x, y, c.font[(uint8_t)*s], fg, bg);
    if (x < end)
        canvas_fill(x, y, end - x, canvas_line_height(), bg);
}

static bool read_font(int tty)
{
    struct {
        uint32_t op, flags, width, height, count;
        void *data;
    } op = {FONT_OP_GET, 0, 8, GLYPH_BYTES, GLYPHS, c.font};

    if (ioctl(tty, KDFONTOP, &op) < 0 || op.width != 8)
        return false;
    c.font_height = op.height;
    return true;
}

static bool map_screen(void)
{
    uint32_t var[40], fix[17]; /* Linux's fb_var_screeninfo and fb_fix_screeninfo */
    int fd = open("/dev/fb0", O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (ioctl(fd, FBIOGET_VSCREENINFO, var) < 0 || ioctl(fd, FBIOGET_FSCREENINFO, fix) < 0) {
        close(fd);
        return false;
    }
    canvas_width = var[0];
    canvas_height = var[1];
    canvas_scale = canvas_width >= 3000 ? 3 : canvas_width >= 1800 ? 2 : 1;
    c.bytes = var[6] / 8;
    memcpy(c.channel, &var[8], sizeof(c.channel));
    c.pitch = fix[11];
    c.memory = mmap(NULL, fix[5], PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return c.memory != MAP_FAILED && c.bytes >= 2 && c.bytes <= 4;
}

bool canvas_open(int tty)
{
    int mode;

    return ioctl(tty, KDGETMODE, &mode) == 0 && map_screen() && read_font(tty) &&
           ioctl(tty, KDSETMODE, (void *)1) == 0;
}

void canvas_close(int tty)
{
    ioctl(tty, KDSETMODE, (void *)0);
}
