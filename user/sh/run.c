/* Runs trees. Every function returns the exit status, which is also in shell.status. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "user/sh/sh.h"

#define SAVED_FD 20 /* saved descriptors go here and up, out of the commands' way */

static int open_target(const struct redirect *r, const char *target)
{
    if (r->kind == '&')
        return strcmp(target, "-") == 0 ? -2 : dup(atoi(target));
    if (r->kind == '<')
        return open(target, O_RDONLY);
    return open(target, O_WRONLY | O_CREAT | (r->kind == 'a' ? O_APPEND : O_TRUNC), 0666);
}

/* Applies the redirections; what they replace is kept in saved unless that is NULL. */
bool redirect_all(const struct redirect *r, int saved[10])
{
    for (; r; r = r->next) {
        const char *target = expand_single(r->target);
        int fd;

        if (saved && saved[r->fd] == -1) {
            saved[r->fd] = fcntl(r->fd, F_DUPFD_CLOEXEC, SAVED_FD);
            if (saved[r->fd] < 0)
                saved[r->fd] = -2;
        }
        fd = open_target(r, target);
        if (fd == -1) {
            fprintf(stderr, "sh: %s: %s\n", target, strerror(errno));
            return false;
        }
        if (fd == -2) {
            close(r->fd);
        } else if (fd != r->fd) {
            dup2(fd, r->fd);
            close(fd);
        }
    }
    return true;
}

void redirect_restore(int saved[10])
{
    fflush(NULL);
    for (int fd = 0; fd < 10; fd++) {
        if (saved[fd] >= 0) {
            dup2(saved[fd], fd);
            close(saved[fd]);
        } else if (saved[fd] == -2) {
            close(fd);
        }
    }
}

_Noreturn void exec_program(char **argv)
{
    extern char **environ;
    const char *path = var_get("PATH");

    environ = vars_environment();
    if (path)
        setenv("PATH", path, 1);
    execvp(argv[0], argv);
    fprintf(stderr, "sh: %s: %s\n", argv[0],
            errno == ENOENT && !strchr(argv[0], '/') ? "not found" : strerror(errno));
    exit(errno == ENOENT ? 127 : 126);
}

static bool is_assignment(const char *word)
{
    size_t n = name_length(word);

    return n && word[n] == '=';
}

static void assign(const char *word, bool exported)
{
    size_t n = name_length(word);
    char *name = arena_strndup(word, n);

    var_set(name, expand_single(word + n + 1));
    if (exported)
        var_export(name);
}

static int run_builtin(builtin_fn fn, const struct node *n, struct args *args)
{
    int saved[10];
    bool keep = strcmp(args->v[0], "exec") == 0;

    for (int i = 0; i < 10; i++)
        saved[i] = -1;
    fflush(NULL);
    if (!redirect_all(n->redirects, keep ? NULL : saved))
        shell.status = 1;
    else
        shell.status = fn(args->n, args->v);
    redirect_restore(saved);
    return shell.status;
}

static void trace(const struct args *args)
{
    fputc('+', stderr);
    for (int i = 0; i < args->n; i++)
        fprintf(stderr, " %s", args->v[i]);
    fputc('\n', stderr);
}

/* in_child: this process is the command's own, so a program simply replaces it. */
static int run_simple(struct node *n, bool in_child)
{
    struct args args = {0};
    struct word *w = n->words, *first;
    builtin_fn fn;
    struct job *j;
    pid_t pid;

    while (w && is_assignment(w->text))
        w = w->next;
    first = w;
    shell.substitution_status = 0;
    for (; w; w = w->next)
        expand_word(w->text, &args);
    if (shell.trace && args.n)
        trace(&args);
    fn = args.n ? builtin_find(args.v[0]) : NULL;
    if (!args.n || fn)
        for (w = n->words; w != first; w = w->next)
            assign(w->text, false);
    if (!args.n) {
        int saved[10] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1};

        shell.status = redirect_all(n->redirects, saved) ? shell.substitution_status : 1;
        redirect_restore(saved);
        return shell.status;
    }
    if (fn)
        return run_builtin(fn, n, &args);
    j = in_child ? NULL : job_new(n);
    fflush(NULL);
    pid = in_child ? 0 : fork();
    if (pid == 0) {
        if (!in_child) {
            job_add(j, getpid());
            job_child(j, true);
        }
        for (w = n->words; w != first; w = w->next)
            assign(w->text, true);
        if (!redirect_all(n->redirects, NULL))
            exit(1);
        exec_program(args.v);
    }
    job_add(j, pid);
    return shell.status = job_foreground(j, false);
}

/* In a process made for it: runs n and ends. */
static _Noreturn void run_in_child(struct node *n)
{
    shell.loop_depth = 0;
    if (n->kind == NODE_SIMPLE)
        exit(run_simple(n, true));
    if (n->kind == NODE_SUBSHELL) {
        if (!redirect_all(n->redirects, NULL))
            exit(1);
        n = n->left;
    }
    exit(run(n));
}

static void start_child(struct job *j, struct node *n, bool foreground, int in, int out, int other)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid == 0) {
        job_add(j, getpid());
        job_child(j, foreground);
        if (in >= 0) {
            dup2(in, 0);
            close(in);
        }
        if (out >= 0) {
            dup2(out, 1);
            close(out);
        }
        if (other >= 0)
            close(other);
        run_in_child(n);
    }
    if (pid < 0)
        fprintf(stderr, "sh: fork: %s\n", strerror(errno));
    job_add(j, pid);
}

/* Starts the processes of the pipeline n, whose output goes to out; returns the last one's input.
 */
static void start_pipeline(struct job *j, struct node *n, bool foreground)
{
    struct node *parts[32];
    int count = 0, in = -1, fds[2];

    for (; n->kind == NODE_PIPE && count < 31; n = n->left)
        parts[count++] = n->right;
    parts[count++] = n;
    while (count--) {
        fds[0] = fds[1] = -1;
        if (count && pipe(fds) < 0)
            fprintf(stderr, "sh: pipe: %s\n", strerror(errno));
        start_child(j, parts[count], foreground, in, fds[1], fds[0]);
        if (in >= 0)
            close(in);
        if (fds[1] >= 0)
            close(fds[1]);
        in = fds[0];
    }
}

static int run_job(struct node *n, bool foreground)
{
    struct job *j = job_new(n);

    start_pipeline(j, n, foreground);
    if (foreground)
        return job_foreground(j, false);
    job_background(j);
    return 0;
}

static bool leaving(void)
{
    return shell.breaking || shell.continuing || shell.interrupted;
}

/* After a round of a loop: whether to go on. */
static bool next_round(void)
{
    if (shell.continuing && --shell.continuing == 0)
        return true;
    if (shell.breaking)
        shell.breaking--;
    else if (!shell.continuing && !shell.interrupted)
        return true;
    return false;
}

static int run_while(struct node *n)
{
    int status = 0;
    bool go_on = true;

    shell.loop_depth++;
    while (go_on) {
        struct arena_mark m = arena_mark();

        if ((run(n->left) == 0) != (n->kind == NODE_WHILE) || leaving())
            go_on = false;
        else
            status = run(n->right);
        go_on &= next_round();
        arena_release(m);
    }
    shell.loop_depth--;
    return status;
}

static int run_for(struct node *n)
{
    struct args values = {0};
    int status = 0;

    for (struct word *w = n->words; w; w = w->next)
        expand_word(w->text, &values);
    shell.loop_depth++;
    for (int i = 0; i < values.n; i++) {
        struct arena_mark m = arena_mark();

        var_set(n->name, values.v[i]);
        status = run(n->right);
        arena_release(m);
        if (!next_round())
            break;
    }
    shell.loop_depth--;
    return status;
}

static int run_if(struct node *n)
{
    if (run(n->left) == 0)
        return leaving() ? 0 : run(n->right);
    return n->other && !leaving() ? run(n->other) : 0;
}

/* Pipes, subshells and background commands come here only through run_job. */
static int run_compound(struct node *n)
{
    switch (n->kind) {
    case NODE_AND:
        return run(n->left) == 0 && !leaving() ? run(n->right) : shell.status;
    case NODE_OR:
        return run(n->left) != 0 && !leaving() ? run(n->right) : shell.status;
    case NODE_SEQUENCE:
        run(n->left);
        return leaving() ? shell.status : run(n->right);
    case NODE_NOT:
        return !run(n->left);
    case NODE_IF:
        return run_if(n);
    case NODE_WHILE:
    case NODE_UNTIL:
        return run_while(n);
    case NODE_FOR:
        return run_for(n);
    default:
        return run(n->left);
    }
}

static int run_redirected(struct node *n)
{
    int saved[10] = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, status = 1;

    if (n->redirects)
        fflush(NULL);
    if (redirect_all(n->redirects, saved))
        status = run_compound(n);
    if (n->redirects)
        redirect_restore(saved);
    return status;
}

int run(struct node *n)
{
    if (!n)
        return shell.status;
    if (n->kind == NODE_SIMPLE)
        run_simple(n, false);
    else if (n->kind == NODE_PIPE || n->kind == NODE_SUBSHELL)
        shell.status = run_job(n, true);
    else if (n->kind == NODE_BACKGROUND)
        shell.status = run_job(n->left, false);
    else
        shell.status = run_redirected(n);
    if (shell.status && shell.exit_on_error && n->kind <= NODE_PIPE)
        exit(shell.status);
    return shell.status;
}

int run_lexer(struct lexer *l)
{
    bool end = false;

    while (!end) {
        struct arena_mark m = arena_mark();
        struct node *n = parse_command(l, &end);

        if (n)
            run(n);
        else if (l->failed)
            shell.status = 2;
        arena_release(m);
        if (shell.interrupted) {
            if (!l->prompts)
                break;
            shell.interrupted = false;
            shell.breaking = shell.continuing = 0;
            end = false;
            fputc('\n', stderr);
        } else if (l->failed && !l->prompts) {
            break;
        } else if (l->failed) {
            l->next = l->used = l->pushed = 0;
        }
        fflush(NULL);
        if (l->prompts)
            jobs_report(false);
        if (leaving())
            break;
    }
    return shell.status;
}

int run_text(const char *text)
{
    struct lexer l;

    lex_init_text(&l, text);
    return run_lexer(&l);
}

int run_file(const char *path)
{
    struct lexer l;
    int fd = open(path, O_RDONLY), high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, SAVED_FD);

    if (fd >= 0)
        close(fd);
    if (high < 0) {
        fprintf(stderr, "sh: %s: %s\n", path, strerror(errno));
        return 127;
    }
    lex_init_fd(&l, high, false, false);
    run_lexer(&l);
    close(high);
    return shell.status;
}
