/* Calls of the kernel without libc: CALL(name, ...) stands where strace shows name(...), and a program
 * starts in `begin`, with what the kernel has put on its stack.
 */
#include <sys/syscall.h>

void begin(long *stack);

#if defined(__x86_64__)
static long call(long n, long a, long b, long c, long d, long e) {
    long answer;
    /* The sixth is the offset of mmap, and no address to send to or to learn. */
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
    /* The sixth is the offset of mmap, and no address to send to or to learn. */
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

/* Arguments that are not written down are 0. */
#define CALL(...) FILL_UP(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define FILL_UP(name, a, b, c, d, e, ...) \
    call(SYS_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))
