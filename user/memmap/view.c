/* One process as /proc shows it: its areas, its page directory, and every entry of its tables. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "user/memmap/memmap.h"

#define GROW 4096u

/* A whole file as a string, NULL: it cannot be had. */
static char *read_text(pid_t pid, const char *name)
{
    size_t used = 0, room = GROW;
    char path[40], *text = malloc(room + 1);
    ssize_t n = -1;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    fd = open(path, O_RDONLY);
    while (text && fd >= 0 && (n = read(fd, text + used, room - used)) > 0) {
        used += (size_t)n;
        if (used == room)
            text = realloc(text, (room *= 2) + 1);
    }
    if (fd >= 0)
        close(fd);
    if (!text || n < 0) {
        free(text);
        return NULL;
    }
    text[used] = '\0';
    return text;
}

static uint32_t hex(const char **s)
{
    uint32_t n = 0;

    for (; **s && **s != ' '; ++*s)
        n = n << 4 | (uint32_t)(**s <= '9' ? **s - '0' : **s - 'a' + 10);
    *s += **s == ' ';
    return n;
}

/* 08048000 0045f -a- file shared */
static const char *read_entry(const char *s, struct entry *e)
{
    e->page = hex(&s) >> 12;
    e->frame = hex(&s);
    e->bits = (s[0] == 'w' ? ENTRY_WRITABLE : 0) | (s[1] == 'a' ? ENTRY_ACCESSED : 0) |
              (s[2] == 'd' ? ENTRY_DIRTY : 0) | (s[4] == 'f' ? ENTRY_FILE : 0) |
              (s[4] == 'z' ? ENTRY_ZERO : 0);
    if (s[8] == ' ')
        e->bits |= ENTRY_SHARED;
    while (*s && *s != '\n')
        s++;
    return s + (*s == '\n');
}

static bool read_entries(struct view *v)
{
    char *text = read_text(v->pid, "pagetable");
    const char *s = text;

    v->count = 0;
    while (s && *s) {
        if (v->count == v->room) {
            struct entry *more = realloc(v->entries, (v->room + GROW) * sizeof(*more));

            if (!more)
                break;
            v->entries = more;
            v->room += GROW;
        }
        s = read_entry(s, &v->entries[v->count++]);
    }
    free(text);
    return text != NULL;
}

bool view_read(struct view *v)
{
    free(v->maps);
    free(v->directory);
    v->maps = read_text(v->pid, "maps");
    v->directory = read_text(v->pid, "pagedir");
    return read_entries(v) && v->maps && v->directory;
}

void view_free(struct view *v)
{
    free(v->maps);
    free(v->directory);
    free(v->entries);
    *v = (struct view){0};
}
