/*
 * The shell's parts and what they share.
 *
 *   lex.c, parse.c   text -> tree            expand.c, glob.c   words -> arguments
 *   run.c            tree -> processes       jobs.c             who runs, and on the terminal
 *   builtin.c        commands of its own     main.c             variables, memory, the main loop
 *
 * Trees and expanded words live in an arena that a command gives back when it is done.
 */
#ifndef USER_SH_H
#define USER_SH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* ---- Trees ---- */

enum node_kind {
    NODE_SIMPLE,   /* words, assignments first */
    NODE_PIPE,     /* left | right */
    NODE_AND,      /* left && right */
    NODE_OR,       /* left || right */
    NODE_SEQUENCE, /* left ; right */
    NODE_BACKGROUND,
    NODE_NOT,
    NODE_SUBSHELL, /* ( left ) */
    NODE_GROUP,    /* { left } */
    NODE_IF,       /* if left; then right; else other */
    NODE_WHILE,    /* while left; do right */
    NODE_UNTIL,
    NODE_FOR, /* for name in words; do right */
};

struct word {
    char *text; /* as written, quotes and all */
    struct word *next;
};

struct redirect {
    int fd;
    char kind; /* '<' '>' 'a' (append) '&' (duplicate) */
    char *target;
    struct redirect *next;
};

struct node {
    enum node_kind kind;
    struct node *left, *right, *other;
    struct word *words;
    struct redirect *redirects;
    char *name;
};

/* ---- Input ---- */

enum token { TOK_EOF, TOK_NEWLINE, TOK_WORD, TOK_AND, TOK_OR, TOK_APPEND, TOK_REDIRECT, TOK_CHAR };

struct lexer {
    int fd;           /* or -1: text */
    const char *text; /* what is left of it */
    char buf[512];
    int used, next;
    bool by_byte; /* fd is shared with the commands: read no further than needed */
    int pushed;   /* character given back, or 0 */
    bool prompts, continued;
    enum token token; /* the current one */
    char *word;       /* TOK_WORD */
    char character;   /* TOK_CHAR: one of ; & | ( ) < > */
    int redirect_fd;  /* number in front of a redirection, or -1 */
    bool failed;
};

void lex_init_fd(struct lexer *l, int fd, bool by_byte, bool prompts);
void lex_init_text(struct lexer *l, const char *text);
void lex_next(struct lexer *l);
/* The next complete command, or NULL: at the end, or failed. *end tells which. */
struct node *parse_command(struct lexer *l, bool *end);
void node_text(const struct node *n, char *buf, size_t size); /* for the list of jobs */

/* ---- Expansion ---- */

struct args {
    int n, room;
    char **v; /* NULL-terminated */
};

void args_add(struct args *a, char *s);
void expand_word(const char *word, struct args *out); /* to any number of fields */
char *expand_single(const char *word);                /* to one string, unsplit */
void glob_expand(const char *pattern,
                 struct args *out); /* \ quotes; no match: the pattern itself */

/* ---- Running ---- */

struct shell {
    int status;              /* $? */
    int substitution_status; /* of the last $(...) */
    pid_t last_background;   /* $! */
    pid_t pid;               /* $$ */
    bool interactive;        /* with job control */
    bool exit_on_error, trace;
    int breaking, continuing; /* loops still to leave */
    int loop_depth;
    int argc;    /* $# */
    char **argv; /* $0... */
    int tty;     /* terminal for job control */
    pid_t pgid;
    volatile bool interrupted;
};
extern struct shell shell;

int run(struct node *n);
int run_text(const char *text); /* eval */
int run_file(const char *path); /* . */
int run_lexer(struct lexer *l);
bool redirect_all(const struct redirect *r, int saved[10]);
void redirect_restore(int saved[10]);
_Noreturn void exec_program(char **argv);

typedef int (*builtin_fn)(int argc, char **argv);
builtin_fn builtin_find(const char *name);

/* ---- Jobs ---- */

struct job;
struct job *job_new(const struct node *n);
void job_add(struct job *j, pid_t pid); /* parent and child: puts pid into the job's group */
void job_child(struct job *j, bool foreground); /* in the child, after fork */
int job_foreground(struct job *j, bool resume); /* waits until it ends or stops; its status */
void job_background(struct job *j);
void jobs_report(bool all); /* prints what changed, forgets what ended */
int jobs_wait_all(void);
struct job *job_find(const char *spec); /* %n, %%, pid, or NULL: the current one */
void job_resume_background(struct job *j);
pid_t job_pgid(const struct job *j);
int job_wait(struct job *j);
void jobs_init(void);
void jobs_forget(void); /* in a subshell: they are the parent's */

/* ---- Variables and memory ---- */

const char *var_get(const char *name); /* NULL when unset */
void var_set(const char *name, const char *value);
void var_export(const char *name);
void var_unset(const char *name);
void vars_print(bool exported_only);
char **vars_environment(void);     /* in the arena */
size_t name_length(const char *s); /* of the variable name at its start, or 0 */

void *arena_alloc(size_t n); /* zeroed; never NULL: the shell exits */
char *arena_strndup(const char *s, size_t n);
struct arena_mark {
    void *chunk;
    size_t used;
};
struct arena_mark arena_mark(void);
void arena_release(struct arena_mark m);

/* A growing string in the arena. */
struct text {
    char *s;
    size_t n, room;
};
void text_add(struct text *t, char c);
void text_append(struct text *t, const char *s);

#endif
