/* The words for what the kernel did; the cases are those of the table in mm/fault.c. */
#include "user/shared/event.h"
#include <stdlib.h>
#include <string.h>

#define FIELDS 17

static const struct {
    const char *name, *summary;
} cases[] = {
    {"zeroed", "first touch: a zeroed frame"},
    {"zero-frame", "read of untouched memory: the frame of zeros"},
    {"own", "one owner: used as it is, or made writable again"},
    {"share", "read of a copy that others own too: mapped read-only"},
    {"copy", "write to a shared copy: copied"},
    {"cached", "the file's own frame mapped"},
    {"copy-file", "write to a private page of a file: copied"},
    {"spurious", "nothing to do: somebody was faster"},
    {"maperr", "no memory there: SIGSEGV"},
    {"accerr", "not allowed: SIGSEGV"},
    {"past-end", "past the end of the file: SIGBUS"},
    {"no-memory", "out of memory"},
};
#define CASES (sizeof(cases) / sizeof(cases[0]))

/* Cuts line at the blanks; how many words. */
static unsigned split(char *line, char **word)
{
    unsigned n = 0;

    for (char *p = strtok(line, " "); p && n < FIELDS; p = strtok(NULL, " "))
        word[n++] = p;
    return n;
}

/* time pid parent access address area start prot row case frame around cycles flags from waited cpu
 */
bool event_parse(const char *line, struct event *e)
{
    char copy[256], *w[FIELDS];

    if (line[0] == '#')
        return false;
    strlcpy(copy, line, sizeof(copy));
    if (split(copy, w) != FIELDS)
        return false;
    strlcpy(e->time, w[0], sizeof(e->time));
    e->pid = atoi(w[1]);
    e->parent = atoi(w[2]);
    e->write = strcmp(w[3], "write") == 0;
    e->addr = strtoul(w[4], NULL, 16);
    strlcpy(e->area, w[5], sizeof(e->area));
    strlcpy(e->prot, w[7], sizeof(e->prot));
    strlcpy(e->name, w[9], sizeof(e->name));
    e->frame = (unsigned)strtoul(w[10], NULL, 16);
    e->around = (unsigned)atoi(w[11]);
    e->cycles = strtoul(w[12], NULL, 10);
    e->major = strchr(w[13], 'M') != NULL;
    e->grew = strchr(w[13], 'G') != NULL;
    e->mapped = strchr(w[13], 'P') != NULL;
    strlcpy(e->from, w[14], sizeof(e->from));
    e->swapped = strcmp(w[8], "1S") == 0;
    e->waited = (unsigned)strtoul(w[15], NULL, 10);
    return true;
}

bool event_lost(const char *line, unsigned *n)
{
    char *end;

    if (line[0] != '#')
        return false;
    *n = (unsigned)strtoul(line + 1 + (line[1] == ' '), &end, 10);
    return strcmp(end, " lost") == 0;
}

/* ---- In words ---- */

static const char *area_words(const struct event *e)
{
    if (strcmp(e->area, "file") == 0)
        return e->prot[2] == 'x' ? "code" : e->prot[1] == 'w' ? "data" : "constants";
    if (strcmp(e->area, "anon") == 0)
        return "anonymous memory";
    if (strcmp(e->area, "shared-file") == 0)
        return "a shared file";
    if (strcmp(e->area, "shared-anon") == 0)
        return "shared memory";
    return e->area;
}

static void anonymous_reason(const struct event *e, char *buf, size_t size)
{
    const char *area = area_words(e);

    if (e->swapped) {
        size_t n =
            (size_t)snprintf(buf, size, "from swap (%s, %u us): major, ", e->from, e->waited);

        buf += n < size ? n : size;
        size -= n < size ? n : size;
    }
    if (strcmp(e->name, "zeroed") == 0 && e->grew)
        snprintf(buf, size, "stack grew: zeroed frame %x", e->frame);
    else if (strcmp(e->name, "zeroed") == 0)
        snprintf(buf, size, "first %s of %s: zeroed frame %x", e->mapped ? "write" : "touch", area,
                 e->frame);
    else if (strcmp(e->name, "zero-frame") == 0)
        snprintf(buf, size, "read of untouched %s: the frame of zeros", area);
    else if (strcmp(e->name, "share") == 0)
        snprintf(buf, size, "read of a shared copy of %s: frame %x, read-only", area, e->frame);
    else if (strcmp(e->name, "copy") == 0)
        snprintf(buf, size, "write to a shared copy of %s: copied to frame %x", area, e->frame);
    else if (e->write && e->mapped)
        snprintf(buf, size, "last owner of %s: frame %x made writable", area, e->frame);
    else
        snprintf(buf, size, "only owner of %s: frame %x mapped", area, e->frame);
}

static void file_reason(const struct event *e, char *buf, size_t size)
{
    char from[64] = "", around[32] = "";

    if (e->swapped)
        snprintf(from, sizeof(from), "from swap (%s, %u us): major, ", e->from, e->waited);
    else if (e->major)
        snprintf(from, sizeof(from), "read from its file: major, ");
    if (e->around)
        snprintf(around, sizeof(around), ", and %u around it", e->around);
    if (strcmp(e->name, "copy-file") == 0)
        snprintf(buf, size, "%swrite to %s of a file: copied to frame %x", from, area_words(e),
                 e->frame);
    else if (strcmp(e->area, "shared-anon") == 0)
        snprintf(buf, size, "%sshared memory: frame %x mapped%s", e->swapped ? from : "", e->frame,
                 around);
    else
        snprintf(buf, size, "%s%s%s: frame %x mapped%s", from,
                 e->major ? "" : "in the page cache: ", area_words(e), e->frame, around);
}

static bool is_about_file(const struct event *e)
{
    return strcmp(e->name, "cached") == 0 || strcmp(e->name, "copy-file") == 0;
}

static int case_index(const struct event *e)
{
    for (unsigned i = 0; i < CASES; i++)
        if (strcmp(cases[i].name, e->name) == 0)
            return (int)i;
    return -1;
}

void event_reason(const struct event *e, char *buf, size_t size)
{
    static const char *const plain[] = {"spurious", "maperr", "accerr", "past-end", "no-memory"};

    for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        if (strcmp(e->name, plain[i]) == 0) {
            strlcpy(buf, cases[case_index(e)].summary, size);
            return;
        }
    if (is_about_file(e))
        file_reason(e, buf, size);
    else
        anonymous_reason(e, buf, size);
}

/* ---- Totals ---- */

void event_count(const struct event *e, struct total totals[MAX_CASES])
{
    int i = case_index(e);

    if (i < 0)
        return;
    totals[i].count++;
    totals[i].major += e->major;
    totals[i].cycles += e->cycles;
}

struct total totals_sum(const struct total totals[MAX_CASES])
{
    struct total all = {0};

    for (unsigned i = 0; i < CASES; i++) {
        all.count += totals[i].count;
        all.major += totals[i].major;
        all.cycles += totals[i].cycles;
    }
    return all;
}

void totals_print(const struct total totals[MAX_CASES], FILE *to)
{
    fprintf(to, "%7s %6s %8s\n", "faults", "major", "cycles");
    for (unsigned i = 0; i < CASES; i++)
        if (totals[i].count)
            fprintf(to, "%7u %6u %8lu  %s\n", totals[i].count, totals[i].major,
                    (unsigned long)(totals[i].cycles / totals[i].count), cases[i].summary);
}
