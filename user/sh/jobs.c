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

#define MAX_PROCESSES 32

struct job {
    int id;
    pid_t pgid;   /* 0 until the first process is known */
    int n, alive; /* processes, and those that have not ended */
    pid_t pids[MAX_PROCESSES];
    int status; /* of the last process, as wait gives it */
    bool stopped, announced;
    char text[80];
    struct job *next;
};

/* By ascending id; a job is freed when its end has been told of. */
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

/* In a child: the jobs are its parent's, and it gets the usual signals back. */
void jobs_forget(void)
{
    jobs = NULL;
    if (shell.interactive)
        for (size_t i = 0; i < sizeof(job_signals) / sizeof(*job_signals); i++)
            signal(job_signals[i], SIG_DFL);
    shell.interactive = false;
}

struct job *job_new(const char *text, size_t len)
{
    struct job *j = calloc(1, sizeof(*j)), **tail = &jobs;

    if (!j) {
        fprintf(stderr, "sh: out of memory\n");
        exit(2);
    }
    strlcpy(j->text, text, len < sizeof(j->text) ? len + 1 : sizeof(j->text));
    j->id = 1;
    for (; *tail; tail = &(*tail)->next)
        j->id = (*tail)->id + 1;
    *tail = j;
    return j;
}

/* Puts pid into the job's group. Parent and child both do: whoever is first, it is there in time.
 */
static void job_add(struct job *j, pid_t pid)
{
    if (!j->pgid)
        j->pgid = pid;
    if (shell.interactive)
        setpgid(pid, j->pgid);
    if (j->n < MAX_PROCESSES)
        j->pids[j->n++] = pid;
    j->alive++;
}

/* The standard streams are flushed first, or both processes would print what waits. */
pid_t job_fork(struct job *j, bool foreground)
{
    pid_t pid;

    fflush(NULL);
    pid = fork();
    if (pid < 0) {
        perror("sh: fork");
        j->status = 1 << 8;
    } else if (pid > 0) {
        job_add(j, pid);
    } else {
        job_add(j, getpid());
        if (shell.interactive && foreground)
            tcsetpgrp(shell.tty, j->pgid);
        else if (!shell.interactive && !foreground)
            signal(SIGINT, SIG_IGN);
        jobs_forget();
    }
    return pid;
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

/* The last process alone decides the status of a pipeline. */
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

/* $? of what wait() tells. */
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

/*
 * Gives the job the terminal until it ends or stops. What a program that ended by itself did to the
 * terminal's settings was meant and is kept; one that stopped or was killed had no chance to tidy
 * up, and the settings of before come back.
 */
int job_foreground(struct job *j, bool resume)
{
    int status;

    j->stopped = false;
    if (shell.interactive && j->pgid)
        tcsetpgrp(shell.tty, j->pgid);
    if (resume)
        kill(-j->pgid, SIGCONT);
    while (j->alive && !j->stopped && note_change(0))
        ;
    status = exit_status(j->status);
    if (shell.interactive) {
        tcsetpgrp(shell.tty, shell.pgid);
        if (j->stopped || WIFSIGNALED(j->status))
            tcsetattr(shell.tty, TCSADRAIN, &shell_tty);
        else
            tcgetattr(shell.tty, &shell_tty);
        if (j->stopped || (WIFSIGNALED(j->status) && WTERMSIG(j->status) == SIGINT))
            fputc('\n', stderr);
    }
    if (j->stopped) {
        j->announced = true;
        describe(j);
        return status;
    }
    if (WIFSIGNALED(j->status) && WTERMSIG(j->status) != SIGINT && WTERMSIG(j->status) != SIGPIPE)
        fprintf(stderr, "%s\n", strsignal(WTERMSIG(j->status)));
    job_free(j);
    return status;
}

void job_background(struct job *j, bool resume)
{
    j->stopped = false;
    shell.last_background = j->pids[j->n ? j->n - 1 : 0];
    if (resume)
        kill(-j->pgid, SIGCONT);
    if (shell.interactive)
        fprintf(stderr, "[%d] %d\n", j->id, (int)shell.last_background);
}

/* Before each prompt (what has changed) and for `jobs` (all); a job that has ended is told of once.
 */
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

int job_wait(struct job *j)
{
    int status;

    while (j->alive && !j->stopped && note_change(0))
        ;
    status = exit_status(j->status);
    if (j->alive == 0)
        job_free(j);
    return status;
}

void jobs_wait_all(void)
{
    for (struct job *j = jobs, *next; j; j = next) {
        next = j->next;
        job_wait(j);
    }
}

pid_t job_kill_target(const struct job *j)
{
    return shell.interactive ? -j->pgid : j->pids[j->n - 1];
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
