/*
 * memmap on a framebuffer: every frame a square in its owner's colour. What arrives, is copied or
 * leaves flashes and fades; the frames of one process are ringed; beside them its address space as
 * a tree, with the last fault in words below.
 *
 * Only what changed is drawn. Thirty pictures a second fade and follow the trace of faults; what
 * takes a look at all frames is done twice a second: it is what costs.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "user/memmap/canvas.h"
#include "user/memmap/memmap.h"
#include "user/shared/event.h"
#include "user/shared/watch.h"

#define PICTURES   30u  /* a second */
#define LOOK_EVERY 15u  /* pictures between two looks at all frames */
#define LEVELS     16u  /* of a flash, as it fades */
#define RING       0x80 /* in shown */
#define HAND       0x40
#define MAX_ROWS   64

static const uint32_t rgb[OWNERS] = {
    [OWNER_FREE] = 0x20242b,  [OWNER_KERNEL] = 0xc0392b, [OWNER_TABLE] = 0xb04ec4,
    [OWNER_ANON] = 0x2e9e5b,  [OWNER_COW] = 0xe0b02c,    [OWNER_FILE] = 0x3d7edb,
    [OWNER_DIRTY] = 0x2bb9c4, [OWNER_CACHED] = 0xd9d9d9, [OWNER_IO] = 0xff7a5c,
    [OWNER_NONE] = 0x0d0f12,
};
static struct {
    uint32_t paper, ink, faint, white;
    uint32_t colour[OWNERS][LEVELS + 1];
    struct map map;
    uint8_t *kind;                /* of each frame as it is drawn */
    uint8_t *flash;               /* its level; 0: it has faded */
    uint8_t *shown;               /* level and RING and HAND, as drawn */
    unsigned *fading, fade_count; /* frames with a level */
    unsigned columns, side, rows, first, zoom;
    unsigned extent;       /* frames that there is room for: those behind were never used */
    unsigned left, bottom; /* how wide the frames' part is; where text begins */
    struct view view;
    pid_t pid; /* 0: whoever faulted last */
    pid_t last_pid;
    unsigned last_frame, last_page;
    uint32_t tree_sum; /* of what the tree was drawn from */
    bool paused, all;  /* all: everything is drawn anew */
    bool outgrown;     /* a frame beyond the extent is in use */
    char words[160];   /* of the last fault */
    bool news;         /* they are new */
    char line[2][256]; /* of text, as they are drawn */
    struct watch watch;
} p = {.zoom = 1};

/* ---- Colours, places ---- */

static uint32_t mixed(uint32_t from, uint32_t to, unsigned part, unsigned of)
{
    uint32_t out = 0;

    for (unsigned shift = 0; shift < 24; shift += 8) {
        uint32_t a = from >> shift & 0xff, b = to >> shift & 0xff;

        out |= (a * (of - part) + b * part) / of << shift;
    }
    return out;
}

static void make_colours(void)
{
    p.paper = canvas_colour(0x14171c);
    p.ink = canvas_colour(0xdfe3ea);
    p.faint = canvas_colour(0x8a93a3);
    p.white = canvas_colour(0xffffff);
    for (unsigned k = 0; k < OWNERS; k++)
        for (unsigned level = 0; level <= LEVELS; level++)
            p.colour[k][level] = canvas_colour(mixed(rgb[k], 0xffffff, level, LEVELS));
}

/* The frames up to the last one in use, and some more. */
static unsigned wanted_extent(void)
{
    unsigned last = p.map.frames - 1;

    while (last && (p.map.kind[last] == OWNER_FREE || p.map.kind[last] == OWNER_NONE))
        last--;
    last += last / 4 + 1024;
    return last < p.map.frames ? last : p.map.frames;
}

/* As large as lets these frames in, times the zoom. */
static void lay_out(void)
{
    unsigned height;

    p.extent = wanted_extent();
    p.left = canvas_width * 3 / 5;
    p.bottom = canvas_height - 5 * canvas_line_height();
    height = p.bottom - 4;
    for (p.side = 64; p.side > 1; p.side--)
        if (p.left / p.side * (height / p.side) >= p.extent)
            break;
    p.side *= p.zoom;
    p.columns = p.left / p.side;
    p.rows = height / p.side;
    if (p.first >= p.map.frames)
        p.first = 0;
    p.all = true;
}

/* ---- Frames ---- */

static uint8_t ring_of(unsigned frame)
{
    return (map_is_chosen(&p.map, frame) ? RING : 0) | (frame == p.map.hand && frame ? HAND : 0);
}

static void draw_frame(unsigned frame)
{
    unsigned n = frame - p.first, side = p.side, gap = side > 3 ? 1 : 0;
    unsigned x = n % p.columns * side, y = n / p.columns * side;
    uint8_t ring = ring_of(frame);
    uint32_t inner = p.colour[p.kind[frame]][p.flash[frame]];

    p.shown[frame] = p.flash[frame] | ring;
    if (frame < p.first || n >= p.columns * p.rows)
        return;
    if (ring && side < 5) {
        canvas_fill(x, y, side - gap, side - gap,
                    ring & HAND ? p.white : p.colour[p.kind[frame]][LEVELS / 2]);
        return;
    }
    canvas_fill(x, y, side - gap, side - gap, ring ? p.white : inner);
    if (ring)
        canvas_fill(x + 1, y + 1, side - gap - 2, side - gap - 2, ring & HAND ? p.white : inner);
}

static void begin_flash(unsigned frame)
{
    if (frame >= p.map.frames)
        return;
    if (!p.flash[frame])
        p.fading[p.fade_count++] = frame;
    p.flash[frame] = LEVELS;
}

static void fade(void)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < p.fade_count; i++) {
        unsigned frame = p.fading[i];

        draw_frame(frame);
        if (p.flash[frame])
            p.flash[frame]--, p.fading[kept++] = frame;
    }
    p.fade_count = kept;
}

/* A look at all frames: what has another owner flashes, what is ringed otherwise is drawn. */
static void look_at_frames(void)
{
    map_kinds(&p.map);
    for (unsigned frame = 0; frame < p.map.frames; frame++) {
        if (p.map.kind[frame] != p.kind[frame]) {
            p.kind[frame] = p.map.kind[frame];
            begin_flash(frame);
            p.outgrown |= frame >= p.extent && p.kind[frame] != OWNER_FREE;
        } else if (p.all || ring_of(frame) != (p.shown[frame] & (RING | HAND))) {
            draw_frame(frame);
        }
    }
}

/* ---- The address space ---- */

static void choose_frames(void)
{
    memset(p.map.chosen, 0, p.map.frames / 8 + 1);
    for (unsigned i = 0; i < p.view.count; i++) {
        unsigned frame = p.view.entries[i].frame;

        if (frame < p.map.frames && !(p.view.entries[i].bits & ENTRY_ZERO))
            p.map.chosen[frame / 8] |= (uint8_t)(1 << frame % 8);
    }
}

static enum owner_kind entry_kind(const struct entry *e)
{
    if (e->bits & ENTRY_ZERO)
        return OWNER_CACHED;
    if (e->bits & ENTRY_FILE)
        return e->bits & ENTRY_DIRTY ? OWNER_DIRTY : OWNER_FILE;
    return e->bits & ENTRY_WRITABLE ? OWNER_ANON : OWNER_COW;
}

/* The entries of [from, end) as squares from x on; how many lines they took. */
static unsigned draw_strip(unsigned x0, unsigned y, uint32_t from, uint32_t end)
{
    unsigned side = canvas_line_height() / 2, x = x0;

    for (unsigned i = 0; i < p.view.count; i++) {
        const struct entry *e = &p.view.entries[i];

        if (e->page < from || e->page >= end)
            continue;
        if (x + side > canvas_width) {
            x = x0;
            y += side;
        }
        if (y + side > p.bottom)
            return y;
        canvas_fill(x, y, side - 1, side - 1,
                    e->page == p.last_page ? p.white : p.colour[entry_kind(e)][0]);
        x += side;
    }
    return y + side;
}

static bool has_entries(uint32_t from, uint32_t end)
{
    for (unsigned i = 0; i < p.view.count; i++)
        if (p.view.entries[i].page >= from && p.view.entries[i].page < end)
            return true;
    return false;
}

/* The areas of one table's span, each with its pages; where the next line goes. */
static unsigned draw_areas(unsigned y, uint32_t from)
{
    unsigned x = p.left + 3 * 8 * canvas_scale, height = canvas_line_height();
    char text[64];

    for (const char *line = p.view.maps; *line && y + 2 * height < p.bottom;) {
        char *rest;
        uint32_t start = strtoul(line, &rest, 16) >> 12, end = strtoul(rest + 1, &rest, 16) >> 12;
        const char *next = line + strcspn(line, "\n"), *name = next;
        uint32_t low = start > from ? start : from, high = end < from + 1024 ? end : from + 1024;

        while (name > rest && name[-1] != '/' && name[-1] != ' ')
            name--;
        if (low < high && has_entries(low, high)) {
            snprintf(text, sizeof(text), "%08x %.4s %.*s", start << 12, rest + 1,
                     (int)(next - name), name);
            canvas_text(x, y, canvas_width - x, text, p.faint, p.paper);
            y = draw_strip(x, y + height, low, high) + 2;
        }
        line = next + (*next == '\n');
    }
    return y;
}

static void draw_tree(void)
{
    unsigned x = p.left + 8 * canvas_scale, y = 0, height = canvas_line_height();
    char name[32], text[64];

    canvas_fill(p.left, 0, canvas_width - p.left, p.bottom, p.paper);
    if (!p.view.pid)
        return;
    process_name(p.view.pid, name, sizeof(name));
    snprintf(text, sizeof(text), "%d %s: %u pages", p.view.pid, name, p.view.count);
    canvas_text(x, y, canvas_width - x, text, p.ink, p.paper);
    y += height * 3 / 2;
    for (const char *line = p.view.directory; *line && y + 2 * height < p.bottom;) {
        char *rest;
        unsigned index = (unsigned)strtoul(line, &rest, 10);
        const char *table = rest + 10; /* behind the address */

        snprintf(text, sizeof(text), "%u: %.8s in table %.5s, %u pages", index, rest + 1, table,
                 (unsigned)atoi(table + 8));
        canvas_text(x, y, canvas_width - x, text, p.ink, p.paper);
        y = draw_areas(y + height, index << 10) + height / 2;
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
}

static uint32_t sum_of_view(void)
{
    uint32_t sum = (uint32_t)p.view.pid * 31 + p.last_page;

    for (unsigned i = 0; i < p.view.count; i++)
        sum = sum * 31 + p.view.entries[i].page * 7 + p.view.entries[i].frame * 3 +
              p.view.entries[i].bits;
    return sum;
}

static void look_at_process(void)
{
    pid_t pid = p.pid ? p.pid : p.last_pid;
    uint32_t sum;

    if (pid != p.view.pid) {
        view_free(&p.view);
        p.view.pid = pid;
    }
    if (pid && !view_read(&p.view)) {
        view_free(&p.view);
        p.pid = p.last_pid = 0;
    }
    sum = sum_of_view();
    if (sum == p.tree_sum && !p.all)
        return;
    p.tree_sum = sum;
    choose_frames();
    draw_tree();
}

/* ---- Text ---- */

/* Only where it says something else than it did. */
static void draw_line(unsigned n, unsigned y, const char *text, uint32_t colour)
{
    if (!p.all && strcmp(p.line[n], text) == 0)
        return;
    strlcpy(p.line[n], text, sizeof(p.line[n]));
    canvas_text(0, y, canvas_width, text, colour, p.paper);
}

static void draw_text(void)
{
    unsigned height = canvas_line_height(), x = 0, y = p.bottom + height / 4;
    char text[256];

    draw_line(0, y, p.words, p.white);
    y += height;
    snprintf(text, sizeof(text), "%u frames, the first %u shown, %u free; swap %lu of %lu KiB%s%s",
             p.map.frames, p.columns * p.rows < p.map.frames ? p.columns * p.rows : p.map.frames,
             p.map.total[OWNER_FREE], p.map.swap - p.map.swap_free, p.map.swap,
             p.paused ? "; paused" : "", p.watch.held ? "; faults wait for s" : "");
    draw_line(1, y, text, p.ink);
    if (!p.all)
        return;
    y += height;
    canvas_text(0, y, canvas_width,
                "q leave  n next process  0 whoever faulted last  z Z zoom  , . move  space pause  "
                "s next fault  g go",
                p.faint, p.paper);
    y += height * 5 / 4;
    for (unsigned k = 0; k < OWNER_NONE; k++) {
        canvas_fill(x, y, height * 3 / 4, height * 3 / 4, p.colour[k][0]);
        x += height;
        canvas_text(x, y, (strlen(owner_name[k]) + 1) * 8 * canvas_scale, owner_name[k], p.ink,
                    p.paper);
        x += (unsigned)(strlen(owner_name[k]) + 1) * 8 * canvas_scale;
    }
}

/* ---- Faults ---- */

static void take_fault(void *ctx, const char *line)
{
    char why[128];
    struct event e;

    (void)ctx;
    if (!event_parse(line, &e) || e.pid == getpid())
        return;
    event_reason(&e, why, sizeof(why));
    snprintf(p.words, sizeof(p.words), "%s s, pid %d: %s of %08lx: %s", e.time, e.pid,
             e.write ? "write" : "read", e.addr, why);
    p.news = true;
    p.last_pid = e.pid;
    p.last_page = (unsigned)(e.addr >> 12);
    if (e.frame && !p.paused)
        begin_flash(e.frame);
}

/* ---- Keys ---- */

static void move_view(int screens)
{
    int step = (int)(p.columns * (p.rows / 2)), first = (int)p.first + screens * step;

    p.first = first < 0 || (unsigned)first >= p.map.frames ? p.first : (unsigned)first;
}

/* False: leave. */
static bool obey(char key)
{
    switch (key) {
    case 'q':
        return false;
    case 'n':
        p.pid = next_process(p.pid ? p.pid : p.last_pid);
        break;
    case '0':
        p.pid = 0;
        break;
    case 'z':
    case 'Z':
        p.zoom = key == 'z' ? (p.zoom < 8 ? p.zoom * 2 : 8) : p.zoom > 1 ? p.zoom / 2 : 1;
        if (p.zoom == 1)
            p.first = 0;
        break;
    case ',':
    case '.':
        move_view(key == '.' ? 1 : -1);
        break;
    case ' ':
        p.paused = !p.paused;
        break;
    case 's':
    case 'g':
        if (key == 's' && p.watch.held)
            watch_step(&p.watch);
        else
            watch_hold(&p.watch, key == 's');
        break;
    default:
        return true;
    }
    lay_out();
    return true;
}

static bool wait_for_key(struct timespec *next)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    struct timespec now;
    long ms;
    char key;

    next->tv_nsec += 1000000000 / PICTURES;
    if (next->tv_nsec >= 1000000000) {
        next->tv_sec++;
        next->tv_nsec -= 1000000000;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (next->tv_sec - now.tv_sec) * 1000 + (next->tv_nsec - now.tv_nsec) / 1000000;
    if (ms < 0)
        *next = now;
    if (poll(&in, 1, ms > 0 ? (int)ms : 0) <= 0)
        return true;
    return read(STDIN_FILENO, &key, 1) == 1 && obey(key);
}

/* ---- Together ---- */

static void draw_picture(unsigned n)
{
    watch_drain(&p.watch, take_fault, NULL);
    if (p.all)
        canvas_fill(0, 0, canvas_width, canvas_height, p.paper);
    if (!p.paused && (n % LOOK_EVERY == 0 || p.all || (p.watch.held && p.news))) {
        map_figures(&p.map);
        look_at_process();
        look_at_frames();
        draw_text();
        p.all = false;
        if (p.outgrown)
            lay_out();
        p.outgrown = false;
    } else if (p.news) {
        draw_text();
    }
    p.news = false;
    if (!p.paused)
        fade();
}

bool pixels(pid_t pid)
{
    struct timespec next;

    if (!map_open(&p.map) || !watch_open(&p.watch) || !canvas_open(STDIN_FILENO))
        return false;
    p.pid = pid;
    p.kind = calloc(p.map.frames, 1);
    p.flash = calloc(p.map.frames, 1);
    p.shown = calloc(p.map.frames, 1);
    p.fading = calloc(p.map.frames, sizeof(*p.fading));
    if (!p.kind || !p.flash || !p.shown || !p.fading) {
        canvas_close(STDIN_FILENO);
        return false;
    }
    make_colours();
    map_kinds(&p.map);
    lay_out();
    memcpy(p.kind, p.map.kind, p.map.frames);
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (unsigned n = 0; n == 0 || wait_for_key(&next); n++)
        draw_picture(n);
    canvas_close(STDIN_FILENO);
    return true;
}
