/*
 * The cursor is sent to where no window reaches, and its place asked for: ESC [ rows ; columns R.
 * [man 4 console_codes]
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "user/shared/window.h"

#define ASK "\0337\033[r\033[999;999H\033[6n\0338"

/* The number at *p, which moves behind it; 0: there is none. */
static unsigned number(const char **p)
{
    unsigned n = 0;

    while (**p >= '0' && **p <= '9' && n < 10000)
        n = n * 10 + (unsigned)(*(*p)++ - '0');
    return n;
}

static bool understand(const char *answer, struct winsize *w)
{
    const char *p = strchr(answer, '\033');
    unsigned rows, columns;

    if (!p || p[1] != '[')
        return false;
    p += 2;
    rows = number(&p);
    if (*p++ != ';')
        return false;
    columns = number(&p);
    if (*p != 'R' || !rows || !columns || rows > 999 || columns > 999)
        return false;
    *w = (struct winsize){.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    return true;
}

/* Until all of it is there, or nothing comes for so long. */
static bool hear(int fd, int milliseconds, struct winsize *w)
{
    char answer[32];
    size_t n = 0;

    while (n < sizeof(answer) - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        if (poll(&p, 1, milliseconds) <= 0 || read(fd, answer + n, 1) != 1)
            return false;
        n++;
        answer[n] = '\0';
        if (answer[n - 1] == 'R')
            return understand(answer, w);
    }
    return false;
}

bool window_ask(int fd, int milliseconds)
{
    struct termios was, raw;
    struct winsize w;
    bool heard;

    if (tcgetattr(fd, &was) < 0)
        return false;
    raw = was;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    tcsetattr(fd, TCSANOW, &raw);
    write(fd, ASK, sizeof(ASK) - 1);
    heard = hear(fd, milliseconds, &w);
    tcsetattr(fd, TCSANOW, &was);
    return heard && ioctl(fd, TIOCSWINSZ, &w) == 0;
}
