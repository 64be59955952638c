/* What a hostile program tries, one attack by name. Each prints what the kernel answered; a line
 * that begins with "escaped" means that it worked.
 */
#define _GNU_SOURCE
#include "attack.h"
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

int answer(const char *what, long result) {
    if (result >= 0)
        printf("escaped: %s\n", what);
    else
        printf("held: %s: %s\n", what, strerror(errno));
    fflush(stdout);
    return result >= 0;
}

/* An attempt in a process of its own: what it changes is gone with it, and a kernel that has no such
 * way into it may kill it. */
static void attempt(const char *what, long (*call)(void)) {
    int status = 0;
    pid_t child;
    fflush(stdout);
    child = fork();
    if (child == 0) _exit(call() < 0 ? errno : 0);
    if (child < 0 || waitpid(child, &status, 0) < 0) status = EAGAIN << 8;
    errno = WIFEXITED(status) ? WEXITSTATUS(status) : ENOSYS;
    answer(what, errno ? -1 : 0);
}

#ifdef __x86_64__
/* A system call the way that 32-bit programs make it, where pointers are short, too. */
static long call32(long number, long first, long second, long third) {
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(first), "c"(second), "d"(third)
                     : "memory", "r8", "r9", "r10", "r11");
    if ((int)result < 0) { errno = -(int)result; return -1; }
    return result;
}

#define X32 0x40000000
#endif

/* A letter for the terminal's own input. */
static char letter = 'x';
static char paste[] = {3};

static long type_plainly(void) { return syscall(SYS_ioctl, 0, (unsigned long)TIOCSTI, &letter); }
static long type_bit_32(void) { return syscall(SYS_ioctl, 0, TIOCSTI | 1UL << 32, &letter); }
static long type_all_bits(void) { return syscall(SYS_ioctl, 0, TIOCSTI | ~0UL << 32, &letter); }
static long type_paste(void) { return syscall(SYS_ioctl, 0, (unsigned long)TIOCLINUX, paste); }
static long type_paste_bit_63(void) { return syscall(SYS_ioctl, 0, TIOCLINUX | 1UL << 63, paste); }
#ifdef __x86_64__
static long type_32(void) { return call32(54, 0, TIOCSTI, (long)&letter); }
static long type_x32(void) { return syscall(X32 | 514, 0, (unsigned long)TIOCSTI, &letter); }
static long type_x32_plain(void) { return syscall(X32 | SYS_ioctl, 0, (unsigned long)TIOCSTI, &letter); }
#endif

static void type(void) {
    attempt("TIOCSTI", type_plainly);
    attempt("TIOCSTI with bit 32", type_bit_32);
    attempt("TIOCSTI with all higher bits", type_all_bits);
    attempt("TIOCLINUX", type_paste);
    attempt("TIOCLINUX with bit 63", type_paste_bit_63);
#ifdef __x86_64__
    attempt("TIOCSTI by int 0x80", type_32);
    attempt("TIOCSTI by x32", type_x32);
    attempt("TIOCSTI by x32's other number", type_x32_plain);
#endif
}

static int nothing(void *unused) { return unused != NULL; }
static char stack[65536];

static long raw_clone(unsigned long flags) {
    long child = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
    if (child == 0) _exit(0);
    return child;
}

static long nest_unshare(void) { return unshare(CLONE_NEWUSER); }
static long nest_unshare_more(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET); }
static long nest_clone(void) {
    return clone(nothing, stack + sizeof stack, CLONE_NEWUSER | SIGCHLD, NULL);
}
static long nest_clone_raw(void) { return raw_clone(CLONE_NEWUSER | CLONE_NEWPID); }
static long nest_clone_bit_40(void) { return raw_clone(CLONE_NEWUSER | 1UL << 40); }
static long nest_clone3(void) {
    struct clone_args arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
    long child = syscall(SYS_clone3, &arguments, sizeof arguments);
    if (child == 0) _exit(0);
    return child;
}
/* That it is the own namespace would be another error, and only said by a kernel that was asked. */
static long nest_setns(void) {
    int own = open("/proc/self/ns/user", O_RDONLY);
    return own < 0 ? -1 : setns(own, CLONE_NEWUSER);
}
#ifdef __x86_64__
static long nest_unshare_32(void) { return call32(310, CLONE_NEWUSER, 0, 0); }
static long nest_clone_32(void) {
    long child = call32(120, CLONE_NEWUSER | SIGCHLD, 0, 0);
    if (child == 0) _exit(0);
    return child;
}
static long nest_unshare_x32(void) { return syscall(X32 | SYS_unshare, CLONE_NEWUSER); }
#endif

static void nest(void) {
    attempt("unshare", nest_unshare);
    attempt("unshare of more", nest_unshare_more);
    attempt("clone", nest_clone);
    attempt("clone with NEWPID", nest_clone_raw);
    attempt("clone with bit 40", nest_clone_bit_40);
    attempt("clone3", nest_clone3);
    attempt("setns", nest_setns);
#ifdef __x86_64__
    attempt("unshare by int 0x80", nest_unshare_32);
    attempt("clone by int 0x80", nest_clone_32);
    attempt("unshare by x32", nest_unshare_x32);
#endif
}

/* A failure by the address shows that it was allowed to look. */
static long allowed(long result) { return result < 0 && errno == EFAULT ? 0 : result; }

static void trace(int process, const char *marker) {
    char path[256], byte;
    struct iovec here = {&byte, 1}, there = {(void *)0x1000, 1};
    int handle = syscall(SYS_pidfd_open, process, 0);
    snprintf(path, sizeof path, "/proc/%d/status", process);
    if (handle < 0 || access(path, R_OK)) { perror("the process cannot be seen"); exit(3); }
    if (answer("PTRACE_ATTACH", ptrace(PTRACE_ATTACH, process, 0, 0))) {
        waitpid(process, NULL, __WALL);
        ptrace(PTRACE_DETACH, process, 0, 0);
    }
    answer("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, process, 0, 0));
    answer("process_vm_readv", allowed(process_vm_readv(process, &here, 1, &there, 1, 0)));
    answer("process_vm_writev", allowed(process_vm_writev(process, &here, 1, &there, 1, 0)));
    answer("pidfd_getfd", syscall(SYS_pidfd_getfd, handle, 0, 0));
    snprintf(path, sizeof path, "/proc/%d/mem", process);
    answer("opening its memory", open(path, O_RDWR));
    snprintf(path, sizeof path, "/proc/%d/exe", process);
    answer("opening its file", open(path, O_RDONLY));
    snprintf(path, sizeof path, "/proc/%d/fd/0", process);
    answer("opening what it has open", open(path, O_RDONLY));
    snprintf(path, sizeof path, "/proc/%d/environ", process);
    answer("reading its environment", open(path, O_RDONLY));
    snprintf(path, sizeof path, "/proc/%d/root%s", process, marker);
    answer("looking through its root", access(path, F_OK));
}

/* A cgroup of version 1 names a program that the kernel runs on the host; cgroups(7). */
static long mount_cgroup(void) {
    mkdir("/cgroups", 0755);
    /* One of nobody else's, gone with its last mount; and those that a host may have. */
    if (!mount("x", "/cgroups", "cgroup", 0, "none,name=mini-container-test")) return 0;
    if (!mount("x", "/cgroups", "cgroup", 0, "rdma")) return 0;
    if (!mount("x", "/cgroups", "cgroup", 0, "memory")) return 0;
    return mount("x", "/cgroups", "cgroup", 0, "name=systemd");
}
static long mount_cgroup2(void) {
    mkdir("/cgroups", 0755);
    return mount("x", "/cgroups", "cgroup2", 0, "");
}
/* CVE-2022-0492: as root of new namespaces. */
static long enter_cgroup(void) { return unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP); }

static void release(void) {
    attempt("a cgroup of version 1", mount_cgroup);
    attempt("a cgroup of version 2", mount_cgroup2);
    attempt("namespaces for one", enter_cgroup);
}

static void keys(const char *name) {
    char secret[16] = "";
    long key = syscall(SYS_request_key, "user", name, NULL, 0);
    answer("request_key", key);
    answer("keyctl(search)", syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", name, 0));
    answer("keyctl(read)", syscall(SYS_keyctl, KEYCTL_READ, key > 0 ? key : KEY_SPEC_SESSION_KEYRING, secret, sizeof secret));
    if (!strncmp(secret, "secret", 6)) puts("escaped: the secret was read");
    answer("add_key", syscall(SYS_add_key, "user", name, "x", 1, KEY_SPEC_SESSION_KEYRING));
}

/* Runs a command in a session that has a key, which is gone with it. */
static void with_key(char **words) {
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0) perror("a new session");
    if (syscall(SYS_add_key, "user", words[0], "secret", 6, KEY_SPEC_SESSION_KEYRING) < 0) perror("add_key");
    execvp(words[1], words + 1);
    perror(words[1]);
}

/* `host` is the host's process namespace; there, nobody sends a signal to all. */
static void signals(int victim, const char *host) {
    char here[64] = "";
    int handle = syscall(SYS_pidfd_open, victim, 0);
    siginfo_t about = {.si_signo = SIGKILL, .si_code = SI_QUEUE};
    answer("kill", kill(victim, SIGKILL));
    answer("tgkill", syscall(SYS_tgkill, victim, victim, SIGKILL));
    answer("rt_sigqueueinfo", syscall(SYS_rt_sigqueueinfo, victim, SIGKILL, &about));
    answer("pidfd_send_signal", handle < 0 ? -1 : syscall(SYS_pidfd_send_signal, handle, SIGKILL, NULL, 0));
    answer("kill of its group", kill(-victim, SIGKILL));
    if (readlink("/proc/self/ns/pid", here, sizeof here - 1) < 0 || !strcmp(here, host)) return;
    kill(-1, SIGKILL);
    puts("killed all");
}

int main(int count, char **words) {
    const char *name = count > 1 ? words[1] : "";
    const char *first = count > 2 ? words[2] : "0";
    const char *second = count > 3 ? words[3] : "/";
    if (attack_files(name, count - 2, words + 2)) return 0;
    if (!strcmp(name, "type")) type();
    else if (!strcmp(name, "nest")) nest();
    else if (!strcmp(name, "trace")) trace(atoi(first), second);
    else if (!strcmp(name, "release")) release();
    else if (!strcmp(name, "who")) printf("%d\n", geteuid());
    else if (!strcmp(name, "keys")) keys(first);
    else if (!strcmp(name, "with-key") && count > 3) with_key(words + 2);
    else if (!strcmp(name, "signals")) signals(atoi(first), second);
    else return 2;
    return 0;
}
