/*
 * The gdb remote serial protocol: packets, and what each asks for.
 * [gdb manual, appendix E: Remote Serial Protocol]
 *
 * The stub has the machine for itself: interrupts are off from the moment it is entered until gdb
 * says to go on, and the line is polled. It is entered by a byte or a BREAK on the line (connecting
 * is enough), a breakpoint, or a panic. State is only touched while it has the machine: the other
 * processors are held meanwhile, and go on with it, also while one instruction is stepped.
 */
#include "kernel/debug/gdbstub.h"
#include "arch/cpu.h"
#include "arch/debug.h"
#include "arch/processors.h"
#include "arch/thread.h"
#include "arch/upcalls.h"
#include "drivers/char/gdbport.h"
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "kernel/base/panic.h"
#include "kernel/thread/proc.h"
#include "libc/printf.h"
#include "libc/string.h"

#define PACKET_SIZE 2048
#define SIGTRAP     5
#define SIGINT      2
#define SIGSEGV     11

bool debug_wanted;

static bool present;  /* the line is there */
static bool inside;   /* the stub has the machine */
static bool attached; /* gdb has been heard, and has not gone */
static bool asked;    /* the next int3 is debug_break() here */
static char in[PACKET_SIZE], out[PACKET_SIZE];
static size_t out_len;
static struct thread *selected; /* by Hg: whose registers and memory are meant */
static struct trapframe *at;    /* where the machine stopped */
static char stop_reply[64];
static int pushed_back = -1; /* a byte to be read again */

/* ---- Packets ---- */

static uint8_t get_byte(void)
{
    int c = pushed_back;

    pushed_back = -1;
    return c >= 0 ? (uint8_t)c : gdbport_get();
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
        return (c | 0x20) - 'a' + 10;
    return -1;
}

static void out_char(char c)
{
    if (out_len < sizeof(out))
        out[out_len++] = c;
}

static void out_text(const char *s)
{
    while (*s)
        out_char(*s++);
}

static void out_bytes(const void *data, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *b = data;

    for (size_t i = 0; i < n; i++) {
        out_char(digits[b[i] >> 4]);
        out_char(digits[b[i] & 15]);
    }
}

static void ok_or_error(bool ok)
{
    out_text(ok ? "OK" : "E01");
}

static void send_once(void)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum = 0;

    gdbport_put('$');
    for (size_t i = 0; i < out_len; i++) {
        gdbport_put((uint8_t)out[i]);
        sum = (uint8_t)(sum + out[i]);
    }
    gdbport_put('#');
    gdbport_put((uint8_t)digits[sum >> 4]);
    gdbport_put((uint8_t)digits[sum & 15]);
}

/* Until gdb has it. Another packet instead of the answer is of a gdb that came after the one that
 * was told. */
static void send_packet(void)
{
    uint8_t answer;

    do {
        send_once();
        answer = get_byte();
    } while (answer == '-');
    if (answer == '$')
        pushed_back = answer;
}

/* Reads the body of a packet whose '$' came; false when its checksum is wrong. */
static bool read_body(size_t *len)
{
    uint8_t sum = 0, c;
    int high, low;

    *len = 0;
    while ((c = get_byte()) != '#') {
        sum = (uint8_t)(sum + c);
        if (*len < sizeof(in) - 1)
            in[(*len)++] = (char)c;
    }
    in[*len] = '\0';
    high = hex_digit((char)get_byte());
    low = hex_digit((char)get_byte());
    return sum == (uint8_t)(high << 4 | low);
}

/* Waits for a packet; its length. */
static size_t receive_packet(void)
{
    size_t len;

    for (;;) {
        if (get_byte() != '$')
            continue; /* acknowledgements, ^C: stopped already */
        if (read_body(&len)) {
            gdbport_put('+');
            return len;
        }
        gdbport_put('-');
    }
}

/* A hexadecimal number at *p, which moves past it. */
static uint32_t number(const char **p)
{
    uint32_t v = 0;
    int d;

    while ((d = hex_digit(**p)) >= 0) {
        v = v << 4 | (uint32_t)d;
        ++*p;
    }
    return v;
}

static bool skip(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* n bytes in hexadecimal at p, to where they are read from. */
static bool decode_hex(char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(p[2 * i]), low = high < 0 ? -1 : hex_digit(p[2 * i + 1]);
        if (low < 0)
            return false;
        p[i] = (char)(high << 4 | low);
    }
    return true;
}

/* ---- Registers ---- */

static void out_register(unsigned n)
{
    uint32_t value;

    if (gdb_get_register(selected, at, n, &value))
        out_bytes(&value, sizeof(value));
    else
        for (unsigned i = 0; i < 2 * gdb_register_size(n); i++)
            out_char('x');
}

static void read_registers(void)
{
    for (unsigned n = 0; n < GDB_REGISTERS; n++)
        out_register(n);
}

static void write_registers(char *p, size_t len)
{
    size_t pos = 0;

    for (unsigned n = 0; n < GDB_REGISTERS; n++) {
        size_t digits = 2 * gdb_register_size(n);
        uint32_t value;

        if (pos + digits > len)
            break;
        if (digits == 8 && decode_hex(p + pos, 4)) {
            memcpy(&value, p + pos, 4);
            gdb_set_register(at, n, value);
        }
        pos += digits;
    }
    out_text("OK");
}

static void write_register(const char *p)
{
    unsigned n = number(&p);
    uint32_t value;
    char digits[9];

    if (selected != thread_current() || !skip(&p, '=')) {
        out_text("E01");
        return;
    }
    strlcpy(digits, p, sizeof(digits));
    if (!decode_hex(digits, 4)) {
        out_text("E01");
        return;
    }
    memcpy(&value, digits, 4);
    ok_or_error(gdb_set_register(at, n, value));
}

/* ---- Memory and breakpoints ---- */

static void read_memory(const char *p)
{
    uint32_t va = number(&p);
    size_t n = skip(&p, ',') ? number(&p) : 0, got;

    if (n > PACKET_SIZE / 2 - 8)
        n = PACKET_SIZE / 2 - 8;
    got = gdb_read(selected, va, in, n);
    if (got == 0 && n)
        out_text("E14");
    out_bytes(in, got);
}

/* Undoes the escapes of binary data; its length. */
static size_t unescape(char *p, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        p[n++] = p[i] == '}' && i + 1 < len ? (char)(p[++i] ^ 0x20) : p[i];
    return n;
}

static void write_memory(char *body, size_t len, bool binary)
{
    const char *p = body + 1;
    uint32_t va = number(&p);
    size_t n = skip(&p, ',') ? number(&p) : 0, have;
    char *data = body + (p + 1 - body);

    if (!skip(&p, ':')) {
        out_text("E01");
        return;
    }
    have = len - (size_t)(data - body);
    if (binary)
        have = unescape(data, have);
    else
        have = decode_hex(data, have / 2) ? have / 2 : 0;
    if (n > have)
        out_text("E01");
    else
        out_text(gdb_write(selected, va, data, n) == n ? "OK" : "E14");
}

static void change_breakpoint(const char *p, bool insert)
{
    unsigned type = number(&p), len;
    uint32_t va;

    skip(&p, ',');
    va = number(&p);
    skip(&p, ',');
    len = number(&p);
    if (type > 4 || type == 3)
        return; /* not supported: the empty answer */
    ok_or_error(insert ? gdb_insert(type, va, len) : gdb_remove(type, va, len));
}

/* ---- Threads ---- */

static void select_thread(const char *p)
{
    uint32_t id;
    struct thread *t;

    if (*p++ != 'g') {
        out_text("OK"); /* the machine runs as a whole */
        return;
    }
    id = *p == '-' ? 0 : number(&p);
    t = id ? gdb_thread(id) : thread_current();
    if (t)
        selected = t;
    ok_or_error(t != NULL);
}

static struct thread *listed; /* qfThreadInfo and qsThreadInfo: the last one told */

static void list_threads(bool first)
{
    char id[12];
    unsigned n = 0;

    if (first)
        listed = NULL;
    while (n < 64 && (first || listed || n)) {
        struct thread *next = gdb_next_thread(listed);
        if (!next)
            break;
        snprintf(id, sizeof(id), "%c%x", n++ ? ',' : 'm', (unsigned)gdb_thread_id(next));
        out_text(id);
        listed = next;
        first = false;
    }
    if (n == 0)
        out_char('l');
}

static void describe_thread(const char *p)
{
    struct thread *t = gdb_thread(number(&p));
    char text[64];

    if (!t) {
        out_text("E01");
        return;
    }
    gdb_describe_thread(t, text, sizeof(text));
    out_bytes(text, strlen(text));
}

/* ---- Queries ---- */

/* "offset,length" of the description. */
static void read_description(const char *p)
{
    size_t total = strlen(gdb_description), offset = number(&p), n;

    n = skip(&p, ',') ? number(&p) : 0;
    if (offset > total)
        offset = total;
    if (n > PACKET_SIZE - 8)
        n = PACKET_SIZE - 8;
    if (n > total - offset)
        n = total - offset;
    out_char(offset + n == total ? 'l' : 'm');
    for (size_t i = 0; i < n; i++)
        out_char(gdb_description[offset + i]);
}

static void query(const char *p)
{
    static const char description[] = "qXfer:features:read:target.xml:";
    char text[64];

    if (begins(p, "qSupported")) {
        snprintf(text, sizeof(text), "PacketSize=%x;qXfer:features:read+", PACKET_SIZE - 8);
        out_text(text);
    } else if (begins(p, description)) {
        read_description(p + sizeof(description) - 1);
    } else if (begins(p, "qfThreadInfo")) {
        list_threads(true);
    } else if (begins(p, "qsThreadInfo")) {
        list_threads(false);
    } else if (begins(p, "qThreadExtraInfo,")) {
        describe_thread(p + sizeof("qThreadExtraInfo,") - 1);
    } else if (begins(p, "qAttached")) {
        out_char('1');
    } else if (strcmp(p, "qC") == 0) {
        snprintf(text, sizeof(text), "QC%x", (unsigned)gdb_thread_id(thread_current()));
        out_text(text);
    }
}

/* ---- Commands ---- */

static void set_address(const char *p)
{
    if (*p)
        at->eip = number(&p);
}

/* The machine does not wait for the acknowledgement: a gdb that leaves may take it along. */
static void detach(void)
{
    gdb_remove_all();
    attached = false;
    out_text("OK");
    send_once();
}

/* Answers one packet; true when the machine is to go on. */
static bool command(char *p, size_t len)
{
    const char *arg = p + 1;

    switch (*p) {
    case '?':
        out_text(stop_reply);
        break;
    case 'g':
        read_registers();
        break;
    case 'G':
        write_registers(p + 1, len - 1);
        break;
    case 'p':
        out_register(number(&arg));
        break;
    case 'P':
        write_register(arg);
        break;
    case 'm':
        read_memory(arg);
        break;
    case 'M':
    case 'X':
        write_memory(p, len, *p == 'X');
        break;
    case 'Z':
    case 'z':
        change_breakpoint(arg, *p == 'Z');
        break;
    case 'H':
        select_thread(arg);
        break;
    case 'T':
        ok_or_error(gdb_thread(number(&arg)) != NULL);
        break;
    case 'q':
        query(p);
        break;
    case 'c':
        set_address(arg);
        debug_resume(at);
        return true;
    case 's':
        set_address(arg);
        if (debug_step(at))
            return true;
        out_text(stop_reply);
        break;
    case 'D':
        detach();
        return true;
    case 'k':
        power_off();
    default:
        break; /* the empty answer: not supported */
    }
    send_packet();
    return false;
}

/* ---- Stops ---- */

static void say_stop(unsigned signal, const char *more, uint32_t va)
{
    char watch[32] = "";

    if (more)
        snprintf(watch, sizeof(watch), "%s:%x;", more, (unsigned)va);
    snprintf(stop_reply, sizeof(stop_reply), "T%02x%sthread:%x;", signal, watch,
             (unsigned)gdb_thread_id(thread_current()));
}

/* The machine stands at tf until gdb lets it go. A gdb that waits is told; one that comes asks. */
static void serve(struct trapframe *tf, bool tell)
{
    bool go_on = false;

    cpus_hold();
    inside = true;
    debug_wanted = false;
    at = tf;
    selected = thread_current();
    out_len = 0;
    if (tell) {
        out_text(stop_reply);
        send_packet();
    }
    while (!go_on) {
        size_t len = receive_packet();

        attached = true;
        out_len = 0;
        go_on = command(in, len);
    }
    inside = false;
    cpus_release();
}

/* Reads acknowledgements, of packets that were sent long ago, up to what is none, which waits in
 * pushed_back. Whether there was nothing else. */
static bool only_acknowledged(void)
{
    bool heard = false;

    while (gdbport_ready()) {
        pushed_back = gdbport_get();
        if (pushed_back != '+' && pushed_back != '-')
            return false;
        pushed_back = -1;
        heard = true;
    }
    return heard;
}

/* What stops the machine is a BREAK, which leaves nothing on the line, or a ^C of the gdb that is
 * there, or the beginning of a packet: a gdb that comes anew. */
void debug_enter(struct trapframe *tf)
{
    if (!present || inside)
        return;
    debug_wanted = false;
    if (only_acknowledged())
        return;
    say_stop(SIGINT, NULL, 0);
    serve(tf, attached && (pushed_back < 0 || pushed_back == 0x03));
}

static void stop_here(unsigned signal)
{
    asked = true;
    say_stop(signal, NULL, 0);
    debug_break();
}

bool debug_trap(struct trapframe *tf)
{
    vaddr_t va = 0;

    if (!present || inside)
        return false;
    if (asked) {
        asked = false;
        serve(tf, attached);
        return true;
    }
    if (tf->trapno == TRAP_BREAKPOINT) {
        if (!gdb_is_breakpoint(tf->eip - 1))
            return false;
        tf->eip--;
        say_stop(SIGTRAP, NULL, 0);
    } else {
        enum debug_reason why = debug_reason(tf, &va);

        if (why == DEBUG_OTHER)
            return false;
        say_stop(SIGTRAP, why == DEBUG_WATCHPOINT ? "watch" : NULL, va);
    }
    serve(tf, true);
    return true;
}

/* Comes back when no debugger is there, or when it lets go. */
static void gdb_panic(const struct panic_cause *c)
{
    if (!present || inside)
        return;
    klog(LOG_EMERG, "Waiting for gdb on the line that gdb= names.\n");
    say_stop(SIGSEGV, NULL, 0);
    if (c->tf)
        serve(c->tf, attached);
    else
        stop_here(SIGSEGV);
}

static void wake(void)
{
    debug_wanted = true;
}

void gdbstub_init(void)
{
    char name[16];

    if (!boot_option("gdb", name, sizeof(name)))
        return;
    present = gdbport_open(name, wake);
    if (!present) {
        klog(LOG_WARN, "gdb: there is no port %s, or it is the console\n", name);
        return;
    }
    panic_register(PANIC_DEBUGGER, gdb_panic);
    klog(LOG_INFO, "gdb: listening on %s, 115200 baud\n", name);
    if (boot_flag("gdbwait")) {
        klog(LOG_NOTICE, "gdb: waiting for gdb on %s\n", name);
        stop_here(SIGTRAP);
    }
}
