/* What the machine was booted with. Options are words of the command line, "name" or "name=value".
 */
#include "kernel/base/boot.h"
#include "libc/ctype.h"
#include "libc/string.h"

extern const char *const boot_names_start[], *const boot_names_end[]; /* linker.ld */

struct boot_info boot_info = {.cmdline = ""};

/* The word at *p and its length; moves *p past it. A part in double quotes may hold spaces. */
static const char *next_word(const char **p, size_t *len)
{
    const char *s = *p, *end;
    bool quoted = false;

    while (isspace(*s))
        s++;
    for (end = s; *end && (quoted || !isspace(*end)); end++)
        if (*end == '"')
            quoted = !quoted;
    *p = end;
    *len = (size_t)(end - s);
    return *len ? s : NULL;
}

/* Options after a lone "--" are init's. */
static const char *next_option(const char **p, size_t *len)
{
    const char *w = next_word(p, len);

    return w && *len == 2 && w[0] == '-' && w[1] == '-' ? NULL : w;
}

/* Most names that are asked for are not there. False: no option begins like name. */
static bool some_begin_like(const char *name)
{
    static const char *looked_at;
    static uint32_t first; /* characters of options, a bit for each of 32 kinds */
    const char *p = boot_info.cmdline, *w;
    size_t len;

    if (looked_at != p) {
        looked_at = p;
        first = 0;
        while ((w = next_option(&p, &len)))
            first |= 1u << (*w & 31);
    }
    return first >> (*name & 31) & 1;
}

static void copy_value(char *buf, size_t size, const char *value, size_t len)
{
    if (len >= 2 && value[0] == '"' && value[len - 1] == '"') {
        value++;
        len -= 2;
    }
    if (len >= size)
        len = size - 1;
    memcpy(buf, value, len);
    buf[len] = '\0';
}

bool boot_find_option(const char *name, char *buf, size_t size)
{
    const char *p = boot_info.cmdline, *w;
    size_t len, name_len = strlen(name);
    bool found = false;

    if (!some_begin_like(name))
        return false;
    while ((w = next_option(&p, &len))) {
        if (len <= name_len || w[name_len] != '=' || memcmp(w, name, name_len) != 0)
            continue;
        copy_value(buf, size, w + name_len + 1, len - name_len - 1);
        found = true;
    }
    return found;
}

bool boot_find_flag(const char *name)
{
    const char *p = boot_info.cmdline, *w;
    size_t len, name_len = strlen(name);

    if (!some_begin_like(name))
        return false;
    while ((w = next_option(&p, &len)))
        if (len == name_len && memcmp(w, name, len) == 0)
            return true;
    return false;
}

bool boot_is_taken(const char *name, size_t len)
{
    for (const char *const *n = boot_names_start; n < boot_names_end; n++)
        if (strlen(*n) == len && memcmp(*n, name, len) == 0)
            return true;
    return false;
}
