/*
 * /proc/tty: which drivers have terminals, and the line disciplines, of which there is one.
 */
#include "drivers/tty/tty_file.h"
#include "fs/proc/procfs.h"

/* A line of drivers, as Linux's: what it is called, its devices' name and numbers, its kind. */
static void show_driver(struct text *t, const char *driver, const char *name, unsigned major,
                        unsigned first, unsigned last, const char *kind)
{
    text_printf(t, "%-20s /dev/%-8s %3u ", driver, name, major);
    if (first == last)
        text_printf(t, "%7u %s\n", first, kind);
    else
        text_printf(t, "%u-%u %s\n", first, last, kind);
}

static int show_drivers(struct text *t, const struct target *who)
{
    unsigned screens = screen_tty_count();

    (void)who;
    show_driver(t, "/dev/tty", "tty", TTYAUX_MAJOR, AUX_TTY, AUX_TTY, "system:/dev/tty");
    show_driver(t, "/dev/console", "console", TTYAUX_MAJOR, AUX_CONSOLE, AUX_CONSOLE,
                "system:console");
    show_driver(t, "/dev/ptmx", "ptmx", TTYAUX_MAJOR, AUX_PTMX, AUX_PTMX, "system");
    show_driver(t, "/dev/vc/0", "vc/0", TTY_MAJOR, 0, 0, "system:vtmaster");
    show_driver(t, "serial", "ttyS", TTY_MAJOR, SERIAL_MINOR, SERIAL_MINOR + 1, "serial");
    show_driver(t, "pty_slave", "pts", PTY_MAJOR, 0, PTY_MINORS - 1, "pty:slave");
    show_driver(t, "pty_master", "ptm", PTM_MAJOR, 0, PTY_MINORS - 1, "pty:master");
    if (screens)
        show_driver(t, "unknown", "tty", TTY_MAJOR, 1, screens, "console");
    return 0;
}

static int show_disciplines(struct text *t, const struct target *who)
{
    (void)who;
    text_printf(t, "n_tty       0\n");
    return 0;
}

void tty_proc_init(void)
{
    static const struct proc_entry drivers = FILE_ENTRY("drivers", 0444, show_drivers);
    static const struct proc_entry disciplines = FILE_ENTRY("ldiscs", 0444, show_disciplines);

    proc_tty_add(&drivers);
    proc_tty_add(&disciplines);
}
