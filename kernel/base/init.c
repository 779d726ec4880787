/* The table of what runs once at boot. */
#include "kernel/base/init.h"

extern const struct init_entry init_table_start[], init_table_end[]; /* boot/linker.ld */

void init_run(enum init_level level)
{
    for (const struct init_entry *e = init_table_start; e < init_table_end; e++)
        if (e->level == level)
            e->run();
}
