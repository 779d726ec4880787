/* How large the window at the other end of a serial line is: nobody tells, but terminals answer
 * when they are asked. */
#ifndef USER_WINDOW_H
#define USER_WINDOW_H

#include <stdbool.h>

/* Asks the terminal fd and has the kernel know. False when it does not answer within the time. What
 * was typed ahead is lost. */
bool window_ask(int fd, int milliseconds);

#endif
