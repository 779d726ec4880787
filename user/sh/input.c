/* Text in, words and operators out. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "user/sh/sh.h"

#define READ_SIZE 512

struct source *source;

/* PS2 when a command has begun already. On stderr, which is not redirected with the output. */
static void prompt(void)
{
    const char *ps = var_get(source->pos ? "PS2" : "PS1");

    fputs(ps ? ps : source->pos ? "> " : geteuid() ? "$ " : "# ", stderr);
}

static ssize_t read_more(char *buf, size_t n)
{
    ssize_t got;

    do
        got = read(source->fd, buf, n);
    while (got < 0 && errno == EINTR && !shell.interrupted);
    return got;
}

/* Reads on until the text has another whole line, or all there is. */
static bool more(void)
{
    size_t start = source->len;
    ssize_t n;

    if (source->fd < 0 || source->ended)
        return false;
    if (source->prompts)
        prompt();
    do {
        char *bigger = realloc(source->text, source->len + READ_SIZE + 1);

        if (!bigger)
            return false;
        source->text = bigger;
        n = read_more(bigger + source->len, source->by_byte ? 1 : READ_SIZE);
        if (n > 0)
            source->len += n;
        bigger[source->len] = '\0';
    } while (n > 0 && source->text[source->len - 1] != '\n');
    source->ended = source->len == start;
    return !source->ended;
}

/* The next character, read if need be; NUL at the end. It may block, and show a prompt. */
char peek(void)
{
    return source->pos < source->len || more() ? source->text[source->pos] : '\0';
}

static char take(void)
{
    char c = peek();

    source->pos += c != '\0';
    return c;
}

/* Said once for each source: what follows from the first error is noise. */
void syntax_error(void)
{
    size_t n = strcspn(source->text + source->pos, "\n");

    if (!source->error && !shell.interrupted)
        fprintf(stderr, "sh: syntax error near '%.*s'\n", n ? n < 40 ? (int)n : 40 : 11,
                n ? source->text + source->pos : "end of line");
    source->error = true;
}

void skip_blanks(void)
{
    while (peek() == ' ' || peek() == '\t' || peek() == '#') {
        if (peek() != '#')
            source->pos++;
        else
            while (peek() && peek() != '\n')
                source->pos++;
    }
}

void skip_newlines(void)
{
    for (skip_blanks(); peek() == '\n'; skip_blanks())
        source->pos++;
}

/* Takes an operator if it is next. A single & or | is not the first half of && or ||. */
bool match(const char *op)
{
    size_t n = strlen(op);
    const char *at;

    skip_blanks();
    if (!peek())
        return false;
    at = source->text + source->pos;
    if (strncmp(at, op, n) != 0 || (n == 1 && strchr("&|", *op) && at[1] == *op))
        return false;
    source->pos += n;
    return true;
}

/* A keyword counts only as a whole word, and only where a command may start: its callers know
 * where. */
bool at_keyword(const char *word)
{
    size_t n = strlen(word);
    const char *at;

    skip_newlines();
    if (!peek())
        return false;
    at = source->text + source->pos;
    return strncmp(at, word, n) == 0 && strchr(" \t\n;&|()<>", at[n]);
}

bool keyword(const char *word)
{
    if (!at_keyword(word))
        return false;
    source->pos += strlen(word);
    return true;
}

/* Copies up to and including the closing character, with the quotes and brackets inside. */
static void copy_until(struct text *t, char close)
{
    char c;

    while ((c = take()) != close) {
        if (!c) {
            syntax_error();
            return;
        }
        text_add(t, c);
        if (c == '\\' && close != '\'')
            text_add(t, take());
        else if (close != '\'' && close != '"' && (c == '\'' || c == '"'))
            copy_until(t, c);
        else if (close != '\'' && c == '$' && (peek() == '(' || peek() == '{')) {
            text_add(t, take());
            copy_until(t, t->s[t->n - 1] == '(' ? ')' : '}');
        } else if (close == ')' && c == '(')
            copy_until(t, ')');
    }
    text_add(t, c);
}

char *take_word(void)
{
    struct text t = {0};
    char c;

    skip_blanks();
    while ((c = peek()) && !strchr(" \t\n;&|()<>", c) && !source->error) {
        text_add(&t, take());
        if (c == '\\')
            text_add(&t, take());
        else if (c == '\'' || c == '"')
            copy_until(&t, c);
        else if (c == '$' && (peek() == '(' || peek() == '{')) {
            text_add(&t, take());
            copy_until(&t, t.s[t.n - 1] == '(' ? ')' : '}');
        }
    }
    return t.s;
}
