/* The floor of `mini-container --rootfs DIR PROGRAM`. */
#define NAMESPACES CLONE_NEWNS
#include "floor.h"

static void child(void) {
    enter(open_root(0), 3);
    if (launcher_lives()) become_program();
}
