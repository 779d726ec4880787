/*
 * Terminals: the line discipline between a driver (serial line, screen and keyboard, the master of
 * a pseudo-terminal) and the programs that have it open.
 *
 * The driver feeds input by tty_receive, from its interrupt; signals are sent and echo happens
 * right there, whether or not anybody reads. Output goes through the line discipline into the
 * driver's write, which takes what it can and never waits; the driver calls tty_output_ready when
 * it can take more.
 *
 * Every open file holds a reference on its terminal, and so does whoever found it by
 * tty_of_current. A process's controlling terminal (proc->tty) is no reference: a terminal that can
 * vanish is hung up first, which takes it from every process.
 */
#ifndef KERNEL_TTY_H
#define KERNEL_TTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "arch/lock.h"
#include "kernel/thread/sched.h"
#include "drivers/tty/termios.h"
#include "fs/notify/owner.h"

struct tty;
struct proc;
struct file;
struct file_ops;

#define TTY_INPUT_SIZE 4096u /* a frame */
#define TTY_ECHO_SIZE  512u
#define TTY_CHUNK      256u

#define TTY_SERIAL_DEV 0x440 /* 4,64 */
#define TTY_SCREEN_DEV 0x401 /* 4,1 */

/*
 * The first group is called under the terminal's lock, in any context; the second without locks.
 * Only name, write and room are required.
 */
struct tty_driver {
    const char *name;
    uint32_t cflag;        /* of a terminal without a past; 0: 38400 baud, hang up on close */
    bool outlives_session; /* its leader's exit does not hang it up: a pseudo-terminal */
    bool offers_again;     /* a byte that was not taken, at once and after a marked point */
    size_t (*write)(struct tty *t, const char *s, size_t n); /* the bytes taken; never waits */
    size_t (*room)(struct tty *t);                           /* how many it would take */
    size_t (*pending)(struct tty *t); /* bytes not yet sent; NULL: what is written is sent */
    void (*flush_output)(struct tty *t);
    void (*input_flushed)(struct tty *t);
    void (*flow)(struct tty *t, bool stopped); /* ^S, ^Q */
    void (*set_break)(struct tty *t, bool on);

    /* One file more has it open: 0 or -errno; one less. */
    int (*open)(struct tty *t);
    void (*close)(struct tty *t);
    void (*destroy)(struct tty *t); /* the last reference is gone; NULL: it never is */
    /* After the change from old. */
    void (*set_termios)(struct tty *t, const struct termios *old);
    /* Whether the size may become ws: 0 or -errno. NULL: any. */
    int (*resize)(struct tty *t, const struct winsize *ws);
    /* There is room again after tty_receive took less than it got. */
    void (*unthrottle)(struct tty *t);
    /* After each unlock that followed output: whatever the driver wants to feed back. */
    void (*after_write)(struct tty *t);
    /* -ENOTTY for what it does not know. May sleep. */
    long (*ioctl)(struct tty *t, uint32_t cmd, uint32_t arg);
};

struct tty {
    uint32_t refs;        /* atomic */
    struct spinlock lock; /* LOCK_RANK_TERMINAL */
    const struct tty_driver *driver;
    void *private;          /* the driver's */
    uint32_t dev;           /* st_rdev */
    struct termios termios; /* [lock] */
    struct termios locked;  /* [lock] bits, and bytes that are not 0: what nobody changes of them */
    struct winsize winsize; /* [lock] */

    /* Job control. */
    int32_t session;  /* [tty_session_lock] 0: nobody's controlling terminal */
    int32_t pgrp;     /* [tty_session_lock] the foreground group */
    uint32_t hangups; /* [lock] files opened before the last one are dead */

    /* Input: bytes [tail, head), in canonical mode complete lines up to canon. */
    char *input;                          /* [lock] TTY_INPUT_SIZE bytes */
    uint8_t line_end[TTY_INPUT_SIZE / 8]; /* [lock] bytes that end a line */
    uint32_t head, tail, canon;           /* [lock] */
    bool literal;                         /* [lock] the next byte is taken as it is (^V) */
    bool throttled;                       /* [lock] the driver holds input back */
    bool xoff_sent;                       /* [lock] IXOFF: ^S went out */
    uint32_t signals;                     /* [lock] to send once the lock is released: 1 << signo */

    /* Output. */
    bool stopped;                  /* [lock] by ^S or TCOOFF */
    bool held;                     /* [lock] by TCOOFF: only TCOON lets it go on */
    uint32_t column;               /* [lock] of the cursor */
    uint32_t canon_column;         /* [lock] where the line being typed starts */
    char echo[TTY_ECHO_SIZE];      /* [lock] echo the driver had no room for */
    uint32_t echo_head, echo_tail; /* [lock] */
    bool gathers;                  /* [lock] echo waits there until there is much of it */
    bool unfinished, in_word; /* [lock] an edit of the whole line is not over; inside its word */
    uint32_t reprinted;       /* [lock] how far it has come */

    bool exclusive;        /* [lock] TIOCEXCL: only root may open it again */
    bool reading, writing; /* [lock] somebody is in the middle of a read or write */
    bool lost;             /* [lock] the other side is gone for good */
    struct waitq read_wait, write_wait;
    struct async_list async; /* whom SIGIO tells of input */
};

extern struct spinlock tty_session_lock; /* LOCK_RANK_TTY: proc->tty, tty->session, tty->pgrp */

/* ---- For drivers ---- */

/* One reference. -ENOMEM. */
int tty_setup(struct tty *t, const struct tty_driver *d, uint32_t dev, uint16_t cols,
              uint16_t rows);
void tty_ref(struct tty *t);
void tty_put(struct tty *t); /* drops a reference; may sleep */
/* Input, from an interrupt or a process without locks. Returns how many bytes were taken: the
 * driver keeps the others until unthrottle, or drops them. */
size_t tty_receive(struct tty *t, const char *s, size_t n);
void tty_receive_break(struct tty *t);
void tty_output_ready(struct tty *t);
void tty_set_stopped(struct tty *t, bool stopped);
/* Ends the session on it; every open file but those of /dev/console is dead. */
void tty_hangup(struct tty *t);
void tty_resize(struct tty *t, const struct winsize *ws); /* SIGWINCH if it changed */

/* The file operations, for drivers that make files themselves. */
extern const struct file_ops tty_file_ops; /* tty_open.c */

/* drivers/char/serial.c: ttyS0 and ttyS1, each once; NULL: there is no such one. */
struct tty *serial_tty_init(unsigned n);
/* drivers/video/screen.c: the terminals of the screen, /dev/tty1 and on. 0: the one that shows;
 * NULL: there is no such one. */
void screen_ttys_init(void);
struct tty *screen_tty(unsigned n);
unsigned screen_tty_count(void);

/* ---- For processes ---- */

/* A session leader exits (no locks held): its terminal is hung up, the foreground group gets
 * SIGHUP. */
void tty_session_ended(struct proc *leader);
extern const struct session_terminals tty_sessions;

/* ---- Between the parts of the terminal ---- */

/* One open file. */
struct tty_file {
    struct tty *tty;
    uint32_t hangups; /* tty->hangups at open */
    bool console;     /* through /dev/console: immune to hang-up and job control */
    bool redirects;   /* TIOCCONS turns what is written here elsewhere */
    bool master;      /* the other side of tty */
};
/* A file that open(2) is making becomes one of t, whose reference is consumed, on failure too. */
int tty_file_begin(struct file *f, struct tty *t, bool console);
bool tty_file_dead(const struct tty_file *f);

/* tty_ldisc.c: input. [lock held] */
void ldisc_reset(struct tty *t);
bool ldisc_input(struct tty *t, char c); /* false: no room, not taken */
/* Whether reads get lines; else what there is. Canonical mode alone, unless with EXTPROC the master
 * edits them. */
static inline bool ldisc_by_line(const struct tty *t)
{
    return (t->termios.lflag & (TERMIOS_ICANON | TERMIOS_EXTPROC)) == TERMIOS_ICANON;
}
void ldisc_break(struct tty *t);
void ldisc_mode_changed(struct tty *t, const struct termios *old);
uint32_t ldisc_readable(const struct tty *t); /* bytes a read could return now, for FIONREAD */
bool ldisc_has_room(const struct tty *t);     /* for at least one byte more of input */
/* Whether c may take many times the work of a usual byte: it edits the whole line. */
bool ldisc_is_editing(const struct tty *t, char c);
bool ldisc_input_ready(const struct tty *t, uint32_t minimum);
/* Takes up to n bytes; *line_done: a line or an end-of-file mark ended there. */
size_t ldisc_take(struct tty *t, char *buf, size_t n, bool *line_done);
/* tty_output.c [lock held] */
size_t output_process(struct tty *t, const char *s, size_t n); /* how many bytes were taken */
void output_echo(struct tty *t, char c); /* through OPOST, never lost while the ring has room */
void output_raw(struct tty *t, char c);
void output_back(struct tty *t, uint32_t n); /* echoes n backspaces, at most 8 */
void output_rub_out(struct tty *t);          /* and what takes a character off the screen */
bool output_echo_is_full(struct tty *t);     /* what is echoed now is lost */
/* Between these two much is echoed: it goes to the driver in large pieces. */
void output_gather(struct tty *t);
void output_gathered(struct tty *t);
bool output_flush_echo(struct tty *t); /* true: nothing is left */
void output_flush(struct tty *t);      /* forget what was not sent */
size_t output_pending(struct tty *t);
/* tty_termios.c */
void termios_init(struct termios *t, uint32_t cflag); /* 0: the usual */
long tty_termios_ioctl(struct tty *t, uint32_t cmd, uint32_t arg);
long tty_attribute_ioctl(struct tty *t, uint32_t cmd, uint32_t arg);
int tty_wait_sent(struct tty *t);
/* tty_jobctl.c */
int tty_check_read(struct tty *t);   /* SIGTTIN rules: 0 or -errno */
int tty_check_change(struct tty *t); /* SIGTTOU rules */
void tty_open_controlling(struct tty *t);
struct tty *tty_of_current(void); /* a reference, or NULL */
bool tty_is_of_current(const struct tty *t);
long tty_job_ioctl(struct file *f, uint32_t cmd, uint32_t arg);
void tty_signal(struct tty *t, int signo); /* to the foreground group; no locks held */
/* tty_ioctl.c */
long tty_ioctl(struct file *f, uint32_t cmd, uint32_t arg);
/* tty_console.c: where writes to the console go instead: a reference, or NULL. TIOCCONS. The
 * terminal that they go to is hung up. */
struct file *console_redirect(void);
long console_set_redirect(struct file *f);
void console_forget_redirect(const struct tty *t);

/* tty.c: forgets what was typed. */
void tty_flush_input(struct tty *t);
/* Sends what the line discipline collected and unlocks. */
void tty_unlock(struct tty *t);

#define TTY_FLAG(t, field, name) ((t)->termios.field & TERMIOS_##name)

#endif
