/* What init gets from the command line: program, arguments, environment. */
#ifndef KERNEL_INITARGS_H
#define KERNEL_INITARGS_H

#define INIT_WORDS 32

struct init_args {
    char *archive_program;      /* rdinit=, of a root from an archive; or NULL */
    char *program;              /* init=, of one that was mounted; or NULL */
    char *argv[INIT_WORDS + 2]; /* [0] is for the program; NULL-terminated */
    char *envp[INIT_WORDS + 3];
};

/* The strings live as long as the kernel. */
void init_args_parse(struct init_args *a);

#endif
