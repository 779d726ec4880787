/* execve: scripts, limits, errors; a failed call leaves the caller as it was. */
#include "guest.h"

static void write_file(const char *name, const char *text, int mode)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);

    DIE_UNLESS(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    DIE_UNLESS(fchmod(fd, mode) == 0 && close(fd) == 0);
}

static char *const no_env[] = {NULL};

static void exec_it(void *arg)
{
    char *const args[] = {"zero", "one", "two words", NULL};

    execve(arg, args, no_env);
    printf("%s: %s\n", (char *)arg, error_name(errno));
    _exit(50);
}

static void run(const char *path)
{
    in_child(path, exec_it, (void *)path);
}

static void scripts(char *self)
{
    char line[400];

    snprintf(line, sizeof(line), "#!%s\nrest\n", self);
    write_file("plain", line, 0700);
    run("./plain");
    snprintf(line, sizeof(line), "#! %s  -flag and more  \nrest\n", self);
    write_file("argument", line, 0700);
    run("./argument");
    write_file("nested", "#!./plain\n", 0700);
    run("./nested");
    write_file("loop", "#!./loop\n", 0700);
    run("./loop");
    write_file("nowhere", "#!/nonexistent/interpreter\n", 0700);
    run("./nowhere");
    write_file("blank", "#!\n", 0700);
    run("./blank");
    write_file("blanks", "#!   \n", 0700);
    run("./blanks");
    snprintf(line, sizeof(line), "#!%s", self);
    write_file("no_newline", line, 0700);
    run("./no_newline");
}

static void not_programs(void)
{
    run("/nonexistent");
    run("/");
    run("");
    run("/dev/null");
    write_file("text", "echo hello\n", 0700);
    run("./text");
    write_file("empty", "", 0700);
    run("./empty");
    write_file("unexecutable", "#!/bin/sh\n", 0600);
    run("./unexecutable");
    run("./text/below");
    symlink("circle", "circle");
    run("./circle");
}

static void large(void *arg)
{
    size_t size = (size_t)arg;
    char *big = malloc(size + 1);
    char *args[] = {"large", big, NULL};

    memset(big, 'L', size);
    big[size] = '\0';
    execve("/proc/self/exe", args, no_env);
    printf("%zu KiB: %s\n", size / 1024, error_name(errno));
}

static void numerous(void *arg)
{
    int n = (int)(intptr_t)arg;
    char **args = calloc(n + 1, sizeof(char *));

    for (int i = 0; i < n; i++)
        args[i] = "many";
    execve("/proc/self/exe", args, no_env);
    printf("%d arguments: %s\n", n, error_name(errno));
}

static void bad_pointers(void)
{
    char *p = map_anon(2), *one[] = {"x", (char *)8, NULL};

    munmap(p + PAGE, PAGE);
    memcpy(p + PAGE - 4, &one[0], 4);
    TRY(execve("/proc/self/exe", (char **)8, no_env));
    TRY(execve("/proc/self/exe", one, no_env));
    TRY(execve("/proc/self/exe", (char **)(p + PAGE - 4), no_env));
    TRY(execve("/proc/self/exe", (char **)no_env, (char **)0xfffffff0));
}

int main(int argc, char **argv)
{
    char self[256];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (argc != 1 || !*argv[0] || strcmp(argv[0], "many") == 0) {
        printf("started with %d arguments", argc);
        for (int i = 1; i < argc && i < 6 && strlen(argv[i]) < 100; i++)
            printf(" [%s]", argv[i]);
        printf(", %zu in the last\n", strlen(argv[argc - 1]));
        return 6;
    }
    DIE_UNLESS(n > 0);
    self[n] = '\0';
    scripts(self);
    not_programs();
    in_child("100 KiB", large, (void *)(100 << 10));
    in_child("a string of 128 KiB", large, (void *)(128 << 10));
    in_child("1000 arguments", numerous, (void *)1000);
    in_child("10000 arguments", numerous, (void *)10000);
    in_child("a million arguments", numerous, (void *)1000000);
    bad_pointers();
    return 0;
}
