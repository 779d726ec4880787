/*
 * Control sequences: CSI with its parameters read, and cursor movement. What is unknown does
 * nothing. [ECMA-48; man 4 console_codes]
 */
#include "drivers/video/vt.h"
#include "libc/printf.h"
#include "libc/string.h"

/* Parameter i; missing ones and zeros count as what the sequence says. */
unsigned vt_param(const struct vt *vt, unsigned i, unsigned missing)
{
    unsigned p = i < vt->nparams ? vt->params[i] : 0;

    return p ? p : missing;
}

/* Programs may ask for any position: everything that is computed from a parameter goes through
 * here. */
static int clamp(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

/* To an absolute position, kept on the screen, with origin mode in the scroll region. */
void vt_move(struct vt *vt, int row, int col)
{
    int low = vt->origin ? vt->top : 0;
    int high = vt->origin ? vt->bottom - 1 : vt->rows - 1;

    vt->cur_row = (uint16_t)clamp(row, low, high);
    vt->cur_col = (uint16_t)clamp(col, 0, vt->cols - 1);
    vt->wrap_pending = false;
}

/* Row and column as a program counts them, from the origin. */
static void move_addressed(struct vt *vt, unsigned row, unsigned col)
{
    vt_move(vt, (int)row - 1 + (vt->origin ? vt->top : 0), (int)col - 1);
}

/* Up (negative) or down, not across the edge of the scroll region that it starts within. */
static void move_rows(struct vt *vt, int n)
{
    int row = vt->cur_row;
    int low = row >= vt->top ? vt->top : 0;
    int high = row < vt->bottom ? vt->bottom - 1 : vt->rows - 1;

    vt_move(vt, clamp(row + n, low, high), vt->cur_col);
}

/* One line down; at the bottom of the scroll region its contents move up instead. */
void vt_index(struct vt *vt)
{
    if (vt->cur_row + 1 == vt->bottom)
        vt_scroll(vt, vt->top, vt->bottom, 1);
    else if (vt->cur_row + 1 < vt->rows)
        vt->cur_row++;
    vt->wrap_pending = false;
}

void vt_reverse_index(struct vt *vt)
{
    if (vt->cur_row == vt->top)
        vt_scroll(vt, vt->top, vt->bottom, -1);
    else if (vt->cur_row > 0)
        vt->cur_row--;
    vt->wrap_pending = false;
}

/* DECSC and DECRC, and their CSI forms: the cursor with all that decides how text looks. */
void vt_save(struct vt *vt)
{
    struct vt_saved *s = &vt->saved;

    s->row = (uint8_t)vt->cur_row;
    s->col = (uint8_t)vt->cur_col;
    s->attr = vt->attr;
    memcpy(s->charset, vt->charset, sizeof(s->charset));
    s->shift = vt->shift;
    s->origin = vt->origin;
}

void vt_restore(struct vt *vt)
{
    const struct vt_saved *s = &vt->saved;

    vt->attr = s->attr;
    memcpy(vt->charset, s->charset, sizeof(s->charset));
    vt->shift = s->shift;
    vt->origin = s->origin;
    vt_update_attr(vt);
    vt_move(vt, s->row, s->col);
}

unsigned vt_next_tab(const struct vt *vt, unsigned col)
{
    while (++col < vt->cols - 1u && !(vt->tabs[col / 8] & (1u << col % 8)))
        ;
    return col < vt->cols ? col : vt->cols - 1u;
}

static void back_tabs(struct vt *vt, unsigned n)
{
    unsigned col = vt->cur_col;

    while (n-- && col) {
        while (--col && !(vt->tabs[col / 8] & (1u << col % 8)))
            ;
    }
    vt_move(vt, vt->cur_row, (int)col);
}

static void forward_tabs(struct vt *vt, unsigned n)
{
    unsigned col = vt->cur_col;

    while (n-- && col < vt->cols - 1u)
        col = vt_next_tab(vt, col);
    vt_move(vt, vt->cur_row, (int)col);
}

/* ED: 0 from the cursor on, 1 up to it, 2 and 3 all. */
static void erase_display(struct vt *vt)
{
    switch (vt_param(vt, 0, 0)) {
    case 0:
        vt_erase(vt, vt->cur_row, vt->cur_col, vt->cols);
        vt_erase_rows(vt, vt->cur_row + 1u, vt->rows);
        break;
    case 1:
        vt_erase_rows(vt, 0, vt->cur_row);
        vt_erase(vt, vt->cur_row, 0, vt->cur_col + 1u);
        break;
    case 2:
    case 3:
        vt_erase_rows(vt, 0, vt->rows);
        break;
    }
    vt->wrap_pending = false;
}

static void erase_line(struct vt *vt)
{
    unsigned mode = vt_param(vt, 0, 0);

    if (mode <= 2)
        vt_erase(vt, vt->cur_row, mode == 0 ? vt->cur_col : 0,
                 mode == 1 ? vt->cur_col + 1u : vt->cols);
    vt->wrap_pending = false;
}

static void erase_cells(struct vt *vt, unsigned n)
{
    unsigned end = vt->cur_col + n;

    vt_erase(vt, vt->cur_row, vt->cur_col, end < vt->cols ? end : vt->cols);
    vt->wrap_pending = false;
}

/* IL and DL: the cursor's row to the bottom of the region, only within it. */
static void shift_lines(struct vt *vt, int n)
{
    if (vt->cur_row < vt->top || vt->cur_row >= vt->bottom)
        return;
    vt_scroll(vt, vt->cur_row, vt->bottom, n);
    vt->wrap_pending = false;
}

/* DECSTBM. A region that makes no sense leaves the old one. */
static void set_region(struct vt *vt)
{
    unsigned top = vt_param(vt, 0, 1), bottom = vt_param(vt, 1, vt->rows);

    if (top >= bottom || bottom > vt->rows)
        return;
    vt->top = (uint16_t)(top - 1);
    vt->bottom = (uint16_t)bottom;
    vt_move(vt, vt->origin ? vt->top : 0, 0);
}

static void set_tab(struct vt *vt, bool on)
{
    uint8_t bit = (uint8_t)(1u << vt->cur_col % 8);
    uint8_t *byte = &vt->tabs[vt->cur_col / 8];

    *byte = on ? *byte | bit : *byte & (uint8_t)~bit;
}

static void clear_tabs(struct vt *vt)
{
    if (vt_param(vt, 0, 0) == 0)
        set_tab(vt, false);
    else if (vt_param(vt, 0, 0) == 3)
        memset(vt->tabs, 0, sizeof(vt->tabs));
}

/* DECSCNM: cells carry their colours, so those that are there are changed over one by one. */
static void set_reverse_screen(struct vt *vt, bool on)
{
    if (vt->reverse_screen == on)
        return;
    vt->reverse_screen = on;
    vt_update_attr(vt);
    for (unsigned row = 0; row < vt->rows; row++) {
        for (unsigned col = 0; col < vt->cols; col++) {
            vt_cell_t c = vt->row[row][col];
            unsigned fg = c >> 16 & 7, bg = c >> 20 & 7;
            vt->row[row][col] = (vt_cell_t)((c & ~0x770000u) | fg << 20 | bg << 16);
        }
        vt_mark(vt, row, 0, vt->cols);
    }
}

static void set_private_mode(struct vt *vt, unsigned mode, bool on)
{
    switch (mode) {
    case 1:
        vt->app_cursor = on;
        break;
    case 5:
        set_reverse_screen(vt, on);
        break;
    case 6:
        vt->origin = on;
        vt_move(vt, on ? vt->top : 0, 0);
        break;
    case 7:
        vt->autowrap = on;
        break;
    case 25:
        vt->cursor_on = on;
        break;
    case 66:
        vt->app_keypad = on;
        break;
    }
}

static void set_modes(struct vt *vt, bool on)
{
    for (unsigned i = 0; i < vt->nparams; i++) {
        if (vt->private == '?')
            set_private_mode(vt, vt->params[i], on);
        else if (vt->private == 0 && vt->params[i] == 4)
            vt->insert = on;
        else if (vt->private == 0 && vt->params[i] == 20)
            vt->newline = on;
    }
}

/* Kept for the driver, which feeds it to the program as input. What has no room is dropped whole.
 */
static void reply(struct vt *vt, const char *s)
{
    size_t n = strlen(s);

    if (vt->reply_len + n > sizeof(vt->reply))
        return;
    memcpy(vt->reply + vt->reply_len, s, n);
    vt->reply_len += (uint8_t)n;
}

static void report_status(struct vt *vt)
{
    char text[24];

    if (vt_param(vt, 0, 0) == 5)
        reply(vt, "\033[0n");
    if (vt_param(vt, 0, 0) != 6)
        return;
    snprintf(text, sizeof(text), "\033[%d;%dR", vt->cur_row - (vt->origin ? vt->top : 0) + 1,
             vt->cur_col + 1);
    reply(vt, text);
}

/* REP. Bounded by a screenful: more would show the same. */
static void repeat_last(struct vt *vt, unsigned n)
{
    char c = (char)vt->last;

    if (n > (unsigned)vt->cols * vt->rows)
        n = (unsigned)vt->cols * vt->rows;
    vt->state = VT_GROUND;
    while (vt->last && n--)
        vt_write(vt, &c, 1);
}

/* Movement; false if final is something else. */
static bool csi_move(struct vt *vt, char final, unsigned n)
{
    switch (final) {
    case 'A':
        move_rows(vt, -(int)n);
        break;
    case 'B':
    case 'e':
        move_rows(vt, (int)n);
        break;
    case 'C':
    case 'a':
        vt_move(vt, vt->cur_row, vt->cur_col + (int)n);
        break;
    case 'D':
        vt_move(vt, vt->cur_row, vt->cur_col - (int)n);
        break;
    case 'E':
    case 'F':
        move_rows(vt, final == 'E' ? (int)n : -(int)n);
        vt->cur_col = 0;
        break;
    case 'G':
    case '`':
        vt_move(vt, vt->cur_row, (int)n - 1);
        break;
    case 'H':
    case 'f':
        move_addressed(vt, n, vt_param(vt, 1, 1));
        break;
    case 'd':
        move_addressed(vt, n, vt->cur_col + 1u);
        break;
    case 'I':
        forward_tabs(vt, n);
        break;
    case 'Z':
        back_tabs(vt, n);
        break;
    default:
        return false;
    }
    return true;
}

/* Changes of cells; false if final is something else. */
static bool csi_edit(struct vt *vt, char final, unsigned n)
{
    switch (final) {
    case '@':
        vt_insert_cells(vt, n);
        vt->wrap_pending = false;
        break;
    case 'P':
        vt_delete_cells(vt, n);
        vt->wrap_pending = false;
        break;
    case 'J':
        erase_display(vt);
        break;
    case 'K':
        erase_line(vt);
        break;
    case 'X':
        erase_cells(vt, n);
        break;
    case 'L':
        shift_lines(vt, -(int)n);
        break;
    case 'M':
        shift_lines(vt, (int)n);
        break;
    case 'S':
        vt_scroll(vt, vt->top, vt->bottom, (int)n);
        break;
    case 'T':
        vt_scroll(vt, vt->top, vt->bottom, -(int)n);
        break;
    default:
        return false;
    }
    return true;
}

/* A sequence is complete: vt.c has read its parameters, its private mark, and final. */
void vt_csi(struct vt *vt, char final)
{
    unsigned n = vt_param(vt, 0, 1);

    if (final == 'h' || final == 'l') {
        set_modes(vt, final == 'h');
        return;
    }
    if (vt->private || csi_move(vt, final, n) || csi_edit(vt, final, n))
        return;
    switch (final) {
    case 'm':
        vt_sgr(vt);
        break;
    case 'n':
        report_status(vt);
        break;
    case 'c':
        if (vt_param(vt, 0, 0) == 0)
            reply(vt, "\033[?6c");
        break;
    case 'r':
        set_region(vt);
        break;
    case 's':
        vt_save(vt);
        break;
    case 'u':
        vt_restore(vt);
        break;
    case 'g':
        clear_tabs(vt);
        break;
    case 'b':
        repeat_last(vt, n);
        break;
    }
}
