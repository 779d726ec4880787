/*
 * Terminal attributes as Linux i386 passes them, with the numbers of flags, control characters and
 * ioctls.
 */
#ifndef KERNEL_TERMIOS_H
#define KERNEL_TERMIOS_H

#include <stdint.h>

#define TERMIOS_NCCS 19

/* struct termios2 of the kernel ABI; struct termios is its first 36 bytes. */
struct termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TERMIOS_NCCS];
    uint32_t ispeed, ospeed;
};
#define TERMIOS1_SIZE 36u
#define TERMIOS2_SIZE 44u

/* struct termio, of System V. */
#define TERMIO_NCC 8
struct termio {
    uint16_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TERMIO_NCC];
};

struct winsize {
    uint16_t rows, cols, xpixel, ypixel;
};

enum {
    VINTR,
    VQUIT,
    VERASE,
    VKILL,
    VEOF,
    VTIME,
    VMIN,
    VSWTC,
    VSTART,
    VSTOP,
    VSUSP,
    VEOL,
    VREPRINT,
    VDISCARD,
    VWERASE,
    VLNEXT,
    VEOL2,
};

#define TERMIOS_IGNBRK  0000001
#define TERMIOS_BRKINT  0000002
#define TERMIOS_PARMRK  0000010
#define TERMIOS_ISTRIP  0000040
#define TERMIOS_INLCR   0000100
#define TERMIOS_IGNCR   0000200
#define TERMIOS_ICRNL   0000400
#define TERMIOS_IUCLC   0001000
#define TERMIOS_IXON    0002000
#define TERMIOS_IXANY   0004000
#define TERMIOS_IXOFF   0010000
#define TERMIOS_IMAXBEL 0020000
#define TERMIOS_IUTF8   0040000

#define TERMIOS_OPOST  0000001
#define TERMIOS_OLCUC  0000002
#define TERMIOS_ONLCR  0000004
#define TERMIOS_OCRNL  0000010
#define TERMIOS_ONOCR  0000020
#define TERMIOS_ONLRET 0000040
#define TERMIOS_TABDLY 0014000
#define TERMIOS_XTABS  0014000

#define TERMIOS_CBAUD  0010017
#define TERMIOS_BOTHER 0010000
#define TERMIOS_B38400 0000017
#define TERMIOS_B9600  0000015
#define TERMIOS_CSIZE  0000060
#define TERMIOS_CS8    0000060
#define TERMIOS_CREAD  0000200
#define TERMIOS_PARENB 0000400
#define TERMIOS_HUPCL  0002000
#define TERMIOS_CLOCAL 0004000

#define TERMIOS_ISIG    0000001
#define TERMIOS_ICANON  0000002
#define TERMIOS_ECHO    0000010
#define TERMIOS_ECHOE   0000020
#define TERMIOS_ECHOK   0000040
#define TERMIOS_ECHONL  0000100
#define TERMIOS_NOFLSH  0000200
#define TERMIOS_TOSTOP  0000400
#define TERMIOS_ECHOCTL 0001000
#define TERMIOS_ECHOPRT 0002000
#define TERMIOS_ECHOKE  0004000
#define TERMIOS_IEXTEN  0100000
#define TERMIOS_EXTPROC 0200000

#define TCGETS     0x5401
#define TCSETS     0x5402
#define TCSETSW    0x5403
#define TCSETSF    0x5404
#define TCGETA     0x5405
#define TCSETA     0x5406
#define TCSETAW    0x5407
#define TCSETAF    0x5408
#define TCSBRK     0x5409
#define TCXONC     0x540a
#define TCFLSH     0x540b
#define TIOCEXCL   0x540c
#define TIOCNXCL   0x540d
#define TIOCSCTTY  0x540e
#define TIOCGPGRP  0x540f
#define TIOCSPGRP  0x5410
#define TIOCOUTQ   0x5411
#define TIOCSTI    0x5412
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define TIOCMGET   0x5415
#define FIONREAD   0x541b
#define TIOCCONS   0x541d
#define TIOCPKT    0x5420
#define FIONBIO    0x5421
#define TIOCNOTTY  0x5422
#define TIOCSETD   0x5423
#define TIOCGETD   0x5424
#define TCSBRKP    0x5425
#define TIOCSBRK   0x5427
#define TIOCCBRK   0x5428
#define TIOCGSID   0x5429
#define TCGETS2    0x802c542au
#define TCSETS2    0x402c542bu
#define TCSETSW2   0x402c542cu
#define TCSETSF2   0x402c542du

#define TIOCGSOFTCAR   0x5419
#define TIOCSSOFTCAR   0x541a
#define TIOCGLCKTRMIOS 0x5456
#define TIOCSLCKTRMIOS 0x5457
#define TIOCGPTN       0x80045430u
#define TIOCSPTLCK     0x40045431u
#define TIOCGDEV       0x80045432u
#define TIOCSIG        0x40045436u
#define TIOCVHANGUP    0x5437
#define TIOCGPKT       0x80045438u
#define TIOCGPTLCK     0x80045439u
#define TIOCGEXCL      0x80045440u
#define TIOCGPTPEER    0x5441

/* The first byte of a packet that a master reads: no bits, and data follows; or what happened. */
#define TIOCPKT_FLUSHREAD  1
#define TIOCPKT_FLUSHWRITE 2
#define TIOCPKT_STOP       4
#define TIOCPKT_START      8
#define TIOCPKT_NOSTOP     16
#define TIOCPKT_DOSTOP     32
#define TIOCPKT_IOCTL      64

#define TCIFLUSH  0
#define TCOFLUSH  1
#define TCIOFLUSH 2
#define TCOOFF    0
#define TCOON     1
#define TCIOFF    2
#define TCION     3

/* drivers/tty/tty_termios.c: bits a second of the CBAUD code, 0 for B0 or an unknown one; and the
 * code for a speed. */
uint32_t termios_baud(const struct termios *t);
uint32_t termios_code(uint32_t baud); /* its TERMIOS_B*; of an odd one, that of 9600 */

#endif
