/* Picks the tool: by the name of the program, or by the first argument of `tools`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "user/tools/tools.h"

const char *tool_name;

static int do_false(int argc, char **argv)
{
    return !do_true(argc, argv);
}

static const struct {
    const char *name;
    int (*fn)(int argc, char **argv);
} tools[] = {
    {"cat", do_cat},
    {"chmod", do_chmod},
    {"cp", do_cp},
    {"date", do_date},
    {"dd", do_dd},
    {"dmesg", do_dmesg},
    {"echo", do_echo},
    {"env", do_env},
    {"false", do_false},
    {"free", do_free},
    {"halt", do_halt},
    {"head", do_head},
    {"hostname", do_hostname},
    {"kill", do_kill},
    {"ln", do_ln},
    {"ls", do_ls},
    {"mkdir", do_mkdir},
    {"mount", do_mount},
    {"mv", do_mv},
    {"poweroff", do_halt},
    {"ps", do_ps},
    {"pwd", do_pwd},
    {"reboot", do_halt},
    {"rm", do_rm},
    {"rmdir", do_rmdir},
    {"sleep", do_sleep},
    {"sync", do_sync},
    {"touch", do_touch},
    {"true", do_true},
    {"umount", do_umount},
    {"uname", do_uname},
    {"wc", do_wc},
};

int fail(const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", tool_name, what, strerror(errno));
    return 1;
}

int take_flags(int argc, char **argv, const char *known, unsigned *flags)
{
    int i = 1;

    *flags = 0;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        for (const char *p = argv[i] + 1; *p; p++) {
            const char *at = strchr(known, *p);

            if (!at) {
                fprintf(stderr, "usage: %s %s%s ...\n", tool_name, *known ? "-" : "", known);
                return -1;
            }
            *flags |= 1u << (at - known);
        }
    }
    return i;
}

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/');

    tool_name = slash ? slash + 1 : argv[0];
    if (strcmp(tool_name, "tools") == 0 && argc > 1) {
        tool_name = argv[1];
        argc--;
        argv++;
    }
    for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
        if (strcmp(tools[i].name, tool_name) == 0)
            return tools[i].fn(argc, argv);
    for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
        printf("%s ", tools[i].name);
    putchar('\n');
    return 127;
}
