/*
 * The serial line of the kernel's gdb stub: a 16550 of its own, polled while the stub has the
 * machine, interrupting while it has not, so that gdb can break in. [16550D data sheet]
 */
#include "arch/io.h"
#include "arch/trap.h"
#include "drivers/char/gdbport.h"
#include "libc/string.h"

#define REG_DATA 0
#define REG_IER  1
#define REG_IIR  2
#define REG_FCR  2
#define REG_LCR  3
#define REG_MCR  4
#define REG_LSR  5
#define REG_SCR  7

#define IER_RX_LINE 0x05
#define FCR_ENABLE  0x07 /* FIFOs on and empty, an interrupt for every byte */
#define LCR_8N1     0x03
#define LCR_DLAB    0x80
#define MCR_DTR_RTS 0x0b /* and OUT2, which lets interrupts through */
#define LSR_RX      0x01
#define LSR_BREAK   0x10
#define LSR_THRE    0x20
#define POLL_LIMIT  1000000u

static uint16_t port;
static void (*wake_up)(void);

static void reg_write(unsigned reg, uint8_t value)
{
    outb((uint16_t)(port + reg), value);
}

static uint8_t reg_read(unsigned reg)
{
    return inb((uint16_t)(port + reg));
}

/* A byte stays in the FIFO for the stub to read; a BREAK leaves nothing behind. */
static void interrupt(void *arg)
{
    uint8_t lsr = reg_read(REG_LSR);

    (void)arg;
    if (lsr & LSR_BREAK)
        reg_read(REG_DATA);
    if (lsr & (LSR_RX | LSR_BREAK))
        wake_up();
}

bool gdbport_open(const char *name, void (*wake)(void))
{
    static const uint16_t ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    unsigned n = (unsigned)(name[strlen(name) - 1] - '0');

    /* ttyS0 is the console's. */
    if (strncmp(name, "ttyS", 4) != 0 || n < 1 || n > 3)
        return false;
    port = ports[n];
    reg_write(REG_SCR, 0x55);
    if (reg_read(REG_SCR) != 0x55 || reg_read(REG_LSR) == 0xff)
        return false;
    wake_up = wake;
    reg_write(REG_IER, 0);
    reg_write(REG_LCR, LCR_8N1 | LCR_DLAB);
    reg_write(REG_DATA, 1); /* 115200 baud */
    reg_write(REG_IER, 0);
    reg_write(REG_LCR, LCR_8N1);
    reg_write(REG_FCR, FCR_ENABLE);
    reg_write(REG_MCR, MCR_DTR_RTS);
    if (irq_register(n % 2 ? 3 : 4, interrupt, NULL) == 0)
        reg_write(REG_IER, IER_RX_LINE);
    return true;
}

bool gdbport_ready(void)
{
    return reg_read(REG_LSR) & LSR_RX;
}

uint8_t gdbport_get(void)
{
    while (!gdbport_ready())
        ;
    return reg_read(REG_DATA);
}

void gdbport_put(uint8_t c)
{
    for (unsigned i = 0; i < POLL_LIMIT && !(reg_read(REG_LSR) & LSR_THRE); i++)
        ;
    reg_write(REG_DATA, c);
}
