/*
 * A gdb remote stub: the kernel debugs itself over a serial line, on machines without an emulator
 * around them. gdbstub.c speaks the protocol, gdbstub_target.c looks at threads, registers and
 * memory, drivers/char/gdbport.c is the line.
 */
#ifndef KERNEL_GDBSTUB_H
#define KERNEL_GDBSTUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/trap.h"

/* With "gdb=ttyS1" on the command line: takes the port; with "gdbwait" too, waits for gdb. Once,
 * with interrupts set up. */
void gdbstub_init(void);

/* Somebody asked for the debugger: what ends an interrupt enters it. */
extern bool debug_wanted;
void debug_enter(struct trapframe *tf);

/* ---- The target: gdbstub_target.c ---- */

struct thread;

#define GDB_IDLE_ID 0x8000u /* of CPU 0: its own number, 0, means any to gdb */

uint32_t gdb_thread_id(const struct thread *t);
struct thread *gdb_thread(uint32_t id); /* NULL: there is none */
/* The thread after t (NULL: the first) in the list of all; NULL after the last. */
struct thread *gdb_next_thread(struct thread *t);
void gdb_describe_thread(const struct thread *t, char *buf, size_t size);

#define GDB_REGISTERS 36 /* as the description numbers them; see gdbstub_target.c */
/* Register n of a thread, stopped at tf if it is the current one. False: not known. */
bool gdb_get_register(struct thread *t, struct trapframe *tf, unsigned n, uint32_t *value);
bool gdb_set_register(struct trapframe *tf, unsigned n, uint32_t value);
unsigned gdb_register_size(unsigned n);
extern const char gdb_description[]; /* XML */

size_t gdb_read(const struct thread *t, uint32_t va, void *buf, size_t n);
size_t gdb_write(const struct thread *t, uint32_t va, const void *buf, size_t n);

/* Z and z packets: type 0 software, 1 hardware, 2 write, 4 access. */
bool gdb_insert(unsigned type, uint32_t va, unsigned len);
bool gdb_remove(unsigned type, uint32_t va, unsigned len);
void gdb_remove_all(void);
bool gdb_is_breakpoint(uint32_t va);

#endif
