/*
 * The grammar, by recursive descent. Every function leaves the lexer at the token after what it
 * parsed, and returns NULL with l->failed set where the text is not a command.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include "user/sh/sh.h"

static struct node *parse_list(struct lexer *l);

static struct node *node_new(enum node_kind kind, struct node *left, struct node *right)
{
    struct node *n = arena_alloc(sizeof(*n));

    n->kind = kind;
    n->left = left;
    n->right = right;
    return n;
}

static struct node *syntax_error(struct lexer *l)
{
    static const char *const names[] = {
        [TOK_EOF] = "end of input", [TOK_NEWLINE] = "newline", [TOK_AND] = "&&", [TOK_OR] = "||",
        [TOK_APPEND] = ">>",        [TOK_REDIRECT] = ">&"};
    char one[2] = {l->character, '\0'};

    if (!l->failed && !shell.interrupted)
        fprintf(stderr, "sh: syntax error near %s\n",
                l->token == TOK_WORD   ? l->word
                : l->token == TOK_CHAR ? one
                                       : names[l->token]);
    l->failed = true;
    return NULL;
}

static bool at_char(const struct lexer *l, char c)
{
    return l->token == TOK_CHAR && l->character == c;
}

static bool at_word(const struct lexer *l, const char *word)
{
    return l->token == TOK_WORD && strcmp(l->word, word) == 0;
}

static bool expect_word(struct lexer *l, const char *word)
{
    if (l->failed || !at_word(l, word)) {
        syntax_error(l);
        return false;
    }
    lex_next(l);
    return true;
}

static void skip_newlines(struct lexer *l)
{
    while (l->token == TOK_NEWLINE)
        lex_next(l);
}

static bool at_redirect(const struct lexer *l)
{
    return l->token == TOK_APPEND || l->token == TOK_REDIRECT || at_char(l, '<') || at_char(l, '>');
}

static bool parse_redirect(struct lexer *l, struct redirect ***tail)
{
    struct redirect *r = arena_alloc(sizeof(*r));

    r->kind = l->token == TOK_APPEND ? 'a' : l->token == TOK_REDIRECT ? '&' : l->character;
    r->fd = l->redirect_fd >= 0                             ? l->redirect_fd
            : l->token != TOK_APPEND && l->character == '<' ? 0
                                                            : 1;
    lex_next(l);
    if (l->token != TOK_WORD) {
        syntax_error(l);
        return false;
    }
    r->target = l->word;
    lex_next(l);
    **tail = r;
    *tail = &r->next;
    return true;
}

static void parse_redirects(struct lexer *l, struct node *n)
{
    struct redirect **tail = &n->redirects;

    while (at_redirect(l) && parse_redirect(l, &tail))
        ;
}

static struct node *parse_simple(struct lexer *l)
{
    struct node *n = node_new(NODE_SIMPLE, NULL, NULL);
    struct word **word_tail = &n->words;
    struct redirect **redirect_tail = &n->redirects;

    while (!l->failed) {
        if (l->token == TOK_WORD) {
            *word_tail = arena_alloc(sizeof(struct word));
            (*word_tail)->text = l->word;
            word_tail = &(*word_tail)->next;
            lex_next(l);
        } else if (!at_redirect(l) || !parse_redirect(l, &redirect_tail)) {
            break;
        }
    }
    return n->words || n->redirects ? n : syntax_error(l);
}

/* After "if" or "elif": up to and including "fi". */
static struct node *parse_if(struct lexer *l)
{
    struct node *n = node_new(NODE_IF, parse_list(l), NULL);

    if (!expect_word(l, "then"))
        return NULL;
    n->right = parse_list(l);
    if (at_word(l, "elif")) {
        lex_next(l);
        n->other = parse_if(l);
        return n;
    }
    if (at_word(l, "else")) {
        lex_next(l);
        n->other = parse_list(l);
    }
    return expect_word(l, "fi") ? n : NULL;
}

static struct node *parse_loop(struct lexer *l, struct node *n)
{
    if (!expect_word(l, "do"))
        return NULL;
    n->right = parse_list(l);
    return expect_word(l, "done") ? n : NULL;
}

static struct node *parse_for(struct lexer *l)
{
    struct node *n = node_new(NODE_FOR, NULL, NULL);
    struct word **tail = &n->words;

    if (l->token != TOK_WORD || name_length(l->word) != strlen(l->word))
        return syntax_error(l);
    n->name = l->word;
    lex_next(l);
    skip_newlines(l);
    if (at_word(l, "in")) {
        for (lex_next(l); l->token == TOK_WORD; lex_next(l)) {
            *tail = arena_alloc(sizeof(struct word));
            (*tail)->text = l->word;
            tail = &(*tail)->next;
        }
    } else {
        *tail = arena_alloc(sizeof(struct word));
        (*tail)->text = "\"$@\"";
    }
    if (at_char(l, ';'))
        lex_next(l);
    skip_newlines(l);
    return parse_loop(l, n);
}

static struct node *parse_group(struct lexer *l)
{
    struct node *n = NULL;

    if (at_char(l, '(')) {
        lex_next(l);
        n = node_new(NODE_SUBSHELL, parse_list(l), NULL);
        if (!at_char(l, ')'))
            return syntax_error(l);
        lex_next(l);
        return n;
    }
    lex_next(l);
    n = node_new(NODE_GROUP, parse_list(l), NULL);
    return expect_word(l, "}") ? n : NULL;
}

static bool at_reserved_end(const struct lexer *l)
{
    static const char *const ends[] = {"then", "elif", "else", "fi", "do", "done", "}"};

    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
        if (at_word(l, ends[i]))
            return true;
    return false;
}

static struct node *parse_compound_or_simple(struct lexer *l)
{
    struct node *n;

    if (at_reserved_end(l))
        return syntax_error(l);
    if (at_char(l, '(') || at_word(l, "{")) {
        n = parse_group(l);
    } else if (at_word(l, "if")) {
        lex_next(l);
        n = parse_if(l);
    } else if (at_word(l, "while") || at_word(l, "until")) {
        enum node_kind kind = *l->word == 'w' ? NODE_WHILE : NODE_UNTIL;

        lex_next(l);
        n = parse_loop(l, node_new(kind, parse_list(l), NULL));
    } else if (at_word(l, "for")) {
        lex_next(l);
        n = parse_for(l);
    } else {
        return parse_simple(l);
    }
    if (n)
        parse_redirects(l, n);
    return n;
}

static struct node *parse_pipeline(struct lexer *l)
{
    bool negated = at_word(l, "!");
    struct node *n;

    if (negated)
        lex_next(l);
    n = parse_compound_or_simple(l);
    while (n && !l->failed && at_char(l, '|')) {
        lex_next(l);
        skip_newlines(l);
        n = node_new(NODE_PIPE, n, parse_compound_or_simple(l));
    }
    return negated ? node_new(NODE_NOT, n, NULL) : n;
}

static struct node *parse_and_or(struct lexer *l)
{
    struct node *n = parse_pipeline(l);

    while (n && !l->failed && (l->token == TOK_AND || l->token == TOK_OR)) {
        enum node_kind kind = l->token == TOK_AND ? NODE_AND : NODE_OR;

        lex_next(l);
        skip_newlines(l);
        n = node_new(kind, n, parse_pipeline(l));
    }
    return n;
}

/* What may follow a command within a list; the newline stays for the caller. */
static struct node *parse_terminated(struct lexer *l)
{
    struct node *n = parse_and_or(l);

    if (at_char(l, '&')) {
        n = node_new(NODE_BACKGROUND, n, NULL);
        lex_next(l);
    } else if (at_char(l, ';')) {
        lex_next(l);
    }
    return n;
}

/* Commands up to a reserved word or parenthesis that closes what the caller opened. */
static struct node *parse_list(struct lexer *l)
{
    struct node *list = NULL;

    skip_newlines(l);
    while (!l->failed && l->token != TOK_EOF && !at_char(l, ')') && !at_reserved_end(l)) {
        struct node *n = parse_terminated(l);

        list = list ? node_new(NODE_SEQUENCE, list, n) : n;
        skip_newlines(l);
    }
    return list ? list : syntax_error(l);
}

struct node *parse_command(struct lexer *l, bool *end)
{
    struct node *list = NULL;

    l->failed = l->continued = *end = false;
    lex_next(l);
    *end = l->token == TOK_EOF && !l->failed;
    while (!l->failed && l->token != TOK_NEWLINE && l->token != TOK_EOF) {
        struct node *n = parse_terminated(l);

        list = list ? node_new(NODE_SEQUENCE, list, n) : n;
        if (!l->failed && (at_char(l, ')') || at_char(l, ';') || at_char(l, '&')))
            syntax_error(l);
    }
    return l->failed ? NULL : list;
}

static void print_node(const struct node *n, struct text *t)
{
    static const char *const between[] = {
        [NODE_PIPE] = " | ", [NODE_AND] = " && ", [NODE_OR] = " || ", [NODE_SEQUENCE] = "; "};

    if (!n)
        return;
    if (n->kind == NODE_SIMPLE) {
        for (const struct word *w = n->words; w; w = w->next) {
            text_append(t, w->text);
            if (w->next)
                text_add(t, ' ');
        }
    } else if (n->kind >= NODE_PIPE && n->kind <= NODE_SEQUENCE) {
        print_node(n->left, t);
        text_append(t, between[n->kind]);
        print_node(n->right, t);
    } else if (n->kind == NODE_BACKGROUND) {
        print_node(n->left, t);
    } else {
        text_append(t, n->kind == NODE_SUBSHELL ? "( " : "{ ");
        print_node(n->left, t);
        text_append(t, n->right ? "; ..." : "");
        text_append(t, n->kind == NODE_SUBSHELL ? " )" : " }");
    }
}

void node_text(const struct node *n, char *buf, size_t size)
{
    struct text t = {0};

    text_append(&t, "");
    print_node(n, &t);
    strlcpy(buf, t.s, size);
}
