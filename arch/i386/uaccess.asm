; User memory, with fix-ups for faults that mm/ could not resolve (arch/uaccess.h).
; Callers have checked that the range is in user addresses, but for get and put, which check.
; Arguments come in eax, edx, ecx.

%include "arch/i386/smap.inc"

USER_TOP        equ 0x80000000
EFAULT          equ 14
ENAMETOOLONG    equ 36

%macro FIXUP 2
        section .extable progbits alloc noexec nowrite align=4
        dd %1, %2
        section .text
%endmacro

section .text

; size_t user_copy(void *dst, const void *src, size_t n): the bytes that were NOT copied.
; When a word faults, the bytes before the bad page are copied one by one, so the count is exact.
global user_copy
user_copy:
        push edi
        push esi
        mov edi, eax
        mov esi, edx
        mov edx, ecx
        shr ecx, 2
        STAC
copy_words:
        rep movsd
        mov ecx, edx
        and ecx, 3
copy_bytes:
        rep movsb
copy_done:
        CLAC
        mov eax, ecx
        pop esi
        pop edi
        ret
copy_word_bad:
        and edx, 3
        lea ecx, [edx + 4 * ecx]
        jmp copy_bytes
        FIXUP copy_words, copy_word_bad
        FIXUP copy_bytes, copy_done

; size_t user_clear(void *dst, size_t n): the bytes that were NOT cleared.
global user_clear
user_clear:
        push edi
        mov edi, eax
        xor eax, eax
        mov ecx, edx
        shr ecx, 2
        STAC
clear_words:
        rep stosd
        mov ecx, edx
        and ecx, 3
clear_bytes:
        rep stosb
clear_done:
        CLAC
        mov eax, ecx
        pop edi
        ret
clear_word_bad:
        and edx, 3
        lea ecx, [edx + 4 * ecx]
        jmp clear_bytes
        FIXUP clear_words, clear_word_bad
        FIXUP clear_bytes, clear_done

; int get_user_u32(uint32_t *dst, const void *usrc)
global get_user_u32
get_user_u32:
        cmp edx, USER_TOP - 4
        ja word_bad
        STAC
get_word:
        mov edx, [edx]
        CLAC
        mov [eax], edx
        xor eax, eax
        ret

; int put_user_u32(void *udst, uint32_t value)
global put_user_u32
put_user_u32:
        cmp eax, USER_TOP - 4
        ja word_bad
        STAC
put_word:
        mov [eax], edx
        CLAC
        xor eax, eax
        ret

; int cmpxchg_user_u32(void *udst, uint32_t old, uint32_t new, uint32_t *seen); seen is above the return address
global cmpxchg_user_u32
cmpxchg_user_u32:
        cmp eax, USER_TOP - 4
        ja word_bad
        push ebx
        mov ebx, eax
        mov eax, edx
        STAC
exchange_word:
        lock cmpxchg [ebx], ecx
        CLAC
        mov edx, [esp + 8]
        mov [edx], eax
        pop ebx
        xor eax, eax
        ret
exchange_fault:
        pop ebx
word_fault:
        CLAC
word_bad:
        mov eax, -EFAULT
        ret
        FIXUP get_word, word_fault
        FIXUP put_word, word_fault
        FIXUP exchange_word, exchange_fault

; int user_string(char *dst, const char *usrc, size_t size): copies up to and with the terminator.
; Its length, -EFAULT, or -ENAMETOOLONG when size bytes hold no terminator. Four bytes at a time
; while none of them is zero: (x - 0x01010101) & ~x has the top bit of a zero byte set.
global user_string
user_string:
        push ebx
        push esi
        push edi
        push eax                        ; the start
        mov edi, eax
        mov esi, edx
        mov edx, ecx
        STAC
        sub edx, 4
        jb string_tail
string_words:
        mov eax, [esi]
        lea ebx, [eax - 0x01010101]
        mov ecx, eax
        not ecx
        and ecx, ebx
        test ecx, 0x80808080
        jnz string_tail
        mov [edi], eax
        add esi, 4
        add edi, 4
        sub edx, 4
        jae string_words
string_tail:
        add edx, 4                      ; bytes left
        jz string_long
string_bytes:
        mov al, [esi]
        mov [edi], al
        test al, al
        jz string_end
        inc esi
        inc edi
        dec edx
        jnz string_bytes
string_long:
        mov eax, -ENAMETOOLONG
        jmp string_out
string_end:
        mov eax, edi
        sub eax, [esp]
        jmp string_out
string_bad:
        mov eax, -EFAULT
string_out:
        CLAC
        add esp, 4
        pop edi
        pop esi
        pop ebx
        ret
        FIXUP string_words, string_tail
        FIXUP string_bytes, string_bad
