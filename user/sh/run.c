/*
 * The walker. Each function starts where its part of the grammar starts, leaves pos after it, and
 * acts only when acting() says so; shell.status is the outcome.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "user/sh/sh.h"

#define SAVED_FD 20 /* saved descriptors go here and up, out of the commands' way */
#define FDS      10

struct redirect {
    int fd;
    char kind; /* '<', '>', 'a' to append, '&' to duplicate */
    char *target;
    struct redirect *next;
};

static void list(void);
static void and_or(void);
static void command(bool in_child);

static bool acting(void)
{
    return !shell.dry && !shell.leave && !shell.interrupted && !source->error;
}

static void expect(const char *word)
{
    if (!keyword(word))
        syntax_error();
}

/* Walks one part without doing anything; returns where it ends, and goes back to its start. */
static size_t dry_run(void (*part)(void))
{
    size_t start = source->pos, end;

    shell.dry++;
    part();
    shell.dry--;
    end = source->pos;
    source->pos = start;
    return end;
}

static void list_if(bool wanted)
{
    shell.dry += !wanted;
    list();
    shell.dry -= !wanted;
}

/* ---- Redirections ---- */

/* The redirections at pos, added at *tail; returns the new tail. */
static struct redirect **take_redirects(struct redirect **tail)
{
    for (;;) {
        struct redirect r = {.fd = -1};
        const char *at;

        skip_blanks();
        at = peek() ? source->text + source->pos : "";
        if (*at >= '0' && *at <= '9' && (at[1] == '<' || at[1] == '>'))
            r.fd = source->text[source->pos++] - '0';
        r.kind = match(">>") ? 'a' : match(">&") || match("<&") ? '&' : '\0';
        if (!r.kind)
            r.kind = match(">") ? '>' : match("<") ? '<' : '\0';
        if (!r.kind)
            return tail;
        if (r.fd < 0)
            r.fd = r.kind == '<' || source->text[source->pos - 2] == '<' ? 0 : 1;
        r.target = take_word();
        if (!r.target) {
            syntax_error();
            return tail;
        }
        *tail = arena_alloc(sizeof(r));
        **tail = r;
        tail = &(*tail)->next;
    }
}

static int open_target(const struct redirect *r, const char *target)
{
    if (r->kind == '&')
        return strcmp(target, "-") == 0 ? -2 : dup(atoi(target));
    if (r->kind == '<')
        return open(target, O_RDONLY);
    return open(target, O_WRONLY | O_CREAT | (r->kind == 'a' ? O_APPEND : O_TRUNC), 0666);
}

/* Applies them; what they replace is kept in saved, unless that is NULL. */
static bool redirect(const struct redirect *r, int saved[FDS])
{
    fflush(NULL);
    for (int fd = 0; saved && fd < FDS; fd++)
        saved[fd] = -1;
    for (; r; r = r->next) {
        const char *target = expand_single(r->target);
        int fd = open_target(r, target);

        if (fd == -1) {
            fprintf(stderr, "sh: %s: %s\n", target, strerror(errno));
            return false;
        }
        if (saved && saved[r->fd] == -1) {
            saved[r->fd] = fcntl(r->fd, F_DUPFD_CLOEXEC, SAVED_FD);
            if (saved[r->fd] < 0)
                saved[r->fd] = -2;
        }
        if (fd == -2)
            close(r->fd);
        else if (fd != r->fd)
            dup2(fd, r->fd);
        if (fd >= 0 && fd != r->fd)
            close(fd);
    }
    return true;
}

static void restore(int saved[FDS])
{
    fflush(NULL);
    for (int fd = 0; fd < FDS; fd++) {
        if (saved[fd] == -2)
            close(fd);
        if (saved[fd] < 0)
            continue;
        dup2(saved[fd], fd);
        close(saved[fd]);
    }
}

/* ---- Simple commands ---- */

_Noreturn void exec_program(char **argv)
{
    const char *path = var_get("PATH");

    environ = vars_environment();
    if (path)
        setenv("PATH", path, 1); /* execvp looks here, exported or not */
    execvp(argv[0], argv);
    fprintf(stderr, "sh: %s: %s\n", argv[0],
            errno == ENOENT && !strchr(argv[0], '/') ? "not found" : strerror(errno));
    exit(errno == ENOENT ? 127 : 126);
}

/* Sets the variables that the first n words assign. */
static void assign(char **words, int n, bool exported)
{
    for (int i = 0; i < n; i++) {
        size_t len = name_length(words[i]);
        char *name = arena_strndup(words[i], len);

        var_set(name, expand_single(words[i] + len + 1));
        if (exported)
            var_export(name);
    }
}

static int run_here(builtin_fn fn, struct args *args, const struct redirect *r)
{
    int saved[FDS], status = 1;
    bool lasting = args->n && strcmp(args->v[0], "exec") == 0;

    if (redirect(r, lasting ? NULL : saved))
        status = fn ? fn(args->n, args->v) : shell.substitution_status;
    if (!lasting)
        restore(saved);
    return status;
}

static void run_simple(struct args *words, const struct redirect *r, const char *text, size_t len,
                       bool in_child)
{
    struct args args = {0};
    int assignments = 0;
    builtin_fn fn;
    struct job *j;

    shell.substitution_status = 0;
    while (assignments < words->n && name_length(words->v[assignments]) &&
           words->v[assignments][name_length(words->v[assignments])] == '=')
        assignments++;
    for (int i = assignments; i < words->n; i++)
        expand_word(words->v[i], &args);
    fn = args.n ? builtin_find(args.v[0]) : NULL;
    if (fn || !args.n) {
        assign(words->v, assignments, false);
        shell.status = run_here(fn, &args, r);
        return;
    }
    j = in_child ? NULL : job_new(text, len);
    if (in_child || job_fork(j, true) == 0) {
        assign(words->v, assignments, true);
        if (!redirect(r, NULL))
            exit(1);
        exec_program(args.v);
    }
    shell.status = job_foreground(j, false);
}

static void simple(bool in_child)
{
    struct args words = {0};
    struct redirect *redirects = NULL, **tail = &redirects;
    size_t start = source->pos;
    char *word;

    do {
        tail = take_redirects(tail);
        word = take_word();
        if (word)
            args_add(&words, word);
    } while (word);
    if (!words.n && !redirects)
        syntax_error();
    else if (acting())
        run_simple(&words, redirects, source->text + start, source->pos - start, in_child);
}

/* ---- Compound commands: each after its first keyword ---- */

static void if_part(void)
{
    bool taken;

    list();
    expect("then");
    taken = shell.status == 0;
    list_if(taken);
    if (keyword("elif")) {
        shell.dry += taken;
        if_part();
        shell.dry -= taken;
        return;
    }
    if (keyword("else"))
        list_if(!taken);
    else if (!taken && acting())
        shell.status = 0;
    expect("fi");
}

/* Whether the loop goes on after a round. */
static bool go_on(void)
{
    bool stop = shell.leave == BREAK || shell.interrupted || source->error;

    shell.leave = STAY;
    return !stop;
}

static void loop_part(bool until)
{
    size_t start = source->pos;
    bool again;
    int status = 0;

    do {
        struct arena_mark m = arena_mark();

        source->pos = start;
        list();
        expect("do");
        again = acting() && (shell.status == 0) != until;
        list_if(again);
        if (again)
            status = shell.status;
        expect("done");
        arena_release(m);
    } while (again && go_on());
    shell.status = status;
}

static void while_part(void)
{
    loop_part(false);
}

static void until_part(void)
{
    loop_part(true);
}

static void for_part(void)
{
    struct args values = {0};
    char *name = take_word(), *word;
    size_t start;

    if (!name || name_length(name) != strlen(name)) {
        syntax_error();
        return;
    }
    if (!keyword("in"))
        expand_word("\"$@\"", &values);
    else
        while ((word = take_word()))
            if (acting())
                expand_word(word, &values);
    match(";");
    expect("do");
    start = source->pos;
    if (shell.dry || !values.n)
        list_if(false);
    for (int i = 0; i < values.n && !shell.dry; i++) {
        source->pos = start;
        var_set(name, values.v[i]);
        list();
        if (!go_on())
            break;
    }
    expect("done");
}

static void group_part(void)
{
    list();
    expect("}");
}

static void subshell_part(void)
{
    list();
    if (!match(")"))
        syntax_error();
}

/* A compound command and the redirections behind it. */
static void compound(void (*part)(void), bool is_loop)
{
    struct redirect *redirects = NULL;
    size_t start = source->pos, end;
    int saved[FDS];

    source->pos = dry_run(part);
    take_redirects(&redirects);
    end = source->pos;
    if (!acting())
        return;
    source->pos = start;
    if (part == subshell_part) {
        struct job *j = job_new(source->text + start, end - start);

        if (job_fork(j, true) == 0) {
            if (!redirect(redirects, NULL))
                exit(1);
            part();
            exit(shell.status);
        }
        shell.status = job_foreground(j, false);
    } else {
        shell.loops += is_loop;
        if (redirect(redirects, saved))
            part();
        else
            shell.status = 1;
        restore(saved);
        shell.loops -= is_loop;
    }
    source->pos = end;
}

/* in_child: this process is the command's own, so a program simply replaces it. */
static void command(bool in_child)
{
    if (match("("))
        compound(subshell_part, false);
    else if (keyword("{"))
        compound(group_part, false);
    else if (keyword("if"))
        compound(if_part, false);
    else if (keyword("while"))
        compound(while_part, true);
    else if (keyword("until"))
        compound(until_part, true);
    else if (keyword("for"))
        compound(for_part, true);
    else
        simple(in_child);
}

static void plain_command(void)
{
    command(false);
}

/* ---- Pipelines and lists ---- */

/* Starts the command at pos as a process with this input and output. */
static void start_part(struct job *j, int in, int out, int unused)
{
    size_t end = dry_run(plain_command);

    if (job_fork(j, true) == 0) {
        dup2(in, 0);
        dup2(out, 1);
        for (int fd = 3; fd < FDS; fd++)
            if (fd == in || fd == out || fd == unused)
                close(fd);
        command(true);
        exit(shell.status);
    }
    source->pos = end;
}

static void run_pipeline(size_t end)
{
    struct job *j = job_new(source->text + source->pos, end - source->pos);
    int in = 0, fds[2];
    bool last;

    do {
        size_t start = source->pos;

        source->pos = dry_run(plain_command);
        last = !match("|");
        source->pos = start;
        fds[0] = fds[1] = -1;
        if (!last && pipe(fds) < 0)
            perror("sh: pipe");
        start_part(j, in, last ? 1 : fds[1], fds[0]);
        if (in > 0)
            close(in);
        close(fds[1]);
        in = fds[0];
        if (match("|"))
            skip_newlines();
    } while (!last);
    source->pos = end;
    shell.status = job_foreground(j, false);
}

static void pipe_part(void)
{
    do {
        skip_newlines();
        plain_command();
    } while (!source->error && match("|"));
}

static void pipeline(void)
{
    bool negated = keyword("!");
    size_t end;

    if (!acting()) {
        pipe_part();
        return;
    }
    end = dry_run(pipe_part);
    if (dry_run(plain_command) == end)
        command(false);
    else
        run_pipeline(end);
    if (negated && acting())
        shell.status = !shell.status;
}

static void and_or(void)
{
    pipeline();
    for (;;) {
        bool on_success = match("&&");
        bool skip = on_success == (shell.status != 0);

        if (source->error || (!on_success && !match("||")))
            return;
        skip_newlines();
        shell.dry += skip;
        pipeline();
        shell.dry -= skip;
    }
}

/* A whole entry of a list, which may turn out to be for the background. */
static void statement(void)
{
    size_t start = source->pos, end;
    struct job *j;

    end = source->pos = dry_run(and_or);
    if (!match("&")) {
        source->pos = start;
        if (acting())
            and_or();
        source->pos = end;
        match(";");
        return;
    }
    if (!acting())
        return;
    j = job_new(source->text + start, end - start);
    if (job_fork(j, false) == 0) {
        source->pos = start;
        if (dry_run(plain_command) == end)
            command(true);
        else
            and_or();
        exit(shell.status);
    }
    job_background(j, false);
    shell.status = 0;
}

/* At what ends a list: the closing word or bracket of what it is in, or the end. */
static bool at_close(void)
{
    static const char *const words[] = {"then", "elif", "else", "fi", "do", "done", "}"};

    skip_newlines();
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (at_keyword(words[i]))
            return true;
    return !peek() || peek() == ')';
}

static void list(void)
{
    if (at_close())
        syntax_error();
    while (!source->error && !at_close())
        statement();
}

/* ---- Whole commands ---- */

/* Up to the newline; what is there must not close anything. */
static void line(void)
{
    for (skip_blanks(); !source->error && peek() && peek() != '\n'; skip_blanks()) {
        if (at_close())
            syntax_error();
        else
            statement();
    }
}

/* The dry walk reads all the text that belongs to the command. */
static void run_line(void)
{
    size_t end = dry_run(line);

    if (!source->error)
        line();
    else
        shell.status = 2;
    source->pos = source->error || shell.interrupted ? source->len : end + (end < source->len);
}

int run_source(struct source *s)
{
    struct source *outer = source;
    bool end = false;

    source = s;
    while (!end && !shell.leave) {
        struct arena_mark m = arena_mark();

        s->len -= s->pos;
        if (s->text && s->fd >= 0)
            memmove(s->text, s->text + s->pos, s->len + 1);
        else
            s->text += s->pos;
        s->pos = 0;
        s->error = s->ended = false;
        end = !peek();
        if (!end)
            run_line();
        if (shell.interrupted && s->prompts) {
            fputc('\n', stderr);
            shell.interrupted = end = false;
        }
        end |= (s->error && !s->prompts) || shell.interrupted;
        fflush(NULL);
        if (s->prompts)
            jobs_report(false);
        arena_release(m);
    }
    source = outer;
    return shell.status;
}

int run_text(const char *text)
{
    struct source s = {.fd = -1, .text = (char *)text, .len = strlen(text)};

    return run_source(&s);
}

int run_file(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct source s = {.fd = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, SAVED_FD)};

    if (fd >= 0)
        close(fd);
    if (s.fd < 0) {
        fprintf(stderr, "sh: %s: %s\n", path, strerror(errno));
        return 127;
    }
    run_source(&s);
    close(s.fd);
    free(s.text);
    return shell.status;
}
