/*
 * Tokens. Words are kept as written, quotes included: expansion needs to know what was quoted.
 * Reads no further than the newline that ends a command, so that the command's own input stays.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "user/sh/sh.h"

void lex_init_fd(struct lexer *l, int fd, bool by_byte, bool prompts)
{
    *l = (struct lexer){.fd = fd, .by_byte = by_byte, .prompts = prompts};
}

void lex_init_text(struct lexer *l, const char *text)
{
    *l = (struct lexer){.fd = -1, .text = text};
}

static void prompt(struct lexer *l)
{
    const char *ps = var_get(l->continued ? "PS2" : "PS1");

    fputs(ps ? ps : l->continued ? "> " : geteuid() ? "$ " : "# ", stderr);
}

/* The next character, 0 at the end. */
static int get(struct lexer *l)
{
    int c = l->pushed;

    l->pushed = 0;
    if (c)
        return c;
    if (l->fd < 0)
        return *l->text ? *l->text++ : 0;
    if (l->next == l->used) {
        if (l->prompts)
            prompt(l);
        l->next = l->used = 0;
        do
            l->used = read(l->fd, l->buf, l->by_byte ? 1 : sizeof(l->buf));
        while (l->used < 0 && errno == EINTR && !shell.interrupted);
        if (l->used <= 0) {
            l->used = 0;
            return 0;
        }
        l->continued = true;
    }
    return l->buf[l->next++];
}

static void unget(struct lexer *l, int c)
{
    l->pushed = c;
}

static void unterminated(struct lexer *l, const char *what)
{
    if (!shell.interrupted)
        fprintf(stderr, "sh: unterminated %s\n", what);
    l->failed = true;
}

/* Copies up to and including the closing character, with nested quotes and parentheses. */
static void copy_until(struct lexer *l, struct text *t, char close)
{
    int c;

    while ((c = get(l)) != close) {
        if (!c) {
            unterminated(l, close == ')' ? "$(" : close == '}' ? "${" : "quote");
            return;
        }
        text_add(t, c);
        if (c == '\\' && close != '\'') {
            if ((c = get(l)))
                text_add(t, c);
        } else if (close == ')' || close == '}') {
            if (c == '\'' || c == '"' || c == '`')
                copy_until(l, t, c);
            else if (c == '(')
                copy_until(l, t, ')');
        } else if (close == '"' && c == '$') {
            c = get(l);
            if (c == '(' || c == '{') {
                text_add(t, c);
                copy_until(l, t, c == '(' ? ')' : '}');
            } else {
                unget(l, c);
            }
        }
        if (l->failed)
            return;
    }
    text_add(t, c);
}

static void word_special(struct lexer *l, struct text *t, int c)
{
    int next;

    text_add(t, c);
    if (c == '\\') {
        next = get(l);
        if (next == '\n')
            t->s[--t->n] = '\0';
        else if (next)
            text_add(t, next);
    } else if (c == '$') {
        next = get(l);
        if (next == '(' || next == '{') {
            text_add(t, next);
            copy_until(l, t, next == '(' ? ')' : '}');
        } else {
            unget(l, next);
        }
    } else {
        copy_until(l, t, c);
    }
}

static void lex_word(struct lexer *l, int c)
{
    struct text t = {0};

    text_append(&t, "");
    for (; c && !strchr(" \t\n;&|()<>", c) && !l->failed; c = get(l)) {
        if (strchr("\\$'\"`", c))
            word_special(l, &t, c);
        else
            text_add(&t, c);
    }
    unget(l, c);
    l->word = t.s;
    l->token = TOK_WORD;
}

/* A token that may be one character or that character twice. */
static void lex_operator(struct lexer *l, int c)
{
    int next = get(l);

    l->token = TOK_CHAR;
    l->character = c;
    if (c == '&' && next == '&')
        l->token = TOK_AND;
    else if (c == '|' && next == '|')
        l->token = TOK_OR;
    else if (c == '>' && next == '>')
        l->token = TOK_APPEND;
    else if ((c == '>' || c == '<') && next == '&')
        l->token = TOK_REDIRECT;
    else
        unget(l, next);
}

void lex_next(struct lexer *l)
{
    int c, next;

    l->redirect_fd = -1;
    while ((c = get(l)) == ' ' || c == '\t' || c == '#') {
        if (c == '#') {
            while ((c = get(l)) && c != '\n')
                ;
            unget(l, c);
        }
    }
    if (isdigit(c)) {
        next = get(l);
        unget(l, next);
        if (next == '<' || next == '>') {
            l->redirect_fd = c - '0';
            c = get(l);
        }
    }
    if (!c)
        l->token = TOK_EOF;
    else if (c == '\n')
        l->token = TOK_NEWLINE;
    else if (strchr(";&|()<>", c))
        lex_operator(l, c);
    else
        lex_word(l, c);
}
