/* Where the shell starts; its variables and its arena. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "user/sh/sh.h"

struct shell shell;

/* ---- The arena: chunks on a stack; a mark is a place in it ---- */

#define CHUNK_SIZE 8192

struct chunk {
    struct chunk *below;
    size_t size, used;
    char data[] __attribute__((aligned(16)));
};

static struct chunk *top;

void *arena_alloc(size_t n)
{
    void *p;

    n = (n + 15) & ~15u;
    if (!top || top->size - top->used < n) {
        size_t size = n > CHUNK_SIZE ? n : CHUNK_SIZE;
        struct chunk *c = malloc(sizeof(*c) + size);

        if (!c) {
            fprintf(stderr, "sh: out of memory\n");
            exit(2);
        }
        *c = (struct chunk){.below = top, .size = size};
        top = c;
    }
    p = top->data + top->used;
    top->used += n;
    return memset(p, 0, n);
}

struct arena_mark arena_mark(void)
{
    return (struct arena_mark){top, top ? top->used : 0};
}

void arena_release(struct arena_mark m)
{
    while (top != m.chunk) {
        struct chunk *below = top->below;

        free(top);
        top = below;
    }
    if (top)
        top->used = m.used;
}

char *arena_strndup(const char *s, size_t n)
{
    return memcpy(arena_alloc(n + 1), s, n);
}

/* The old piece stays in the arena until its mark is released. */
void text_add(struct text *t, char c)
{
    if (t->n + 1 >= t->room) {
        char *bigger = arena_alloc(t->room * 2 + 32);

        if (t->n)
            memcpy(bigger, t->s, t->n);
        t->s = bigger;
        t->room = t->room * 2 + 32;
    }
    t->s[t->n++] = c;
    t->s[t->n] = '\0';
}

/* ---- Variables: a list of name=value, as the environment wants them ---- */

struct variable {
    struct variable *next;
    bool exported;
    size_t name_len;
    char *text; /* "name=value" */
};

static struct variable *variables;

/* How much of s is a name; 0: it does not start with one. */
size_t name_length(const char *s)
{
    size_t n = 0;

    if (isdigit(*s))
        return 0;
    while (isalnum(s[n]) || s[n] == '_')
        n++;
    return n;
}

/* Where name is in the list, or its end. */
static struct variable **var_slot(const char *name)
{
    struct variable **p = &variables;
    size_t n = strlen(name);

    while (*p && !((*p)->name_len == n && strncmp((*p)->text, name, n) == 0))
        p = &(*p)->next;
    return p;
}

const char *var_get(const char *name)
{
    struct variable *v = *var_slot(name);

    return v ? v->text + v->name_len + 1 : NULL;
}

void var_set(const char *name, const char *value)
{
    struct variable **slot = var_slot(name), *v = *slot;
    size_t n = strlen(name), room = n + strlen(value) + 2;
    char *text = malloc(room);

    if (!v) {
        v = calloc(1, sizeof(*v));
        if (v) {
            v->name_len = n;
            *slot = v;
        }
    }
    if (!text || !v) {
        fprintf(stderr, "sh: out of memory\n");
        exit(2);
    }
    snprintf(text, room, "%s=%s", name, value);
    free(v->text);
    v->text = text;
}

void var_export(const char *name)
{
    if (!*var_slot(name))
        var_set(name, "");
    (*var_slot(name))->exported = true;
}

void var_unset(const char *name)
{
    struct variable **slot = var_slot(name), *v = *slot;

    if (!v)
        return;
    *slot = v->next;
    free(v->text);
    free(v);
}

void vars_print(bool exported_only)
{
    for (struct variable *v = variables; v; v = v->next)
        if (v->exported || !exported_only)
            printf("%s%.*s='%s'\n", exported_only ? "export " : "", (int)v->name_len, v->text,
                   v->text + v->name_len + 1);
}

char **vars_environment(void)
{
    struct args env = {0};

    for (struct variable *v = variables; v; v = v->next)
        if (v->exported)
            args_add(&env, v->text);
    return env.n ? env.v : arena_alloc(sizeof(char *));
}

static void vars_import(void)
{
    for (char **e = environ; *e; e++) {
        size_t n = name_length(*e);
        char *name;

        if (!n || (*e)[n] != '=')
            continue;
        name = arena_strndup(*e, n);
        var_set(name, *e + n + 1);
        var_export(name);
    }
}

/* ---- Start ---- */

static void start_interactive(void)
{
    shell.tty = fcntl(0, F_DUPFD_CLOEXEC, 20);
    shell.interactive = shell.tty >= 0 && tcgetpgrp(shell.tty) >= 0;
    if (shell.interactive)
        jobs_init();
}

int main(int argc, char **argv)
{
    struct source s = {.by_byte = true};
    int first = 1;

    shell.pid = getpid();
    vars_import();
    if (argc > 2 && strcmp(argv[1], "-c") == 0) {
        shell.argv = argv + (argc > 3 ? 3 : 0);
        shell.argc = argc > 3 ? argc - 4 : 0;
        return run_text(argv[2]);
    }
    while (first < argc && argv[first][0] == '-')
        first++;
    shell.argv = first < argc ? argv + first : argv;
    shell.argc = first < argc ? argc - first - 1 : 0;
    if (first < argc)
        return run_file(argv[first]);
    if (isatty(0)) {
        s.prompts = true;
        s.by_byte = false;
        start_interactive();
    }
    return run_source(&s);
}
