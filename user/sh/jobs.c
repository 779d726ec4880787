/*
 * Jobs: the processes of one pipeline, in a process group of their own when the shell is
 * interactive. Exactly one group at a time owns the terminal.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "user/sh/sh.h"

struct job {
    int id;
    pid_t pgid;   /* 0 until the first process is known */
    int n, alive; /* processes, and those that have not ended */
    pid_t pids[32];
    int status; /* of the last process, as wait gives it */
    bool stopped, background, announced;
    char text[80];
    struct termios tty;
    bool has_tty;
    struct job *next;
};

static struct job *jobs;
static struct termios shell_tty;
static const int job_signals[] = {SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU, SIGTERM};

static void on_interrupt(int signo)
{
    (void)signo;
    shell.interrupted = true;
}

/* Takes the terminal for an interactive shell. */
void jobs_init(void)
{
    struct sigaction act = {.sa_handler = on_interrupt};

    while (tcgetpgrp(shell.tty) != getpgrp())
        kill(-getpgrp(), SIGTTIN);
    for (size_t i = 0; i < sizeof(job_signals) / sizeof(*job_signals); i++)
        signal(job_signals[i], SIG_IGN);
    sigaction(SIGINT, &act, NULL);
    setpgid(0, 0);
    shell.pgid = getpgrp();
    tcsetpgrp(shell.tty, shell.pgid);
    tcgetattr(shell.tty, &shell_tty);
}

void jobs_forget(void)
{
    jobs = NULL;
    if (shell.interactive)
        for (size_t i = 0; i < sizeof(job_signals) / sizeof(*job_signals); i++)
            signal(job_signals[i], SIG_DFL);
    shell.interactive = false;
}

struct job *job_new(const struct node *n)
{
    struct job *j = calloc(1, sizeof(*j)), **tail = &jobs;

    if (!j) {
        fprintf(stderr, "sh: out of memory\n");
        exit(2);
    }
    node_text(n, j->text, sizeof(j->text));
    j->id = 1;
    for (; *tail; tail = &(*tail)->next)
        j->id = (*tail)->id + 1;
    *tail = j;
    return j;
}

/* Both parent and child set the group: whoever is first, nobody sees the child outside it. */
void job_add(struct job *j, pid_t pid)
{
    if (pid < 0) {
        j->status = 1 << 8;
        return;
    }
    if (!j->pgid)
        j->pgid = pid;
    if (shell.interactive)
        setpgid(pid, j->pgid);
    if (j->n < (int)(sizeof(j->pids) / sizeof(*j->pids)))
        j->pids[j->n++] = pid;
    j->alive++;
}

void job_child(struct job *j, bool foreground)
{
    if (shell.interactive && foreground)
        tcsetpgrp(shell.tty, j->pgid);
    else if (!shell.interactive && !foreground)
        signal(SIGINT, SIG_IGN);
    jobs_forget();
}

static void job_free(struct job *j)
{
    for (struct job **p = &jobs; *p; p = &(*p)->next)
        if (*p == j) {
            *p = j->next;
            free(j);
            return;
        }
}

static void job_update(struct job *j, pid_t pid, int status)
{
    for (int i = 0; i < j->n; i++) {
        if (j->pids[i] != pid)
            continue;
        j->stopped = WIFSTOPPED(status);
        if (WIFSTOPPED(status)) {
            j->announced = false;
            j->status = status;
        } else if (!WIFCONTINUED(status)) {
            j->alive--;
            j->pids[i] = 0;
            if (i == j->n - 1)
                j->status = status;
        }
    }
}

/* Notes one change of a child; false when there is none (or no child at all). */
static bool note_change(int options)
{
    int status;
    pid_t pid;

    do
        pid = waitpid(-1, &status, options | (shell.interactive ? WUNTRACED | WCONTINUED : 0));
    while (pid < 0 && errno == EINTR && !shell.interrupted);
    for (struct job *j = jobs; pid > 0 && j; j = j->next)
        job_update(j, pid, status);
    return pid > 0;
}

static int exit_status(int status)
{
    if (WIFSTOPPED(status))
        return 128 + WSTOPSIG(status);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void describe(const struct job *j)
{
    char state[32] = "Running";

    if (j->alive == 0 && WIFSIGNALED(j->status))
        strlcpy(state, strsignal(WTERMSIG(j->status)), sizeof(state));
    else if (j->alive == 0 && WEXITSTATUS(j->status))
        snprintf(state, sizeof(state), "Exit %d", WEXITSTATUS(j->status));
    else if (j->alive == 0)
        strlcpy(state, "Done", sizeof(state));
    else if (j->stopped)
        strlcpy(state, "Stopped", sizeof(state));
    fprintf(stderr, "[%d]  %-20s %s\n", j->id, state, j->text);
}

/* Waits for j alone to end (or stop, when it has the terminal); frees it once it ended. */
static int wait_for(struct job *j)
{
    int status;

    while (j->alive && !j->stopped && note_change(0))
        ;
    status = exit_status(j->status);
    if (j->alive == 0)
        job_free(j);
    return status;
}

int job_foreground(struct job *j, bool resume)
{
    int status;

    j->background = j->stopped = false;
    if (shell.interactive && j->pgid) {
        tcsetpgrp(shell.tty, j->pgid);
        if (resume && j->has_tty)
            tcsetattr(shell.tty, TCSADRAIN, &j->tty);
    }
    if (resume)
        kill(-j->pgid, SIGCONT);
    while (j->alive && !j->stopped && note_change(0))
        ;
    status = exit_status(j->status);
    if (shell.interactive) {
        tcsetpgrp(shell.tty, shell.pgid);
        j->has_tty = j->stopped && tcgetattr(shell.tty, &j->tty) == 0;
        if (j->stopped || WIFSIGNALED(j->status))
            tcsetattr(shell.tty, TCSADRAIN, &shell_tty);
        else
            tcgetattr(shell.tty, &shell_tty);
        if (j->stopped || (WIFSIGNALED(j->status) && WTERMSIG(j->status) == SIGINT))
            fputc('\n', stderr);
    }
    if (j->stopped) {
        j->background = j->announced = true;
        describe(j);
        return status;
    }
    if (WIFSIGNALED(j->status) && WTERMSIG(j->status) != SIGINT && WTERMSIG(j->status) != SIGPIPE)
        fprintf(stderr, "%s\n", strsignal(WTERMSIG(j->status)));
    job_free(j);
    return status;
}

void job_background(struct job *j)
{
    j->background = true;
    shell.last_background = j->pids[j->n ? j->n - 1 : 0];
    if (shell.interactive)
        fprintf(stderr, "[%d] %d\n", j->id, (int)shell.last_background);
}

void job_resume_background(struct job *j)
{
    j->stopped = false;
    fprintf(stderr, "[%d]  %s &\n", j->id, j->text);
    kill(-j->pgid, SIGCONT);
}

void jobs_report(bool all)
{
    struct job *next;

    while (note_change(WNOHANG))
        ;
    for (struct job *j = jobs; j; j = next) {
        next = j->next;
        if (all || ((j->alive == 0 || j->stopped) && !j->announced))
            describe(j);
        j->announced = j->stopped;
        if (j->alive == 0)
            job_free(j);
    }
}

int jobs_wait_all(void)
{
    for (struct job *j = jobs, *next; j; j = next) {
        next = j->next;
        if (!j->stopped)
            wait_for(j);
    }
    return 0;
}

int job_wait(struct job *j)
{
    return wait_for(j);
}

pid_t job_pgid(const struct job *j)
{
    return j->pgid;
}

struct job *job_find(const char *spec)
{
    struct job *best = NULL;

    for (struct job *j = jobs; j; j = j->next) {
        if (!spec || strcmp(spec, "%%") == 0 || strcmp(spec, "%+") == 0)
            best = !best || j->stopped || !best->stopped ? j : best;
        else if (*spec == '%' ? j->id == atoi(spec + 1) : j->pids[j->n - 1] == atoi(spec))
            return j;
    }
    return best;
}
