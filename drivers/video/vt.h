/*
 * A terminal emulator for TERM=linux, apart from what shows it. The emulator keeps the cells; when
 * vt_paint is called, a painter (VGA text, a framebuffer) copies those that changed to the screen,
 * once, however much was written and scrolled meanwhile. No locks: the owner of a struct vt
 * serialises.
 */
#ifndef DRIVERS_VT_H
#define DRIVERS_VT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VT_MAX_ROWS   128
#define VT_MAX_COLS   256
#define VT_MAX_PARAMS 16
#define VT_REPLY_MAX  32

/* A cell: a code point of Unicode's basic plane, above it foreground and background colour of four
 * bits each in VGA's order (bit 0 blue, 1 green, 2 red, 3 bright). */
typedef uint32_t vt_cell_t;

#define VT_CELL(attr, codepoint) ((vt_cell_t)(attr) << 16 | (codepoint))
#define VT_CELL_CHAR(cell)       ((cell)&0xffffu)
#define VT_CELL_ATTR(cell)       ((cell) >> 16)
#define VT_ATTR_PLAIN            0x07u
#define VT_ATTR_LOUD             0x4fu   /* white on red */
#define VT_REPLACEMENT           0xfffdu /* for what cannot be shown */

struct vt;

struct vt_painter {
    /* Shows cells[0..n) at (row, col). */
    void (*draw)(void *ctx, unsigned row, unsigned col, const vt_cell_t *cells, unsigned n);
    void (*cursor)(void *ctx, unsigned row, unsigned col, bool visible);
    void (*bell)(void *ctx); /* may be NULL */
};

struct vt_attr {
    uint8_t fg, bg; /* ANSI order, 0-15 */
    bool bold, dim, italic, underline, blink, reverse;
};

/* What ESC 7 saves. */
struct vt_saved {
    uint8_t row, col;
    struct vt_attr attr;
    uint8_t charset[2], shift;
    bool origin;
};

enum vt_state {
    VT_GROUND,
    VT_ESC,
    VT_ESC_CHARSET, /* ESC ( and ESC ): the next byte designates */
    VT_ESC_SKIP,    /* ESC # and ESC %: the next byte ends it */
    VT_CSI,
    VT_CSI_IGNORE,
    VT_OSC,         /* after ESC ] */
    VT_OSC_PALETTE, /* ESC ] P: seven digits */
    VT_STRING,      /* swallowed up to BEL or ESC \ */
    VT_STRING_ESC,
};

struct vt {
    uint16_t rows, cols;
    vt_cell_t *row[VT_MAX_ROWS]; /* rotated by scrolling */
    vt_cell_t **history;         /* NULL, or a ring of lines that scrolled off the top */
    uint16_t history_size, history_next, history_count;
    uint16_t view; /* lines of history that the screen is scrolled back by */
    uint16_t dirty_from[VT_MAX_ROWS],
        dirty_to[VT_MAX_ROWS];        /* columns to paint; from >= to: none */
    const struct vt_painter *painter; /* NULL: not on a screen */
    void *painter_ctx;

    uint16_t cur_row, cur_col;
    bool wrap_pending;    /* the last column is written: the next character wraps */
    uint16_t top, bottom; /* scroll region [top, bottom) */
    struct vt_attr attr;
    vt_cell_t attr_cell;       /* attr as a cell without a character */
    vt_cell_t blank;           /* what erasing leaves */
    uint8_t charset[2], shift; /* G0, G1 and which is in use */
    uint8_t tabs[VT_MAX_COLS / 8];
    struct vt_saved saved;

    bool autowrap, insert, origin, newline, cursor_on, reverse_screen;
    bool app_cursor, app_keypad; /* for the keyboard */

    enum vt_state state;
    uint8_t charset_slot;
    uint8_t nparams;
    uint8_t private; /* '?', '>' or 0 */
    uint16_t params[VT_MAX_PARAMS];
    uint8_t palette_digits;
    uint32_t utf8;     /* code point so far */
    uint8_t utf8_left; /* continuation bytes to come */
    uint32_t utf8_min; /* smaller ones would be overlong */
    uint8_t last;      /* for REP */

    char reply[VT_REPLY_MAX]; /* answers for the program: the owner takes them */
    uint8_t reply_len;
};

/* cells: rows * cols of them, the emulator's from now on; or rows that each has its own. */
void vt_init(struct vt *vt, vt_cell_t *cells, unsigned rows, unsigned cols);
void vt_init_rows(struct vt *vt, vt_cell_t *const *row, unsigned rows, unsigned cols);
/* Shows the whole screen through painter from now on; NULL takes it off the screen. */
void vt_set_painter(struct vt *vt, const struct vt_painter *painter, void *ctx);
/* Other rows of cells, more or fewer: what is on the screen stays. Drops the history. */
void vt_resize(struct vt *vt, vt_cell_t *const *row, unsigned rows, unsigned cols);
/* Keeps lines that scroll off the top in size rows of cells. */
void vt_set_history(struct vt *vt, vt_cell_t **lines, unsigned size);
/* Scrolls the screen back into the history by lines more (or fewer, < 0); output ends it. */
void vt_scroll_view(struct vt *vt, int lines);
void vt_write(struct vt *vt, const char *s, size_t n);
void vt_paint(struct vt *vt);
/* Kernel messages: plain text, whatever escape sequence the program is in the middle of; loud from
 * LOG_LOUD on (kernel/base/log.h). */
void vt_print(struct vt *vt, const char *s, size_t n);
void vt_reset(struct vt *vt);
/* Takes the answers waiting; returns their length. */
size_t vt_take_reply(struct vt *vt, char *buf, size_t size);

/* vt_screen.c: the cells. Rows and columns are valid, ranges are half-open. */
void vt_mark(struct vt *vt, unsigned row, unsigned from, unsigned to);
void vt_erase(struct vt *vt, unsigned row, unsigned from, unsigned to);
void vt_erase_rows(struct vt *vt, unsigned from, unsigned to);
void vt_end_view(struct vt *vt);
void vt_scroll(struct vt *vt, unsigned top, unsigned bottom, int lines); /* > 0: up */
void vt_insert_cells(struct vt *vt, unsigned n);
void vt_delete_cells(struct vt *vt, unsigned n);
void vt_update_attr(struct vt *vt);
void vt_sgr(struct vt *vt);
/* vt_charset.c */
uint16_t vt_codepoint(uint32_t codepoint); /* what a cell holds for it, 0 for what takes no room */
uint16_t vt_line_drawing(uint8_t c);
uint16_t vt_from_cp437(uint8_t c);
uint8_t vt_to_cp437(uint16_t codepoint); /* '?' for what VGA text cannot show */

/* vt_csi.c */
void vt_csi(struct vt *vt, char final);
unsigned vt_param(const struct vt *vt, unsigned i, unsigned missing);
void vt_move(struct vt *vt, int row, int col);
void vt_index(struct vt *vt); /* down one line, scrolling at the bottom of the region */
void vt_reverse_index(struct vt *vt);
void vt_save(struct vt *vt);
void vt_restore(struct vt *vt);
unsigned vt_next_tab(const struct vt *vt, unsigned col);

#endif
