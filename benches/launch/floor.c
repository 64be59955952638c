/* The floor: the system calls of `mini-container --rootfs DIR PROGRAM`, with the same arguments and
 * nothing else around them. What a launch costs above this is ours; what this costs is the kernel's.
 *
 *     cc -O2 -static -nostdlib -ffreestanding -fno-stack-protector -o floor floor.c
 *     floor DIR PROGRAM
 */
#define _GNU_SOURCE
#include <linux/capability.h>
#include <linux/fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define MS_PRIVATE_REC (16384 | (1 << 18))
#define HEAP_BYTES 262144
#define STACK_BYTES 196608
#define GUARD_BYTES 65536

#if defined(__x86_64__)
static long call(long n, long a, long b, long c, long d, long e) {
    long answer;
    /* The sixth is the offset of mmap. */
    register long r9 __asm__("r9") = 0;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(answer) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return answer;
}
/* The child goes on behind the call on its own stack, so this must not return there. */
#define CLONE(flags, top, entry, answer) \
    __asm__ volatile("syscall\n test %%eax, %%eax\n jnz 1f\n call *%%rbx\n 1:" \
                     : "=a"(answer) : "a"((long)SYS_clone), "D"((long)(flags)), "S"(top), "d"(0L), "b"(entry) \
                     : "rcx", "r11", "memory")
__asm__(".globl _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call begin\n");
#elif defined(__aarch64__)
static long call(long n, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    /* The sixth is the offset of mmap. */
    register long x5 __asm__("x5") = 0;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#define CLONE(flags, top, entry, answer) \
    do { \
        register long x8 __asm__("x8") = SYS_clone; \
        register long x0 __asm__("x0") = (long)(flags); \
        register long x1 __asm__("x1") = (long)(top); \
        register long x2 __asm__("x2") = 0; \
        register long x9 __asm__("x9") = (long)(entry); \
        __asm__ volatile("svc 0\n cbnz x0, 1f\n blr x9\n 1:" \
                         : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x9) : "x30", "memory"); \
        answer = x0; \
    } while (0)
__asm__(".globl _start\n_start: mov x29, xzr\n mov x0, sp\n bl begin\n");
#endif

static char **arguments, **environment;
static long launcher;
static const unsigned long nothing = 0;

static void child(void) {
    unsigned long before;
    long place, tree;
    call(SYS_mount, 0, (long)"/", 0, MS_PRIVATE_REC, 0);
    place = call(SYS_openat, AT_FDCWD, (long)arguments[1], O_PATH | O_DIRECTORY | O_CLOEXEC | O_LARGEFILE,
                 0, 0);
    tree = call(SYS_open_tree, place, (long)"",
                OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE, 0, 0);
    call(SYS_move_mount, tree, (long)"", place, (long)"", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    call(SYS_close, place, 0, 0, 0, 0);
    call(SYS_fchdir, tree, 0, 0, 0, 0);
    call(SYS_close, tree, 0, 0, 0, 0);
    call(SYS_pivot_root, (long)".", (long)".", 0, 0, 0);
    call(SYS_umount2, (long)".", 2, 0, 0, 0);
    call(SYS_chdir, (long)"/", 0, 0, 0, 0);
    call(SYS_close_range, 3, ~0U, 0, 0, 0);
    call(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (call(SYS_getppid, 0, 0, 0, 0, 0) == launcher) {
        call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&nothing, (long)&before, 8, 0);
        call(SYS_execve, (long)arguments[2], (long)(arguments + 2), (long)environment, 0, 0);
    }
    call(SYS_exit_group, 127, 0, 0, 0, 0);
}

void begin(long *stack) {
    /* HUP INT QUIT USR1 USR2 TERM TSTP are the others. */
    unsigned long signals = 1UL << (SIGCHLD - 1) | 0x84a07, before[4] = {0}, action[4] = {0};
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    long information[16], program, status = 0;
    char *memory;
    arguments = (char **)(stack + 1);
    environment = arguments + stack[0] + 1;
    call(SYS_mmap, 0, HEAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    call(SYS_capget, (long)&header, (long)data, 0, 0, 0);
    call(SYS_rt_sigaction, SIGCHLD, (long)action, (long)before, 8, 0);
    call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&signals, (long)before, 8, 0);
    memory = (char *)call(SYS_mmap, 0, STACK_BYTES, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1);
    call(SYS_mprotect, (long)memory, GUARD_BYTES, PROT_NONE, 0, 0);
    launcher = call(SYS_getpid, 0, 0, 0, 0, 0);
    CLONE(CLONE_VM | CLONE_VFORK | CLONE_NEWNS | SIGCHLD, memory + STACK_BYTES, child, program);
    call(SYS_munmap, (long)memory, STACK_BYTES, 0, 0, 0);
    call(SYS_rt_sigtimedwait, (long)&signals, (long)information, 0, 8, 0);
    call(SYS_wait4, program, (long)&status, 1 | 2, 0, 0);
    call(SYS_exit_group, (status >> 8) & 255, 0, 0, 0, 0);
}
