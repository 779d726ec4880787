/*
 * COM1 and COM2, 16550s: console output by polling from the first instruction on, later terminals
 * with interrupts both ways. COM2 is left alone where gdb's stub has it (drivers/char/gdbport.c).
 *
 * A port's registers and its transmit ring are under its lock. Terminal output goes into the
 * ring, and as much of it as the FIFO takes goes out at once; the interrupt sends the rest. Console
 * output waits: it drains the ring first, so that the order is kept. Every wait is bounded: what a
 * port that does not get ready (nobody reads the other end) cannot take is dropped.
 * [16550D data sheet]
 */
#include "arch/io.h"
#include "arch/resource.h"
#include "arch/trap.h"
#include "kernel/base/boot.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "drivers/tty/termios.h"
#include "drivers/tty/tty.h"
#include "libc/string.h"

#define PORTS           2u
#define UART_CLOCK_BAUD 115200u

/* Registers, from the base port. */
#define REG_DATA 0 /* receive, transmit; divisor low with DLAB */
#define REG_IER  1 /* divisor high with DLAB */
#define REG_IIR  2
#define REG_FCR  2
#define REG_LCR  3
#define REG_MCR  4
#define REG_LSR  5
#define REG_SCR  7

#define IER_RX           0x01
#define IER_TX           0x02
#define IER_LINE         0x04
#define IIR_NONE         0x01
#define FCR_ENABLE_CLEAR 0xc7 /* FIFOs on and empty, interrupt at 14 bytes */
#define LCR_8N1          0x03
#define LCR_BREAK        0x40
#define LCR_DLAB         0x80
#define MCR_DTR_RTS      0x03
#define MCR_OUT2         0x08 /* connects the interrupt line on a PC */
#define LSR_RX           0x01
#define LSR_BREAK        0x10
#define LSR_THRE         0x20
#define LSR_TEMT         0x40

#define FIFO_SIZE  16
#define TX_SIZE    4096u
#define POLL_LIMIT 200000u /* reads of LSR; about 0.2 s, a hundred times what a FIFO needs */
#define IRQ_ROUNDS 64

struct port {
    const char *name;
    uint16_t base;
    uint8_t irq;
    bool present;
    struct console_lock lock;
    bool stuck;                /* did not get ready: console output is dropped until it is */
    bool stopped;              /* [lock] ^S */
    bool receiving;            /* [lock] somebody is the receiver */
    bool rx_off;               /* [lock] the terminal has no room */
    uint8_t ier;               /* [lock] what REG_IER holds */
    uint32_t tx_head, tx_tail; /* [lock] */
    char tx[TX_SIZE];          /* [lock] */
    char held[FIFO_SIZE];      /* [receiver] received, not yet taken by the terminal */
    uint32_t nheld;
    struct tty tty;
};

static struct port ports[PORTS] = {{.name = "ttyS0", .base = 0x3f8, .irq = 4},
                                   {.name = "ttyS1", .base = 0x2f8, .irq = 3}};

static struct port *port_of(struct tty *t)
{
    return t->private;
}

static void reg_write(struct port *p, int reg, uint8_t value)
{
    outb((uint16_t)(p->base + reg), value);
}

static uint8_t reg_read(struct port *p, int reg)
{
    return inb((uint16_t)(p->base + reg));
}

static void set_ier(struct port *p, uint8_t ier)
{
    if (ier != p->ier) {
        p->ier = ier;
        reg_write(p, REG_IER, ier);
    }
}

/* ---- Polled output ---- */

static bool wait_ready(struct port *p)
{
    uint32_t limit = p->stuck ? 1 : POLL_LIMIT;

    p->stuck = true;
    for (uint32_t i = 0; i < limit && p->stuck; i++) {
        if (reg_read(p, REG_LSR) & LSR_THRE)
            p->stuck = false;
    }
    return !p->stuck;
}

/* Moves up to a FIFO full from the ring to the port, which must be ready. */
static void fill_fifo(struct port *p)
{
    for (int i = 0; i < FIFO_SIZE && p->tx_tail != p->tx_head; i++)
        reg_write(p, REG_DATA, (uint8_t)p->tx[p->tx_tail++ % TX_SIZE]);
}

static void drain_polled(struct port *p)
{
    while (p->tx_tail != p->tx_head && wait_ready(p))
        fill_fifo(p);
}

static void port_print(struct port *p, const char *s, size_t n)
{
    uint32_t flags = console_lock(&p->lock);
    int room = 0;

    if (!p->stopped)
        drain_polled(p);
    for (size_t i = 0; i < n; i++) {
        if (room < 2) {
            if (!wait_ready(p))
                break;
            room = FIFO_SIZE;
        }
        if (s[i] == '\n') {
            reg_write(p, REG_DATA, '\r');
            room--;
        }
        reg_write(p, REG_DATA, (uint8_t)s[i]);
        room--;
    }
    console_unlock(&p->lock, flags);
}

/* A port is there if its scratch register keeps what is written. */
static bool serial_detect(struct port *p)
{
    static const uint8_t patterns[] = {0x55, 0xaa};

    for (unsigned i = 0; i < sizeof(patterns); i++) {
        reg_write(p, REG_SCR, patterns[i]);
        if (reg_read(p, REG_SCR) != patterns[i])
            return false;
    }
    return reg_read(p, REG_LSR) != 0xff;
}

static void set_divisor(struct port *p, uint32_t divisor)
{
    reg_write(p, REG_LCR, LCR_8N1 | LCR_DLAB);
    reg_write(p, REG_DATA, (uint8_t)divisor);
    reg_write(p, REG_IER, (uint8_t)(divisor >> 8));
    reg_write(p, REG_LCR, LCR_8N1);
    reg_write(p, REG_IER, p->ier);
}

/* What console= says; without it the log goes out at the highest speed. */
static uint32_t start_baud(struct port *p)
{
    uint32_t baud = console_speed(p->name);

    return baud && baud <= UART_CLOCK_BAUD ? baud : UART_CLOCK_BAUD;
}

static void first_print(const char *s, size_t n)
{
    port_print(&ports[0], s, n);
}

static void second_print(const char *s, size_t n)
{
    port_print(&ports[1], s, n);
}

static struct console consoles[PORTS] = {{.name = "ttyS0", .write = first_print},
                                         {.name = "ttyS1", .write = second_print}};

static void set_up_port(struct port *p)
{
    char debugger[8] = "";

    boot_option("gdb", debugger, sizeof(debugger));
    if (strcmp(debugger, p->name) == 0 || !serial_detect(p))
        return;
    p->present = true;
    reg_write(p, REG_IER, 0);
    set_divisor(p, UART_CLOCK_BAUD / start_baud(p));
    reg_write(p, REG_FCR, FCR_ENABLE_CLEAR);
    reg_write(p, REG_MCR, MCR_DTR_RTS | MCR_OUT2);
}

/* The log goes to the second port only where console= names it: there are programs' data on it. */
static void serial_early_init(void)
{
    for (unsigned i = 0; i < PORTS; i++) {
        set_up_port(&ports[i]);
        if (ports[i].present && (i == 0 || console_speed(ports[i].name)))
            console_register(&consoles[i]);
    }
}
INIT_AT(INIT_CONSOLE, serial_early_init);

/* ---- The terminal ---- */

/* [p->lock] Sends what the port takes now and asks for an interrupt for the rest. */
static void kick(struct port *p)
{
    while (!p->stopped && p->tx_tail != p->tx_head && (reg_read(p, REG_LSR) & LSR_THRE))
        fill_fifo(p);
    bool more = !p->stopped && p->tx_tail != p->tx_head;
    set_ier(p, more ? p->ier | IER_TX : p->ier & (uint8_t)~IER_TX);
}

static size_t serial_write(struct tty *t, const char *s, size_t n)
{
    struct port *p = port_of(t);
    uint32_t flags = console_lock(&p->lock);
    size_t done = 0;

    while (done < n && p->tx_head - p->tx_tail < TX_SIZE)
        p->tx[p->tx_head++ % TX_SIZE] = s[done++];
    kick(p);
    console_unlock(&p->lock, flags);
    return done;
}

static size_t serial_room(struct tty *t)
{
    struct port *p = port_of(t);

    return TX_SIZE - (p->tx_head - p->tx_tail);
}

static size_t serial_pending(struct tty *t)
{
    struct port *p = port_of(t);
    size_t n = p->tx_head - p->tx_tail;

    return n ? n : (reg_read(p, REG_LSR) & LSR_TEMT) == 0;
}

static void serial_flush_output(struct tty *t)
{
    struct port *p = port_of(t);
    uint32_t flags = console_lock(&p->lock);
    p->tx_tail = p->tx_head;
    console_unlock(&p->lock, flags);
}

static void serial_flow(struct tty *t, bool stopped)
{
    struct port *p = port_of(t);
    uint32_t flags = console_lock(&p->lock);
    p->stopped = stopped;
    kick(p);
    console_unlock(&p->lock, flags);
}

static void serial_set_break(struct tty *t, bool on)
{
    struct port *p = port_of(t);
    uint32_t flags = console_lock(&p->lock);
    reg_write(p, REG_LCR, on ? LCR_8N1 | LCR_BREAK : LCR_8N1);
    console_unlock(&p->lock, flags);
}

static void serial_set_termios(struct tty *t, const struct termios *old)
{
    uint32_t baud = termios_baud(&t->termios);
    struct port *p = port_of(t);

    if (baud == 0 || baud > UART_CLOCK_BAUD || baud == termios_baud(old))
        return;
    uint32_t flags = console_lock(&p->lock);
    set_divisor(p, UART_CLOCK_BAUD / baud);
    console_unlock(&p->lock, flags);
}

/* Hands what is held to the terminal; false while it has no room for all. */
static bool deliver_held(struct port *p)
{
    size_t taken = tty_receive(&p->tty, p->held, p->nheld);

    for (uint32_t i = 0; i + taken < p->nheld; i++)
        p->held[i] = p->held[i + taken];
    p->nheld -= (uint32_t)taken;
    return p->nheld == 0;
}

/* Reads the receive FIFO up to a break; whether there was one. */
static bool read_fifo(struct port *p)
{
    bool is_break = false;
    uint32_t flags = console_lock(&p->lock);

    while (p->nheld < FIFO_SIZE && !is_break) {
        uint8_t lsr = reg_read(p, REG_LSR);
        if (!(lsr & LSR_RX))
            break;
        char c = (char)reg_read(p, REG_DATA);
        is_break = lsr & LSR_BREAK;
        if (!is_break)
            p->held[p->nheld++] = c;
    }
    console_unlock(&p->lock, flags);
    return is_break;
}

/* [receiver] Moves bytes from the port to the terminal until there are no more, or no room: false.
 */
static bool pump(struct port *p)
{
    for (int round = 0; round < IRQ_ROUNDS; round++) {
        bool is_break = read_fifo(p);
        if (p->nheld == 0 && !is_break)
            return true;
        if (p->nheld && !deliver_held(p))
            return false;
        if (is_break)
            tty_receive_break(&p->tty);
    }
    return true;
}

/* Makes the caller the receiver, or somebody is it already. */
static bool become_receiver(struct port *p)
{
    uint32_t flags = console_lock(&p->lock);
    bool first = !p->receiving && !p->rx_off;

    if (first)
        p->receiving = true;
    console_unlock(&p->lock, flags);
    return first;
}

/* While the terminal has no room, reception is off: the bytes wait in the port and its sender. A
 * reader may have made room since; then unthrottle was or will be called, and throttled tells
 * which. */
static void receive(struct port *p)
{
    bool more = true;

    while (more && become_receiver(p)) {
        bool all = pump(p);
        uint32_t flags = console_lock(&p->lock);
        p->receiving = false;
        p->rx_off = !all && p->tty.throttled;
        if (p->rx_off)
            set_ier(p, p->ier & (uint8_t) ~(IER_RX | IER_LINE));
        more = !all || (reg_read(p, REG_LSR) & LSR_RX);
        console_unlock(&p->lock, flags);
    }
}

static void serial_unthrottle(struct tty *t)
{
    struct port *p = port_of(t);
    uint32_t flags = console_lock(&p->lock);
    p->rx_off = false;
    set_ier(p, p->ier | IER_RX | IER_LINE);
    console_unlock(&p->lock, flags);
    receive(p);
}

static void serial_interrupt(void *arg)
{
    struct port *p = arg;
    bool sent = false;

    for (int round = 0; round < IRQ_ROUNDS; round++) {
        if (reg_read(p, REG_IIR) & IIR_NONE)
            break;
        if (reg_read(p, REG_LSR) & LSR_RX)
            receive(p);
        uint32_t flags = console_lock(&p->lock);
        if (p->ier & IER_TX) {
            kick(p);
            sent = true;
        }
        console_unlock(&p->lock, flags);
    }
    if (sent)
        tty_output_ready(&p->tty);
}

static struct tty_driver serial_drivers[PORTS] = {
#define DRIVER(tty_name)                                                                           \
    {                                                                                              \
        .name = (tty_name), .cflag = TERMIOS_CS8 | TERMIOS_CREAD | TERMIOS_HUPCL | TERMIOS_CLOCAL, \
        .write = serial_write, .room = serial_room, .pending = serial_pending,                     \
        .flush_output = serial_flush_output, .flow = serial_flow, .set_break = serial_set_break,   \
        .set_termios = serial_set_termios, .unthrottle = serial_unthrottle                         \
    }
    DRIVER("ttyS0"),
    DRIVER("ttyS1"),
#undef DRIVER
};

struct tty *serial_tty_init(unsigned n)
{
    struct port *p = n < PORTS ? &ports[n] : NULL;

    if (!p || !p->present)
        return NULL;
    serial_drivers[n].cflag |= termios_code(start_baud(p));
    /* Nobody knows how large the window at the other end is. */
    if (tty_setup(&p->tty, &serial_drivers[n], TTY_SERIAL_DEV + n, 0, 0))
        return NULL;
    p->tty.private = p;
    resource_add(RESOURCE_PORTS, p->base, p->base + 7u, "serial");
    int err = irq_register(p->irq, serial_interrupt, p);
    if (err)
        klog(LOG_WARN, "%s: no interrupt (error %d)\n", p->name, -err);
    uint32_t flags = console_lock(&p->lock);
    set_ier(p, IER_RX | IER_LINE);
    console_unlock(&p->lock, flags);
    return &p->tty;
}
