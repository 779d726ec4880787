/* The commands that the shell itself is. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "user/sh/sh.h"

static int fail(const char *command, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", command, what, strerror(errno));
    return 1;
}

static int do_true(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 0;
}

static int do_false(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    return 1;
}

static int do_cd(int argc, char **argv)
{
    const char *dir = argc > 1 ? argv[1] : var_get("HOME");
    bool back = dir && strcmp(dir, "-") == 0;
    char cwd[512];

    if (back)
        dir = var_get("OLDPWD");
    if (!dir)
        dir = "/";
    if (getcwd(cwd, sizeof(cwd)))
        var_set("OLDPWD", cwd);
    if (chdir(dir) < 0)
        return fail("cd", dir);
    if (getcwd(cwd, sizeof(cwd)))
        var_set("PWD", cwd);
    if (back)
        puts(cwd);
    return 0;
}

static int do_pwd(int argc, char **argv)
{
    char cwd[4096];

    (void)argc;
    if (!getcwd(cwd, sizeof(cwd)))
        return fail(argv[0], "cannot tell");
    puts(cwd);
    return 0;
}

static int do_echo(int argc, char **argv)
{
    bool newline = argc < 2 || strcmp(argv[1], "-n") != 0;

    for (int i = newline ? 1 : 2; i < argc; i++)
        printf("%s%s", argv[i], i + 1 < argc ? " " : "");
    if (newline)
        putchar('\n');
    return 0;
}

static int do_exit(int argc, char **argv)
{
    exit(argc > 1 ? atoi(argv[1]) : shell.status);
}

static int do_export(int argc, char **argv)
{
    if (argc < 2)
        vars_print(true);
    for (int i = 1; i < argc; i++) {
        size_t n = name_length(argv[i]);
        char *name = arena_strndup(argv[i], n);

        if (!n || (argv[i][n] && argv[i][n] != '=')) {
            fprintf(stderr, "export: %s: not a name\n", argv[i]);
            return 1;
        }
        if (argv[i][n])
            var_set(name, argv[i] + n + 1);
        var_export(name);
    }
    return 0;
}

static int do_unset(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        var_unset(argv[i]);
    return 0;
}

/* The old ones are not freed: the first are those of main(). */
static void set_arguments(int argc, char **argv)
{
    char **copy = calloc(argc + 2, sizeof(char *));

    if (!copy)
        return;
    copy[0] = shell.argv[0];
    for (int i = 0; i < argc; i++)
        copy[i + 1] = strdup(argv[i]);
    shell.argv = copy;
    shell.argc = argc;
}

static int do_set(int argc, char **argv)
{
    int skip = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;

    if (argc < 2)
        vars_print(false);
    else
        set_arguments(argc - skip, argv + skip);
    return 0;
}

static int do_shift(int argc, char **argv)
{
    int n = argc > 1 ? atoi(argv[1]) : 1;

    if (n < 0 || n > shell.argc)
        return 1;
    set_arguments(shell.argc - n, shell.argv + n + 1);
    return 0;
}

static int do_umask(int argc, char **argv)
{
    mode_t mask = argc > 1 ? strtoul(argv[1], NULL, 8) : umask(0);

    umask(mask);
    if (argc < 2)
        printf("%04o\n", mask);
    return 0;
}

/* Without a command only its redirections count, and the caller made them for good. */
static int do_exec(int argc, char **argv)
{
    if (argc < 2)
        return 0;
    jobs_forget();
    exec_program(argv + 1);
}

static int do_dot(int argc, char **argv)
{
    return argc > 1 ? run_file(argv[1]) : 2;
}

/* Only marks it: the walker (run.c) sees shell.leave and goes out of the innermost loop. */
static int do_break(int argc, char **argv)
{
    (void)argc;
    if (shell.loops)
        shell.leave = *argv[0] == 'b' ? BREAK : CONTINUE;
    return 0;
}

/* Byte by byte: what follows the line belongs to the next command. */
static int do_read(int argc, char **argv)
{
    struct text t = {0};
    char c, *rest;
    ssize_t n;

    while ((n = read(0, &c, 1)) == 1 && c != '\n')
        text_add(&t, c);
    rest = t.s ? t.s + strspn(t.s, " \t") : "";
    for (int i = 1; i < argc; i++) {
        size_t len = i + 1 < argc ? strcspn(rest, " \t") : strlen(rest);

        var_set(argv[i], arena_strndup(rest, len));
        rest += len;
        rest += strspn(rest, " \t");
    }
    return n <= 0 && !t.n;
}

/* ---- Jobs ---- */

static int do_jobs(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    jobs_report(true);
    return 0;
}

static struct job *find_job(int argc, char **argv)
{
    struct job *j = job_find(argc > 1 ? argv[1] : NULL);

    if (!j)
        fprintf(stderr, "%s: no such job\n", argv[0]);
    return j;
}

static int do_fg(int argc, char **argv)
{
    struct job *j = find_job(argc, argv);

    return j ? job_foreground(j, true) : 1;
}

static int do_bg(int argc, char **argv)
{
    struct job *j = find_job(argc, argv);

    if (j)
        job_background(j, true);
    return !j;
}

static int do_wait(int argc, char **argv)
{
    struct job *j;
    int status = 0;

    if (argc < 2)
        jobs_wait_all();
    for (int i = 1; i < argc; i++) {
        j = job_find(argv[i]);
        status = j ? job_wait(j) : 127;
    }
    return status;
}

static int signal_number(const char *name)
{
    static const char *const names[] = {"",     "HUP",  "INT",  "QUIT", "ILL",  "TRAP", "ABRT",
                                        "BUS",  "FPE",  "KILL", "USR1", "SEGV", "USR2", "PIPE",
                                        "ALRM", "TERM", "",     "CHLD", "CONT", "STOP", "TSTP"};

    if (strncmp(name, "SIG", 3) == 0)
        name += 3;
    for (size_t i = 1; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return i;
    return *name >= '0' && *name <= '9' ? atoi(name) : -1;
}

static int do_kill(int argc, char **argv)
{
    int signo = SIGTERM, i = 1, status = 0;

    if (argc > 1 && argv[1][0] == '-') {
        i = strcmp(argv[1], "-s") == 0 && argc > 2 ? 3 : 2;
        signo = signal_number(i == 3 ? argv[2] : argv[1] + 1);
    }
    if (signo < 0 || i >= argc) {
        fprintf(stderr, "usage: kill [-signal] pid|%%job...\n");
        return 2;
    }
    for (; i < argc; i++) {
        struct job *j = *argv[i] == '%' ? job_find(argv[i]) : NULL;
        pid_t pid = j ? job_kill_target(j) : atoi(argv[i]);

        if ((*argv[i] == '%' && !j) || kill(pid, signo) < 0)
            status = fail("kill", argv[i]);
        else if (j && signo == SIGTERM)
            kill(pid, SIGCONT); /* a stopped one could not die */
    }
    return status;
}

/* ---- test ---- */

/* -e -s -f -d -c -p -L, and -r -w -x for who runs the shell. */
static bool test_file(char op, const char *path)
{
    static const mode_t kinds[] = {['f'] = S_IFREG, ['d'] = S_IFDIR, ['c'] = S_IFCHR,
                                   ['p'] = S_IFIFO, ['L'] = S_IFLNK, ['x'] = 0};
    struct stat st;

    if (strchr("rwx", op))
        return access(path, op == 'r' ? R_OK : op == 'w' ? W_OK : X_OK) == 0;
    if ((op == 'L' ? lstat(path, &st) : stat(path, &st)) < 0)
        return false;
    if (op == 'e' || op == 's')
        return op == 'e' || st.st_size > 0;
    return op > 0 && (size_t)op < sizeof(kinds) / sizeof(*kinds) && kinds[(int)op] &&
           (st.st_mode & S_IFMT) == kinds[(int)op];
}

static bool test_unary(const char *op, const char *arg)
{
    if (op[1] == 'z' || op[1] == 'n')
        return (*arg == '\0') == (op[1] == 'z');
    return op[1] == 't' ? isatty(atoi(arg)) : test_file(op[1], arg);
}

static bool test_binary(const char *a, const char *op, const char *b)
{
    long order = strtol(a, NULL, 10) - strtol(b, NULL, 10);

    if (strcmp(op, "-eq") == 0 || strcmp(op, "-ne") == 0)
        return (order == 0) == (op[1] == 'e');
    if (strcmp(op, "-lt") == 0 || strcmp(op, "-ge") == 0)
        return (order < 0) == (op[1] == 'l');
    if (strcmp(op, "-gt") == 0 || strcmp(op, "-le") == 0)
        return (order > 0) == (op[1] == 'g');
    return (strcmp(a, b) == 0) == (*op == '=');
}

/* Tells by the number of arguments, as POSIX has it; no -a, no -o. */
static int do_test(int argc, char **argv)
{
    bool truth = false, negated;

    if (strcmp(argv[0], "[") == 0 && strcmp(argv[--argc], "]") != 0) {
        fprintf(stderr, "[: missing ]\n");
        return 2;
    }
    negated = argc > 2 && strcmp(argv[1], "!") == 0;
    argv += 1 + negated;
    argc -= 1 + negated;
    if (argc == 1)
        truth = *argv[0];
    else if (argc == 2)
        truth = test_unary(argv[0], argv[1]);
    else if (argc == 3)
        truth = test_binary(argv[0], argv[1], argv[2]);
    return truth == negated;
}

static int do_help(int argc, char **argv);

static const struct {
    const char *name;
    builtin_fn fn;
} builtins[] = {
    {".", do_dot},       {":", do_true},    {"[", do_test},         {"bg", do_bg},
    {"break", do_break}, {"cd", do_cd},     {"continue", do_break}, {"echo", do_echo},
    {"exec", do_exec},   {"exit", do_exit}, {"export", do_export},  {"false", do_false},
    {"fg", do_fg},       {"help", do_help}, {"jobs", do_jobs},      {"kill", do_kill},
    {"pwd", do_pwd},     {"read", do_read}, {"set", do_set},        {"shift", do_shift},
    {"test", do_test},   {"true", do_true}, {"umask", do_umask},    {"unset", do_unset},
    {"wait", do_wait},
};

builtin_fn builtin_find(const char *name)
{
    for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++)
        if (strcmp(builtins[i].name, name) == 0)
            return builtins[i].fn;
    return NULL;
}

static int do_help(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("built in:");
    for (size_t i = 0; i < sizeof(builtins) / sizeof(*builtins); i++)
        printf(" %s", builtins[i].name);
    printf("\nsyntax: a | b   a && b   a || b   a; b   a &   ! a   ( a )   { a; }   < > >> >&\n"
           "        if while until for   $x ${x:-y} $(a) 'b' \"c\"   * ? [a-z]\n"
           "man: pages about memory, and what shows it\n");
    return 0;
}
