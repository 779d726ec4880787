/*
 * The cells of a terminal: erasing, scrolling, shifting, and what has to be painted. Scrolling
 * rotates row pointers, so a line costs its length and not the screen's; painting happens once per
 * write.
 */
#include "drivers/video/vt.h"
#include "libc/string.h"

void vt_mark(struct vt *vt, unsigned row, unsigned from, unsigned to)
{
    if (from < vt->dirty_from[row])
        vt->dirty_from[row] = (uint16_t)from;
    if (to > vt->dirty_to[row])
        vt->dirty_to[row] = (uint16_t)to;
}

void vt_erase(struct vt *vt, unsigned row, unsigned from, unsigned to)
{
    vt_cell_t *cells = vt->row[row];

    memset32(cells + from, vt->blank, to - from);
    vt_mark(vt, row, from, to);
}

void vt_erase_rows(struct vt *vt, unsigned from, unsigned to)
{
    for (unsigned row = from; row < to; row++)
        vt_erase(vt, row, 0, vt->cols);
}

static void mark_all(struct vt *vt)
{
    for (unsigned row = 0; row < vt->rows; row++)
        vt_mark(vt, row, 0, vt->cols);
}

static void reverse_rows(struct vt *vt, unsigned from, unsigned to)
{
    while (from + 1 < to) {
        vt_cell_t *swap = vt->row[from];
        vt->row[from++] = vt->row[--to];
        vt->row[to] = swap;
    }
}

/* Rotates the rows of [top, bottom) up by n: three reversals. */
static void rotate_up(struct vt *vt, unsigned top, unsigned bottom, unsigned n)
{
    reverse_rows(vt, top, top + n);
    reverse_rows(vt, top + n, bottom);
    reverse_rows(vt, top, bottom);
}

/* The top row goes into the history; the oldest line's cells come in its place. */
static void keep_top_row(struct vt *vt)
{
    vt_cell_t *oldest = vt->history[vt->history_next];

    vt->history[vt->history_next] = vt->row[0];
    vt->row[0] = oldest;
    vt->history_next = (uint16_t)((vt->history_next + 1) % vt->history_size);
    if (vt->history_count < vt->history_size)
        vt->history_count++;
}

static void scroll_one_up(struct vt *vt, unsigned top, unsigned bottom)
{
    vt_cell_t *first = vt->row[top];

    memmove(&vt->row[top], &vt->row[top + 1], (bottom - top - 1) * sizeof(vt->row[0]));
    vt->row[bottom - 1] = first;
}

void vt_scroll(struct vt *vt, unsigned top, unsigned bottom, int lines)
{
    unsigned height = bottom - top;
    unsigned n = lines < 0 ? -(unsigned)lines : (unsigned)lines;

    if (n == 0)
        return;
    if (lines > 0 && top == 0 && bottom == vt->rows && vt->history && n < height) {
        while (n--) {
            keep_top_row(vt);
            scroll_one_up(vt, top, bottom);
            vt_erase(vt, bottom - 1, 0, vt->cols);
        }
        mark_all(vt);
        return;
    }
    if (n >= height) {
        vt_erase_rows(vt, top, bottom);
        return;
    }
    if (lines == 1)
        scroll_one_up(vt, top, bottom);
    else
        rotate_up(vt, top, bottom, lines > 0 ? n : height - n);
    for (unsigned row = top; row < bottom; row++)
        vt_mark(vt, row, 0, vt->cols);
    if (lines > 0)
        vt_erase_rows(vt, bottom - n, bottom);
    else
        vt_erase_rows(vt, top, top + n);
}

/* At the cursor, moving the rest of its row right or left. */
void vt_insert_cells(struct vt *vt, unsigned n)
{
    vt_cell_t *at = vt->row[vt->cur_row] + vt->cur_col;
    unsigned rest = vt->cols - vt->cur_col;

    if (n > rest)
        n = rest;
    memmove(at + n, at, (rest - n) * sizeof(*at));
    vt_erase(vt, vt->cur_row, vt->cur_col, vt->cur_col + n);
    vt_mark(vt, vt->cur_row, vt->cur_col, vt->cols);
}

void vt_delete_cells(struct vt *vt, unsigned n)
{
    vt_cell_t *at = vt->row[vt->cur_row] + vt->cur_col;
    unsigned rest = vt->cols - vt->cur_col;

    if (n > rest)
        n = rest;
    memmove(at, at + n, (rest - n) * sizeof(*at));
    vt_erase(vt, vt->cur_row, vt->cols - n, vt->cols);
    vt_mark(vt, vt->cur_row, vt->cur_col, vt->cols);
}

/* What the screen shows in a row: a line of the history where it is scrolled back that far. */
static const vt_cell_t *visible_row(const struct vt *vt, unsigned row)
{
    if (row >= vt->view)
        return vt->row[row - vt->view];
    unsigned back = vt->view - row;
    return vt->history[(vt->history_next + vt->history_size - back) % vt->history_size];
}

void vt_paint(struct vt *vt)
{
    if (!vt->painter)
        return;
    for (unsigned row = 0; row < vt->rows; row++) {
        unsigned from = vt->dirty_from[row], to = vt->dirty_to[row];
        if (from >= to)
            continue;
        vt->painter->draw(vt->painter_ctx, row, from, visible_row(vt, row) + from, to - from);
        vt->dirty_from[row] = VT_MAX_COLS;
        vt->dirty_to[row] = 0;
    }
    vt->painter->cursor(vt->painter_ctx, vt->cur_row, vt->cur_col, vt->cursor_on && !vt->view);
}

void vt_set_painter(struct vt *vt, const struct vt_painter *painter, void *ctx)
{
    vt->painter = painter;
    vt->painter_ctx = ctx;
    mark_all(vt);
    vt_paint(vt);
}

/* ---- Size and history ---- */

void vt_set_history(struct vt *vt, vt_cell_t **lines, unsigned size)
{
    vt->view = 0;
    vt->history = size ? lines : NULL;
    vt->history_size = (uint16_t)size;
    vt->history_next = vt->history_count = 0;
}

void vt_end_view(struct vt *vt)
{
    if (vt->view == 0)
        return;
    vt->view = 0;
    mark_all(vt);
}

void vt_scroll_view(struct vt *vt, int lines)
{
    int view = vt->view + lines;

    if (view < 0)
        view = 0;
    if (view > vt->history_count)
        view = vt->history_count;
    if (view == vt->view)
        return;
    vt->view = (uint16_t)view;
    mark_all(vt);
    vt_paint(vt);
}

/* The lines that still fit, counted so that the cursor's stays. */
void vt_resize(struct vt *vt, vt_cell_t *const *row, unsigned rows, unsigned cols)
{
    unsigned skip = vt->cur_row >= rows ? vt->cur_row - rows + 1u : 0;
    unsigned keep = cols < vt->cols ? cols : vt->cols;

    vt_set_history(vt, NULL, 0);
    for (unsigned r = 0; r < rows; r++) {
        unsigned old = r + skip;
        unsigned n = old < vt->rows ? keep : 0;
        if (n)
            memcpy(row[r], vt->row[old], n * sizeof(vt_cell_t));
        for (unsigned col = n; col < cols; col++)
            row[r][col] = vt->blank;
    }
    memcpy(vt->row, row, rows * sizeof(row[0]));
    vt->rows = (uint16_t)rows;
    vt->cols = (uint16_t)cols;
    vt->top = 0;
    vt->bottom = vt->rows;
    vt_move(vt, (int)(vt->cur_row - skip), vt->cur_col);
    mark_all(vt);
}

/* ---- Attributes ---- */

/* ANSI counts red, green, blue from the lowest bit, VGA the other way round. */
static unsigned vga_colour(unsigned ansi)
{
    static const uint8_t order[8] = {0, 4, 2, 6, 1, 5, 3, 7};

    return order[ansi & 7] | (ansi & 8);
}

/* Sixteen colours have no underline, italics or dim: those take a colour of their own, as on
 * Linux's console. */
void vt_update_attr(struct vt *vt)
{
    const struct vt_attr *a = &vt->attr;
    unsigned fg = vga_colour(a->fg), bg = vga_colour(a->bg);

    if (a->underline)
        fg = 3;
    else if (a->italic)
        fg = 2;
    else if (a->dim)
        fg = 8;
    if (a->bold)
        fg |= 8;
    if (a->reverse != vt->reverse_screen) {
        unsigned swap = fg & 7;
        fg = bg | (fg & 8);
        bg = swap;
    }
    if (a->blink)
        bg |= 8;
    vt->attr_cell = VT_CELL(bg << 4 | fg, 0);
    unsigned blank_fg = vga_colour(a->fg), blank_bg = vga_colour(a->bg);
    if (vt->reverse_screen)
        vt->blank = VT_CELL((blank_fg & 7) << 4 | blank_bg, ' ');
    else
        vt->blank = VT_CELL(blank_bg << 4 | blank_fg, ' ');
}

/* The nearest of sixteen colours: the channels near the strongest one give the hue. */
static uint8_t nearest_colour(unsigned r, unsigned g, unsigned b)
{
    unsigned max = r > g ? r : g;

    max = max > b ? max : b;
    if (max < 0x30)
        return 0;
    unsigned half = max / 2;
    uint8_t hue = (uint8_t)((r > half) | (g > half) << 1 | (b > half) << 2);
    if (hue == 7 && max <= 0x60)
        return 8;
    return max > 0xc0 ? hue | 8 : hue;
}

static uint8_t colour_of_256(unsigned n)
{
    static const uint8_t level[6] = {0, 95, 135, 175, 215, 255};

    if (n < 16)
        return (uint8_t)n;
    if (n < 232) {
        n -= 16;
        return nearest_colour(level[n / 36], level[n / 6 % 6], level[n % 6]);
    }
    unsigned grey = 8 + (n - 232) * 10;
    return nearest_colour(grey, grey, grey);
}

/* 38;5;n and 38;2;r;g;b (48 likewise) at parameter i; returns the last parameter used. */
static unsigned extended_colour(struct vt *vt, unsigned i, uint8_t *colour)
{
    const uint16_t *p = vt->params;

    if (i + 2 < vt->nparams && p[i + 1] == 5) {
        *colour = colour_of_256(p[i + 2] & 0xff);
        return i + 2;
    }
    if (i + 4 < vt->nparams && p[i + 1] == 2) {
        *colour = nearest_colour(p[i + 2] & 0xff, p[i + 3] & 0xff, p[i + 4] & 0xff);
        return i + 4;
    }
    return vt->nparams;
}

static void sgr_flag(struct vt_attr *a, unsigned p)
{
    bool on = p < 10;

    switch (on ? p : p - 20) {
    case 1:
        a->bold = on;
        break;
    case 2:
        a->dim = on;
        a->bold = on ? a->bold : false;
        break;
    case 3:
        a->italic = on;
        break;
    case 4:
        a->underline = on;
        break;
    case 5:
    case 6:
        a->blink = on;
        break;
    case 7:
        a->reverse = on;
        break;
    }
}

void vt_sgr(struct vt *vt)
{
    static const struct vt_attr plain = {.fg = 7};
    struct vt_attr *a = &vt->attr;

    for (unsigned i = 0; i == 0 || i < vt->nparams; i++) {
        unsigned p = vt_param(vt, i, 0);
        if (p == 0)
            *a = plain;
        else if (p < 10 || (p >= 21 && p < 30))
            sgr_flag(a, p);
        else if (p == 38)
            i = extended_colour(vt, i, &a->fg);
        else if (p == 48)
            i = extended_colour(vt, i, &a->bg);
        else if (p >= 30 && p <= 39)
            a->fg = p == 39 ? plain.fg : (uint8_t)(p - 30);
        else if (p >= 40 && p <= 49)
            a->bg = p == 49 ? plain.bg : (uint8_t)(p - 40);
        else if (p >= 90 && p <= 97)
            a->fg = (uint8_t)(p - 90 + 8);
        else if (p >= 100 && p <= 107)
            a->bg = (uint8_t)(p - 100 + 8);
    }
    vt_update_attr(vt);
}
