/*
 * COM1, a 16550: console output by polling from the first instruction on, later a terminal with
 * interrupts both ways.
 *
 * The port's registers and the transmit ring are under port.lock. Terminal output goes into the
 * ring, and as much of it as the FIFO takes goes out at once; the interrupt sends the rest. Console
 * output waits: it drains the ring first, so that the order is kept. Every wait is bounded: what a
 * port that does not get ready (nobody reads the other end) cannot take is dropped.
 * [16550D data sheet]
 */
#include "arch/io.h"
#include "arch/resource.h"
#include "arch/trap.h"
#include "kernel/base/init.h"
#include "kernel/base/log.h"
#include "drivers/tty/termios.h"
#include "drivers/tty/tty.h"

#define COM1            0x3f8
#define COM1_IRQ        4
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

static struct {
    struct console_lock lock;
    bool present;
    bool stuck;                /* did not get ready: console output is dropped until it is */
    bool stopped;              /* [lock] ^S */
    bool receiving;            /* [lock] somebody is the receiver */
    bool rx_off;               /* [lock] the terminal has no room */
    uint8_t ier;               /* [lock] what REG_IER holds */
    uint32_t tx_head, tx_tail; /* [lock] */
    char tx[TX_SIZE];          /* [lock] */
    char held[FIFO_SIZE];      /* [receiver] received, not yet taken by the terminal */
    uint32_t nheld;
} port;

static struct tty serial_tty;

static void reg_write(int reg, uint8_t value)
{
    outb((uint16_t)(COM1 + reg), value);
}

static uint8_t reg_read(int reg)
{
    return inb((uint16_t)(COM1 + reg));
}

static void set_ier(uint8_t ier)
{
    if (ier != port.ier) {
        port.ier = ier;
        reg_write(REG_IER, ier);
    }
}

/* ---- Polled output ---- */

static bool wait_ready(void)
{
    uint32_t limit = port.stuck ? 1 : POLL_LIMIT;

    port.stuck = true;
    for (uint32_t i = 0; i < limit && port.stuck; i++) {
        if (reg_read(REG_LSR) & LSR_THRE)
            port.stuck = false;
    }
    return !port.stuck;
}

/* Moves up to a FIFO full from the ring to the port, which must be ready. */
static void fill_fifo(void)
{
    for (int i = 0; i < FIFO_SIZE && port.tx_tail != port.tx_head; i++)
        reg_write(REG_DATA, (uint8_t)port.tx[port.tx_tail++ % TX_SIZE]);
}

static void drain_polled(void)
{
    while (port.tx_tail != port.tx_head && wait_ready())
        fill_fifo();
}

static void serial_console_write(const char *s, size_t n)
{
    uint32_t flags = console_lock(&port.lock);
    int room = 0;

    if (!port.stopped)
        drain_polled();
    for (size_t i = 0; i < n; i++) {
        if (room < 2) {
            if (!wait_ready())
                break;
            room = FIFO_SIZE;
        }
        if (s[i] == '\n') {
            reg_write(REG_DATA, '\r');
            room--;
        }
        reg_write(REG_DATA, (uint8_t)s[i]);
        room--;
    }
    console_unlock(&port.lock, flags);
}

/* A port is there if its scratch register keeps what is written. */
static bool serial_detect(void)
{
    static const uint8_t patterns[] = {0x55, 0xaa};

    for (unsigned i = 0; i < sizeof(patterns); i++) {
        reg_write(REG_SCR, patterns[i]);
        if (reg_read(REG_SCR) != patterns[i])
            return false;
    }
    return reg_read(REG_LSR) != 0xff;
}

static void set_divisor(uint32_t divisor)
{
    reg_write(REG_LCR, LCR_8N1 | LCR_DLAB);
    reg_write(REG_DATA, (uint8_t)divisor);
    reg_write(REG_IER, (uint8_t)(divisor >> 8));
    reg_write(REG_LCR, LCR_8N1);
    reg_write(REG_IER, port.ier);
}

/* What console= says; without it the log goes out at the highest speed. */
static uint32_t start_baud(void)
{
    uint32_t baud = console_speed("ttyS0");

    return baud && baud <= UART_CLOCK_BAUD ? baud : UART_CLOCK_BAUD;
}

static void serial_early_init(void)
{
    static struct console serial_console = {.name = "ttyS0", .write = serial_console_write};

    if (!serial_detect())
        return;
    port.present = true;
    reg_write(REG_IER, 0);
    set_divisor(UART_CLOCK_BAUD / start_baud());
    reg_write(REG_FCR, FCR_ENABLE_CLEAR);
    reg_write(REG_MCR, MCR_DTR_RTS | MCR_OUT2);
    console_register(&serial_console);
}
INIT_AT(INIT_CONSOLE, serial_early_init);

/* ---- The terminal ---- */

/* [port.lock] Sends what the port takes now and asks for an interrupt for the rest. */
static void kick(void)
{
    while (!port.stopped && port.tx_tail != port.tx_head && (reg_read(REG_LSR) & LSR_THRE))
        fill_fifo();
    bool more = !port.stopped && port.tx_tail != port.tx_head;
    set_ier(more ? port.ier | IER_TX : port.ier & (uint8_t)~IER_TX);
}

static size_t serial_write(struct tty *t, const char *s, size_t n)
{
    (void)t;
    uint32_t flags = console_lock(&port.lock);
    size_t done = 0;

    while (done < n && port.tx_head - port.tx_tail < TX_SIZE)
        port.tx[port.tx_head++ % TX_SIZE] = s[done++];
    kick();
    console_unlock(&port.lock, flags);
    return done;
}

static size_t serial_room(struct tty *t)
{
    (void)t;
    return TX_SIZE - (port.tx_head - port.tx_tail);
}

static size_t serial_pending(struct tty *t)
{
    (void)t;
    size_t n = port.tx_head - port.tx_tail;

    return n ? n : (reg_read(REG_LSR) & LSR_TEMT) == 0;
}

static void serial_flush_output(struct tty *t)
{
    (void)t;
    uint32_t flags = console_lock(&port.lock);
    port.tx_tail = port.tx_head;
    console_unlock(&port.lock, flags);
}

static void serial_flow(struct tty *t, bool stopped)
{
    (void)t;
    uint32_t flags = console_lock(&port.lock);
    port.stopped = stopped;
    kick();
    console_unlock(&port.lock, flags);
}

static void serial_set_break(struct tty *t, bool on)
{
    (void)t;
    uint32_t flags = console_lock(&port.lock);
    reg_write(REG_LCR, on ? LCR_8N1 | LCR_BREAK : LCR_8N1);
    console_unlock(&port.lock, flags);
}

static void serial_set_termios(struct tty *t, const struct termios *old)
{
    uint32_t baud = termios_baud(&t->termios);

    if (baud == 0 || baud > UART_CLOCK_BAUD || baud == termios_baud(old))
        return;
    uint32_t flags = console_lock(&port.lock);
    set_divisor(UART_CLOCK_BAUD / baud);
    console_unlock(&port.lock, flags);
}

/* Hands what is held to the terminal; false while it has no room for all. */
static bool deliver_held(void)
{
    size_t taken = tty_receive(&serial_tty, port.held, port.nheld);

    for (uint32_t i = 0; i + taken < port.nheld; i++)
        port.held[i] = port.held[i + taken];
    port.nheld -= (uint32_t)taken;
    return port.nheld == 0;
}

/* Reads the receive FIFO up to a break; whether there was one. */
static bool read_fifo(void)
{
    bool is_break = false;
    uint32_t flags = console_lock(&port.lock);

    while (port.nheld < FIFO_SIZE && !is_break) {
        uint8_t lsr = reg_read(REG_LSR);
        if (!(lsr & LSR_RX))
            break;
        char c = (char)reg_read(REG_DATA);
        is_break = lsr & LSR_BREAK;
        if (!is_break)
            port.held[port.nheld++] = c;
    }
    console_unlock(&port.lock, flags);
    return is_break;
}

/* [receiver] Moves bytes from the port to the terminal until there are no more, or no room: false.
 */
static bool pump(void)
{
    for (int round = 0; round < IRQ_ROUNDS; round++) {
        bool is_break = read_fifo();
        if (port.nheld == 0 && !is_break)
            return true;
        if (port.nheld && !deliver_held())
            return false;
        if (is_break)
            tty_receive_break(&serial_tty);
    }
    return true;
}

/* Makes the caller the receiver, or somebody is it already. */
static bool become_receiver(void)
{
    uint32_t flags = console_lock(&port.lock);
    bool first = !port.receiving && !port.rx_off;

    if (first)
        port.receiving = true;
    console_unlock(&port.lock, flags);
    return first;
}

/* While the terminal has no room, reception is off: the bytes wait in the port and its sender. A
 * reader may have made room since; then unthrottle was or will be called, and throttled tells
 * which. */
static void receive(void)
{
    bool more = true;

    while (more && become_receiver()) {
        bool all = pump();
        uint32_t flags = console_lock(&port.lock);
        port.receiving = false;
        port.rx_off = !all && serial_tty.throttled;
        if (port.rx_off)
            set_ier(port.ier & (uint8_t) ~(IER_RX | IER_LINE));
        more = !all || (reg_read(REG_LSR) & LSR_RX);
        console_unlock(&port.lock, flags);
    }
}

static void serial_unthrottle(struct tty *t)
{
    (void)t;
    uint32_t flags = console_lock(&port.lock);
    port.rx_off = false;
    set_ier(port.ier | IER_RX | IER_LINE);
    console_unlock(&port.lock, flags);
    receive();
}

static void serial_interrupt(void *arg)
{
    (void)arg;
    bool sent = false;

    for (int round = 0; round < IRQ_ROUNDS; round++) {
        if (reg_read(REG_IIR) & IIR_NONE)
            break;
        if (reg_read(REG_LSR) & LSR_RX)
            receive();
        uint32_t flags = console_lock(&port.lock);
        if (port.ier & IER_TX) {
            kick();
            sent = true;
        }
        console_unlock(&port.lock, flags);
    }
    if (sent)
        tty_output_ready(&serial_tty);
}

static struct tty_driver serial_driver = {
    .name = "ttyS0",
    .cflag = TERMIOS_CS8 | TERMIOS_CREAD | TERMIOS_HUPCL | TERMIOS_CLOCAL,
    .write = serial_write,
    .room = serial_room,
    .pending = serial_pending,
    .flush_output = serial_flush_output,
    .flow = serial_flow,
    .set_break = serial_set_break,
    .set_termios = serial_set_termios,
    .unthrottle = serial_unthrottle,
};

struct tty *serial_tty_init(void)
{
    if (!port.present)
        return NULL;
    serial_driver.cflag |= termios_code(start_baud());
    if (tty_setup(&serial_tty, &serial_driver, TTY_SERIAL_DEV, 80, 24))
        return NULL;
    resource_add(RESOURCE_PORTS, COM1, COM1 + 7, "serial");
    int err = irq_register(COM1_IRQ, serial_interrupt, NULL);
    if (err)
        klog(LOG_WARN, "ttyS0: no interrupt (error %d)\n", -err);
    uint32_t flags = console_lock(&port.lock);
    set_ier(IER_RX | IER_LINE);
    console_unlock(&port.lock, flags);
    return &serial_tty;
}
