/*
 * The laboratory: what an experiment is, and the instruments it measures with. An experiment is a
 * function that says what it does, does it, shows the page-table entries, and checks each figure.
 */
#ifndef USER_VMLAB_LAB_H
#define USER_VMLAB_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE 4096u

struct experiment {
    const char *name, *title;
    bool ours; /* needs what only Faultline has */
    void (*run)(void);
};

extern const struct experiment experiments[]; /* main.c; ends with an empty one */

void lab_stack(void); /* memory.c: memory on demand */
void lab_heap(void);
void lab_bss(void);
void lab_zero(void);
void lab_dontneed(void);
void lab_move(void);
void lab_program(void); /* program.c */
void lab_cow(void);     /* fork.c */
void lab_exercise(void);
void lab_shared(void); /* files.c */
void lab_read(void);
void lab_dirty(void);
void lab_major(void);
void lab_guard(void); /* protect.c */
void lab_tlb(void);
void lab_crash(void);
void lab_served(void); /* served.c */
void lab_walk(void);   /* tables.c */
void lab_kalloc(void);
void lab_chance(void); /* reclaim.c */
void lab_swap(void);
void lab_scan(void);
void lab_written(void);   /* disk.c */
void lab_shootdown(void); /* processors.c */

/* ---- Saying and checking: look.c ---- */

/* Words of a paragraph, which goes on at the next call; all else that is printed here ends it. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void end_paragraph(void);
/* Prints a measured figure beside the right one; a wrong one fails the experiment. */
void check(const char *what, long measured, long right);
void check_that(const char *what, bool is, bool should_be);
extern int failures; /* wrong figures so far */
_Noreturn void give_up(const char *what);

/* ---- Instruments ---- */

long minor_faults(void); /* of this process, so far */
long major_faults(void);

struct look {
    bool present;
    bool zero;         /* the frame of zeros: it is everybody's and counts as nobody's */
    unsigned frame;    /* its number */
    unsigned mappings; /* page-table entries that map it */
    bool swapped;      /* it is in swap, at slot */
    unsigned slot;
    bool in_swap; /* it is in memory, and the same in swap */
};
/* What the page table of a process (0: this one) has for the pages from at on. */
void look(pid_t pid, const void *at, unsigned pages, struct look *out);
unsigned frames_of(pid_t pid, const void *at, unsigned pages); /* present, the zeros not counted */
unsigned frame_at(pid_t pid, const void *at);                  /* 0: not mapped */

/* The number behind a word at the start of a line of a file, -1: there is no such line. */
long number_in(const char *path, const char *word);
void put_in(const char *path, const char *text); /* writes it to a file of /proc */

/* Draws the page-table entries of a range, one line for each run of alike ones. */
void picture(const char *title, pid_t pid, const void *at, unsigned pages);

/* ---- Helpers ---- */

char *map_pages(unsigned pages, int prot, int flags, int fd); /* private or shared as flags say */
int scratch_file(unsigned pages);                             /* each page filled with its number */

/* A disk whose medium is file fd: a loop device. Its number, or it gives up. */
int disk_on(int fd, int *number);
void disk_off(int disk);

/* A child that runs step after step, each when the parent asks for it, and waits in between. */
struct child {
    pid_t pid;
    int ask, answer; /* pipe ends of the parent */
};
struct child child_start(void (*step)(int number, void *arg), void *arg);
void child_step(struct child *c, int number); /* returns when the step is done */
void child_end(struct child *c);

#endif
