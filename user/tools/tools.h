/* The tools in the multi-call binary: which one runs is the name it was called by. */
#ifndef USER_TOOLS_H
#define USER_TOOLS_H

#include <stdbool.h>

/* Takes leading "-abc" off the arguments; *flags gets a bit for each letter of `known`. Returns the
 * index of the first operand, or -1 after a usage message. */
int take_flags(int argc, char **argv, const char *known, unsigned *flags);
int fail(const char *what); /* "tool: what: why"; returns 1 */
extern const char *tool_name;

int do_cat(int argc, char **argv);
int do_cp(int argc, char **argv);
int do_dmesg(int argc, char **argv);
int do_echo(int argc, char **argv);
int do_free(int argc, char **argv);
int do_halt(int argc, char **argv);
int do_kill(int argc, char **argv);
int do_ls(int argc, char **argv);
int do_man(int argc, char **argv);
int do_mkdir(int argc, char **argv);
int do_mount(int argc, char **argv);
int do_ps(int argc, char **argv);
int do_resize(int argc, char **argv);
int do_rm(int argc, char **argv);
int do_sleep(int argc, char **argv);
int do_umount(int argc, char **argv);
int do_uname(int argc, char **argv);

#endif
