#!/usr/bin/python3
"""Plants one fault at a time in mm/, the shootdowns or the scheduler and demands that the host tests catch it.

usage: mutants.py DIRECTORY [NAME...]
       mutants.py --check      only whether each still has its place in the sources

Each mutant is (name, file in mm/ or from arch/ or kernel/ on, text, replacement): the text must occur exactly once, which
make test looks at, so that a mutant cannot go stale unseen. Prints a line each and, last,
"N passed, N failed": a passed mutant is one that was caught.
"""
import os
import sys
from concurrent.futures import ThreadPoolExecutor

from objects import TESTS, Objects

MUTANTS = [
    # Dropped flushes.
    ("enter-same-no-flush", "pmap.c",
     "    if (old & ~flags & PTE_W)\n        mmu_flush_page(pm->pgdir, va);", "    (void)va;"),
    ("enter-replace-no-flush", "pmap.c",
     "        unmap_entry(pm, pte);\n        mmu_flush_page(pm->pgdir, va);\n    }",
     "        unmap_entry(pm, pte);\n    }"),
    ("walk-no-flush", "pmap.c", "    if (from)\n", "    if (from > to)\n"),
    ("walk-flushes-one-less", "pmap.c", "(unsigned)(to - from));", "(unsigned)(to - from) - 1);"),
    ("walk-flushes-from-behind", "pmap.c", "        from = from ? from : pte;\n", "        from = pte;\n"),
    ("remove-frame-no-flush", "pmap.c",
     "    unmap_entry(table->table.pmap, pte);\n    flush_changed(table, va, 1);",
     "    unmap_entry(table->table.pmap, pte);\n    (void)va;\n    free_table_if_empty(table);"),
    # Shootdowns and locks, by CPUs that take turns in many orders: test_interleaving.
    ("lock-never-owed", "arch/i386/platform/kernel_lock.c", "is_first(ticket) && clock_mono_ns() - began > LONG_NS", "0"),
    ("lock-first-not-woken", "arch/i386/platform/kernel_lock.c", "        wake_first();", "        ;"),
    ("lock-wakes-another", "arch/i386/platform/kernel_lock.c", "&& is_first(read_once(c->kernel_ticket)))", "&& !is_first(read_once(c->kernel_ticket)))"),
    ("lock-halts-without-a-look", "arch/i386/platform/kernel_lock.c", "!is_first(ticket) || read_once(kernel_lock.held)", "1"),
    ("lock-spins-for-ever", "arch/i386/platform/kernel_lock.c", "rounds % SPIN_ROUNDS == 0", "0"),
    ("shootdown-missing", "arch/i386/platform/shootdown.c", "    if (!targets || left_out)", "    if (targets || left_out)"),
    ("shootdown-no-wait", "arch/i386/platform/shootdown.c",
     "for (uint32_t rounds = 1; read_acquire(request.waiting); rounds++) {\n        shootdown_answer",
     "for (uint32_t rounds = 1; !rounds; rounds++) {\n        shootdown_answer"),
    ("shootdown-wrong-set", "arch/i386/platform/shootdown.c", "cpu_get(i)->pgdir) != pgdir", "cpu_get(i)->pgdir) == pgdir"),
    ("fault-lock-dropped-early", "fault.c", "    o = f->failed ? give_up(f) : fault_once(f);",
     "    if (f->alone)\n        spin_unlock(&vm_lock);\n    o = f->failed ? give_up(f) : fault_once(f);\n"
     "    if (f->alone)\n        spin_lock(&vm_lock);"),
    # Faults that share vm_lock.
    ("shared-side-not-taken", "arch/i386/platform/shared_lock.c", "    (void)cpu_test_and_set(inside);\n", ""),
    ("shared-side-not-looked-at-again", "arch/i386/platform/shared_lock.c",
     "    if (__atomic_load_n(&l->held, __ATOMIC_SEQ_CST) == SHARED)\n        return true;", "    return true;"),
    ("closed-before-all-are-out", "arch/i386/platform/shared_lock.c",
     "rounds = 1; __atomic_load_n(inside, __ATOMIC_SEQ_CST); rounds++", "rounds = 1; *inside && !rounds; rounds++"),
    ("closed-to-nobody", "arch/i386/platform/shared_lock.c", "exchange(l, SHARED, CLOSING)", "exchange(l, SHARED, SHARED)"),
    ("space-not-locked", "fault.c", "    frame = stays_in_space(f);\n    done = frame &&",
     "    spin_unlock(&f->space->lock);\n    frame = stays_in_space(f);\n    spin_lock(&f->space->lock);\n    done = frame &&"),
    ("space-let-go-early", "fault.c", "pmap_enters_alone(&f->space->pmap, f->page, frame) && fault_once(f) == DONE;\n",
     "pmap_enters_alone(&f->space->pmap, f->page, frame);\n    spin_unlock(&f->space->lock);\n"
     "    done = done && fault_once(f) == DONE;\n    spin_lock(&f->space->lock);\n"),
    ("shared-leaf-beside", "fault.c", "f->write && amap_leaf_shared(&s->amap, page) ? NULL", "0 ? NULL"),
    ("shared-anon-beside", "fault.c", "amap_owns(&s->amap, page) ? a->frame : NULL", "a->frame"),
    ("file-write-beside", "fault.c", "f->write ? NULL : object_lookup(v->object", "!v ? NULL : object_lookup(v->object"),
    ("shared-table-beside", "fork/share.c", "    if (is_user_table(pde) && !is_own_table(pde))\n        return false;\n", ""),
    ("family-link-beside", "fork/share.c", "(f->kind == FRAME_ZERO || list_empty(&pm->family))", "f"),
    ("changed-file-entry-beside", "fork/share.c", "    if (f->kind != FRAME_OBJECT && PTE_ADDR", "    if (PTE_ADDR"),
    # Changes of areas that share vm_lock.
    ("tree-of-a-link-that-went", "rmap.c", "if (first && !cpu_compare_exchange(&f->rmap, only, (uintptr_t)first | RMAP_CHAINED))",
     "if (first && (cpu_compare_exchange(&f->rmap, only, only), f->rmap = (uintptr_t)first | RMAP_CHAINED, false))"),
    ("two-changes-beside", "beside/beside.c", " && !(still && s->changing)", ""),
    # Who runs where: test_scheduler.
    ("pull-nobody", "kernel/thread/sched.c", "        t = balance_pull(c);", "        t = NULL;"),
    ("preempted-left-where-it-is", "kernel/thread/sched.c", "        other = balance_free(prev);\n", ""),
    ("processor-not-told", "kernel/thread/sched.c", "    if (ahead || cpu_is_idle(c) ||", "    if (ahead ||"),
    ("lost-priority-not-looked-at", "kernel/thread/sched.c", "        call_processor(t->cpu); /* whoever", "        (void)t; /* whoever"),
    ("moved-on-at-once", "kernel/thread/balance.c", "!nth_from(c, n)->queue->rest && ", ""),
    ("never-moved", "kernel/thread/balance.c", "    runqueue_move(q, t);\n", ""),
    ("moved-where-it-may-not", "kernel/thread/balance.c", "runqueue_movable(from->queue, bit_of(c));", "runqueue_movable(from->queue, UINT32_MAX);"),
    ("pulled-where-it-may-not", "kernel/thread/balance.c", "runqueue_movable(q, bit_of(c)) : NULL", "runqueue_movable(q, UINT32_MAX) : NULL"),
    ("no-patience", "kernel/thread/runqueue.c", "        q->passed_over++;", "        (void)q;"),
    ("always-in-a-hurry", "kernel/thread/runqueue.c", "++q->hurries <= HURRIES_MAX", "q->hurries <= HURRIES_MAX"),
    ("real-time-without-end", "kernel/thread/runqueue.c", "        q->throttled = true;", "        q->throttled = false;"),
    ("real-time-anywhere", "kernel/thread/balance.c", "    if (runqueue_priority(t))\n        return", "    if (0)\n        return"),
    # Wrong permissions.
    ("read-share-writable", "fault.c", "return enter(f, frame, read_only(f->vma));",
     "return enter(f, frame, f->vma->prot);"),
    ("zero-frame-writable", "fault.c", "enter(f, zero_frame, read_only(f->vma))",
     "enter(f, zero_frame, f->vma->prot)"),
    ("private-file-writable", "fault.c",
     "    if (vma_is_private(v) || (!f->write && object_first_store_faults(v->object, frame))) {\n        prot = read_only(v);",
     "    if (vma_is_private(v) || (!f->write && object_first_store_faults(v->object, frame))) {\n        prot = vma_is_private(v) ? v->prot : read_only(v);"),
    ("around-writable", "fault.c", "around, n, read_only(v));", "around, n, v->prot);"),
    ("write-allowed-always", "fault.c",
     "return f->write ? v->prot & VM_PROT_WRITE : v->prot != 0;",
     "return v->prot != 0;"),
    ("none-readable", "fault.c", ": v->prot != 0;", ": true;"),
    ("fork-keeps-write", "fork/share.c",
     "    __atomic_and_fetch(pde, ~PTE_W, __ATOMIC_SEQ_CST);\n    if (child) {", "    if (child) {"),
    # Tables that several spaces have.
    ("fork-no-flush", "fork/fork.c", "    if (lost < va)\n", "    if (lost > va)\n"),
    ("own-no-flush", "fork/share.c", "    mmu_flush_page(pm->pgdir, va);\n", ""),
    ("last-keeps-write", "fork/share.c", "        if (pte[i] & PTE_W)\n            __atomic", "        if (!pte[i])\n            __atomic"),
    ("stale-rights-hold", "fork/share.c", "    return !(table->flags & FRAME_STALE);", "    return true;"),
    ("rights-of-the-dying", "fork/share.c", "        if (other->dying)\n            return false;", "        (void)other;"),
    ("protected-and-trusted", "pmap.c", "    share_distrust(table);\n", "    (void)table;\n"),
    ("let-go-and-trusted", "fork/share.c", "    share_distrust(pte);\n", ""),
    ("no-table-and-trusted", "fork/share.c", "        frame_of_pa(PTE_ADDR(*pde))->flags |= FRAME_STALE;", "        (void)pde;"),
    ("others-not-told", "fork/share.c", "while (table->table.pmap == pm && (other", "if (table->table.pmap == pm && (other"),
    ("sharers-not-counted-down", "fork/share.c", "    table->pins--;\n", ""),
    ("sharers-not-counted", "fork/share.c", "        frame_of_pa(PTE_ADDR(*pde))->pins++;\n", ""),
    ("first-sharer-stays", "fork/share.c", "    if (table->table.pmap == pm)\n        table->table.pmap = share_next(table, pm);\n", ""),
    ("let-go-no-flush", "fork/share.c", "    mmu_flush_pages(pm->pgdir, (vaddr_t)table->table.pdx << 22, PT_ENTRIES);\n", ""),
    ("let-go-not-counted", "fork/share.c", "    pm->resident -= c.resident;\n", ""),
    ("one-sharer-flushed", "pmap.c", "        mmu_flush_pages(pm->pgdir, va, n);\n    }", "        mmu_flush_pages(table->table.pmap->pgdir, va, n);\n    }"),
    ("one-sharer-counted", "pmap.c", "    while ((pm = share_next(table, pm))) {", "    while (!pm) {"),
    ("sibling-not-looked-for", "pmap.c", "    pte_t *other = share_sibling(pm, pte, f);\n", "    pte_t *other = NULL;\n"),
    ("stood-for-not-told", "pmap.c", "    *flags |= PTE_STOOD_FOR;\n", "    (void)flags;\n"),
    ("copy-stands-for-itself", "fork/share.c", "(pte[i] & ~PTE_W) | (pte[i] & PTE_P) * PTE_STOOD_FOR;", "pte[i] & ~PTE_W;"),
    ("heir-still-stood-for", "pmap.c", "    __atomic_and_fetch(other, ~PTE_STOOD_FOR, __ATOMIC_SEQ_CST);\n", ""),
    ("right-forgets-stood-for", "pmap.c", "PTE_A | PTE_D | PTE_STOOD_FOR", "PTE_A | PTE_D"),
    ("protected-table-removed", "pmap.c", "share_remove(pm, table, start, end, budget);", "table;"),
    ("protect-keeps-write", "map.c",
     "    if (prot && !(lost & VM_PROT_WRITE))\n        return;",
     "    (void)lost;\n    if (prot)\n        return;"),
    ("protect-none-keeps-map", "map.c",
     "(prot ? pmap_protect_step : pmap_remove_step)",
     "pmap_protect_step"),
    ("maxprot-ignored", "map.c",
     "    if (prot & ~v->maxprot)\n        return -EACCES;",
     ""),
    # Copy-on-write decisions and references.
    ("sole-ignores-leaf", "amap.c", "read_acquire(a->refs) == 1 && frame_of(leaf)->leaf.refs == 1", "a->refs == 1"),
    ("sole-ignores-anon", "amap.c", "read_acquire(a->refs) == 1 && frame_of(leaf)->leaf.refs == 1",
     "frame_of(leaf)->leaf.refs == 1"),
    ("leaf-copy-no-ref", "amap.c", "        (*a)->refs++;", "        ;"),
    ("leaf-copy-short", "amap.c", "end = from + f->leaf.high;", "end = from + f->leaf.high - 1;"),
    ("share-no-ref", "amap.c", "        frame_of(leaf)->leaf.refs++;\n", ""),
    ("reserve-no-unref", "amap.c", "    if (*at)\n        leaf_unref(*at);", ""),
    ("set-forgets-old", "amap.c", "        anon_unref(old);\n        return;", "        return;"),
    ("set-low-off", "amap.c", "    if (i < f->leaf.low)", "    if (i + 1 < f->leaf.low)"),
    ("set-high-off", "amap.c", "f->leaf.high = (uint16_t)(i + 1);", "f->leaf.high = (uint16_t)i;"),
    ("reserve-writes-shared-leaf", "amap.c", "if (*at && frame_of(*at)->leaf.refs == 1)", "if (*at)"),
    ("anon-leak", "amap.c", "    frame_release(a->frame);\n", ""),
    ("copy-forgets-contents", "fault.c", "        page_copy(frame_kva(a->frame), frame_kva(from));", "        (void)from;"),
    ("no-zeroing", "amap.c", "return anon_with(frame_alloc_zeroed(FRAME_ANON));",
     "return anon_with(frame_alloc(FRAME_ANON));"),
    ("map-edge-not-reserved", "amap.c", "    for (unsigned i = 0; i < 2; i++) {", "    for (unsigned i = 0; i < 1; i++) {"),
    ("remove-forgets-amap", "edit.c",
     "    while ((page = amap_remove_step(&s->amap, page, end >> PAGE_SHIFT, &c->budget)) < end >>\n           PAGE_SHIFT)\n        change_pause(c);",
     "    (void)page;"),
    ("clear-off-by-one", "amap.c",
     "            remove_in_leaf(m, first, stop);",
     "            remove_in_leaf(m, first, stop - 1);"),
    # Reverse map, dirty bits.
    ("rmap-chain-lost", "rmap.c",
     "    *at = tree_join(gone->left, gone->right);",
     "    *at = gone->left;"),
    ("rmap-order", "rmap.c",
     "at = pte < (*at)->pte ? &(*at)->left : &(*at)->right;",
     "at = pte > (*at)->pte ? &(*at)->left : &(*at)->right;"),
    ("dirty-lost", "pmap.c", "    if (old & PTE_D)\n        frame_set_dirty(f);\n    unlink_entry",
     "    unlink_entry"),
    ("written-not-dirty", "object_io.c",
     "            object_dirtied(f);\n            f->flags |= FRAME_REFERENCED;",
     "            f->flags |= FRAME_REFERENCED;"),
    ("resident-not-counted-down", "pmap.c", "    unlink_entry(pm, pte, old, f);\n    pm->resident--;\n", "    unlink_entry(pm, pte, old, f);\n"),
    ("table-kept", "pmap.c",
     "    const bool empty = !table->table.used;", "    const bool empty = false;"),
    ("table-freed-early", "pmap.c", "    const bool empty = !table->table.used;", "    const bool empty = table->table.used <= 1;"),
    ("table-left-empty", "fault.c", "    if (!a) {\n        pmap_drop_empty(&f->space->pmap, f->page);\n", "    if (!a) {\n"),
    # Areas.
    ("split-offset", "edit.c", "        upper->pgoff = vma_page_index(v, addr);\n", ""),
    ("split-no-object-ref", "edit.c", "    vma_hold(upper);\n", ""),
    ("fork-no-object-ref", "fork/fork.c", "    vma_hold(copy);\n", ""),
    ("backing-let-go-early", "vma.c", "    if (b && !drop_unless_last(&v->backing->areas))\n        return false;\n", "    if (b)\n        v->backing->areas--;\n"),
    ("backing-joined", "edit.c", "a->backing == b->backing &&", "true &&"),
    ("join-ignores-offset", "edit.c", "vma_page_index(a, a->end) == b->pgoff && ", ""),
    ("join-ignores-prot", "edit.c", "a->end == b->start && a->prot == b->prot &&", "a->end == b->start &&"),
    ("grow-no-guard", "fault.c", "start - below->end < STACK_GUARD", "start < below->end"),
    ("grow-no-limit", "fault.c", "    if (above->end - start > s->limits.stack)\n        return NULL;", ""),
    ("gap-stale", "vma.c", "    refresh_gap(s, next);\n    v->space = s;", "    v->space = s;"),
    ("gap-in-use", "vma.c", "high - low >= len ? high - len : 0", "high - low >= len ? high - len - PAGE_SIZE : 0"),
    ("find-off-by-one", "vma.c", "        if (addr < v->end) {", "        if (addr <= v->end) {"),
    ("unmap-wraps", "map.c",
     "    if (!range_valid(addr, len) || len < length)\n        return -EINVAL;\n    err = change_begin_beside(&c, s, 2);",
     "    if (addr & ~PAGE_MASK || !len)\n        return -EINVAL;\n    err = change_begin_beside(&c, s, 2);"),
    # mremap, madvise, mlock.
    ("move-forgets-offset", "remap.c", "        moved->pgoff = vma_page_index(v, r->addr);\n", ""),
    ("move-leaves-mappings", "remap.c",
     "    while ((at = pmap_remove_step(&s->pmap, at, r->addr + r->old_len, &c->budget)) <\n           r->addr + r->old_len)\n        change_pause(c);",
     "    (void)at;"),
    ("move-leaves-count", "amap.c", "        frame_of(leaf)->leaf.used--;\n        amap_set", "        amap_set"),
    ("dontneed-keeps-map", "advise.c",
     "    while ((start = pmap_remove_step(&s->pmap, start, end, &c->budget)) < end)\n        change_pause(c);",
     "    (void)end;"),
    ("dontneed-shared-leaf", "advise.c",
     "vma_is_private(v) && amap_reserve_remove(&s->amap, page, last)",
     "false"),
    ("wipe-forgotten", "fork/fork.c",
     "    while ((page = amap_remove_step(&child->amap, page, end, &c->budget)) < end)\n        change_pause(c);",
     "    (void)c;"),
    ("reclaim-takes-locked", "reclaim/pageout.c", "return frame_is_locked(f) ? STAYS : see_off(f, out);",
     "return see_off(f, out);"),
    ("around-over-anon", "fault.c", "(vma_is_private(v) && amap_get(&f->space->amap, (start >> PAGE_SHIFT) + i))", "false"),
    ("absent-over-present", "pmap.c", "        if (!f[i] || (pte[i] & PTE_P))", "        if (!f[i])"),
    ("run-too-long", "radix.c", "    *run = SLOTS - slot_at(index, 0);", "    *run = SLOTS;"),

    # Objects.
    ("past-end-off-by-one", "object.c", "return index < object_page_count(o) ? find_any", "return index <= object_page_count(o) ? find_any"),
    ("tail-not-zeroed", "object_size.c", "    if (tail)\n        memset", "    if (!tail)\n        memset"),
    ("tail-zeroed-though-failed", "object_size.c",
     "        if (shrinks)\n            err = object_begin_cut",
     "        if (tail)\n            memset((uint8_t *)frame_kva(tail) + (size & (PAGE_SIZE - 1)), 0, PAGE_SIZE - (size & (PAGE_SIZE - 1)));\n        if (shrinks)\n            err = object_begin_cut"),
    ("truncate-keeps-pages", "reclaim/cut.c",
     "    vm_object_forget(o, first, UINT64_MAX);\n",
     ""),
    ("truncate-keeps-copies", "reclaim/cut.c",
     "        amap_remove(&s->amap, from, stop);\n",
     ""),
    ("truncate-off-by-one", "reclaim/cut.c",
     "first > v->pgoff ? first - v->pgoff : 0",
     "first > v->pgoff ? first - v->pgoff + 1 : 0"),
    ("evict-keeps-mappings", "object.c",
     "    pmap_remove_frame(f);\n    object_cleaned(f);\n    radix_clear",
     "    object_cleaned(f);\n    radix_clear"),
    ("busy-page-left", "object.c", "        if (i >= filled && f->kind == FRAME_OBJECT)\n            object_evict(f);\n", "        (void)filled;\n"),
    ("claim-past-end", "object.c", "(index >= object_page_count(o) || frame_low())", "frame_low()"),
    ("fetch-not-pinned", "object.c", "    frame_pin(f);\n    return f;", "    return f;"),
    ("window-never-grows", "object.c", "? o->window * 2u : most / 4", "? o->window : most / 4"),
    ("end-before-bytes", "object_io.c",
     "    err = object_pin(o, (uint32_t)(at >> PAGE_SHIFT), true, out);",
     "    if (at + n > o->size)\n        o->size = at + n;\n    err = object_pin(o, (uint32_t)(at >> PAGE_SHIFT), true, out);"),
    ("failed-write-leaves-page", "object_io.c", "    if (f->kind == FRAME_OBJECT && f->index >= object_page_count(o))", "    if (0)"),
    ("place-not-asked-by-fault", "fault.c",
     "        if (object_needs_place(v->object, frame)) {",
     "        if (0) {"),
    ("place-mapped-writable", "fault.c",
     "(!f->write && object_first_store_faults(v->object, frame))",
     "(!f->write && !object_needs_place(v->object, frame) && object_first_store_faults(v->object, frame))"),
    ("place-not-asked-by-write", "object.c", "if (st == OBJECT_RESIDENT && make_past_end && object_needs_place(o, *out))", "if (0)"),
    ("put-does-not-clean", "reclaim/write_back.c",
     "    object_cleaned(f);\n    pmap_clean(f);",
     "    object_cleaned(f);"),
    ("put-cleans-late", "reclaim/write_back.c",
     "        f->flags &= ~FRAME_WRITING;\n        if ((int)i >= put && f->kind == FRAME_OBJECT)\n            object_dirtied(f);",
     "        f->flags &= ~FRAME_WRITING;\n        if ((int)i < put) {\n            object_cleaned(f);\n            pmap_clean(f);\n        } else if (f->kind == FRAME_OBJECT) {\n            object_dirtied(f);\n        }"),
    ("put-failure-forgotten", "reclaim/write_back.c",
     "        if ((int)i >= put && f->kind == FRAME_OBJECT)\n            object_dirtied(f);\n",
     ""),
    ("put-error-not-told", "reclaim/write_back.c", "        o->put_error = put;", "        ;"),
    ("put-takes-one", "reclaim/write_back.c", "while (run->count < VM_RUN_MAX && mappings", "while (run->count < 1 && mappings"),
    ("dirtied-twice", "reclaim/dirty.c", "    if (f->flags & FRAME_DIRTY)\n        return;\n    f->flags |= FRAME_DIRTY;", "    f->flags |= FRAME_DIRTY;"),
    ("hole-made-by-reading", "object_io.c", "    *out = zero_frame_get();\n    if (*out)\n        return OBJECT_RESIDENT;\n", ""),
    ("radix-next-skips", "radix.c", "i = ((i >> (level * BITS)) + 1)", "i = ((i >> (level * BITS)) + 2)"),
    ("growth-shows-tail", "object_size.c", "    memset((uint8_t *)frame_kva(f) + within, 0, n);\n", ""),
    ("write-shows-tail", "object_io.c", "            object_clear_tail(o, o->size, at);\n", ""),
    ("hole-too-long", "object.c", "if (!item || *first >= end)", "if (!item || *first > end)"),
    ("hole-keeps-edge", "object_size.c", "            err = zero_in_page(o, from, (uint32_t)n);", "            ;"),
    ("deny-forgets-maxprot", "reclaim/cut.c",
     "(v->flags & VM_SHARED) && (v->maxprot & VM_PROT_WRITE);",
     "(v->flags & VM_SHARED) && (v->prot & VM_PROT_WRITE);"),
    ("denied-maps", "map.c", "        err = -EPERM;\n", "        ;\n"),
    ("promise-kept-for-ever", "object.c", "        committed_pages -= o->promised;\n", ""),
    ("noreserve-always", "commit.c", "settings.mode == VM_OVERCOMMIT_NEVER ? flags & ~VM_NORESERVE : flags", "flags"),
    ("unmapped-joins", "edit.c",
     " && !o->pager->unmapped",
     ""),
    ("areas-not-counted-down", "vma.c", "    s->areas--;\n", ""),
    # What can be seen.
    ("zero-counts-as-resident", "seen/stats.c", "    if (f->kind == FRAME_ZERO)\n        return;\n    mappings", "    mappings"),
    ("pss-whole", "seen/stats.c", "    pss /= mappings;\n", ""),
    ("clear-refs-all-kinds", "seen/stats.c", "    if (which != (file ? VM_CLEAR_ANON : VM_CLEAR_FILE))\n", "    (void)file, (void)which;\n"),
    ("clear-refs-no-flush", "seen/stats.c", "        (void)pmap_clear_accessed(entry);", "        __atomic_and_fetch(entry, ~PTE_A, __ATOMIC_SEQ_CST);"),
    ("cow-by-anon-alone", "seen/stats.c", "    return !amap_owns(&s->amap, pmap_entry_address(m.pte) >> PAGE_SHIFT);", "    return false;"),
    ("range-skips-tables", "seen/stats.c", "            va = next_table(va);\n            continue;\n        }\n        if (table[PTX(va)] & PTE_P) {", "            va = end;\n            continue;\n        }\n        if (table[PTX(va)] & PTE_P) {"),
    ("trace-forgets-none", "seen/ring.c", "r->next - r->first > r->capacity ? r->next - r->capacity : r->first", "r->first"),
    ("trace-misses-major", "fault.c", "(f->major ? VM_EVENT_MAJOR : 0)", "0"),
    ("trace-keeps-frames", "seen/ring.c", "        kfree(r->frame[i]);", "        ;"),

    # Swap.
    ("growth-leaves-tail-in-swap", "object_size.c", "if (end <= o->size || !is_tail_needed(o, &need))", "if (1)"),
    ("growth-under-write-forgotten", "object_size.c",
     "    if (f->flags & FRAME_WRITING)\n        object_dirtied(f);\n",
     ""),
    ("store-under-write-forgotten", "reclaim/swap_out.c", "if (!written || is_dirty(f) ||", "if (!written ||"),
    ("evicts-what-was-dirtied", "reclaim/swap_out.c",
     "    pmap_remove_frame(f);\n    /* Another", "    pmap_remove_frame(f);\n    f->flags &= ~FRAME_DIRTY;\n    /* Another"),
    ("unwritten-counts-as-written", "reclaim/swap_out.c", "(int)i < written)", "true)"),
    ("orphan-keeps-slot", "reclaim/swap_out.c", "    if (orphan) {\n        swap_free(slot);\n", "    if (orphan) {\n"),
    ("old-slot-kept", "reclaim/swap_out.c", "        swap_free(f->anon->slot);\n        f->anon->slot = 0;\n", "        f->anon->slot = 0;\n"),
    ("pinned-joins-run", "reclaim/swap_out.c", "return f->pins || (f->flags", "return (f->flags"),
    ("reads-wrong-slot", "reclaim/swap_in.c", "    in->slot = slots[*from];", "    in->slot = slots[at];"),
    ("not-busy-while-read", "reclaim/swap_in.c", "        f->flags = FRAME_BUSY;\n", ""),
    ("failed-read-is-kept", "reclaim/swap_in.c", "if (!read && f->kind == FRAME_ANON)", "if (0)"),
    ("page-read-is-clean", "reclaim/swap_in.c",
     "        f->flags |= FRAME_DIRTY;\n        swap_free(slot);\n        arrived(f);", "        swap_free(slot);\n        arrived(f);"),
    ("swapoff-forgets-objects", "reclaim/swap_in.c", "while (!err && (o = next_object(o)))", "while (0)"),
    ("swapoff-leaves-slots-of-resident", "reclaim/swap_in.c", "        keep_in_memory(a);\n    }\n    return false", "    }\n    return false"),
    ("spoilt-is-used", "reclaim/swap.c", "        take(a, slot);\n        a->usable--;", "        a->usable--;"),
    ("low-priority-first", "reclaim/swap.c", "a->priority > best->priority", "a->priority < best->priority"),
    ("free-run-crosses-end", "reclaim/swap.c", "place + n < a->slots && !is_taken", "!is_taken"),
    ("zram-without-bound", "reclaim/zram.c", "charge(z, PAGE_SIZE) ? charged(z, PAGE_SIZE, kalloc()) : NULL", "(z->stats.used += PAGE_SIZE, kalloc())"),
    ("zram-loses-pieces", "reclaim/zram.c", "        kmfree(p);\n        z->stats.used -= (uint32_t)", "        z->stats.used -= (uint32_t)"),
    ("zram-same-looks-at-half", "reclaim/zram.c", "unsigned i = 1; i < PAGE_SIZE / 4; i++) {\n        if (page[i]", "unsigned i = 1; i < PAGE_SIZE / 8; i++) {\n        if (page[i]"),
    ("lz4-match-too-late", "reclaim/lz4.c", "#define MATCH_LAST STEP", "#define MATCH_LAST 8u"),
    ("lz4-believes-distance", "reclaim/lz4.c", "distance > (unsigned)(p->to - start) ||", ""),
    ("lz4-believes-short-distance", "reclaim/lz4.c", "distance < 4 || distance > (unsigned)(p.to + n - start)", "distance < 4"),
    ("lz4-short-where-words-are-too-wide", "reclaim/lz4.c", "distance < 4 || distance > (unsigned)(p.to + n - start)", "distance < 1 || distance > (unsigned)(p.to + n - start)"),
    ("lz4-believes-length", "reclaim/lz4.c", " || n > end - p->to)", ")"),
    ("lz4-steps-too-far", "reclaim/lz4.c", "end - p.to < (int)(n + match + MATCH_MIN + STEP)", "end - p.to < (int)(n + match + MATCH_MIN)"),

    # Frames.
    ("no-reserve", "frame.c", "return read_once(free_frames) <= reserve;", "return free_frames == 0;"),
    ("zeroed-node-left", "percpu/shelf.h",
     "    *node = (struct free_frame){0};",
     "    ;"),
    ("shelves-stay-open", "frame.c", "    if (n == 0 && free_frames <= 3 * reserve + SHELF_STEP)\n        write_once(shelves_open, false);\n", ""),
    ("shelves-never-open-again", "frame.c", "    shelves_look();\n    ready", "    ready"),
    ("shelves-not-cleared", "percpu/shelf.c", "    if (!f)\n        shelves_clear();\n", ""),
    ("shelf-without-end", "percpu/shelf.c", "        if (s->count > SHELF_MOST)\n            bring_back(s, SHELF_STEP);\n", ""),
    ("shelf-mixes-zeroed", "percpu/shelf.c", "zeroed ? &s->zeroed : &s->free, frame_kva", "&s->zeroed, frame_kva"),
    ("lends-when-shut", "frame.c", "while (shelves_open && n < SHELF_STEP", "while (n < SHELF_STEP"),
    ("lends-too-much", "frame.c", "free_frames - n > 3 * reserve + SHELF_STEP", "free_frames - n > 0"),
    ("slab-room-lost", "kmalloc.c", "    if (f->slab.free == SLAB_NONE)\n        chain_push(f, c);\n", ""),
    # Cuts in steps, and pages that count as dirty.
    ("joins-while-cutting", "edit.c",
     " && !o->cutting",
     ""),
    ("cut-forgets-latecomers", "reclaim/cut.c",
     "    if (o->cutting && !o->uncut)\n        o->uncut = v;\n",
     ""),
    ("clean-page-mapped-writable", "fault.c",
     "(!f->write && object_first_store_faults(v->object, frame))",
     "(!f->write && object_needs_place(v->object, frame))"),
    # Pages that a program serves.
    ("served-mark-stays", "served/served.c", "    if (!protect && marked)\n        (void)radix_clear(&sv->protected, index);\n    if (page)", "    if (page)"),
    ("served-wakes-the-told-only", "served/served.c", "    wake_in(&sv->waiting, start, end);\n", ""),
    ("served-missing-not-asked", "fault.c", "served_asks(v, f->page, f->write)", "f->write && served_asks(v, f->page, f->write)"),
    ("served-gone-stays-protected", "served/events.c", "        server_forget(v->server, c, start >> PAGE_SHIFT, end >> PAGE_SHIFT);", "        (void)c;"),
    ("served-heir-protects-nothing", "served/events.c", "copy->served & VM_SERVE_WRITES ? inherit_marks(c, sv, copy) : 0", "0"),
    ("served-moved-protects-nothing", "served/events.c", "    return reserve_marks(c, v, m);", "    return 0;"),
    ("served-failed-fork-is-told", "served/events.c", "n->happened = done", "n->happened = true"),
    ("served-gives-to-a-place-that-changed", "served/served.c", "    if (!list_empty(&sv->news)) {", "    if (0) {"),
    ("served-taken-child-stays-served", "served/events.c", "    if (!adopted && !back)\n        vm_server_end(child);\n", ""),
]

RUNS = [*([t] for t in TESTS), ["fuzz", "15000", "1", "600", "600"], ["fuzz", "15000", "1", "900"], ["fuzz", "15000", "2", "2048"],
        ["fuzz", "40000", "3", "8192"]]
# What is not in mm/ has its own.
RUNS_OF = {"arch": [["test_interleaving"], ["test_kernel_lock"]], "kernel": [["test_scheduler"]]}


def source_of(filename):
    return filename if filename.startswith(("arch/", "kernel/")) else f"mm/{filename}"


def plant(mutant, objects):
    """The tree with this fault in it."""
    name, filename, text, replacement = mutant
    source = objects.read(source_of(filename))
    if source.count(text) != 1:
        raise ValueError(f"{name}: its text occurs {source.count(text)} times in {source_of(filename)}")
    return objects.with_texts({source_of(filename): source.replace(text, replacement)})


def caught_by(mutant, objects):
    """The run that failed with this fault planted, or None."""
    planted = plant(mutant, objects)
    for run in RUNS_OF.get(mutant[1].split("/")[0], RUNS):
        said = planted.run(*run)
        if said:
            return " ".join(run) + (" (does not end)" if said.startswith("does not end") else "")
    return None


def stale():
    """The names of those whose text does not occur exactly once."""
    def occurrences(mutant):
        with open(source_of(mutant[1]), encoding="ascii") as f:
            return f.read().count(mutant[2])
    return [m[0] for m in MUTANTS if occurrences(m) != 1]


def main():
    if len(sys.argv) == 1 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    if sys.argv[1] == "--check":
        sys.exit(" ".join(stale()) or 0)
    directory, names = sys.argv[1], sys.argv[2:]
    objects = Objects(directory)
    for program in {run[0] for run in [*RUNS, *RUNS_OF["arch"], *RUNS_OF["kernel"]]}:
        objects.program(program)
    chosen = [m for m in MUTANTS if not names or m[0] in names]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for mutant, by in zip(chosen, pool.map(lambda m: caught_by(m, objects), chosen)):
            print(f"{'ok  ' if by else 'FAIL'} {mutant[0]}: {'caught by ' + by if by else 'SURVIVED'}",
                  flush=True)
            failed += by is None
    objects.prune()
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
