; Ways into the kernel and back: exceptions, interrupts, int 0x80, sysenter.
;
; Every entry builds a struct trapframe (arch/trap.h) at esp. From user mode that is the top of the
; thread's kernel stack. All user registers are saved; ds, es and fs get the kernel's selectors; gs
; is not used by the kernel and keeps the user's until the return loads it again.
; C functions take their first three arguments in eax, edx, ecx (Makefile: -mregparm=3).
; Layout, from esp: ebx ecx edx esi edi ebp eax | ds es fs gs | orig_eax trapno err | eip cs eflags
; (esp ss, from user mode only).

%include "arch/i386/smap.inc"

SEL_KERNEL_DS   equ 0x68
SEL_CPU         equ 0xd8
SEL_USER_CS     equ 0x73
SEL_USER_DS     equ 0x7b

EFLAGS_FIXED    equ 0x002
EFLAGS_TF       equ 0x100
EFLAGS_IF       equ 0x200

TSS_ESP0        equ 4                   ; struct tss, gdt.c

CPU_CURRENT     equ 4                   ; struct cpu, arch/cpu.h
CPU_RESCHED     equ 24
THREAD_WORK     equ 8                   ; struct arch_thread, arch/thread.h

TF_EAX          equ 24
TF_DS           equ 28
TF_ES           equ 32
TF_FS           equ 36
TF_GS           equ 40
TF_ORIG_EAX     equ 44
TF_CS           equ 60

TRAP_IRET       equ 32                  ; arch/trap.h
SHOOTDOWN_VECTOR equ 0xfb               ; apic.h

extern page_fault, trap_dispatch, irq_dispatch, syscall_dispatch, sysenter_dispatch, return_to_user, thread_first_run
extern shootdown_interrupt

; A fault at %1 resumes at %2 (arch/i386/trap.c).
%macro FIXUP 2
        section .extable progbits alloc noexec nowrite align=4
        dd %1, %2
        section .text
%endmacro

; Saves the registers below orig_eax and loads the kernel's. A 32-bit push of a selector leaves the
; upper half undefined on some CPUs, hence the stores.
%macro SAVE_REGISTERS 0
        push gs
        push fs
        push es
        push ds
        push eax
        push ebp
        push edi
        push esi
        push edx
        push ecx
        push ebx
        xor ecx, ecx
        mov [esp + TF_DS + 2], cx
        mov [esp + TF_ES + 2], cx
        mov [esp + TF_FS + 2], cx
        mov [esp + TF_GS + 2], cx
        CLAC                            ; the program may have set AC
        mov edx, SEL_KERNEL_DS
        mov ecx, SEL_CPU
        mov ds, edx
        mov es, edx
        mov fs, ecx
        cld
%endmacro

section .text

global entry_code_start, entry_code_end ; where a call is not by a C function (report.c)
entry_code_start:

; Calls %1 with the frame, or where several processors run the function of the same name that comes
; into the kernel first (processors.c puts it in).
%macro DISPATCH 1
        extern shared_%1
        mov eax, esp
%%site: call %1
        section .shared_calls progbits alloc noexec nowrite align=4
        dd %%site + 1, shared_%1
        section .text
%endmacro

; ---- System calls -------------------------------------------------------------------------------

; Trap gate: interrupts stay on. Stack: eip cs eflags esp ss.
global syscall_entry
syscall_entry:
        push 0                          ; err
        push 0x80                       ; trapno
        push eax                        ; orig_eax
        SAVE_REGISTERS
        DISPATCH syscall_dispatch
        ; fall through

; Returns to the user frame at esp. The test for work and the return are one piece for interrupts.
global user_exit
user_exit:
        cli
        mov eax, [fs:CPU_CURRENT]
        mov ecx, [eax + THREAD_WORK]
        or cl, [fs:CPU_RESCHED]
        test ecx, ecx
        jnz user_work
user_restore:
global leave_site
leave_site:
        db 0xb8, 0, 0, 0, 0             ; mov eax, 0; where several processors run, call kernel_leave
        pop ebx
        pop ecx
        pop edx
        pop esi
        pop edi
        pop ebp
        pop eax
pop_ds: pop ds
pop_es: pop es
pop_fs: pop fs
pop_gs: pop gs
        add esp, 12                     ; orig_eax trapno err
user_iret:
        iretd

user_work:
        sti
        DISPATCH return_to_user
        jmp user_exit

; sysenter, from __kernel_vsyscall (vdso/entry.asm): interrupts off, esp is main.tss (gdt.c), ebp the
; program's esp; its flags are as they were but for IF. Some of them would harm here: NT makes iretd
; switch tasks. TF came as a debug exception at the first instruction (trap.c).
%macro SYSENTER 1                       ; flags that the program had and that are lost
        mov esp, [esp + TSS_ESP0]
        push SEL_USER_DS
        push ebp
        pushfd
        or dword [esp], EFLAGS_IF | %1
        push EFLAGS_FIXED
        popfd
        push SEL_USER_CS
        push 0                          ; eip: sysenter_dispatch knows
        push 0                          ; err
        push 0x80                       ; trapno
        push eax                        ; orig_eax
        SAVE_REGISTERS
        sti
        DISPATCH sysenter_dispatch
        jmp user_exit
%endmacro

global sysenter_entry, sysenter_stepped
sysenter_entry:
        SYSENTER 0
sysenter_stepped:
        SYSENTER EFLAGS_TF

; A selector that cannot be loaded becomes the null selector: the program faults when it uses it.
%macro NULL_SELECTOR 1
null_%1:
        mov dword [esp], 0
        jmp %1
        FIXUP %1, null_%1
%endmacro
        NULL_SELECTOR pop_ds
        NULL_SELECTOR pop_es
        NULL_SELECTOR pop_fs
        NULL_SELECTOR pop_gs

; iret refused the frame (a bad cs, ss or eip, set by a tracer): an exception of the program. Stack: eip cs eflags esp ss; the user's registers and selectors are loaded.
bad_iret:
        push 0                          ; err
        push TRAP_IRET                  ; trapno
        push -1                         ; orig_eax
        SAVE_REGISTERS
        or dword [esp + TF_CS], 3       ; whatever it was, it was to be user mode
        sti
        DISPATCH trap_dispatch
        jmp user_exit
        FIXUP user_iret, bad_iret

; ---- Exceptions -----------------------------------------------------------------------------------

; Interrupt gates: interrupts off. Stack: err, eip cs eflags (esp ss); entries of exceptions without
; an error code push 0 for it.
%macro TRAP 1
trap_%1:
%if !(%1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17 || %1 == 21)
        push 0
%endif
        push %1
        jmp trap_common
%endmacro

%assign n 0
%rep 32
%if n != 14
        TRAP n
%endif
%assign n n + 1
%endrep

trap_common:
        push -1
        SAVE_REGISTERS
        DISPATCH trap_dispatch
        jmp trap_exit

trap_14:
        push 14
        push -1
        SAVE_REGISTERS
        DISPATCH page_fault
        ; fall through

; Returns from an exception or an interrupt, to whichever mode it came from.
trap_exit:
        test byte [esp + TF_CS], 3
        jnz user_exit
        cli
kernel_restore:
        pop ebx
        pop ecx
        pop edx
        pop esi
        pop edi
        pop ebp
        pop eax
kernel_ds: pop ds                       ; may be the user's: an entry or exit was interrupted
kernel_es: pop es
kernel_fs: pop fs
        add esp, 16                     ; gs orig_eax trapno err
        iretd

        ; meanwhile another processor may have changed the program's LDT
        NULL_SELECTOR kernel_ds
        NULL_SELECTOR kernel_es
        NULL_SELECTOR kernel_fs

; ---- Interrupts -----------------------------------------------------------------------------------

%macro IRQ 1
irq_%1:
        push 0
        push 32 + %1
        jmp irq_common
%endmacro

; The lines, the local APIC's timer, and what other processors send: a kick, a tick.
%assign n 0
%rep 19
        IRQ n
%assign n n + 1
%endrep

irq_common:
        push -1
        SAVE_REGISTERS
        DISPATCH irq_dispatch
        jmp trap_exit

; Another processor wants something of this one's TLB, or its end. Nothing else
; happens, wherever this came in between. Stack: eip cs eflags (esp ss).
global shootdown_entry
shootdown_entry:
        push 0
        push SHOOTDOWN_VECTOR
        push -1
        SAVE_REGISTERS
        mov eax, esp
        call shootdown_interrupt
shootdown_gs:                           ; the others are loaded below
        mov gs, [esp + TF_GS]
        jmp kernel_restore
bad_gs: mov dword [esp + TF_GS], 0
        jmp shootdown_gs
        FIXUP shootdown_gs, bad_gs

; The local APIC's interrupt that was not: wants no acknowledgement. Stack: eip cs eflags (esp ss).
global apic_spurious_entry
apic_spurious_entry:
        iretd

entry_code_end:

; A spin lock is held, eax: which. All registers are kept (arch/inline_i386.h).
extern spin_wait
global cpu_spin_saved
cpu_spin_saved:
        push eax
        push ecx
        push edx
        call spin_wait
        pop edx
        pop ecx
        pop eax
        ret

; ---- Threads --------------------------------------------------------------------------------------

; void switch_stacks(uint32_t *save_esp, uint32_t load_esp)
; Saves what the C calling convention keeps on the old stack, its esp at *save_esp, and continues on
; the new one, where the same was saved.
global switch_stacks
switch_stacks:
        push ebp
        push ebx
        push esi
        push edi
        mov [eax], esp
        mov esp, edx
        pop edi
        pop esi
        pop ebx
        pop ebp
        ret

; First run of a user thread. Stack: its user frame.
global user_thread_start
user_thread_start:
        call thread_first_run
        jmp user_exit

; First run of a kernel thread: ebx = function, esi = argument; ebp = 0 ends backtraces.
global kernel_thread_start
kernel_thread_start:
        mov eax, esi
        call ebx
        ud2

; _Noreturn void enter_user_frame(struct trapframe *tf): tf is at the top of the kernel stack.
global enter_user_frame
enter_user_frame:
        mov esp, eax
        jmp user_exit

; ---- Tables ---------------------------------------------------------------------------------------

section .rodata

global trap_entries, irq_entries
trap_entries:
%assign n 0
%rep 32
        dd trap_%[n]
%assign n n + 1
%endrep
irq_entries:
%assign n 0
%rep 19
        dd irq_%[n]
%assign n n + 1
%endrep
