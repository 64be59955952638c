# memcpy, memmove, memset, memcmp, bcmp, strlen: what the compiler takes for granted.
#
# Sixteen bytes a step, and the rest in halves: most pieces are short, and the string instructions, which
# are as fast with long ones, take tens of cycles to begin and are slow where a machine is emulated.
# memmove copies downwards when the regions overlap that way.

    .globl memcpy, memmove, memset, memcmp, bcmp, strlen
memmove:
    mov r8, rdi
    sub r8, rsi
    cmp r8, rdx
    jb 7f
memcpy:
    mov rax, rdi
2:
    sub rdx, 16
    jb 3f
    movups xmm0, [rsi]
    movups [rdi], xmm0
    add rsi, 16
    add rdi, 16
    jmp 2b
3:
    test dl, 8
    jz 4f
    mov rcx, [rsi]
    mov [rdi], rcx
    add rsi, 8
    add rdi, 8
4:
    test dl, 4
    jz 5f
    mov ecx, [rsi]
    mov [rdi], ecx
    add rsi, 4
    add rdi, 4
5:
    test dl, 2
    jz 6f
    movzx ecx, word ptr [rsi]
    mov [rdi], cx
    add rsi, 2
    add rdi, 2
6:
    test dl, 1
    jz 8f
    mov cl, [rsi]
    mov [rdi], cl
    ret
7:
    mov rax, rdi
    mov rcx, rdx
    lea rdi, [rdi + rdx - 1]
    lea rsi, [rsi + rdx - 1]
    std
    rep movsb
    cld
8:
    ret
memset:
    mov r8, rdi
    movzx eax, sil
    movabs rcx, 0x0101010101010101
    imul rax, rcx
    movq xmm0, rax
    punpcklqdq xmm0, xmm0
2:
    sub rdx, 16
    jb 3f
    movups [rdi], xmm0
    add rdi, 16
    jmp 2b
3:
    test dl, 8
    jz 4f
    mov [rdi], rax
    add rdi, 8
4:
    test dl, 4
    jz 5f
    mov [rdi], eax
    add rdi, 4
5:
    test dl, 2
    jz 6f
    mov [rdi], ax
    add rdi, 2
6:
    test dl, 1
    jz 7f
    mov [rdi], al
7:
    mov rax, r8
    ret
memcmp:
bcmp:
2:
    cmp rdx, 8
    jb 3f
    mov rax, [rdi]
    mov rcx, [rsi]
    add rdi, 8
    add rsi, 8
    sub rdx, 8
    cmp rax, rcx
    je 2b
    bswap rax
    bswap rcx
    cmp rax, rcx
    sbb eax, eax
    or eax, 1
    ret
3:
    xor ecx, ecx
4:
    xor eax, eax
    cmp rcx, rdx
    je 8b
    movzx eax, byte ptr [rdi + rcx]
    movzx r8d, byte ptr [rsi + rcx]
    inc rcx
    sub eax, r8d
    je 4b
    ret
strlen:
    xor eax, eax
5:
    cmp byte ptr [rdi + rax], 0
    je 6f
    inc rax
    jmp 5b
6:
    ret
