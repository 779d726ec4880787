/* Picks the tool: by the name of the program, or by the first argument of `tools`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "user/tools/tools.h"

const char *tool_name;

static const struct {
    const char *name;
    int (*fn)(int argc, char **argv);
} tools[] = {
    {"cat", do_cat},     {"cp", do_cp},         {"dmesg", do_dmesg},   {"echo", do_echo},
    {"free", do_free},   {"halt", do_halt},     {"kill", do_kill},     {"ls", do_ls},
    {"man", do_man},     {"mkdir", do_mkdir},   {"mount", do_mount},   {"poweroff", do_halt},
    {"ps", do_ps},       {"reboot", do_halt},   {"resize", do_resize}, {"rm", do_rm},
    {"sleep", do_sleep}, {"umount", do_umount}, {"uname", do_uname},
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
