/*
 * Words to arguments: parameters, command substitution, splitting, file names, quotes off.
 *
 * A word is expanded into a pattern, where every character that came out of quotes and is special
 * to glob has a backslash in front; fields end where an unquoted expansion has blanks.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "user/sh/sh.h"

struct expansion {
    struct args *out;
    struct text field;
    bool pending; /* field is one, even if empty */
    bool split;   /* into fields, with file names */
    bool globs;   /* an unquoted * ? [ is in it */
};

static void expand(struct expansion *e, const char *s, const char *end, bool quoted);

void args_add(struct args *a, char *s)
{
    if (a->n + 1 >= a->room) {
        char **bigger = arena_alloc((a->room * 2 + 16) * sizeof(char *));

        if (a->n)
            memcpy(bigger, a->v, a->n * sizeof(char *));
        a->v = bigger;
        a->room = a->room * 2 + 16;
    }
    a->v[a->n++] = s;
    a->v[a->n] = NULL;
}

static void unquote(char *s)
{
    char *to = s;

    for (; *s; *to++ = *s++)
        if (*s == '\\' && s[1])
            s++;
    *to = '\0';
}

static void end_field(struct expansion *e)
{
    if (e->pending) {
        char *field = e->field.s ? e->field.s : arena_strndup("", 0);

        if (e->globs) {
            glob_expand(field, e->out);
        } else {
            unquote(field);
            args_add(e->out, field);
        }
    }
    e->field = (struct text){0};
    e->pending = e->globs = false;
}

static void put(struct expansion *e, char c, bool quoted)
{
    if (strchr("*?[", c) && c && !quoted)
        e->globs = e->split;
    else if (strchr("*?[\\", c))
        text_add(&e->field, '\\');
    text_add(&e->field, c);
    e->pending = true;
}

static void put_value(struct expansion *e, const char *value, bool quoted)
{
    for (; *value; value++) {
        if (!quoted && e->split && isspace(*value))
            end_field(e);
        else
            put(e, *value, quoted);
    }
}

static void put_positional(struct expansion *e, char which, bool quoted)
{
    for (int i = 1; i <= shell.argc; i++) {
        if (i > 1) {
            if (e->split && (which == '@' || !quoted))
                end_field(e);
            else
                put(e, ' ', true);
        }
        e->pending |= quoted;
        put_value(e, shell.argv[i], quoted);
    }
}

/* The value of the parameter named by n characters, or NULL; number needs 16 bytes. */
static const char *parameter(const char *name, size_t n, char *number)
{
    char buf[128];
    int value;

    if (n == 1 && strchr("?$!#", *name)) {
        value = *name == '?'   ? shell.status
                : *name == '$' ? shell.pid
                : *name == '!' ? shell.last_background
                               : shell.argc;
        snprintf(number, 16, "%d", value);
        return number;
    }
    snprintf(buf, sizeof(buf), "%.*s", (int)n, name);
    if (!isdigit(*buf))
        return var_get(buf);
    value = atoi(buf);
    return value <= shell.argc ? shell.argv[value] : NULL;
}

static size_t parameter_length(const char *s)
{
    return isdigit(*s) || (*s && strchr("?$!#@*", *s)) ? 1 : name_length(s);
}

/* ${name} and ${name:-word}, between s and end. */
static void expand_braces(struct expansion *e, const char *s, const char *end, bool quoted)
{
    size_t n = isdigit(*s) ? strspn(s, "0123456789") : parameter_length(s);
    char number[16];
    const char *value = n ? parameter(s, n, number) : NULL;
    bool colon = s[n] == ':';

    if (value && (*value || !colon))
        put_value(e, value, quoted);
    else if (s[n + colon] == '-')
        expand(e, s + n + colon + 1, end, quoted);
}

static void substitute(struct expansion *e, const char *command, bool quoted)
{
    struct text t = {0};
    int fds[2], status = 0;
    pid_t pid;
    ssize_t n;
    char c;

    if (pipe(fds) < 0)
        return;
    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        jobs_forget();
        dup2(fds[1], 1);
        close(fds[0]);
        close(fds[1]);
        exit(run_text(command));
    }
    close(fds[1]);
    while ((n = read(fds[0], &c, 1)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0)
            text_add(&t, c);
    close(fds[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    shell.substitution_status = pid > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 1;
    while (t.n && t.s[t.n - 1] == '\n')
        t.s[--t.n] = '\0';
    put_value(e, t.n ? t.s : "", quoted);
}

static const char *matching(const char *s, const char *end, char open, char close);

/* Where the quotes that s opens are closed. */
static const char *closing_quote(const char *s, const char *end)
{
    char quote = *s;

    for (s++; s < end && *s != quote; s++) {
        if (quote == '\'')
            continue;
        if (*s == '\\')
            s++;
        else if (*s == '$' && (s[1] == '(' || s[1] == '{'))
            s = matching(s + 1, end, s[1], s[1] == '(' ? ')' : '}');
    }
    return s < end ? s : end;
}

/* Where the bracket at s is closed, quotes and nesting seen. */
static const char *matching(const char *s, const char *end, char open, char close)
{
    int depth = 1;

    for (s++; s < end; s++) {
        if (*s == '\\')
            s++;
        else if (*s == '\'' || *s == '"')
            s = closing_quote(s, end);
        else if (*s == open)
            depth++;
        else if (*s == close && --depth == 0)
            break;
    }
    return s < end ? s : end;
}

/* s is at '$'; returns what follows the expansion. */
static const char *expand_dollar(struct expansion *e, const char *s, const char *end, bool quoted)
{
    const char *close;
    char number[16];
    const char *value;
    size_t n;

    s++;
    if (s < end && (*s == '{' || *s == '(')) {
        close = matching(s, end, *s, *s == '{' ? '}' : ')');
        if (*s == '{')
            expand_braces(e, s + 1, close, quoted);
        else
            substitute(e, arena_strndup(s + 1, close - s - 1), quoted);
        return close + 1;
    }
    n = s < end ? parameter_length(s) : 0;
    if (!n) {
        put(e, '$', true);
    } else if (*s == '@' || *s == '*') {
        put_positional(e, *s, quoted);
    } else if ((value = parameter(s, n, number))) {
        put_value(e, value, quoted);
    }
    return s + n;
}

static const char *expand_double(struct expansion *e, const char *s, const char *end)
{
    const char *close = closing_quote(s, end);

    if (!(close == s + 3 && strncmp(s + 1, "$@", 2) == 0))
        e->pending = true;
    expand(e, s + 1, close, true);
    return close + 1;
}

/* Expands what is between s and end; quoted: inside double quotes. */
static void expand(struct expansion *e, const char *s, const char *end, bool quoted)
{
    while (s < end) {
        if (*s == '\\' && s + 1 < end) {
            if (quoted && !strchr("$`\"\\\n", s[1]))
                put(e, '\\', true);
            put(e, s[1], true);
            s += 2;
        } else if (*s == '\'' && !quoted) {
            e->pending = true;
            for (s++; s < end && *s != '\''; s++)
                put(e, *s, true);
            s++;
        } else if (*s == '"' && !quoted) {
            s = expand_double(e, s, end);
        } else if (*s == '$') {
            s = expand_dollar(e, s, end, quoted);
        } else {
            put(e, *s++, quoted);
        }
    }
}

static const char *expand_tilde(struct expansion *e, const char *word)
{
    const char *home = var_get("HOME");

    if (word[0] != '~' || (word[1] && word[1] != '/') || !home)
        return word;
    for (; *home; home++)
        put(e, *home, true);
    return word + 1;
}

void expand_word(const char *word, struct args *out)
{
    struct expansion e = {.out = out, .split = true};

    word = expand_tilde(&e, word);
    expand(&e, word, word + strlen(word), false);
    end_field(&e);
}

char *expand_single(const char *word)
{
    struct args out = {0};
    struct expansion e = {.out = &out};

    word = expand_tilde(&e, word);
    e.pending = true;
    expand(&e, word, word + strlen(word), false);
    end_field(&e);
    return out.v[0];
}
