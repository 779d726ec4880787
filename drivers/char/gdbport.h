/* The serial line of the kernel's gdb stub. */
#ifndef DRIVERS_GDBPORT_H
#define DRIVERS_GDBPORT_H

#include <stdbool.h>
#include <stdint.h>

/* Takes the port of that name; wake is called from its interrupt when a byte or a BREAK came. */
bool gdbport_open(const char *name, void (*wake)(void));
uint8_t gdbport_get(void); /* waits, polling */
bool gdbport_ready(void);  /* whether a byte waits */
void gdbport_put(uint8_t c);

#endif
