/*
 * The terminal emulator's input side: bytes become characters (UTF-8), control characters and
 * escape sequences. A control character acts even inside a sequence; CAN and SUB end one. Runs of
 * plain text take a short path.
 */
#include "drivers/video/vt.h"
#include "kernel/base/log.h"
#include "libc/string.h"

#define ESC              0x1b
#define CHARSET_LATIN    0
#define CHARSET_GRAPHICS 1
#define CHARSET_GLYPHS   2 /* bytes are CP437 */

void vt_reset(struct vt *vt)
{
    vt->attr = (struct vt_attr){.fg = 7};
    vt->reverse_screen = false;
    vt_update_attr(vt);
    vt->top = 0;
    vt->bottom = vt->rows;
    vt->charset[0] = CHARSET_LATIN;
    vt->charset[1] = CHARSET_GRAPHICS;
    vt->shift = 0;
    memset(vt->tabs, 1, sizeof(vt->tabs)); /* every eighth column */
    vt->autowrap = vt->cursor_on = true;
    vt->insert = vt->origin = vt->newline = false;
    vt->app_cursor = vt->app_keypad = false;
    vt->state = VT_GROUND;
    vt->utf8_left = 0;
    vt->last = 0;
    vt_move(vt, 0, 0);
    vt_erase_rows(vt, 0, vt->rows);
    vt_save(vt);
}

static void init_size(struct vt *vt, unsigned rows, unsigned cols)
{
    memset(vt, 0, sizeof(*vt));
    vt->rows = (uint16_t)(rows < VT_MAX_ROWS ? rows : VT_MAX_ROWS);
    vt->cols = (uint16_t)(cols < VT_MAX_COLS ? cols : VT_MAX_COLS);
}

void vt_init(struct vt *vt, vt_cell_t *cells, unsigned rows, unsigned cols)
{
    init_size(vt, rows, cols);
    for (unsigned row = 0; row < vt->rows; row++)
        vt->row[row] = cells + row * vt->cols;
    vt_reset(vt);
}

void vt_init_rows(struct vt *vt, vt_cell_t *const *row, unsigned rows, unsigned cols)
{
    init_size(vt, rows, cols);
    memcpy(vt->row, row, vt->rows * sizeof(row[0]));
    vt_reset(vt);
}

size_t vt_take_reply(struct vt *vt, char *buf, size_t size)
{
    size_t n = vt->reply_len < size ? vt->reply_len : size;

    memcpy(buf, vt->reply, n);
    vt->reply_len = 0;
    return n;
}

/* ---- Characters ---- */

/* A full row does not wrap before the next character comes (wrap_pending): a program may fill the
 * last column of the last row without scrolling. */
static void put_glyph(struct vt *vt, uint16_t glyph)
{
    if (vt->wrap_pending) {
        vt->cur_col = 0;
        vt_index(vt);
    }
    if (vt->insert)
        vt_insert_cells(vt, 1);
    vt->row[vt->cur_row][vt->cur_col] = vt->attr_cell | glyph;
    vt_mark(vt, vt->cur_row, vt->cur_col, vt->cur_col + 1u);
    if (vt->cur_col + 1 < vt->cols)
        vt->cur_col++;
    else
        vt->wrap_pending = vt->autowrap;
}

/* As many printable ASCII characters as s starts with and the row still takes: the common case. */
static size_t put_run(struct vt *vt, const char *s, size_t n)
{
    size_t room = vt->cols - 1u - vt->cur_col;
    vt_cell_t *at = vt->row[vt->cur_row] + vt->cur_col;
    size_t i = 0;

    if (n > room)
        n = room;
    while (i < n && s[i] >= ' ' && s[i] < 0x7f) {
        at[i] = vt->attr_cell | (uint8_t)s[i];
        i++;
    }
    if (i == 0)
        return 0;
    vt_mark(vt, vt->cur_row, vt->cur_col, vt->cur_col + (unsigned)i);
    vt->cur_col += (uint16_t)i;
    vt->last = (uint8_t)s[i - 1];
    return i;
}

static void put_ascii(struct vt *vt, uint8_t c)
{
    if (c == 0x7f)
        return;
    vt->last = c;
    put_glyph(vt, vt->charset[vt->shift] == CHARSET_GRAPHICS ? vt_line_drawing(c) : c);
}

/* utf8_min is the least that this length may stand for: longer forms of the same are refused. [RFC
 * 3629] */
static void utf8_start(struct vt *vt, uint8_t c)
{
    if (c >= 0xc2 && c <= 0xdf) {
        vt->utf8_left = 1;
        vt->utf8 = c & 0x1f;
        vt->utf8_min = 0x80;
    } else if ((c & 0xf0) == 0xe0) {
        vt->utf8_left = 2;
        vt->utf8 = c & 0x0f;
        vt->utf8_min = 0x800;
    } else if (c >= 0xf0 && c <= 0xf4) {
        vt->utf8_left = 3;
        vt->utf8 = c & 0x07;
        vt->utf8_min = 0x10000;
    } else {
        put_glyph(vt, VT_REPLACEMENT);
    }
}

static void utf8_continue(struct vt *vt, uint8_t c)
{
    vt->utf8 = vt->utf8 << 6 | (c & 0x3f);
    if (--vt->utf8_left)
        return;
    bool bad = vt->utf8 < vt->utf8_min || (vt->utf8 >= 0xd800 && vt->utf8 < 0xe000);
    uint16_t glyph = bad ? VT_REPLACEMENT : vt_codepoint(vt->utf8);
    if (glyph)
        put_glyph(vt, glyph);
}

static void put_char(struct vt *vt, uint8_t c)
{
    if (vt->charset[vt->shift] == CHARSET_GLYPHS) {
        put_glyph(vt, vt_from_cp437(c));
        return;
    }
    bool continues = (c & 0xc0) == 0x80;
    if (vt->utf8_left && continues) {
        utf8_continue(vt, c);
        return;
    }
    if (vt->utf8_left) {
        vt->utf8_left = 0;
        put_glyph(vt, VT_REPLACEMENT);
    }
    if (c < 0x80)
        put_ascii(vt, c);
    else
        utf8_start(vt, c);
}

/* ---- Control characters and escape sequences ---- */

/* What is not listed does nothing. */
static void control(struct vt *vt, uint8_t c)
{
    switch (c) {
    case '\a':
        if (vt->painter && vt->painter->bell)
            vt->painter->bell(vt->painter_ctx);
        break;
    case '\b':
        vt->wrap_pending = false;
        if (vt->cur_col)
            vt->cur_col--;
        break;
    case '\t':
        vt_move(vt, vt->cur_row, (int)vt_next_tab(vt, vt->cur_col));
        break;
    case '\n':
    case '\v':
    case '\f':
        vt_index(vt);
        if (vt->newline)
            vt->cur_col = 0;
        break;
    case '\r':
        vt->cur_col = 0;
        vt->wrap_pending = false;
        break;
    case 0x0e:
    case 0x0f:
        vt->shift = c == 0x0e;
        break;
    case 0x18:
    case 0x1a:
        vt->state = VT_GROUND;
        break;
    case ESC:
        vt->state = VT_ESC;
        break;
    }
}

/* DECALN: a screen full of E. */
static void alignment_test(struct vt *vt)
{
    for (unsigned row = 0; row < vt->rows; row++) {
        for (unsigned col = 0; col < vt->cols; col++)
            vt->row[row][col] = vt->attr_cell | 'E';
        vt_mark(vt, row, 0, vt->cols);
    }
}

static void begin_csi(struct vt *vt)
{
    vt->state = VT_CSI;
    vt->nparams = 0;
    vt->private = 0;
    memset(vt->params, 0, sizeof(vt->params));
}

/* ESC and one character that starts something longer; false if c is a whole sequence. */
static bool escape_prefix(struct vt *vt, uint8_t c)
{
    switch (c) {
    case '[':
        begin_csi(vt);
        break;
    case ']':
        vt->state = VT_OSC;
        break;
    case 'P':
    case '^':
    case '_':
    case 'X':
        vt->state = VT_STRING;
        break;
    case '(':
    case ')':
        vt->state = VT_ESC_CHARSET;
        vt->charset_slot = c == ')';
        break;
    case '#':
    case '%':
        vt->state = VT_ESC_SKIP;
        vt->charset_slot = c == '#';
        break;
    default:
        return false;
    }
    return true;
}

static void escape(struct vt *vt, uint8_t c)
{
    vt->state = VT_GROUND;
    if (escape_prefix(vt, c))
        return;
    switch (c) {
    case 'D':
        vt_index(vt);
        break;
    case 'E':
        vt->cur_col = 0;
        vt_index(vt);
        break;
    case 'H':
        vt->tabs[vt->cur_col / 8] |= (uint8_t)(1u << vt->cur_col % 8);
        break;
    case 'M':
        vt_reverse_index(vt);
        break;
    case 'Z':
        vt->private = 0;
        vt->nparams = 0;
        vt_csi(vt, 'c');
        break;
    case '7':
        vt_save(vt);
        break;
    case '8':
        vt_restore(vt);
        break;
    case '=':
    case '>':
        vt->app_keypad = c == '=';
        break;
    case 'c':
        vt_reset(vt);
        break;
    }
}

static void designate(struct vt *vt, uint8_t c)
{
    uint8_t set = c == '0' ? CHARSET_GRAPHICS : c == 'U' ? CHARSET_GLYPHS : CHARSET_LATIN;

    vt->charset[vt->charset_slot] = set;
    vt->state = VT_GROUND;
}

/* A parameter stays below 10,000, whatever is sent. */
static void csi_byte(struct vt *vt, uint8_t c)
{
    if (c >= '0' && c <= '9') {
        if (vt->nparams == 0)
            vt->nparams = 1;
        uint16_t *p = &vt->params[vt->nparams - 1];
        *p = *p < 1000 ? (uint16_t)(*p * 10 + (c - '0')) : *p;
    } else if (c == ';' || c == ':') {
        if (vt->nparams == 0)
            vt->nparams = 1;
        if (vt->nparams < VT_MAX_PARAMS)
            vt->nparams++;
    } else if (c >= '<' && c <= '?' && vt->nparams == 0) {
        vt->private = c;
    } else if (c >= 0x40 && c < 0x7f) {
        if (vt->state == VT_CSI)
            vt_csi(vt, (char)c);
        vt->state = VT_GROUND;
    } else if (c == '[' || (c >= 0x20 && c < 0x30)) {
        vt->state = VT_CSI_IGNORE; /* intermediate bytes: no sequence with them is known */
    }
}

/* Linux's own ESC ] P rrggbb sets a colour and ESC ] R resets them, without a terminator. */
static void osc_byte(struct vt *vt, uint8_t c)
{
    if (c == 'P') {
        vt->state = VT_OSC_PALETTE;
        vt->palette_digits = 7;
    } else {
        vt->state = c == 'R' || c == '\a' ? VT_GROUND : VT_STRING;
    }
}

/* A byte inside a sequence. Strings swallow control characters too. */
static void sequence_byte(struct vt *vt, uint8_t c)
{
    bool in_string = vt->state >= VT_OSC;

    if (c < 0x20 && (!in_string || c == 0x18 || c == 0x1a)) {
        control(vt, c);
        return;
    }
    switch (vt->state) {
    case VT_ESC:
        escape(vt, c);
        break;
    case VT_ESC_CHARSET:
        designate(vt, c);
        break;
    case VT_ESC_SKIP:
        vt->state = VT_GROUND;
        if (vt->charset_slot && c == '8')
            alignment_test(vt);
        break;
    case VT_CSI:
    case VT_CSI_IGNORE:
        csi_byte(vt, c);
        break;
    case VT_OSC:
        osc_byte(vt, c);
        break;
    case VT_OSC_PALETTE:
        if (--vt->palette_digits == 0)
            vt->state = VT_GROUND;
        break;
    case VT_STRING:
        if (c == '\a')
            vt->state = VT_GROUND;
        else if (c == ESC)
            vt->state = VT_STRING_ESC;
        break;
    case VT_STRING_ESC:
        vt->state = VT_GROUND;
        if (c != '\\')
            escape(vt, c);
        break;
    case VT_GROUND:
        break;
    }
}

static void write_byte(struct vt *vt, uint8_t c)
{
    if (vt->state != VT_GROUND)
        sequence_byte(vt, c);
    else if (c < 0x20)
        control(vt, c);
    else
        put_char(vt, c);
}

/* Whether a run of plain characters may bypass the parser. */
static bool plain(const struct vt *vt)
{
    return vt->state == VT_GROUND && !vt->wrap_pending && !vt->insert && !vt->utf8_left &&
           vt->charset[vt->shift] == CHARSET_LATIN;
}

void vt_write(struct vt *vt, const char *s, size_t n)
{
    size_t i = 0;

    vt_end_view(vt);
    while (i < n) {
        size_t run = plain(vt) ? put_run(vt, s + i, n - i) : 0;
        if (run)
            i += run;
        else
            write_byte(vt, (uint8_t)s[i++]);
    }
}

void vt_print(struct vt *vt, const char *s, size_t n)
{
    vt_cell_t attr_cell = vt->attr_cell, blank = vt->blank;
    bool insert = vt->insert;

    vt_end_view(vt);
    vt->attr_cell = VT_CELL(VT_ATTR_PLAIN, 0);
    vt->blank = VT_CELL(VT_ATTR_PLAIN, ' ');
    vt->insert = false;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)s[i];
        if (c == '\n') {
            vt->cur_col = 0;
            vt_index(vt);
            vt->attr_cell = VT_CELL(VT_ATTR_PLAIN, 0);
        } else if (c == LOG_LOUD[0]) {
            vt->attr_cell = VT_CELL(VT_ATTR_LOUD, 0);
        } else if (c == '\t') {
            control(vt, c);
        } else {
            put_glyph(vt, c >= 0x20 && c < 0x7f ? c : '?');
        }
    }
    vt->attr_cell = attr_cell;
    vt->blank = blank;
    vt->insert = insert;
}
