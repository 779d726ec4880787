/*
 * Core dumps: the memory and the registers of a process that a signal ends, in an ELF file for
 * debuggers. man 5 core.
 *
 * The thread that the signal ends writes it, while the others of its process wait at their end
 * (kernel/signal/dump.c) and keep their registers. What is written goes in steps of a page; SIGKILL
 * ends it between two. A file that could not be finished stays as far as it got.
 */
#ifndef KERNEL_DUMP_H
#define KERNEL_DUMP_H

#include "fs/vfs/vfs.h"
#include "kernel/signal/signal_impl.h"

/* Whether that signal's default action leaves a core. */
bool core_wanted(int signo);
/* [no lock] The current process, about to end by signo, leaves a core if it may: its wait status.
 * May sleep. */
int core_dump(int signo, const struct siginfo *info);

/* ---- pattern.c ---- */

#define CORE_PATTERN_SIZE 128 /* with the end */

/* The name of the core of the current process, into buf. -ENAMETOOLONG */
int core_name(char *buf, size_t size, int signo);
/* Whether a program gets it; then its words, in a frame, and pointers to them with a NULL behind.
 */
bool core_is_piped(void);
#define CORE_WORDS (CORE_PATTERN_SIZE / 2)
int core_words(char *page, char *argv[CORE_WORDS + 1], int signo);

/* ---- helper.c ---- */

/* The core of the current process goes to the program: whether it was begun. */
bool core_to_program(int signo, const struct siginfo *info);

/* ---- output.c: a file that is written front to back ---- */

struct core_output {
    struct file *file;
    uint64_t at;      /* where the next byte goes */
    uint64_t written; /* bytes, without what was skipped */
    uint64_t limit;   /* the most that may be written */
    uint8_t *page;    /* what waits to be written, used bytes of it */
    uint32_t used;
    bool pipe;    /* the file is one: holes are written as zeros */
    bool skipped; /* the end of the file is not written to yet */
    bool failed;  /* no more is taken: an error, the limit, SIGKILL */
};
void core_emit(struct core_output *o, const void *data, uint32_t n);
void core_skip(struct core_output *o, uint32_t n);
void core_align(struct core_output *o, uint32_t unit); /* zeros up to a multiple */
void core_finish(struct core_output *o);               /* what waits; the size */

/* ---- areas.c: which memory goes in ---- */

struct core_area {
    vaddr_t start, end;
    uint32_t dumped; /* bytes from start on */
    uint32_t pgoff;
    uint8_t prot, name_len;
    bool sparse; /* private memory without a file: pages that it never had are left out */
    bool file;   /* with a name for NT_FILE */
};
#define AREAS_IN_PAGE ((PAGE_SIZE - sizeof(void *)) / sizeof(struct core_area))

struct core_areas { /* kept in pages, the first of which may be NULL */
    struct core_area_page {
        struct core_area_page *next;
        struct core_area area[AREAS_IN_PAGE];
    } * first, *last;
    uint32_t count, files;
    uint32_t file_bytes; /* names of files, with their ends */
};
int core_areas_take(struct core_areas *list, struct vm_space *s, uint32_t filter); /* -ENOMEM */
void core_areas_free(struct core_areas *list);
/* Calls fn for each until o has failed. */
void core_areas_each(const struct core_areas *list, struct core_output *o,
                     void (*fn)(struct core_output *o, const struct core_area *a, void *arg),
                     void *arg);

/* ---- notes.c ---- */

struct core_notes {
    int signo;
    const struct siginfo *info;
    const struct core_areas *areas;
    struct vm_space *space;
    uint8_t *scratch; /* a page */
};
uint32_t core_notes_size(const struct core_notes *n);
void core_notes_emit(const struct core_notes *n, struct core_output *o);

/* ---- image.c ---- */

void core_image(struct core_output *o, struct vm_space *s, int signo, const struct siginfo *info);

#endif
