/* The floor: the system calls of a launch, with the same arguments and nothing else around them.
 * What a launch costs above this is ours; what this costs is the kernel's.
 *
 * This file is what all launches have in common: the launcher's calls, and the mounts. `plain.c`,
 * `isolate.c` and `all.c` are one launch each: they say what NAMESPACES the child has, and what the
 * `child` does. How to make calls without libc stands in `raw.h`.
 *
 *     cc -O2 -static -nostdlib -ffreestanding -fno-stack-protector -o plain plain.c
 *     plain DIR PROGRAM
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include "raw.h"

#define MS_PRIVATE_REC (16384 | (1 << 18))
#define HEAP_BYTES 262144
#define STACK_BYTES 196608
#define GUARD_BYTES 65536
#define STAT_BYTES 256
#define WAIT_NANOSECONDS 20000000

static char **arguments, **environment;
static long launcher, launcher_file;
static const unsigned long nothing = 0;
static const long no_time[2] = {0, 0};

/* Until the root is a mount of its own, and nothing else is mounted in it; with these attributes. */
static long open_root(const struct mount_attr *attributes) {
    long place, root;
    CALL(mount, 0, "/", 0, MS_PRIVATE_REC, 0);
    place = CALL(openat, AT_FDCWD, arguments[1], O_PATH | O_DIRECTORY | O_CLOEXEC | O_LARGEFILE);
    root = CALL(open_tree, place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
    if (attributes) CALL(mount_setattr, root, "", AT_EMPTY_PATH | AT_RECURSIVE, attributes, sizeof *attributes);
    CALL(move_mount, root, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    CALL(close, place);
    return root;
}

/* Open: the descriptors that the launcher leaves open here. */
static void enter(long root, long open) {
    CALL(fchdir, root);
    CALL(close, root);
    CALL(pivot_root, ".", ".");
    CALL(umount2, ".", 2);
    CALL(chdir, "/");
    CALL(close_range, open, ~0U, 0);
}

/* In a process namespace of its own, the child has no parent's id to compare. */
static int launcher_lives(void) {
    struct pollfd file = {launcher_file, POLLIN, 0};
    CALL(prctl, PR_SET_PDEATHSIG, SIGKILL);
    if (launcher_file) return CALL(ppoll, &file, 1, no_time, 0, 8) == 0;
    return CALL(getppid) == launcher;
}

static void become_program(void) {
    unsigned long before;
    CALL(rt_sigprocmask, SIG_SETMASK, &nothing, &before, 8);
    CALL(execve, arguments[2], arguments + 2, environment);
}

static long open_inside(long root, const char *path) {
    static const struct open_how how = {O_PATH | O_CLOEXEC, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    return CALL(openat2, root, path, &how, sizeof how);
}

struct setting {
    const char *name, *value;
};

#define NO_WRITES_DEVICES_OR_PROGRAMS (MOUNT_ATTR_RDONLY | NO_DEVICES_OR_PROGRAMS)
#define NO_DEVICES_OR_PROGRAMS (MOUNT_ATTR_NODEV | NO_PROGRAMS)
#define NO_PROGRAMS (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)

/* Mounts a new file system, and closes the place. */
static long mount_on(long place, const char *kind, const struct setting *settings, long attributes) {
    long context = CALL(fsopen, kind, FSOPEN_CLOEXEC), mounted;
    for (; settings && settings->name; settings++) {
        long command = settings->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG;
        CALL(fsconfig, context, command, settings->name, settings->value, 0);
    }
    CALL(fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
    mounted = CALL(fsmount, context, FSMOUNT_CLOEXEC, attributes);
    CALL(close, context);
    CALL(move_mount, mounted, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    return mounted;
}

static long mount_in(long root, const char *path, const char *kind, const struct setting *settings,
                     long attributes) {
    long place = open_inside(root, path);
    long mounted = mount_on(place, kind, settings, attributes);
    CALL(close, place);
    return mounted;
}

static long mount_folder(long dev, const char *name, const char *kind, const struct setting *settings,
                         long attributes) {
    long place, mounted;
    CALL(mkdirat, dev, name, 0755);
    place = CALL(openat, dev, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | O_LARGEFILE);
    mounted = mount_on(place, kind, settings, attributes);
    CALL(close, place);
    return mounted;
}

/* A device, by its path on the host, its name in /dev, and its number. */
typedef void make_device(long dev, const char *path, const char *name, long number);

static inline void mount_dev(long root, make_device *device, const struct setting *terminals) {
    static const struct setting small[] = {{"mode", "755"}, {"size", "64k"}, {0}};
    static const struct setting shared[] = {{"mode", "1777"}, {"size", "64m"}, {0}};
    long dev = mount_in(root, "/dev", "tmpfs", small, NO_PROGRAMS);
    long mask = CALL(umask, 0);
    device(dev, "/dev/null", "null", 0x103);
    device(dev, "/dev/zero", "zero", 0x105);
    device(dev, "/dev/full", "full", 0x107);
    device(dev, "/dev/random", "random", 0x108);
    device(dev, "/dev/urandom", "urandom", 0x109);
    device(dev, "/dev/tty", "tty", 0x500);
    CALL(symlinkat, "pts/ptmx", dev, "ptmx");
    CALL(symlinkat, "/proc/self/fd", dev, "fd");
    CALL(symlinkat, "/proc/self/fd/0", dev, "stdin");
    CALL(symlinkat, "/proc/self/fd/1", dev, "stdout");
    CALL(symlinkat, "/proc/self/fd/2", dev, "stderr");
    CALL(symlinkat, "/proc/kcore", dev, "core");
    mount_folder(dev, "pts", "devpts", terminals, NO_PROGRAMS);
    device(dev, "/dev/null", "console", 0x103);
    CALL(close, mount_folder(dev, "shm", "tmpfs", shared, NO_DEVICES_OR_PROGRAMS));
    CALL(close, mount_folder(dev, "mqueue", "mqueue", 0, NO_DEVICES_OR_PROGRAMS));
    CALL(umask, mask);
    CALL(close, dev);
}

static void child(void);

static void run_child(void) {
    child();
    CALL(exit_group, 127);
}

void begin(long *stack) {
    /* HUP INT QUIT USR1 USR2 TERM TSTP are the others. */
    unsigned long signals = 1UL << (SIGCHLD - 1) | 0x84a07, before[4], action[4] = {0};
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    char host[6 * 65];
    long information[16], limit[2] = {0, WAIT_NANOSECONDS}, program, status = 0;
    char *memory;
    arguments = (char **)(stack + 1);
    environment = arguments + stack[0] + 1;
    CALL(mmap, 0, HEAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    CALL(prctl, PR_GET_PDEATHSIG, &status);
    CALL(capget, &header, data);
    CALL(geteuid);
    CALL(getegid);
    CALL(uname, host);
    CALL(rt_sigaction, SIGCHLD, action, before, 8);
    CALL(rt_sigprocmask, SIG_SETMASK, &signals, before, 8);
    memory = (char *)CALL(mmap, 0, STACK_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1);
    CALL(mprotect, memory, GUARD_BYTES, PROT_NONE);
    launcher = CALL(getpid);
    if (NAMESPACES & CLONE_NEWPID) launcher_file = CALL(pidfd_open, launcher, 0);
    CLONE(CLONE_VM | CLONE_VFORK | NAMESPACES | SIGCHLD, memory + STACK_BYTES, run_child, program);
    CALL(munmap, memory, STACK_BYTES);
    CALL(rt_sigtimedwait, &signals, information, limit, 8);
    CALL(wait4, program, &status, 1 | 2, 0);
    if (NAMESPACES & CLONE_NEWPID) CALL(close, launcher_file);
    CALL(exit_group, (status >> 8) & 255);
}
