/*
 * The line discipline's input side: canonical editing, signals, flow control, echo. Runs under the
 * terminal's lock in whatever context the driver has input, so it neither sleeps nor sends signals:
 * it collects them in tty->signals for tty_unlock.
 *
 * Input lies in a ring between tail and head. In canonical mode [tail, canon) are complete lines
 * and [canon, head) is the line being typed; line_end marks the last byte of each line. An
 * end-of-file mark is a NUL with that mark, which no other NUL can have. [man 3 termios]
 */
#include "drivers/tty/tty.h"
#include "kernel/signal/signal.h"
#include "libc/ctype.h"
#include "libc/string.h"

#define EOF_MARK  0
#define EDIT_STEP 100u /* bytes of a line edited in one go */

static bool is_control_char(uint8_t c)
{
    return c < 0x20 || c == 0x7f;
}

static uint8_t input_at(const struct tty *t, uint32_t pos)
{
    return (uint8_t)t->input[pos % TTY_INPUT_SIZE];
}

static bool ends_line(const struct tty *t, uint32_t pos)
{
    pos %= TTY_INPUT_SIZE;
    return t->line_end[pos / 8] & (1u << pos % 8);
}

static void set_line_end(struct tty *t, uint32_t pos, bool end)
{
    uint8_t bit;

    pos %= TTY_INPUT_SIZE;
    bit = (uint8_t)(1u << pos % 8);
    if (end)
        t->line_end[pos / 8] |= bit;
    else
        t->line_end[pos / 8] &= (uint8_t)~bit;
}

static bool is_eof_mark(const struct tty *t, uint32_t pos)
{
    return ends_line(t, pos) && input_at(t, pos) == EOF_MARK;
}

/* Whether c is the control character which; 0 disables one. */
static bool is_cc(const struct tty *t, int which, uint8_t c)
{
    return c != 0 && t->termios.cc[which] == c;
}

void ldisc_reset(struct tty *t)
{
    t->head = t->tail = t->canon = 0;
    t->literal = t->unfinished = false;
    memset(t->line_end, 0, sizeof(t->line_end));
}

/* ---- Echo ---- */

/* As it is shown: control characters as ^X when ECHOCTL asks for it. */
static void echo_char(struct tty *t, uint8_t c)
{
    if (TTY_FLAG(t, lflag, ECHOCTL) && is_control_char(c) && c != '\t') {
        output_echo(t, '^');
        output_echo(t, (char)(c ^ 0x40));
    } else {
        output_echo(t, (char)c);
    }
}

static void echo_data(struct tty *t, uint8_t c)
{
    if (!TTY_FLAG(t, lflag, ECHO))
        return;
    if (t->head == t->canon)
        t->canon_column = t->column;
    if (c == '\n')
        output_echo(t, '\n');
    else
        echo_char(t, c);
}

static bool is_continuation(const struct tty *t, uint8_t c)
{
    return TTY_FLAG(t, iflag, IUTF8) && (c & 0xc0) == 0x80;
}

/* The column, modulo 8, that the line being typed reaches at head. Looks back as far as a tab, so
 * that erasing a whole line of them looks at each byte once. */
static uint32_t column_of_head(const struct tty *t)
{
    uint32_t column = 0;

    for (uint32_t i = t->head; i != t->canon; i--) {
        uint8_t c = input_at(t, i - 1);
        if (c == '\t')
            return column;
        if (is_control_char(c))
            column += TTY_FLAG(t, lflag, ECHOCTL) ? 2 : 0;
        else if (!is_continuation(t, c))
            column++;
    }
    return column + t->canon_column;
}

/* Takes from the screen what was echoed for c, which was at head. A terminal that takes no more is
 * spared the work: a line may be 4 KiB long. */
static void echo_erased(struct tty *t, uint8_t c)
{
    if (output_echo_is_full(t))
        return;
    if (c == '\t') {
        output_back(t, 8 - (column_of_head(t) & 7));
        return;
    }
    if (is_control_char(c)) {
        if (TTY_FLAG(t, lflag, ECHOCTL)) {
            output_rub_out(t);
            output_rub_out(t);
        }
        return;
    }
    output_rub_out(t);
}

/* ---- Editing ---- */

/* Takes the last character off the line; with IUTF8 all of its bytes. */
static uint8_t unput(struct tty *t)
{
    uint8_t c;

    do {
        c = input_at(t, --t->head);
    } while (is_continuation(t, c) && t->head != t->canon);
    return c;
}

static void erase_char(struct tty *t)
{
    if (t->head == t->canon)
        return;
    uint8_t c = unput(t);
    if (!TTY_FLAG(t, lflag, ECHO))
        return;
    if (TTY_FLAG(t, lflag, ECHOE))
        echo_erased(t, c);
    else
        echo_char(t, t->termios.cc[VERASE]);
}

/*
 * What has to do with a whole line goes in steps, where the driver offers a byte that was not taken
 * once more: it is taken with the last step. Whether this one ends here, n bytes done.
 */
static bool ends_step(struct tty *t, unsigned n)
{
    t->unfinished = t->driver->offers_again && n == EDIT_STEP;
    return t->unfinished;
}

static void erase_word(struct tty *t, bool in_word)
{
    for (unsigned n = 0; t->head != t->canon; n++) {
        uint32_t head = t->head;
        t->in_word = in_word;
        if (ends_step(t, n))
            return;
        uint8_t c = unput(t);
        bool word_char = isalnum(c) || c == '_' || c >= 0x80;
        if (in_word && !word_char) {
            t->head = head;
            return;
        }
        in_word |= word_char;
        if (TTY_FLAG(t, lflag, ECHO))
            echo_erased(t, c);
    }
}

static void kill_line(struct tty *t)
{
    uint32_t visual = TERMIOS_ECHOK | TERMIOS_ECHOKE | TERMIOS_ECHOE;

    if (t->head == t->canon)
        return;
    if (!TTY_FLAG(t, lflag, ECHO)) {
        t->head = t->canon;
    } else if ((t->termios.lflag & visual) != visual) {
        t->head = t->canon;
        echo_char(t, t->termios.cc[VKILL]);
        if (TTY_FLAG(t, lflag, ECHOK))
            output_echo(t, '\n');
    } else {
        for (unsigned n = 0; t->head != t->canon && !ends_step(t, n); n++)
            echo_erased(t, unput(t));
    }
}

static void reprint_line(struct tty *t, bool goes_on)
{
    if (!goes_on) {
        echo_char(t, t->termios.cc[VREPRINT]);
        output_echo(t, '\n');
        t->canon_column = t->column;
        t->reprinted = t->canon;
    }
    for (unsigned n = 0; t->reprinted != t->head && !output_echo_is_full(t); n++) {
        if (ends_step(t, n))
            return;
        echo_char(t, input_at(t, t->reprinted++));
    }
}

static uint32_t input_count(const struct tty *t)
{
    return t->head - t->tail;
}

/* When the ring is full of one unfinished line, nobody can ever read it: what comes is dropped. */
static bool drops_input(const struct tty *t)
{
    return ldisc_by_line(t) && t->canon == t->tail;
}

bool ldisc_has_room(const struct tty *t)
{
    return input_count(t) < TTY_INPUT_SIZE - 1 || drops_input(t);
}

static void store(struct tty *t, uint8_t c, bool line_end)
{
    t->input[t->head % TTY_INPUT_SIZE] = (char)c;
    set_line_end(t, t->head, line_end);
    t->head++;
}

/* Ends the line being typed with c. One byte of the ring is kept for it. */
static bool end_line(struct tty *t, uint8_t c)
{
    if (input_count(t) == TTY_INPUT_SIZE)
        return false;
    store(t, c, true);
    t->canon = t->head;
    return true;
}

/* An ordinary byte. Where there is no room and it cannot be dropped, the driver keeps it. */
static bool put_data(struct tty *t, uint8_t c)
{
    if (input_count(t) >= TTY_INPUT_SIZE - 1) {
        if (!drops_input(t))
            return false;
        if (TTY_FLAG(t, iflag, IMAXBEL))
            output_echo(t, '\a');
        return true;
    }
    echo_data(t, c);
    store(t, c, false);
    return true;
}

/* ---- Special characters: each returns whether c was one ---- */

static bool flow_char(struct tty *t, uint8_t c)
{
    bool start = is_cc(t, VSTART, c), stop = is_cc(t, VSTOP, c);

    if (!start && !stop)
        return false;
    tty_set_stopped(t, stop && !start);
    return true;
}

static void flush_for_signal(struct tty *t)
{
    if (TTY_FLAG(t, lflag, NOFLSH))
        return;
    output_flush(t);
    ldisc_reset(t);
    if (t->driver->input_flushed)
        t->driver->input_flushed(t);
}

static bool signal_char(struct tty *t, uint8_t c)
{
    int signo = is_cc(t, VINTR, c)   ? SIGINT
                : is_cc(t, VQUIT, c) ? SIGQUIT
                : is_cc(t, VSUSP, c) ? SIGTSTP
                                     : 0;

    if (!signo)
        return false;
    flush_for_signal(t);
    t->signals |= 1u << signo;
    if (TTY_FLAG(t, iflag, IXON))
        tty_set_stopped(t, false);
    if (TTY_FLAG(t, lflag, ECHO))
        echo_char(t, c);
    return true;
}

bool ldisc_is_editing(const struct tty *t, char ch)
{
    uint8_t c = (uint8_t)ch;

    return TTY_FLAG(t, lflag, ICANON) &&
           (is_cc(t, VKILL, c) || is_cc(t, VWERASE, c) || is_cc(t, VREPRINT, c));
}

static bool edit(struct tty *t, uint8_t c)
{
    bool extended = TTY_FLAG(t, lflag, IEXTEN), goes_on = t->unfinished;

    t->unfinished = false;
    if (is_cc(t, VERASE, c))
        erase_char(t);
    else if (is_cc(t, VKILL, c))
        kill_line(t);
    else if (extended && is_cc(t, VWERASE, c))
        erase_word(t, goes_on && t->in_word);
    else if (extended && TTY_FLAG(t, lflag, ECHO) && is_cc(t, VREPRINT, c))
        reprint_line(t, goes_on);
    else
        return false;
    return true;
}

/* A whole line goes to the driver in large pieces. */
static bool editing_char(struct tty *t, uint8_t c)
{
    bool done;

    if (!ldisc_is_editing(t, (char)c))
        return edit(t, c);
    output_gather(t);
    done = edit(t, c);
    output_gathered(t);
    return done;
}

static void begin_literal(struct tty *t)
{
    t->literal = true;
    if (TTY_FLAG(t, lflag, ECHO) && TTY_FLAG(t, lflag, ECHOCTL)) {
        output_echo(t, '^');
        output_echo(t, '\b');
    }
}

/* What ends a line in canonical mode; *taken as ldisc_input returns it. */
static bool line_char(struct tty *t, uint8_t c, bool *taken)
{
    bool newline = c == '\n', eof = is_cc(t, VEOF, c);
    bool other = is_cc(t, VEOL, c) || (TTY_FLAG(t, lflag, IEXTEN) && is_cc(t, VEOL2, c));

    if (!newline && !eof && !other)
        return false;
    *taken = end_line(t, eof && !newline ? EOF_MARK : c);
    if (!*taken || (eof && !newline))
        return true;
    if (newline && (t->termios.lflag & (TERMIOS_ECHO | TERMIOS_ECHONL)))
        output_echo(t, '\n');
    else if (!newline && TTY_FLAG(t, lflag, ECHO))
        echo_char(t, c);
    return true;
}

static bool canonical_input(struct tty *t, uint8_t c)
{
    bool taken = true;

    if (editing_char(t, c))
        return !t->unfinished;
    if (line_char(t, c, &taken))
        return taken;
    if (TTY_FLAG(t, lflag, IEXTEN) && is_cc(t, VLNEXT, c)) {
        begin_literal(t);
        return true;
    }
    return put_data(t, c);
}

/* Whether the master does all that the line discipline would, but for taking case and parity away.
 */
static bool is_left_to_master(const struct tty *t)
{
    return TTY_FLAG(t, lflag, EXTPROC) && !TTY_FLAG(t, iflag, ISTRIP) &&
           !(TTY_FLAG(t, iflag, IUCLC) && TTY_FLAG(t, lflag, IEXTEN));
}

/* A byte that nothing is done with. */
static bool raw_input(struct tty *t, uint8_t c)
{
    if (input_count(t) >= TTY_INPUT_SIZE - 1)
        return false;
    store(t, c, false);
    return true;
}

bool ldisc_input(struct tty *t, char ch)
{
    uint8_t c = (uint8_t)ch;

    if (is_left_to_master(t))
        return raw_input(t, c);
    if (t->literal) {
        bool taken = put_data(t, c);
        t->literal = !taken;
        return taken;
    }
    if (TTY_FLAG(t, iflag, ISTRIP))
        c &= 0x7f;
    if (TTY_FLAG(t, iflag, IUCLC) && TTY_FLAG(t, lflag, IEXTEN))
        c = (uint8_t)tolower(c);
    if (TTY_FLAG(t, iflag, IXON) && flow_char(t, c))
        return true;
    if (TTY_FLAG(t, lflag, ISIG) && signal_char(t, c))
        return true;
    if (t->stopped && TTY_FLAG(t, iflag, IXON) && TTY_FLAG(t, iflag, IXANY))
        tty_set_stopped(t, false);
    if (c == '\r') {
        if (TTY_FLAG(t, iflag, IGNCR))
            return true;
        if (TTY_FLAG(t, iflag, ICRNL))
            c = '\n';
    } else if (c == '\n' && TTY_FLAG(t, iflag, INLCR)) {
        c = '\r';
    }
    return TTY_FLAG(t, lflag, ICANON) ? canonical_input(t, c) : put_data(t, c);
}

/* A break on the line. */
void ldisc_break(struct tty *t)
{
    if (TTY_FLAG(t, iflag, IGNBRK))
        return;
    if (TTY_FLAG(t, iflag, BRKINT)) {
        flush_for_signal(t);
        t->signals |= 1u << SIGINT;
        return;
    }
    if (TTY_FLAG(t, iflag, PARMRK)) {
        put_data(t, 0xff);
        put_data(t, 0);
    }
    put_data(t, 0);
}

/* Into canonical mode what is there counts as a line; out of it every byte can be read. */
void ldisc_mode_changed(struct tty *t, const struct termios *old)
{
    bool canonical = TTY_FLAG(t, lflag, ICANON);

    if (((old->lflag ^ t->termios.lflag) & (TERMIOS_ICANON | TERMIOS_EXTPROC)) != 0) {
        memset(t->line_end, 0, sizeof(t->line_end));
        t->canon = canonical ? t->head : t->tail;
        if (canonical && input_count(t))
            set_line_end(t, t->head - 1, true);
        t->literal = t->unfinished = false;
    }
    if ((old->iflag & TERMIOS_IXON) && !TTY_FLAG(t, iflag, IXON))
        tty_set_stopped(t, false);
}

/* ---- Reading ---- */

uint32_t ldisc_readable(const struct tty *t)
{
    uint32_t n = 0;

    if (!ldisc_by_line(t))
        return input_count(t);
    for (uint32_t i = t->tail; i != t->canon; i++)
        n += !is_eof_mark(t, i);
    return n;
}

bool ldisc_input_ready(const struct tty *t, uint32_t minimum)
{
    return ldisc_by_line(t) ? t->canon != t->tail : input_count(t) >= minimum;
}

static size_t take_line(struct tty *t, char *buf, size_t n, bool *line_done)
{
    size_t done = 0;

    while (t->tail != t->canon && !*line_done) {
        bool eof = is_eof_mark(t, t->tail);
        if (done == n && !eof)
            break; /* but an end-of-file mark right behind belongs to this read */
        *line_done = ends_line(t, t->tail);
        set_line_end(t, t->tail, false);
        if (!eof)
            buf[done++] = (char)input_at(t, t->tail);
        t->tail++;
    }
    return done;
}

size_t ldisc_take(struct tty *t, char *buf, size_t n, bool *line_done)
{
    *line_done = false;
    if (ldisc_by_line(t))
        return take_line(t, buf, n, line_done);
    if (n > input_count(t))
        n = input_count(t);
    for (size_t i = 0; i < n; i++)
        buf[i] = (char)input_at(t, t->tail++);
    /* With EXTPROC a lone end-of-file character is the master's word for it. */
    *line_done = n == 1 && TTY_FLAG(t, lflag, ICANON) && is_cc(t, VEOF, (uint8_t)buf[0]);
    return *line_done ? 0 : n;
}
