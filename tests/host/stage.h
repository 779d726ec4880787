/*
 * What the directed tests of mm/ play on: a space, a file of eight pages, perhaps a child. After
 * each test everything is torn down, mm_check() is clean and no frame is left over.
 */
#ifndef TESTS_HOST_STAGE_H
#define TESTS_HOST_STAGE_H

#include "mm/mm.h"
#include "tests/host/check.h"
#include "tests/host/program.h"

#define AT  0x20000000u
#define RAM (4u << 20)
#define RW  (VM_PROT_READ | VM_PROT_WRITE)
#define ALL 7

extern struct vm_space *s, *child; /* NULL: there is none, or no longer */
extern struct vm_object *file;
extern const struct pager test_pager; /* the file's */
extern int pager_error;               /* what its pager answers from now on; 0: the pages */
extern int pager_calls;

void stage_up(void);
void stage_down(void);

/* The word that fills page index of the file. */
uint32_t file_word(unsigned index);

/* Into s, exactly there; maxprot is everything. */
int map(vaddr_t at, unsigned pages, uint8_t prot, uint16_t flags, struct vm_object *o,
        uint32_t pgoff);
int remap(struct vm_space *sp, vaddr_t addr, size_t old, size_t new, unsigned flags, vaddr_t to,
          vaddr_t *at);

/* By a program on CPU 0; they must succeed. */
uint32_t load(struct vm_space *sp, vaddr_t va);
void store(struct vm_space *sp, vaddr_t va, uint32_t value);

/* Of the entry that the tables hold. */
pfn_t frame_at(struct vm_space *sp, vaddr_t va);
bool writable_at(struct vm_space *sp, vaddr_t va);

uint32_t anons(void); /* frames that hold a private page */

#endif
