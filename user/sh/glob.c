/* File name patterns: * ? [a-z] [!x], and \ takes the meaning away from the next character. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "user/sh/sh.h"

/* Whether c is in the class at p, just after '['; *after is set past its ']'. */
static bool in_class(const char *p, char c, const char **after)
{
    bool negated = *p == '!' || *p == '^', found = false;
    const char *start = p += negated;

    for (; *p && (*p != ']' || p == start); p++) {
        char low = *p, high = low;

        if (p[1] == '-' && p[2] && p[2] != ']') {
            high = p[2];
            p += 2;
        }
        found |= c >= low && c <= high;
    }
    *after = *p ? p + 1 : p;
    return found != negated;
}

static bool matches(const char *p, const char *s)
{
    for (; *p; s++) {
        if (*p == '*') {
            for (p++; !matches(p, s); s++)
                if (!*s)
                    return false;
            return true;
        }
        if (!*s)
            return false;
        if (*p == '[') {
            if (!in_class(p + 1, *s, &p))
                return false;
            continue;
        }
        if (*p == '?') {
            p++;
            continue;
        }
        if (*p == '\\' && p[1])
            p++;
        if (*p++ != *s)
            return false;
    }
    return !*s;
}

static bool has_magic(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\\')
            i++;
        else if (strchr("*?[", s[i]))
            return true;
    }
    return false;
}

static char *plain(const char *s, size_t n)
{
    char *copy = arena_strndup(s, n), *to = copy;

    for (const char *from = copy; *from; *to++ = *from++)
        if (*from == '\\' && from[1])
            from++;
    *to = '\0';
    return copy;
}

static char *join(const char *a, const char *b, const char *c)
{
    size_t n = strlen(a) + strlen(b) + strlen(c);
    char *s = arena_alloc(n + 1);

    snprintf(s, n + 1, "%s%s%s", a, b, c);
    return s;
}

/* Adds what matches pattern below prefix, which is "" or ends in '/'. */
static void walk(const char *prefix, const char *pattern, struct args *out)
{
    size_t n = strcspn(pattern, "/"), slashes = strspn(pattern + n, "/");
    const char *rest = pattern + n + slashes, *tail = slashes ? "/" : "";
    char *part = arena_strndup(pattern, n), *path;
    struct dirent *entry;
    struct stat st;
    DIR *d;

    if (!has_magic(pattern, n)) {
        path = join(prefix, plain(pattern, n), tail);
        if (*rest)
            walk(path, rest, out);
        else if (lstat(path, &st) == 0)
            args_add(out, path);
        return;
    }
    d = opendir(*prefix ? prefix : ".");
    while (d && (entry = readdir(d))) {
        if ((*entry->d_name == '.') != (*part == '.') || !matches(part, entry->d_name))
            continue;
        path = join(prefix, entry->d_name, tail);
        if (*rest)
            walk(path, rest, out);
        else
            args_add(out, path);
    }
    if (d)
        closedir(d);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void glob_expand(const char *pattern, struct args *out)
{
    int before = out->n;

    walk("", pattern, out);
    if (out->n == before)
        args_add(out, plain(pattern, strlen(pattern)));
    else
        qsort(out->v + before, out->n - before, sizeof(char *), by_name);
}
