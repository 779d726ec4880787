/*
 * What the files of exec share among themselves.
 *
 * Everything is prepared in a new space beside the old one; until exec_commit nothing that the
 * program could notice has changed, so every error just returns.
 */
#ifndef KERNEL_EXEC_H
#define KERNEL_EXEC_H

#include "kernel/thread/proc.h"

#define STACK_TOP (USER_TOP - PAGE_SIZE) /* a page stays free above the stack */
#define ARG_NULL  UINT32_MAX             /* in the table of offsets: a null pointer */

/* ---- exec_args.c: the new program's strings ---- */

/* Bytes in frames that are chained by their first word. */
struct chain {
    uint8_t *first, *last;
    uint32_t size; /* bytes in all */
    uint32_t used; /* of the last frame */
};

struct exec_args {
    struct chain strings;         /* arguments, environment, file name ... */
    struct chain table;           /* words: what is to lie at the new stack pointer */
    uint32_t argc, nwords;        /* nwords: pointers, for the limit */
    uint32_t limit;               /* of both together */
    uint32_t env_offset, env_end; /* in strings */
};

/* A program's list of strings: in the kernel (user false) or in user memory. */
struct string_list {
    bool user;
    uint32_t at; /* address of the array of pointers; 0: empty */
};

void args_init(struct exec_args *a);
void args_free(struct exec_args *a);
/* Each appends to strings; string adds its offset to the table. 0, -E2BIG, -EFAULT or -ENOMEM. */
int args_add_string(struct exec_args *a, const char *s);
int args_add_list(struct exec_args *a, const struct string_list *l, uint32_t skip);
int args_end_argv(struct exec_args *a);
int args_end_envp(struct exec_args *a);
int args_append(struct exec_args *a, const void *data, uint32_t n, uint32_t *offset);
int args_add_words(struct exec_args *a, const uint32_t *words, uint32_t n);
/* How many strings l has, or -EFAULT. */
int list_count(const struct string_list *l);
/* Writes all of it onto the stack of s, which is mapped; the new stack pointer in *esp. */
int args_store(struct exec_args *a, struct vm_space *s, uint32_t strings_at, uint32_t *esp);

/* ---- layout.c: where things lie ---- */

struct layout {            /* bytes */
    uint32_t stack_top;    /* the end of the stack's area */
    uint32_t stack_within; /* room left above what is on it */
    bool upwards;          /* mappings begin at a third of the space and go up */
    uint32_t mmap_shift;   /* how far below their usual place they begin, or above that one */
    uint32_t program;      /* how far above it a position-independent program lies */
    uint32_t brk;          /* between the program's end and the heap */
};

/* For a program that runs with this personality. */
void layout_choose(struct layout *l, uint32_t personality);

/* ---- exec_elf.c: mapping ---- */

struct elf_program {
    uint32_t entry; /* where the program starts; user mode starts at start */
    uint32_t start;
    uint32_t phdr, phnum;
    uint32_t base; /* of the interpreter, or 0 */
    uint32_t brk;
    struct program_marks marks; /* but for the stack */
    bool exec_stack;
    bool says_nothing; /* of whether its memory may be run: all that may be read may */
};

/* Maps the program in f (and its interpreter) into s, moved up by shift if it can be. -ENOEXEC when
 * it is no ELF file at all. */
int elf_load(struct file *f, const void *head, uint32_t head_size, struct vm_space *s,
             uint32_t shift, struct elf_program *out);

/* ---- exec.c ---- */

/* Opens path for execution: a regular file that may be executed. */
int exec_open(int dirfd, const char *path, uint32_t at_flags, struct file **out);
/* Reads n bytes at offset: how many there were, or -errno. */
long exec_read(struct file *f, uint32_t offset, void *buf, uint32_t n);

/* ---- exec_script.c ---- */

#define SCRIPT_HEAD 256 /* what is looked at of a first line, as on Linux */

/* The "#!" line in head[SCRIPT_HEAD] (changed): interpreter and argument (NULL: none). -ENOEXEC. */
int script_parse(char *head, const char **interpreter, const char **argument);

#endif
