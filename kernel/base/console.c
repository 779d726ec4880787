/*
 * Which devices console= names. As on Linux the log goes to every one of them, and /dev/console is
 * the last; without the option the log goes to all there are and /dev/console is the screen.
 */
#include "kernel/base/boot.h"
#include "kernel/base/log.h"
#include "libc/printf.h"
#include "libc/string.h"

#define DEFAULT_CONSOLE "tty1"
#define DEFAULT_SPEED   9600 /* as on Linux */

/* The next console= at or after *s: its device name, up to a comma (ttyS0,115200n8), with its
 * length; *s is moved past it. tty0 is the screen as well. */
static const char *next_console(const char **s, size_t *len)
{
    static const char option[] = "console=";

    for (const char *p = *s; p && *p;) {
        while (*p == ' ')
            p++;
        const char *word = p;
        while (*p && *p != ' ')
            p++;
        if (strncmp(word, option, sizeof(option) - 1) != 0)
            continue;
        word += sizeof(option) - 1;
        *s = p;
        *len = 0;
        while (word[*len] && word[*len] != ' ' && word[*len] != ',')
            (*len)++;
        if (*len == 4 && strncmp(word, "tty0", 4) == 0)
            word = DEFAULT_CONSOLE;
        return word;
    }
    return NULL;
}

bool console_is_named(const char *name)
{
    const char *s = boot_info.cmdline;
    const char *word;
    size_t len;
    bool any = false;

    while ((word = next_console(&s, &len))) {
        any = true;
        if (strlen(name) == len && strncmp(word, name, len) == 0)
            return true;
    }
    return !any;
}

uint32_t console_speed(const char *name)
{
    const char *s = boot_info.cmdline, *word;
    uint32_t speed = 0;
    size_t len;

    while ((word = next_console(&s, &len))) {
        if (strlen(name) != len || strncmp(word, name, len) != 0)
            continue;
        speed = DEFAULT_SPEED;
        if (word[len] == ',' && strtoul(word + len + 1, NULL, 10))
            speed = (uint32_t)strtoul(word + len + 1, NULL, 10);
    }
    return speed;
}

void console_device_name(char *buf, size_t size)
{
    const char *s = boot_info.cmdline;
    const char *word;
    size_t len;

    strlcpy(buf, DEFAULT_CONSOLE, size);
    while ((word = next_console(&s, &len))) {
        if (len >= size)
            continue;
        memcpy(buf, word, len);
        buf[len] = '\0';
    }
}
