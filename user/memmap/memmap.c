/*
 * memmap: a live picture of physical memory. Every cell is a frame, or a few neighbours, coloured
 * by who owns it; the pages of one process are lit.
 *
 * Cells are counted in (frames.c) and drawn (here) anew each time; nothing is remembered between.
 */
#include "user/memmap/canvas.h"
#include "user/memmap/memmap.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define LEGEND_LINES 5
#define MAX_CELLS    16384u
#define CELL_BYTES   16 /* of output, at most */

static const char usage[] =
    "usage: memmap [-1] [-t] [-p PID] [-d SECONDS] | -s FILE\n"
    "\n"
    "Draws all frames of memory, each cell a frame or a group of them, by owner:\n"
    "  K kernel  T page table  A anonymous  C copy-on-write  F file  D file, written to\n"
    "  S in swap too, nothing changed since    W being read or written    . free\n"
    "  - not memory, or the kernel's image    > the clock hand\n"
    "A small letter is a group that is mostly free. The pages of one process are lit.\n"
    "Where NO_COLOR is set, or the output is no terminal, without colours.\n"
    "\n"
    "  -p PID  light this process's pages    -d SECONDS  between two pictures (1)\n"
    "  -1      one picture, and leave\n"
    "  -t      letters, on a framebuffer too, where it draws pixels otherwise\n"
    "  -s FILE send records of all that changes, for a picture elsewhere (docs/seeing.md)\n"
    "Keys: q leave, n next process, 0 none.\n";

static struct {
    pid_t pid;
    int seconds;
    bool once, colour;
    bool redraws;        /* over the last picture */
    const char *records; /* where to */
    bool text;           /* even on a framebuffer */
    int rows, columns;
    char *out;
    size_t used;
} m = {.seconds = 1, .rows = 24, .columns = 80};

static const unsigned char colour[OWNERS] = {
    /* SGR background */
    [OWNER_FREE] = 49, [OWNER_KERNEL] = 41, [OWNER_TABLE] = 45, [OWNER_ANON] = 42,
    [OWNER_COW] = 43,  [OWNER_FILE] = 44,   [OWNER_DIRTY] = 46, [OWNER_CACHED] = 47,
    [OWNER_IO] = 101,  [OWNER_NONE] = 49,
};

/* ---- Drawing ---- */

static void put(const char *s)
{
    size_t n = strlen(s);

    memcpy(m.out + m.used, s, n);
    m.used += n;
}

/* The owner of most frames of the cell; free only when all are. */
static enum owner_kind main_owner(const struct cell *c, bool *sparse)
{
    enum owner_kind best = OWNER_NONE;
    unsigned most = 0, all = 0;

    for (unsigned k = 0; k < OWNERS; k++) {
        all += c->count[k];
        if (k != OWNER_FREE && c->count[k] > most) {
            most = c->count[k];
            best = k;
        }
    }
    *sparse = c->count[OWNER_FREE] * 2 > all;
    return most ? best : OWNER_FREE;
}

static void draw_cell(const struct cell *c)
{
    static unsigned last = 0;
    char s[CELL_BYTES], letter;
    enum owner_kind k;
    unsigned style;
    bool sparse;

    k = main_owner(c, &sparse);
    letter = owner_letter[k];
    if (sparse && letter >= 'A')
        letter += 'a' - 'A';
    style = colour[k] + (c->lit ? 256 : 0);
    if (m.colour && style != last) {
        snprintf(s, sizeof(s), c->lit ? "\033[0;1;7;%um" : "\033[0;%um", colour[k]);
        put(s);
    }
    last = style;
    s[0] = c->hand ? '>' : !m.colour && c->lit ? '#' : letter;
    s[1] = '\0';
    put(s);
}

static void end_line(void)
{
    put(m.redraws ? "\033[K\r\n" : "\n");
}

static void draw_legend(const struct map *map)
{
    char line[128];

    put(m.colour ? "\033[0m" : "");
    end_line();
    for (unsigned k = 0; k < OWNERS; k++) {
        if (k == OWNER_NONE)
            continue;
        snprintf(line, sizeof(line), "\033[%um", colour[k]);
        put(m.colour ? line : "");
        snprintf(line, sizeof(line), "%c%s %s %u K  ", owner_letter[k], m.colour ? "\033[0m" : "",
                 owner_name[k], map->total[k] * 4);
        put(line);
        if (k == OWNER_ANON || k == OWNER_DIRTY)
            end_line();
    }
    snprintf(line, sizeof(line), "- none  > hand  swap: %lu of %lu KiB", map->swap - map->swap_free,
             map->swap);
    put(line);
    end_line();
    snprintf(line, sizeof(line), "%u frames, %u in a cell", map->frames, map->group);
    put(line);
    if (m.pid)
        snprintf(line, sizeof(line), "; lit: %u frames of %d %s, %u more in swap", map->lit,
                 (int)m.pid, map->name, map->swapped);
    else
        snprintf(line, sizeof(line), m.once ? "" : "; q leaves, n lights a process");
    put(line);
    put(m.redraws ? "\033[K" : "\n");
}

static void draw(const struct map *map)
{
    m.used = 0;
    if (m.redraws)
        put("\033[H");
    for (unsigned i = 0; i < map->cells; i++) {
        draw_cell(&map->cell[i]);
        if ((i + 1) % (unsigned)m.columns == 0 && i + 1 < map->cells)
            put(m.redraws ? "\r\n" : "\n");
    }
    draw_legend(map);
    if (m.redraws)
        put("\033[J");
    for (size_t done = 0; done < m.used;) {
        ssize_t n = write(STDOUT_FILENO, m.out + done, m.used - done);

        if (n <= 0)
            break;
        done += (size_t)n;
    }
}

/* ---- The terminal ---- */

static struct termios cooked;

static void restore(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &cooked);
    canvas_close(STDIN_FILENO);
    write(STDOUT_FILENO, "\033[0m\033[?25h\r\n", 13);
}

static void on_signal(int signo)
{
    (void)signo;
    exit(1);
}

static void take_terminal(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &cooked) < 0)
        return;
    raw = cooked;
    raw.c_lflag &= ~(ICANON | ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    atexit(restore);
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    write(STDOUT_FILENO, "\033[?25l\033[2J", 10);
}

static void measure_terminal(void)
{
    struct winsize w = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_row > LEGEND_LINES && w.ws_col) {
        m.rows = w.ws_row;
        m.columns = w.ws_col;
    }
    while ((unsigned)((m.rows - LEGEND_LINES) * m.columns) > MAX_CELLS)
        m.rows--;
}

/* False: leave. */
static bool wait_for_key(void)
{
    struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
    char key;

    if (poll(&p, 1, m.seconds * 1000) <= 0)
        return true;
    if (read(STDIN_FILENO, &key, 1) != 1)
        return false;
    if (key == 'n')
        m.pid = next_process(m.pid);
    else if (key == '0')
        m.pid = 0;
    return key != 'q';
}

static void take_options(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-1") == 0) {
            m.once = true;
        } else if (strcmp(argv[i], "-p") == 0 && i + 1 < argc) {
            m.pid = atoi(argv[++i]);
        } else if (strcmp(argv[i], "-d") == 0 && i + 1 < argc) {
            m.seconds = atoi(argv[++i]);
        } else if (strcmp(argv[i], "-t") == 0) {
            m.text = true;
        } else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc) {
            m.records = argv[++i];
        } else {
            bool asked = strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;

            fputs(usage, asked ? stdout : stderr);
            exit(asked ? 0 : 2);
        }
    }
}

int main(int argc, char **argv)
{
    struct map map = {0};

    take_options(argc, argv);
    measure_terminal();
    m.redraws = isatty(STDOUT_FILENO) && !m.once;
    m.colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
    if (m.records)
        return stream(m.records);
    m.out = malloc((size_t)(m.rows * m.columns) * (CELL_BYTES + 2) + 1024);
    if (!m.out || !map_open(&map) ||
        !map_cells(&map, (unsigned)((m.rows - LEGEND_LINES) * m.columns))) {
        perror("memmap: /proc/kpageflags");
        return 1;
    }
    if (m.once) {
        map_read(&map, m.pid);
        draw(&map);
        return 0;
    }
    take_terminal();
    if (!m.text && pixels(m.pid))
        return 0;
    do {
        map_read(&map, m.pid);
        draw(&map);
    } while (wait_for_key());
    return 0;
}
