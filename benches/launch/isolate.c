/* The floor of `mini-container --rootfs DIR --isolate process,ipc,hostname --proc /proc --dev /dev
 * PROGRAM`, by root. */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)
#include "floor.h"

static const struct setting TERMINALS[] = {
    {"newinstance", 0}, {"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}, {0},
};

static void make(long dev, const char *path, const char *name, long number) {
    (void)path;
    CALL(mknodat, dev, name, S_IFCHR | 0666, number);
}

static void child(void) {
    long root;
    CALL(prctl, PR_SET_DUMPABLE, 0);
    root = open_root(0);
    mount_in(root, "/proc", "proc", 0, NO_DEVICES_OR_PROGRAMS);
    mount_dev(root, make, TERMINALS);
    enter(root, 4);
    if (launcher_lives()) become_program();
}
