/*
 * The shell's parts and what they share.
 *
 *   input.c     text in, words out           expand.c, glob.c   words -> arguments
 *   run.c       walks the text and runs it   jobs.c             processes, and the terminal
 *   builtin.c   commands of its own          main.c             variables, memory, start
 *
 * There is no tree. The walker goes over the text of a command twice: first dry, which finds where
 * it ends and whether it is sound, then for real; loops go back. Words and arguments live in an
 * arena that is given back after each command.
 */
#ifndef USER_SH_H
#define USER_SH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct shell {
    int status;              /* $? */
    int substitution_status; /* of the last $(...) */
    pid_t last_background;   /* $! */
    pid_t pid;               /* $$ */
    bool interactive;        /* with job control */
    int tty;                 /* terminal for job control */
    pid_t pgid;
    int argc;                             /* $# */
    char **argv;                          /* $0... */
    int dry;                              /* > 0: walk, but do nothing */
    int loops;                            /* around the present command */
    enum { STAY, BREAK, CONTINUE } leave; /* the innermost loop */
    volatile bool interrupted;
};
extern struct shell shell;

/* ---- Input: the text of one whole command, and where in it the walker is ---- */

struct source {
    int fd;       /* more text comes from here; -1: no more */
    bool by_byte; /* fd is the commands' input as well: take no more than a line */
    bool prompts;
    char *text;
    size_t len, pos;
    bool ended; /* nothing more came, this time */
    bool error;
};
extern struct source *source; /* the one being run */

char peek(void);            /* the character at pos, 0 at the end */
void skip_blanks(void);     /* and comments */
void skip_newlines(void);   /* and blanks */
bool match(const char *op); /* takes this operator, and no longer one */
bool at_keyword(const char *word);
bool keyword(const char *word); /* takes it, after any newlines */
char *take_word(void);          /* as written, quotes and all; NULL: there is none */
void syntax_error(void);

int run_source(struct source *s);
int run_text(const char *text);
int run_file(const char *path);

/* ---- Expansion ---- */

struct args {
    int n, room;
    char **v; /* NULL-terminated */
};
void args_add(struct args *a, char *s);
void expand_word(const char *word, struct args *out);    /* to any number of arguments */
char *expand_single(const char *word);                   /* to one, unsplit */
void glob_expand(const char *pattern, struct args *out); /* no match: the pattern itself */

typedef int (*builtin_fn)(int argc, char **argv);
builtin_fn builtin_find(const char *name);
_Noreturn void exec_program(char **argv);

/* ---- Jobs ---- */

struct job;
struct job *job_new(const char *text, size_t len);
pid_t job_fork(struct job *j, bool foreground); /* a process of the job; as fork() */
int job_foreground(struct job *j, bool resume); /* waits until it ends or stops; its status */
void job_background(struct job *j, bool resume);
int job_wait(struct job *j);
void jobs_wait_all(void);
void jobs_report(bool all);                 /* prints what changed, forgets what ended */
struct job *job_find(const char *spec);     /* %n, pid, or NULL: the current one */
pid_t job_kill_target(const struct job *j); /* for kill() */
void jobs_init(void);
void jobs_forget(void); /* in a child: they are the parent's */

/* ---- Variables and memory ---- */

size_t name_length(const char *s); /* of the variable name at its start, or 0 */
const char *var_get(const char *name);
void var_set(const char *name, const char *value);
void var_export(const char *name);
void var_unset(const char *name);
void vars_print(bool exported_only);
char **vars_environment(void);

struct arena_mark {
    void *chunk;
    size_t used;
};
struct arena_mark arena_mark(void);
void arena_release(struct arena_mark m);
void *arena_alloc(size_t n); /* zeroed; ends the shell when there is no memory */
char *arena_strndup(const char *s, size_t n);

/* A growing string in the arena. */
struct text {
    char *s;
    size_t n, room;
};
void text_add(struct text *t, char c);

#endif
